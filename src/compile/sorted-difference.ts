/**
 * Do the rows behind the gadgets of a sort node say that its falling keys are the marked ones? They are followed at a random
 * challenge with the model's exact integers on all wires: each has to divide 1 or a mark by the challenge less a key of the
 * model, and the last of a window to balance all of its window.
 */
import type { SparseRows } from "../circuit/formats/r1cs.js"
import type { StampedNode } from "../circuit/link/nodes.js"
import { windowsOf } from "../circuit/plan/sorting.js"
import { invariant } from "../errors.js"
import { inverse, mod } from "../field.js"
import type { SortNode } from "../ops/program.js"
import type { Followed } from "./projected-difference.js"

/** Why the rows of a group do not say so, if they do not. */
export function sortedDifference(
  { shownFrom, rowEnd }: StampedNode,
  node: SortNode,
  exact: readonly (readonly bigint[])[],
  { system, challenge, value: c, finals, known }: Followed,
): string | undefined {
  invariant(shownFrom !== undefined, "a sort node is shown under a challenge")
  const terms = ({ rowPtr, wires, coefficients }: SparseRows, row: number) =>
    Array.from({ length: rowPtr[row + 1] - rowPtr[row] }, (_, j) => {
      const at = rowPtr[row] + j
      return { wire: wires[at], coefficient: system.values[coefficients[at]] }
    })
  const sum = (list: ReturnType<typeof terms>) =>
    mod(
      list.reduce(
        (total, { wire, coefficient }) =>
          total + coefficient * (wire === challenge ? c : (known(wire) ?? 0n)),
        0n,
      ),
    )
  let row = shownFrom
  const out = exact[node.out]
  for (const { falling, marks, keys } of windowsOf(node)) {
    const shares = [
      ...Array.from({ length: node.count }, (_, j) => ({ key: out[falling + j], share: 1n, sign: 1n })),
      ...Array.from(keys, (key, j) => ({ key: exact[node.source][key], share: out[marks + j], sign: -1n })),
    ]
    const balance = new Set<number>()
    for (const { key, share, sign } of shares) {
      const [a, b, side] = [system.a, system.b, system.c].map((matrix) => terms(matrix, row))
      if (
        a.length !== 1 ||
        a[0].coefficient !== 1n ||
        finals.has(a[0].wire) ||
        known(a[0].wire) !== undefined
      )
        return `constraint ${row} defines no share`
      if (sum(b) !== mod(sign * (c - key)) || sum(side) !== mod(share))
        return `constraint ${row} is not about the key or mark of the model`
      finals.set(a[0].wire, mod(sign * share * inverse(mod(c - key))))
      balance.add(a[0].wire)
      row++
    }
    const [a, b, side] = [system.a, system.b, system.c].map((matrix) => terms(matrix, row))
    const isBalance =
      a.length + b.length === 0 &&
      side.length === balance.size &&
      side.every(({ wire, coefficient }) => balance.has(wire) && coefficient === 1n)
    if (!isBalance) return `constraint ${row} does not balance the keys of a window`
    row++
  }
  return row === rowEnd ? undefined : `constraint ${row} is one too many`
}
