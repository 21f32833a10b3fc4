/**
 * Do the rows of a `rows` node that are no gadgets' say that its elements are rows of its table? They are followed at a
 * random challenge with the model's exact integers on all wires, or, where an index has bits, read one by one; entries are
 * made again from the model's table.
 */
import type { SparseRows } from "../circuit/formats/r1cs.js"
import type { StampedNode } from "../circuit/link/nodes.js"
import { entryOf, groupsOf, packingOf } from "../circuit/plan/rows.js"
import { invariant } from "../errors.js"
import { mod } from "../field.js"
import { depthOf, type RowsNode } from "../ops/program.js"
import type { Followed } from "./projected-difference.js"

interface Term {
  readonly wire: number
  readonly coefficient: bigint
}
type Exact = readonly (readonly bigint[])[]

const isSole = (list: readonly Term[], wire: number): boolean =>
  list.length === 1 && list[0].wire === wire && list[0].coefficient === 1n

/** What the sides of rows are, and what they come to. */
function reading({ system, challenge, value, known }: Followed) {
  const terms = ({ rowPtr, wires, coefficients }: SparseRows, row: number) =>
    Array.from({ length: rowPtr[row + 1] - rowPtr[row] }, (_, j): Term => {
      const at = rowPtr[row] + j
      return { wire: wires[at], coefficient: system.values[coefficients[at]] }
    })
  const onWire = (wire: number) => (wire === challenge ? value : (known(wire) ?? 0n))
  return {
    sides: (row: number) => [system.a, system.b, system.c].map((side) => terms(side, row)),
    sum: (list: readonly Term[]) =>
      mod(list.reduce((total, { wire, coefficient }) => total + coefficient * onWire(wire), 0n)),
  }
}

/** Why the rows of a group do not say so, if they do not. `bits`: of the range check of an element. */
export function rowsDifference(
  group: StampedNode,
  node: RowsNode,
  exact: Exact,
  followed: Followed,
  bits: number | undefined,
): string | undefined {
  return bits === undefined
    ? bitsDifference(group, node, exact, followed)
    : packedDifference(group, node, exact, followed, bits)
}

function packedDifference(
  { shownFrom, rowEnd, multiplicities }: StampedNode,
  node: RowsNode,
  exact: Exact,
  followed: Followed,
  bits: number,
): string | undefined {
  invariant(shownFrom !== undefined && multiplicities, "packed rows are shown under a challenge")
  const { sides, sum } = reading(followed)
  const { value: c, finals, known } = followed
  const { width, lo, values } = node
  const [out, source] = [exact[node.out], exact[node.source]]
  let row = shownFrom
  for (const [g, group] of groupsOf(node, packingOf(node, bits)).entries()) {
    const queries = source.map((index, i) => ({
      entry: entryOf(group, index - BigInt(lo), (column) => out[i * width + column]),
      share: 0,
      sign: 1n,
    }))
    const entries = Array.from({ length: depthOf(node) }, (_, v) => ({
      entry: entryOf(group, BigInt(v), (column) => BigInt(values[v * width + column])),
      share: multiplicities[g] + v,
      sign: -1n,
    }))
    const balance = new Map<number, bigint>()
    for (const { entry, share, sign } of [...queries, ...entries]) {
      const [a, b, side] = sides(row)
      const [wire] = a.map((term) => term.wire)
      if (wire === undefined || !isSole(a, wire) || finals.has(wire) || known(wire) !== undefined)
        return `constraint ${row} looks nothing up`
      if (sum(b) !== mod(c - entry) || !isSole(side, share))
        return `constraint ${row} is not about a row of the model's table`
      finals.set(wire, 0n)
      balance.set(wire, mod(sign))
      row++
    }
    const [a, b, side] = sides(row)
    const isBalance =
      a.length + b.length === 0 &&
      side.length === balance.size &&
      side.every(({ wire, coefficient }) => balance.get(wire) === coefficient)
    if (!isBalance) return `constraint ${row} does not balance queries and entries`
    row++
  }
  return row === rowEnd ? undefined : `constraint ${row} is one too many`
}

function bitsDifference(
  { shownFrom, rowEnd, bits }: StampedNode,
  node: RowsNode,
  exact: Exact,
  followed: Followed,
): string | undefined {
  invariant(shownFrom !== undefined && bits !== undefined, "indices have bits")
  const { sides, sum } = reading(followed)
  const depth = depthOf(node)
  let row = shownFrom
  for (const [i, index] of exact[node.source].entries()) {
    const first = bits + i * depth
    for (let v = 0; v < depth; v++) {
      const [a, b, side] = sides(row)
      if (!isSole(a, first + v) || side.length > 0 || sum(b) !== mod(index - BigInt(node.lo + v)))
        return `constraint ${row} does not ask whether an index is ${node.lo + v}`
      row++
    }
    const [a, b, side] = sides(row)
    const isOne =
      a.length + b.length === 0 &&
      side.length === depth + 1 &&
      side.every(({ wire, coefficient }) =>
        wire === 0 ? coefficient === mod(-1n) : coefficient === 1n && wire >= first && wire < first + depth,
      )
    if (!isOne) return `constraint ${row} does not sum the bits of an index`
    row++
  }
  return row === rowEnd ? undefined : `constraint ${row} is one too many`
}
