/** What each node of a model costs, in the order of the model: bars of constraints. */
import { chart, colour, Plot, picture } from "./frame.mjs"
import { count, short } from "./words.mjs"

/** Nodes by name; tables of lookups are one. */
function barsOf(rows) {
  const bars = new Map()
  for (const { nodeName: name, primitive, operator, constraints } of rows) {
    const known = bars.get(name) ?? { name, isShared: !operator && primitive !== "input", constraints: 0 }
    known.constraints += constraints
    bars.set(name, known)
  }
  // what hashes the public values is too little to be seen
  return [...bars.values()].filter(({ constraints }) => constraints > 10)
}

function bars(list) {
  return chart({
    height: list.length * 23 + 12,
    marginLeft: 164,
    marginRight: 60,
    marginTop: 4,
    marginBottom: 8,
    x: { axis: null },
    y: { domain: list.map(({ name }) => name), label: null, tickSize: 0, padding: 0.22, round: false },
    marks: [
      Plot.barX(list, {
        x: "constraints",
        y: "name",
        fill: ({ isShared }) => (isShared ? colour.muted : colour.blue),
      }),
      Plot.text(list, {
        x: "constraints",
        y: "name",
        dx: 6,
        text: ({ constraints }) => short(constraints),
        textAnchor: "start",
        fill: colour.ink,
      }),
    ],
  })
}

export function nodesPicture({ nodes }) {
  const models = [...new Set(nodes.map(({ model }) => model))].map((model) => {
    const rows = nodes.filter((row) => row.model === model)
    return { model, bars: barsOf(rows), total: rows.reduce((sum, row) => sum + row.constraints, 0) }
  })
  return picture({
    title: "Where the constraints go",
    subtitle: ["Linear layers have none; grey: tables that all nodes look up in"],
    description: `Constraints of each node that has any. ${models
      .map(
        ({ model, bars: list, total }) =>
          `${model}, ${count(total)} in all: ${list.map((bar) => `${bar.name} ${count(bar.constraints)}`).join(", ")}`,
      )
      .join(". ")}.`,
    parts: models.map(({ model, bars: list, total }) => ({
      heading: `${model}: ${count(total)} constraints`,
      chart: bars(list),
    })),
  })
}
