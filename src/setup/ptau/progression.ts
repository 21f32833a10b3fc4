/**
 * Whether points of a file are a progression: each τ times the one before. Points are looked at in blocks, and blocks
 * overlap in a point, so that no step lies between two of them. Of the points X_0 … X_m of a block:
 *
 * 1. Each is finite, has coordinates below q, and is on its curve. In G1, whose order is the prime r, that is all.
 * 2. In G2 each is in the subgroup of order r. The twist has r·(2q − r) points, a cyclic group, and 2q − r is
 *    10069 · 5864401 · …: so a point may have a part of small order, which a random sum shows only if its factor is no
 *    multiple of that order. Therefore eight sums, every factor of 16 bits. Let X_i = Y_i + T_i with Y_i of the
 *    subgroup and some T_i of which a multiple has prime order p: p is at least 10069, and whatever the other factors
 *    are, at most ⌈2^16/p⌉ = 7 of 2^16 factors of X_i take p out of the sum. All eight sums lie in the subgroup with
 *    probability (7/2^16)^8 < 2^-105. The same sums, taken as digits of one factor of 128 bits, serve below.
 * 3. X_(i+1) = τ·X_i: with a random ρ_i of 128 bits for each i < m, the sums L = Σ ρ_i·X_i and U = Σ ρ_i·X_(i+1)
 *    satisfy U = τ·L, seen by one pairing equation. One step that is wrong makes it hold for one ρ_i of 2^128 at most,
 *    whatever the others are, because all points are of a group of prime order.
 *
 * The factors are the platform's random numbers, drawn when the file is there already.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { FileError } from "../../errors.js"
import { q } from "../../field.js"
import type { Affine, KernelEngine } from "../../prover/kernels/engine.js"
import { pairingsAreOne } from "../../prover/kernels/points/pairing.js"
import { addPoints, affineOf, fileBytes, type Group, integersOf } from "../../prover/kernels/points/points.js"
import { generator1, generator2, isInG2, negated } from "./chain.js"
import type { FinitePoint } from "./record.js"

const digitBytes = 2
const digits = 8

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
  if (off >= 0) fail(off, reasonOf(group, bytes.subarray(fileBytes[group] * off)))
  const block = new Block(engine, group, bytes, step, signal)
  const { inSubgroup, follows } = await block.look(0, block.count)
  if (!inSubgroup) {
    const first = await firstWrong(block.count, async (count) => (await block.look(0, count)).inSubgroup)
    fail(first - 1, "is not in the subgroup of order r of the twist")
  }
  if (!follows) {
    const first = await firstWrong(block.count, async (count) => (await block.look(0, count)).follows)
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

/** Why a point is refused that `firstOffCurve` found. */
function reasonOf(group: Group, bytes: Uint8Array): string {
  const point = bytes.subarray(0, fileBytes[group])
  if (integersOf(point).some((coordinate) => coordinate >= q)) return "has a coordinate that is not below q"
  return affineOf(point) === null ? "is infinity" : "is not on the curve"
}
