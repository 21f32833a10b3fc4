/** What two compilations differ in, as lines. */
import type { Comparison, NodeDifference, Pair } from "../compile/comparison.js"
import { columns } from "./terminal.js"

/** By how much a figure changed. */
export function change({ a, b }: Pair<number | null>): string {
  if (a === null || b === null || a === b) return ""
  const sign = b > a ? "+" : "-"
  const share = a === 0 ? "" : ` (${sign}${((100 * Math.abs(b - a)) / a).toFixed(1)} %)`
  return `${sign}${Math.abs(b - a)}${share}`
}

const sizes: Readonly<Record<string, string>> = {
  provingKey: "proving key, bytes",
  verificationKey: "verification key, bytes",
  proof: "proof, bytes",
}

/** What a total is called where people read it. */
export const totalName = (name: string): string => sizes[name] ?? name

const cell = (value: number | null) => (value === null ? "none" : `${value}`)
/** Both, or the one if they are the same. */
const both = (a: number | string | undefined, b: number | string | undefined) =>
  a === undefined ? `${b}` : b === undefined || a === b ? `${a}` : `${a} -> ${b}`

/** Widest of a digest or a path; of a path the end tells more. */
const widestTotal = 28
const ending = (path: string): string =>
  path.length > widestTotal ? `…${path.slice(1 - widestTotal)}` : path

const marks = { added: "+", removed: "-", changed: "~" } as const

function nodeRow(mark: string, { name, operator, primitive, a, b }: NodeDifference): string[] {
  return [
    mark,
    name,
    operator,
    primitive,
    both(a?.accBits || undefined, b?.accBits || undefined).replace("undefined", ""),
    both(a?.lookups, b?.lookups),
    both(a?.constraints, b?.constraints),
    change({ a: a?.constraints ?? 0, b: b?.constraints ?? 0 }),
    both(a?.gadget, b?.gadget),
  ]
}

/** A table of what was chosen otherwise and of totals, one of operators, one of nodes. */
export function differenceLines(
  { options, totals, operators, nodes }: Comparison,
  a: string,
  b: string,
): string[] {
  const costs = (each: NodeDifference) => (each.a?.constraints ?? 0) + (each.b?.constraints ?? 0) > 0
  const rows = (["changed", "added", "removed"] as const).flatMap((kind) =>
    nodes[kind].filter(costs).map((node) => nodeRow(marks[kind], node)),
  )
  const counts = `${nodes.changed.length} changed, ${nodes.added.length} added, ${nodes.removed.length} removed, ${nodes.same} the same`
  return [
    ...columns(
      [
        ["", ending(a), ending(b), ""],
        ...options.map((each) => [each.name, each.a, each.b, ""]),
        ...totals.map((each) => [totalName(each.name), cell(each.a), cell(each.b), change(each)]),
      ],
      widestTotal,
    ),
    "",
    ...(operators.length > 0
      ? [
          ...columns([
            ["constraints of", "", "", ""],
            ...operators.map((each) => [each.operator, `${each.a}`, `${each.b}`, change(each)]),
          ]),
          "",
        ]
      : []),
    `nodes: ${counts}`,
    ...(rows.length > 0
      ? columns(
          [
            ["", "node", "operator", "primitive", "bits", "lookups", "constraints", "difference", "gadgets"],
            ...rows,
          ],
          48,
        )
      : []),
  ]
}
