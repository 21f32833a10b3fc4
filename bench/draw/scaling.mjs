/** Time and memory of a proof against constraints, by runtime and threads: lines, each with its name at its end. */
import { axes, below, chart, colour, fontSize, Plot, picture, scalesOf, wordAt } from "./frame.mjs"
import { power, size, time } from "./words.mjs"

const looks = [
  { runtime: "node", many: true, colour: colour.blue, symbol: "circle", dash: undefined },
  { runtime: "node", many: false, colour: colour.orange, symbol: "square", dash: "5 3" },
  { runtime: "chromium", many: true, colour: colour.green, symbol: "triangle", dash: undefined },
  { runtime: "chromium", many: false, colour: colour.purple, symbol: "diamond", dash: "2 3" },
]
const named = { node: "Node", chromium: "Chromium" }

const seriesOf = (rows) =>
  looks.flatMap((look) => {
    const some = rows.filter(({ runtime, threads }) => runtime === look.runtime && threads > 1 === look.many)
    if (some.length === 0) return []
    const { threads } = some[0]
    return [
      {
        ...look,
        label: `${named[look.runtime]}, ${threads === 1 ? "1 thread" : `${threads} threads`}`,
        rows: some,
      },
    ]
  })

/** Labels, moved apart so that they can be read, and none above `top`. */
function apart(labels, gap, top) {
  const sorted = labels.toSorted((a, b) => a.y - b.y)
  for (let pass = 0; pass < 50; pass++)
    for (let i = 1; i < sorted.length; i++) {
      const missing = gap - (sorted[i].y - sorted[i - 1].y)
      if (missing > 0) {
        sorted[i].y += missing / 2
        sorted[i - 1].y -= missing / 2
      }
    }
  const above = Math.max(0, top - sorted[0].y)
  return sorted.map((label) => ({ ...label, y: label.y + above }))
}

/** A chart of one field, both axes logarithmic. */
function lines(rows, field, ticks, format) {
  const given = rows.filter((row) => row[field] !== undefined)
  const series = seriesOf(given)
  const powers = [...new Set(given.map((row) => row.power))].sort((a, b) => a - b)
  const every = powers.length > 5 ? 2 : 1
  const values = given.map((row) => row[field])
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const options = {
    height: 300,
    marginLeft: 66,
    marginRight: 174,
    marginTop: 14,
    marginBottom: 44,
    x: {
      type: "log",
      domain: [2 ** powers[0] * 0.85, 2 ** powers.at(-1)],
      axis: null,
      ticks: powers.filter((_, i) => i % every === 0).map((n) => 2 ** n),
      format: (n) => power(Math.log2(n)),
    },
    y: {
      type: "log",
      domain: [least * 0.8, most * 1.15],
      axis: null,
      ticks: ticks.filter((tick) => tick >= least * 0.8 && tick <= most * 1.15),
      format,
    },
  }
  const at = scalesOf({ ...options, marks: [Plot.dot(given, { x: "constraints", y: field })] })
  const ends = apart(
    series.map((one) => {
      const last = one.rows.at(-1)
      return { ...one, x: at.x.apply(last.constraints), y: at.y.apply(last[field]) }
    }),
    fontSize + 4,
    options.marginTop,
  )
  const right = Math.max(...ends.map(({ x }) => x)) + 12
  return chart({
    ...options,
    marks: [
      ...axes(options),
      ...series.flatMap((one) => [
        Plot.line(one.rows, {
          x: "constraints",
          y: field,
          stroke: one.colour,
          strokeWidth: 2,
          strokeDasharray: one.dash,
        }),
        Plot.dot(one.rows, { x: "constraints", y: field, fill: one.colour, symbol: one.symbol, r: 4 }),
      ]),
      ...ends.map((one) =>
        wordAt(one.label, { ...options, x: right, y: one.y, textAnchor: "start", fill: one.colour }),
      ),
      below("constraints"),
    ],
  })
}

const milliseconds = [1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5]
const bytes = [1e8, 1.5e8, 2e8, 3e8, 5e8, 1e9, 2e9, 4e9]

export function scalingPicture({ scaling }) {
  const [{ cpu, cores }] = scaling
  const sizes = scaling.map(({ power: n }) => n)
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  const largest = scaling.find((row) => row.power === most && row.runtime === "node" && row.threads > 1)
  return picture({
    title: "A proof against constraints",
    subtitle: [`Convolutions of one family, key opened; ${cpu}, ${cores} cores`],
    description: `Lines of time and memory of a proof from ${power(least)} to ${power(most)} constraints, in Node and in Chromium, on one thread and on several. The largest takes ${largest?.ms ? time(largest.ms) : "longer than was waited for"} in Node on all threads.`,
    parts: [
      { heading: "Time of a proof, witness included", chart: lines(scaling, "ms", milliseconds, time) },
      {
        heading: "Most memory of the process, opening the key included",
        chart: lines(scaling, "peakBytes", bytes, size),
      },
    ],
  })
}
