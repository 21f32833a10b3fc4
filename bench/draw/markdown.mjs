/** Tables in Markdown, and the places in documents where they stand: between two marks, so that a run can write them anew. */

const line = (cells) => `| ${cells.join(" | ")} |`.replaceAll("|  |", "| |").replaceAll("|  |", "| |")

/** A table of rows; columns are [head, cell of a row], and one of which every cell is empty is left out. */
export function table(columns, rows) {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row) ?? ""))
  const kept = columns.map((_, i) => i === 0 || cells.some((list) => list[i] !== ""))
  const some = (list) => list.filter((_, i) => kept[i])
  const heads = some(columns.map(([head]) => head))
  return [line(heads), `|${"---|".repeat(heads.length)}`, ...cells.map((list) => line(some(list)))].join("\n")
}

/** Where and when rows were measured; of several runs all of them. */
export function whereOf(rows) {
  const runs = rows.map(
    ({ cpu, cores, node, date, commit }) => `${cpu}, ${cores} cores, Node ${node}, ${date}, commit ${commit}`,
  )
  return `${[...new Set(runs)].join("; ")}.`
}

const marks = (name) => [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]

/** A text with something else between the marks of a name. @throws Error unless they are there once each, in order */
export function between(text, name, content) {
  const [begin, end] = marks(name)
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from || text.indexOf(begin, from + 1) >= 0 || text.indexOf(end, to + 1) >= 0)
    throw new Error(`the text needs ${begin} and then ${end}, once each`)
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`
}
