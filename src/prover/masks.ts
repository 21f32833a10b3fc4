/**
 * What stands between a hidden input and the maker of a proving key. The points of a key are somebody's choice, and a
 * prover combines them by what it must not tell. Three things make that safe, whatever the other points are:
 *
 *     D = … + ρ·δ,  A = … + x·δ,  B = … + y·δ    ρ, x, y uniform. Where δ generates the group, these are uniform in
 *                                                it and independent of what is before them. This file checks that
 *                                                δ is finite and the same secret in G1 and G2, likewise δ_C and β.
 *     B lies in the subgroup                     G2 has points outside, which y·δ does not hide. Whoever verifies B
 *                                                checks it, so does the prover before it gives a proof out.
 *     C follows from A, B, D and the statement   by the equation, in which δ is not zero. A prover that gives out
 *                                                only what it has verified tells nothing by C.
 *
 * What is left is whether there is a receipt at all: with a key whose other points are wrong, that may depend on the
 * input (docs/SECURITY.md).
 */
import { bn254 } from "@noble/curves/bn254.js"
import { coordinates } from "../circuit/formats/points.js"
import { FileError } from "../errors.js"
import { platformRandom } from "../platform.js"
import { type G1Json, type G1Point, type G2Point, requireG1 } from "../statement/points.js"
import type { Mask } from "../systems/system.js"

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point

/**
 * Checks the points that hide, against the verification key that the proving key carries and whose points are checked.
 * @throws FileError naming the point that is at infinity, off the curve, not reduced, or of another secret than its
 * partner in G2
 */
export function checkMasks(masks: readonly Mask[]): void {
  if (masks.length === 0) return
  const pairs = masks.map(({ name, one, two }): Pair => {
    const json = coordinates(one).map(String) as unknown as G1Json
    return { name, one: requireG1(json, `proving key: ${name}1`), two }
  })
  if (agree(pairs)) return
  const { name } = pairs.find((pair) => !agree([pair])) ?? pairs[0]
  throw new FileError({
    what: `${name}1 and ${name}2 are not of the same secret`,
    where: "proving key",
    fix: "Proofs with this key would tell of the input: take it from whoever made it, or run setup again",
  })
}

interface Pair {
  readonly name: string
  readonly one: G1Point
  readonly two: G2Point
}

/** Whether e(P1, G2) = e(G1, P2) for every pair: but for a chance of 2^-128, for random multiples of them at once. */
function agree(pairs: readonly Pair[]): boolean {
  const factors = pairs.map(() => platformRandom(16).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 1n))
  const sum = pairs.reduce((acc, { one }, i) => acc.add(one.multiplyUnsafe(factors[i])), G1.ZERO)
  const product = bn254.pairingBatch([
    ...pairs.map(({ two }, i) => ({ g1: G1.BASE.multiply(factors[i]).negate(), g2: two })),
    ...(sum.is0() ? [] : [{ g1: sum, g2: G2.BASE }]),
  ])
  const { Fp12 } = bn254.fields
  return Fp12.eql(product, Fp12.ONE)
}
