/**
 * What it takes to prove rows of a constant table. Where there is a challenge an entry is a row's number with as many of its
 * columns as a field element holds, one digit behind the other, so that one query fixes them all; without, an index has a
 * bit for each row.
 */
import { ModelError } from "../../errors.js"
import { depthOf, type RowsNode } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { bitLength } from "../gadgets/families.js"
import { lookupsOf } from "../gadgets/ranges.js"

/** Packed entries are below 2^250, and so below r. */
const packedBits = 250

/** Most bits of one node without a challenge, and most numbers that its result is combined of. */
const mostBits = 2 ** 20
const mostCombined = 2 ** 26

/** How the columns of a table are packed. */
export interface Packing {
  /** Least value of the table, and the bits of what others are more. */
  readonly least: number
  readonly bits: number
  /** Bits of a row's number. */
  readonly index: number
  /** Columns of an entry, and entries of a row. */
  readonly columns: number
  readonly groups: number
}

/** Least and largest value of each table: asked for by every element. */
const known = new WeakMap<Float64Array, readonly [least: number, most: number]>()

function extremes(values: Float64Array): readonly [least: number, most: number] {
  const found = known.get(values)
  if (found) return found
  let [least, most] = [values[0], values[0]]
  for (const x of values) {
    least = Math.min(least, x)
    most = Math.max(most, x)
  }
  known.set(values, [least, most])
  return [least, most]
}

/** Bits of a column of a table, from its least value on: one at least. */
export function columnBits({ values }: RowsNode): number {
  const [least, most] = extremes(values)
  return Math.max(1, bitLength(most - least))
}

/** `bits`: of a column's range check. */
export function packingOf(node: RowsNode, bits: number): Packing {
  const [least] = extremes(node.values)
  const index = bitLength(depthOf(node) - 1)
  const columns = Math.min(node.width, Math.floor((packedBits - index) / bits))
  return { least, bits, index, columns, groups: Math.ceil(node.width / columns) }
}

/**
 * Rows of all nodes with range tables of 2^tableBits rows: range checks; and for each group of columns an entry for each row,
 * a query for each index, and a sum.
 */
export const packedRows = (
  { nodes, tensors }: IntGraph,
  widen: (bits: number) => number,
  tableBits: number,
): number =>
  nodes.reduce((rows, node) => {
    if (node.kind !== "rows") return rows
    const bits = widen(columnBits(node))
    const [{ groups }, indices] = [packingOf(node, bits), tensors[node.source].lo.length]
    return rows + indices * node.width * lookupsOf(bits, tableBits) + groups * (depthOf(node) + indices + 1)
  }, 0)

/** The columns of an entry with their factors, behind a row's number, and what makes the least value zero. */
export interface Group {
  readonly offset: bigint
  readonly columns: readonly { readonly column: number; readonly factor: bigint }[]
}

/** All groups of columns. */
export const groupsOf = (
  { width }: RowsNode,
  { least, bits, index, columns, groups }: Packing,
): readonly Group[] =>
  Array.from({ length: groups }, (_, group) => {
    const first = group * columns
    const of = Array.from({ length: Math.min(columns, width - first) }, (_column, j) => {
      return { column: first + j, factor: 1n << BigInt(index + j * bits) }
    })
    return { offset: of.reduce((sum, { factor }) => sum - factor * BigInt(least), 0n), columns: of }
  })

/** The entry of a row, from its number and values. */
export const entryOf = ({ offset, columns }: Group, row: bigint, value: (column: number) => bigint): bigint =>
  columns.reduce((sum, { column, factor }) => sum + factor * value(column), row + offset)

/** The entries of a table in one group of columns. */
export const entriesOf = (node: RowsNode, group: Group): bigint[] =>
  Array.from({ length: depthOf(node) }, (_, v) =>
    entryOf(group, BigInt(v), (column) => BigInt(node.values[v * node.width + column])),
  )

/** @throws ModelError for a table and indices that bits are too many for */
export function checkBits(node: RowsNode, { tensors }: IntGraph): void {
  const { origin, width } = node
  const bits = depthOf(node) * tensors[node.source].lo.length
  if (bits <= mostBits && bits * width <= mostCombined) return
  throw new ModelError({
    what: `\`${origin.operator}\`: ${tensors[node.source].lo.length} indices into ${depthOf(node)} rows of ${width} are too many for one bit each`,
    where: origin.name,
    expected: `at most ${mostBits} bits and ${mostCombined} products with them`,
    given: `${bits} bits, ${bits * width} products`,
    fix: "Use proof system mirage, or a smaller table",
  })
}
