/**
 * Whether points of a file are a progression: each τ times the one before. Points are looked at in blocks, and blocks
 * overlap in a point, so that no step lies between two of them. Of the points X_0 … X_m of a block:
 *
 * 1. Each is finite, has coordinates below q, and is on its curve. In G1, whose order is the prime r, that is all.
 * 2. In G2 each is in the subgroup of order r. The twist has r·(2q − r) points, and 2q − r = 10069 · 5864401 · … : a
 *    point may have a part of small order, which a random sum does not show where its factor is a multiple of that
 *    order. Therefore eight sums, with factors of 13 bits. Let X_i be outside of the subgroup, so that a multiple of
 *    it has a prime order p ≥ 10069; whatever the other factors are, a sum of the subgroup leaves X_i one factor modulo
 *    p, that is at most one of 2^13. All eight are of the subgroup with a probability of 2^-104 at most. As digits of
 *    one factor of 104 bits, the same sums serve below.
 * 3. X_(i+1) = τ·X_i: with a random ρ_i of 104 bits for each i < m, the sums L = Σ ρ_i·X_i and U = Σ ρ_i·X_(i+1)
 *    satisfy U = τ·L, seen by one pairing equation. One step that is wrong makes it hold for one ρ_i of 2^104 at most,
 *    whatever the others are, because all points are of a group of prime order.
 *
 * The factors are the platform's random numbers, drawn when the file is there already.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { FileError } from "../../errors.js"
import { platformRandom } from "../../platform.js"
import type { Affine, KernelEngine } from "../../prover/kernels/engine.js"
import { pairingsAreOne } from "../../prover/kernels/points/pairing.js"
import { affineOf, fileBytes, type Group } from "../../prover/kernels/points/points.js"
import type { G2Point } from "../../statement/points.js"
import {
  coordinatesOfTwist,
  type FinitePoint,
  generator1,
  generator2,
  isInG2,
  negated,
  pointOfTwist,
  problemOf,
} from "./points.js"

/** Of a factor: as many bits as its digits have, which are less than every prime that divides 2q − r. */
const factorBytes = 13
const digitBits = 13
const bits = 8 * factorBytes
const digits = bits / digitBits

const G2 = bn254.G2.Point

/** τ in both groups: what every step is compared with. */
export interface Step {
  readonly tauG1: FinitePoint
  readonly tauG2: FinitePoint
}

/** Where points of a file stand, in messages. */
export type PlaceOf = (point: number) => string

const fix = "The file is damaged, or somebody changed it: get it again, from where its digest is published"

/**
 * Checks the points of a block, of which the first may be the last of the block before.
 * @param placeOf what point i of these is called
 * @throws FileError that names the first point that is wrong; the reason of an abort
 */
export async function checkBlock(
  engine: KernelEngine,
  group: Group,
  bytes: Uint8Array,
  step: Step,
  placeOf: PlaceOf,
  signal?: AbortSignal,
): Promise<void> {
  const fail = (point: number, what: string): never => {
    throw new FileError({ what, where: placeOf(point), fix })
  }
  const off = await engine.firstOffCurve(group, bytes, { signal })
  if (off >= 0) {
    const at = fileBytes[group] * off
    fail(off, problemOf(group, bytes.subarray(at, at + fileBytes[group])) ?? "is no point")
  }
  const block = new Block(engine, group, bytes, step, signal)
  const { inSubgroup, follows } = await block.look(block.count)
  if (!inSubgroup) {
    const first = await firstWrong(block.count, async (count) => (await block.look(count)).inSubgroup)
    fail(first - 1, "is not in the subgroup of order r of the twist")
  }
  if (!follows) {
    const first = await firstWrong(block.count, async (count) => (await block.look(count)).follows)
    fail(first - 1, "is not tau times the point before it")
  }
}

/** The least count that is not right, when `count` is not: nothing of 0 is wrong. */
async function firstWrong(count: number, isRight: (count: number) => Promise<boolean>): Promise<number> {
  let [right, wrong] = [0, count]
  while (wrong - right > 1) {
    const middle = (right + wrong) >>> 1
    if (await isRight(middle)) right = middle
    else wrong = middle
  }
  return wrong
}

/** Points of a block, all of the curve. */
class Block {
  readonly count: number
  private readonly engine: KernelEngine
  private readonly group: Group
  private readonly bytes: Uint8Array
  private readonly step: Step
  private readonly signal: AbortSignal | undefined

  constructor(engine: KernelEngine, group: Group, bytes: Uint8Array, step: Step, signal?: AbortSignal) {
    this.count = bytes.length / fileBytes[group]
    this.engine = engine
    this.group = group
    this.bytes = bytes
    this.step = step
    this.signal = signal
  }

  /** What holds of the first points; unless they are in the subgroup, whether they follow is not known. */
  async look(count: number): Promise<{ inSubgroup: boolean; follows: boolean }> {
    const { engine, group, signal } = this
    const bytes = this.bytes.subarray(0, count * fileBytes[group])
    const random = platformRandom(factorBytes * count)
    const { lower, upper } = scalarsOf(random, count)
    const points = await engine.points(group, bytes)
    try {
      const products = [engine.msm(points, { full: upper }, { signal, bits })]
      if (group === "g1") products.push(engine.msm(points, { full: lower }, { signal, bits }))
      else
        for (const small of digitsOf(random, count)) products.push(engine.msm(points, { small }, { signal }))
      // all have ended before their memory is given back
      await Promise.allSettled(products)
      const [above, ...sums] = await Promise.all(products)
      if (group === "g1") return { inSubgroup: true, follows: this.isStep(above, sums[0]) }
      const inSubgroup = sums.every((sum) => sum === null || isInG2(sum))
      if (!inSubgroup) return { inSubgroup, follows: false }
      const last = twistPoint(affineOf(bytes.subarray(-fileBytes.g2)))
      const below = sumOfDigits(sums).subtract(times(last, random.subarray(-factorBytes)))
      return { inSubgroup, follows: this.isStep(above, affineOfTwist(below)) }
    } finally {
      engine.free(points)
    }
  }

  /** Whether one sum is τ times the other. */
  private isStep(above: Affine, below: Affine): boolean {
    const { tauG1, tauG2 } = this.step
    const pairs =
      this.group === "g1"
        ? [
            { one: above, two: generator2 },
            { one: below && negated(below), two: tauG2 },
          ]
        : [
            { one: generator1, two: above },
            { one: negated(tauG1), two: below },
          ]
    return pairingsAreOne(this.engine.pool, pairs)
  }
}

/** Random factors of points 0 … m − 1 of m + 1, as scalars of those points, and of the points after them. */
function scalarsOf(random: Uint8Array, count: number): Record<"lower" | "upper", Uint8Array> {
  const scalars = new Uint8Array(32 * (count + 1))
  for (let i = 0; i + 1 < count; i++)
    scalars.set(random.subarray(factorBytes * i, factorBytes * (i + 1)), 32 * (i + 1))
  return { lower: scalars.subarray(32), upper: scalars.subarray(0, 32 * count) }
}

/** Digit j of the factor of every point, for each j. */
function digitsOf(random: Uint8Array, count: number): Float64Array[] {
  return Array.from({ length: digits }, (_, j) => {
    const [byte, shift] = [(digitBits * j) >> 3, (digitBits * j) & 7]
    return Float64Array.from({ length: count }, (_, i) => {
      const at = factorBytes * i + byte
      const three = random[at] | (random[at + 1] << 8) | (random[at + 2] << 16)
      return (three >> shift) & (2 ** digitBits - 1)
    })
  })
}

/** What sums by the digits of factors are together. */
function sumOfDigits(sums: readonly Affine[]): G2Point {
  return sums.reduceRight((sum, digit) => {
    let shifted = sum
    for (let bit = 0; bit < digitBits; bit++) shifted = shifted.double()
    return shifted.add(twistPoint(digit))
  }, G2.ZERO)
}

function times(point: G2Point, factor: Uint8Array): G2Point {
  const scalar = factor.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return scalar === 0n ? G2.ZERO : point.multiplyUnsafe(scalar)
}

const twistPoint = (point: Affine): G2Point => (point === null ? G2.ZERO : pointOfTwist(point))
const affineOfTwist = (point: G2Point): Affine => (point.is0() ? null : coordinatesOfTwist(point))
