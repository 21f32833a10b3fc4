/**
 * Poseidon of two field elements (Grassi et al., eprint 2019/458) with the parameters of circomlib: state of three,
 * x^5, 8 full rounds around 57 partial ones, constants from the Grain generator. The state begins as (0, a, b), and
 * its first element is the hash. Proofs of the log can so be checked within circuits, and by everyone's tools.
 *
 * A partial round raises one element of the state only. What follows from that (appendix B of the paper), derived here
 * and not pasted: constants for the other two pass through it into the next round, and the matrix M = M'·M'' with
 * M' = (1 0; 0 m), which does not touch the first element and so passes too, and M'' with five entries that are not
 * trivial. The two other elements are never multiplied by each other, so they need no reduction before the end.
 */
import { Field } from "@noble/curves/abstract/modular.js"
import { grainGenConstants } from "@noble/curves/abstract/poseidon.js"
import { inverse, mod, r } from "../field.js"

/** The parameters, as the definition has them. */
export const poseidonParameters = { Fp: Field(r), t: 3, roundsFull: 8, roundsPartial: 57, sboxPower: 5 }

type Vector = readonly bigint[]
type Matrix = readonly Vector[]

/** Rounds as they are carried out. */
interface Rounds {
  readonly matrix: Matrix
  /** Constants of the first full rounds; those of the last ones, the first of which has what the partial ones left. */
  readonly before: Matrix
  readonly after: Matrix
  /** A constant for each partial round, and its sparse matrix: the first row, and the first column below it. */
  readonly partial: readonly { readonly constant: bigint; readonly row: Vector; readonly column: Vector }[]
  /** What the matrices of the partial rounds leave for the end. */
  readonly rest: Matrix
}

const times = (matrix: Matrix, vector: Vector): bigint[] =>
  matrix.map((row) => mod(row.reduce((sum, x, i) => sum + x * vector[i], 0n)))

const product = (a: Matrix, b: Matrix): bigint[][] => {
  const columns = b[0].map((_, j) =>
    times(
      a,
      b.map((row) => row[j]),
    ),
  )
  return a.map((_, i) => columns.map((column) => column[i]))
}

/** Poseidon's rounds, made once: some milliseconds. */
function derive(): Rounds {
  const { mds: matrix, roundConstants } = grainGenConstants(poseidonParameters)
  const half = poseidonParameters.roundsFull / 2
  const last = half + poseidonParameters.roundsPartial
  const after = roundConstants.slice(last).map((row) => [...row])
  let carried: Vector = [0n, 0n, 0n]
  // what is not yet applied: the identity, or (1 0; 0 m)
  let pending: Matrix = [
    [1n, 0n, 0n],
    [0n, 1n, 0n],
    [0n, 0n, 1n],
  ]
  const partial = roundConstants.slice(half, last).map((constants) => {
    const [constant, ...others] = constants.map((c, i) => c + carried[i])
    carried = times(matrix, [0n, ...others])
    const [row, ...below] = product(matrix, pending)
    const [[a, b], [c, d]] = below.map(([, ...lower]) => lower)
    pending = [
      [1n, 0n, 0n],
      [0n, a, b],
      [0n, c, d],
    ]
    const scale = inverse(mod(a * d - b * c))
    const [x, y] = below.map(([first]) => first)
    return {
      constant: mod(constant),
      row,
      column: times(
        [
          [d, -b],
          [-c, a],
        ],
        [x * scale, y * scale],
      ),
    }
  })
  after[0] = after[0].map((c, i) => mod(c + carried[i]))
  return { matrix, before: roundConstants.slice(0, half), after, partial, rest: pending }
}

let known: Rounds | undefined

const fifth = (x: bigint): bigint => {
  const square = (x * x) % r
  return (((square * square) % r) * x) % r
}

function full(constants: Matrix, [[a, b, c], [d, e, f], [g, h, i]]: Matrix, state: Vector): bigint[] {
  let [x, y, z] = state
  for (const [k, l, m] of constants) {
    const [u, v, w] = [fifth(x + k), fifth(y + l), fifth(z + m)]
    x = (a * u + b * v + c * w) % r
    y = (d * u + e * v + f * w) % r
    z = (g * u + h * v + i * w) % r
  }
  return [x, y, z]
}

/** Poseidon(a, b) as circomlib has it, for elements of the field, of which it gives one. */
export function poseidon2(left: bigint, right: bigint): bigint {
  known ??= derive()
  const { matrix, before, after, partial, rest } = known
  let [x, y, z] = full(before, matrix, [0n, left, right])
  for (const { constant, row, column } of partial) {
    const raised = fifth(x + constant)
    x = (row[0] * raised + row[1] * y + row[2] * z) % r
    // sums of 57 products: a few bits longer than one
    y += column[0] * raised
    z += column[1] * raised
  }
  return full(after, matrix, times(rest, [x, y, z]))[0]
}
