/** Where the time goes: of each model a bar of stages, once for what is done once and once for every proof. */
import { chart, colour, fontSize, Plot, picture, wordAt } from "./frame.mjs"
import { shortName, time } from "./words.mjs"

const once = [
  { field: "compileMs", label: "compile", fill: colour.blue },
  { field: "setupMs", label: "setup", fill: colour.pale },
]
const each = [
  { field: "openMs", label: "open the key", fill: colour.green },
  { field: "witnessMs", label: "witness", fill: colour.gold },
  { field: "rest", label: "proof", fill: colour.orange },
  { field: "verifyMs", label: "verify", fill: colour.purple },
]

/** Bars of shares, with the names of stages above and the whole time at the end. */
function bars(models, stages) {
  const rows = models.map((model) => {
    // the proof includes its witness
    const values = stages.map(({ field }) => (field === "rest" ? model.ms - model.witnessMs : model[field]))
    const total = values.reduce((sum, value) => sum + value, 0)
    let from = 0
    const parts = stages.map((stage, i) => {
      const share = values[i] / total
      from += share
      return { ...stage, name: shortName(model.name), x1: from - share, x2: from }
    })
    return { name: shortName(model.name), total, parts }
  })
  let at = 0
  const margins = { marginLeft: 172, marginRight: 74, marginTop: 32, marginBottom: 6 }
  const legend = stages.map((stage) => {
    const x = at
    at += stage.label.length * fontSize * 0.54 + 36
    return { ...stage, x }
  })
  return chart({
    height: 36 + rows.length * 27 + 8,
    ...margins,
    x: { domain: [0, 1], axis: null },
    y: { domain: rows.map(({ name }) => name), label: null, tickSize: 0, padding: 0.25, round: false },
    marks: [
      Plot.barX(
        rows.flatMap(({ parts }) => parts),
        { x1: "x1", x2: "x2", y: "name", fill: "fill", stroke: colour.surface, strokeWidth: 1 },
      ),
      Plot.text(rows, {
        x: 1,
        y: "name",
        dx: 8,
        text: ({ total }) => time(total),
        textAnchor: "start",
        fill: colour.ink,
      }),
      ...legend.flatMap(({ label, fill, x }) => [
        wordAt("■", { ...margins, x: x + 16, y: 14, textAnchor: "start", fill, fontSize: 17 }),
        wordAt(label, { ...margins, x: x + 35, y: 15, textAnchor: "start", fill: colour.ink }),
      ]),
    ],
  })
}

export function stagesPicture({ models }) {
  const sorted = models.toSorted((a, b) => a.constraints - b.constraints)
  return picture({
    title: "Where the time goes",
    subtitle: [`Shares of the time on the right; ${models[0].cpu}, ${models[0].cores} cores`],
    description: `For each of ${models.length} models the shares of compile and setup, which happen once, and of opening the key, the witness, the proof and its verification. ${sorted
      .map((model) => `${model.name}: proof ${time(model.ms)}, setup ${time(model.setupMs)}`)
      .join("; ")}.`,
    parts: [
      { heading: "Once for a model", chart: bars(sorted, once) },
      { heading: "Opening the key, and a proof; the key stays open", chart: bars(sorted, each) },
    ],
  })
}
