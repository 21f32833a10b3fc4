/**
 * Cost against size of primitives and of forms of gadgets, each in a small chart of its own: on both axes logarithms, the same
 * for all, so that heights compare. The line of what rises as its size does runs at 45 degrees or so in each.
 */
import { axes, chart, colour, Plot, picture, width, wordAt } from "./frame.mjs"
import { short } from "./words.mjs"

const columns = 3
const [cellWidth, cellHeight] = [width / columns, 128]

/** Small charts of one sort, in rows of three; Plot would give them one frame, and titles no place. */
function grid(names, rows) {
  const all = rows.flatMap(({ constraints, circuitConstraints }) => [constraints, circuitConstraints])
  const sizes = rows.map(({ size }) => size)
  const options = {
    width: cellWidth,
    height: cellHeight,
    marginLeft: 44,
    marginRight: 16,
    marginTop: 30,
    marginBottom: 24,
    x: {
      type: "log",
      domain: [Math.min(...sizes) * 0.8, Math.max(...sizes) * 1.25],
      ticks: [16, 256, 2048].filter((size) => size <= Math.max(...sizes)),
      format: short,
      axis: null,
    },
    y: {
      type: "log",
      domain: [Math.min(10, ...all.filter((n) => n > 0)) * 0.8, Math.max(...all) * 1.5],
      ticks: [10, 100, 1e3, 1e4],
      format: short,
      axis: null,
    },
  }
  const outer = chart({
    width,
    height: Math.ceil(names.length / columns) * cellHeight + 4,
    axis: null,
    marks: [],
  })
  names.forEach((name, i) => {
    const some = rows.filter(({ what }) => what === name)
    const cell = chart({
      ...options,
      marks: [
        ...axes(options),
        Plot.line(some, {
          x: "size",
          y: "circuitConstraints",
          stroke: colour.muted,
          strokeDasharray: "3 3",
        }),
        Plot.line(
          some.filter(({ constraints }) => constraints > 0),
          { x: "size", y: "constraints", stroke: colour.blue, strokeWidth: 2 },
        ),
        Plot.dot(
          some.filter(({ constraints }) => constraints > 0),
          { x: "size", y: "constraints", fill: colour.blue, r: 3 },
        ),
        ...(some.every(({ constraints }) => constraints === 0)
          ? [
              Plot.text(["none"], {
                frameAnchor: "bottom-left",
                dx: 6,
                dy: -4,
                text: (x) => x,
                fill: colour.blue,
              }),
            ]
          : []),
        wordAt(name, { ...options, x: 16, y: 15, textAnchor: "start", fontWeight: 600, fill: colour.ink }),
      ],
    })
    const group = outer.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "g")
    group.setAttribute(
      "transform",
      `translate(${(i % columns) * cellWidth},${Math.floor(i / columns) * cellHeight})`,
    )
    group.innerHTML = cell.innerHTML
    outer.append(group)
  })
  return outer
}

/** The picture of one of both: primitives, or forms of gadgets. */
const costs = (of, title) =>
  function costsPicture({ operators }) {
    const rows = operators.filter((row) => row.of === of)
    const names = [...new Set(rows.map(({ what }) => what))].sort()
    const last = (name) => rows.filter(({ what }) => what === name).at(-1)
    return picture({
      title,
      subtitle: [
        "Constraints against elements, both on logarithmic axes",
        "line: its own; dashed: the whole circuit with inputs and tables",
      ],
      description: `Constraints of ${names.length} kinds at several sizes. ${names
        .map((name) => `${name}: ${last(name).constraints} at ${last(name).size}`)
        .join("; ")}.`,
      parts: [{ chart: grid(names, rows) }],
    })
  }

export const primitivesPicture = costs("primitive", "What primitives cost")
export const formsPicture = costs("form", "What forms of gadgets cost")
