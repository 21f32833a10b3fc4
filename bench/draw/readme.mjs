/** The README's table: what each model takes, and beside others. */
import { fastestOthers } from "./others.mjs"
import { count, ratio, size, time } from "./words.mjs"

const begin = "<!-- bench:begin -->"
const end = "<!-- bench:end -->"

const percent = (share) => `${(100 * share).toFixed(1)} %`

/** What is lost by integers: accuracy before and after, or, without labels, how often both say the same. */
const loss = ({ accuracyFloat, accuracyInteger, agreement }) =>
  accuracyFloat !== undefined && accuracyInteger !== undefined
    ? `${percent(accuracyFloat)} → ${percent(accuracyInteger)}`
    : agreement === undefined
      ? ""
      : `same in ${percent(agreement)}`

/** Of a model, how many times longer others take. */
const beside = (peers, model) =>
  fastestOthers(peers, model)
    .map((row) => `${row.against} ${ratio(row.ratio)}`)
    .join(", ")

/** The table of all models; its last column only if there are others. */
export function readmeTable({ models, peers = [] }) {
  const [{ cpu, cores, node, date }] = models
  const columns = [
    ["model", (row) => row.name],
    ["constraints", (row) => count(row.constraints)],
    ["key", (row) => size(row.keyBytes)],
    ["proof", (row) => time(row.ms)],
    ["memory", (row) => size(row.peakBytes)],
    ["accuracy, float → integer", loss],
    ["others take", (row) => beside(peers, row)],
  ]
  const line = (cells) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |")
  const lines = models
    .toSorted((a, b) => a.constraints - b.constraints)
    .map((row) => line(columns.map(([, cell]) => cell(row))))
  const random = models.filter(({ weights }) => weights === "random").map(({ name }) => name)
  return [
    line(columns.map(([head]) => head)),
    `|${"---|".repeat(columns.length)}`,
    ...lines,
    "",
    `Proofs with the key opened, witness included: medians; memory of the whole process. Of ${cpu}, ${cores} cores, Node ${node}, ${date}.`,
    ...(random.length > 0 ? [`Weights are random in ${random.join(", ")}.`] : []),
  ].join("\n")
}

/** A text with the table between its markers. @throws Error if they are not there once each, in order */
export function withTable(text, table) {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from || text.indexOf(begin, from + 1) >= 0)
    throw new Error(`README.md needs ${begin} and then ${end}, once each`)
  return `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`
}
