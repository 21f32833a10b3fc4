/**
 * Do the rows of a projected contraction say what its model says? They are followed at a random challenge with the
 * model's exact integers on all wires: every product of two polynomials has to be that of the model's matrices, computed
 * apart from the rows, and every equation has to sum them to that of the model's result.
 */
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import type { StampedNode } from "../circuit/link/nodes.js"
import { isZero, matricesOf, type Projection } from "../circuit/plan/projection.js"
import { mod, power } from "../field.js"
import type { ContractionNode } from "../ops/program.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"

/** What is known while a circuit is compared, and what the rows that were followed have defined. */
export interface Followed {
  readonly system: R1cs
  /** The wire of the challenge, and the value that it has here. */
  readonly challenge: number
  readonly value: bigint
  /** Values of final wires, and exponents of those that are powers of the challenge. */
  readonly finals: Map<number, bigint>
  readonly powers: Map<number, number>
  /** The model's integer on a wire that stands for an element. */
  readonly known: (wire: number) => bigint | undefined
}

export const followed = (
  system: R1cs,
  challenge: number,
  value: bigint,
  known: Followed["known"],
): Followed => ({
  system,
  challenge,
  value,
  finals: new Map(),
  powers: new Map([[challenge, 1]]),
  known,
})

/** Σ coefficient_i · x^i. */
const polynomial = (coefficients: readonly bigint[], x: bigint): bigint =>
  coefficients.reduceRight((sum, coefficient) => mod(sum * x + coefficient), 0n)

/** A product of polynomials, and what it is together with those before it; the last of them sums to y. */
interface Product {
  readonly u: bigint
  readonly v: bigint
  readonly rest: bigint
  readonly isLast: boolean
}

/** The products that rows have to be about, in order. */
function productsOf(
  node: ContractionNode,
  projection: Projection,
  { tensors }: IntGraph,
  exact: readonly (readonly bigint[])[],
  c: bigint,
): Product[] {
  const { batch, m, k, left, right, out } = node
  const z = power(c, BigInt(m))
  return Array.from({ length: batch }).flatMap((_, b) => {
    const elements = matricesOf(node, projection, b)
    const factors = Array.from({ length: k }).flatMap((_, inner) => {
      const [us, vs] = [elements.left(inner), elements.right(inner)]
      const vanishes = us.every((i) => isZero(tensors[left], i)) || vs.every((i) => isZero(tensors[right], i))
      const value = (id: number, list: readonly number[], x: bigint) =>
        polynomial(
          list.map((i) => exact[id][i]),
          x,
        )
      return vanishes ? [] : [{ u: value(left, us, c), v: value(right, vs, z) }]
    })
    const y = polynomial(
      elements.out().map((i) => exact[out][i]),
      c,
    )
    let before = 0n
    return factors.map(({ u, v }, at) => {
      const isLast = at === factors.length - 1
      const rest = mod((isLast ? y : 0n) - before)
      before = mod(before + u * v)
      return { u, v, rest, isLast }
    })
  })
}

/** Why the rows of a group do not say that out = left · right, if they do not. */
export function projectedDifference(
  { firstRow, rowEnd }: StampedNode,
  node: ContractionNode,
  projection: Projection,
  graph: IntGraph,
  exact: readonly (readonly bigint[])[],
  { system, challenge, value: c, finals, powers, known }: Followed,
): string | undefined {
  const valueOn = (wire: number) => (wire === challenge ? c : (finals.get(wire) ?? known(wire)))
  const terms = ({ rowPtr, wires, coefficients }: SparseRows, row: number) =>
    Array.from({ length: rowPtr[row + 1] - rowPtr[row] }, (_, j) => {
      const at = rowPtr[row] + j
      return { wire: wires[at], coefficient: system.values[coefficients[at]] }
    })
  const sum = (list: ReturnType<typeof terms>) =>
    mod(list.reduce((total, { wire, coefficient }) => total + coefficient * (valueOn(wire) ?? 0n), 0n))
  const powerOf = (list: ReturnType<typeof terms>) =>
    list.length === 1 && list[0].coefficient === 1n ? powers.get(list[0].wire) : undefined
  const wanted = productsOf(node, projection, graph, exact, c)
  let next = 0
  for (let row = firstRow[0]; row < rowEnd; row++) {
    const [a, b, side] = [system.a, system.b, system.c].map((matrix) => terms(matrix, row))
    const made = side.filter(({ wire }) => valueOn(wire) === undefined)
    const [left, right, rest] = [sum(a), sum(b), sum(side)]
    if (made.length > 1 || made.some(({ coefficient }) => coefficient !== 1n))
      return `constraint ${row} defines no wire`
    const by = powerOf(b)
    if (by !== undefined) {
      if (made.length === 0 || side.length > 1) return `constraint ${row} is no step`
      const factor = powerOf(a)
      if (factor !== undefined) powers.set(made[0].wire, factor + by)
    } else {
      const want = wanted[next++]
      if (want?.u !== left || want.v !== right)
        return `the factors in constraint ${row} are not those of the model`
      if (want.isLast !== (made.length === 0) || want.rest !== rest)
        return `constraint ${row} does not sum the products of the model`
    }
    for (const { wire } of made) finals.set(wire, mod(left * right - rest))
  }
  return next === wanted.length ? undefined : `${wanted.length - next} products of the model are missing`
}
