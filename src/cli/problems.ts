/**
 * The problems of a model as a terminal shows them: by operator and reason, counted, with the first names and what
 * would help, however many nodes there are.
 */
import { type ModelError, type ProblemGroup, printable } from "../errors.js"
import { inOptions } from "./words.js"

/** Groups and names of nodes that are shown; an object has all that the error has. */
const shownGroups = 20
const shownNames = 3
const shownCharacters = 60

/** A text in lines of at most `width` characters, where its words allow it, each after an indent. */
function wrapped(text: string, indent: string, width: number): string[] {
  const lines: string[] = []
  let line = ""
  for (const word of printable(inOptions(text)).split(" ")) {
    if (line !== "" && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line)
      line = word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, indent + line]
}

const cut = (text: string): string =>
  text.length > shownCharacters ? `${text.slice(0, shownCharacters - 1)}…` : text

function groupLines(group: ProblemGroup, width: number, isTold: boolean): string[] {
  const { operator, reason, help, count, nodes } = group
  const times = count > 1 ? ` ×${count}` : ""
  const head =
    operator === undefined
      ? `${reason}${count > 1 ? ` (and ${count - 1} alike)` : ""}`
      : `${cut(operator)}${times}: ${reason}`
  const names = nodes.slice(0, shownNames).map(cut)
  const more = count > names.length ? `, and ${count - names.length} more` : ""
  const where = `${count > 1 ? "first" : "node"}: ${names.join(", ")}${more}`
  return [
    ...wrapped(head, "  ", width),
    ...(names.length > 0 ? wrapped(where, "      ", width) : []),
    ...(help === undefined ? [] : wrapped(`what helps: ${isTold ? "as above" : help}`, "      ", width)),
  ]
}

/** An error with problems for people, in lines of at most `width` characters. */
export function problemLines({ facts, groups }: ModelError, width: number): string[] {
  const { what, where, fix } = facts
  const shown = groups.slice(0, shownGroups)
  const left = groups.length - shown.length
  return [
    ...wrapped(`error: ${where === undefined ? "" : `${where}: `}${what}`, "", width),
    ...shown.flatMap((group, i) => groupLines(group, width, i > 0 && group.help === shown[i - 1].help)),
    ...(left > 0 ? [`  … and ${left} kinds more: --json lists them`] : []),
    ...(fix === undefined ? [] : wrapped(fix, "", width)),
  ]
}
