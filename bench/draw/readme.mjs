/** The README's table: what each model takes, and beside others. */
import { count, ratio, size, time } from "./words.mjs"

const begin = "<!-- bench:begin -->"
const end = "<!-- bench:end -->"

/** A loss of accuracy in percent, or of the output's range where there are no labels. */
const loss = (share) => (share === undefined ? "" : `${Number((100 * share).toPrecision(2))} %`)

/** Of a model, the ratios of the peers' rows that are of it. */
const beside = (peers, name) =>
  peers
    .filter((row) => row.ratio !== undefined && row.name.startsWith(name))
    .map((row) => `${ratio(row.ratio)} ${row.against.replace(/ .*/, "")}`)
    .join(", ")

export function readmeTable({ models, peers = [] }) {
  const [{ cpu, cores, node, date, commit }] = models
  const lines = models.map((row) =>
    [
      row.name,
      count(row.constraints),
      size(row.keyBytes),
      time(row.ms),
      size(row.peakBytes),
      loss(row.accuracyLoss),
      beside(peers, row.name),
    ].join(" | "),
  )
  return `| model | constraints | key | proof | memory | accuracy lost | beside others |
|---|---|---|---|---|---|---|
${lines.map((line) => `| ${line.replaceAll(/ +\| +/g, " | ").trimEnd()} |`).join("\n")}

${cpu}, ${cores} cores, Node ${node}, ${date}, commit ${commit}.`
}

/** A text with the table between its markers. @throws Error if they are not there once each, in order */
export function withTable(text, table) {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from || text.indexOf(begin, from + 1) >= 0)
    throw new Error(`README.md needs ${begin} and then ${end}, once each`)
  return `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`
}
