/**
 * Whether a record of contributions holds: whether τ, α and β came about by what every contributor multiplied onto
 * those of the one before, knowing it. With x for τ, α or β, and points s, x·s of G1 that a contributor chose,
 *
 *     S = snarkjs's point of G2 of BLAKE2b(0, 1 or 2 ‖ challenge ‖ s ‖ x·s)      challenge: what was there before
 *     e(s, x·S) = e(x·s, S)                    he knows x (Bowe, Gabizon, Miers: eprint 2017/1050)
 *     e(before, x·S) = e(after, S)             and multiplied the point in G1 by it
 *     e(s, after) = e(x·s, before)             and that in G2
 *
 * A beacon's s and x are those that its value gives. The challenge of a contribution is the hash of the response
 * before it and of all powers at that time, of which a file has the last ones alone: the others are believed. Whoever
 * chose them may have had a proof made for another ceremony; that its maker knew x stays true.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { FileError, type OnProgress } from "../../errors.js"
import type { KernelEngine } from "../../prover/kernels/engine.js"
import { pairingsAreOne } from "../../prover/kernels/points/pairing.js"
import { beaconHash } from "../ceremony/beacon.js"
import { type SnarkjsDerivations, snarkjsDerivations } from "../ceremony/snarkjs.js"
import { newHasher } from "./blake2b.js"
import { firstChallenge } from "./first-challenge.js"
import { type FinitePoint, generator1, generator2, isInG2, isSame, negated, uncompressed } from "./points.js"
import {
  type FirstPoints,
  type KnowledgeProof,
  type PtauContribution,
  secretNames,
  whereOf,
} from "./record.js"

const G1 = bn254.G1.Point

export interface ChainOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Where a chain ends. */
export interface ChainEnd {
  readonly points: FirstPoints
  readonly responseHash: Uint8Array
  readonly nextChallenge: Uint8Array
}

/** τ, α and β before anybody contributed: 1. */
const untouched: FirstPoints = {
  tauG1: generator1,
  tauG2: generator2,
  alphaG1: generator1,
  betaG1: generator1,
  betaG2: generator2,
}

/** Hashes of all beacons of a record that are repeated here, as a power of two: half a minute. */
const mostIterations = 24

const fix = "Somebody changed the file: get it again, from where its digest is published"

/**
 * Checks every contribution against the one before.
 * @throws FileError that names the first that does not hold; the reason of an abort
 */
export async function checkChain(
  engine: KernelEngine,
  contributions: readonly PtauContribution[],
  ceremonyPower: number,
  { onProgress, signal }: ChainOptions,
): Promise<ChainEnd> {
  if (contributions.every(({ beacon }) => beacon !== undefined)) {
    throw new FileError({
      what: contributions.length === 0 ? "nobody contributed to it" : "nobody contributed to it but a beacon",
      where: ".ptau file",
      expected: "one contribution at least",
      fix: "Everyone can know the secrets of such powers: use those of a ceremony",
    })
  }
  checkIterations(contributions)
  const derivations = await snarkjsDerivations()
  let points = untouched
  let challenge = firstChallenge(ceremonyPower)
  let responseHash = challenge
  for (const [done, contribution] of contributions.entries()) {
    signal?.throwIfAborted()
    onProgress?.({ stage: "check contributions", done, total: contributions.length })
    if (contribution.beacon) await checkBeacon(contribution, derivations, signal)
    const hashed = await hashedPoints(engine, contribution, challenge, derivations)
    checkContribution(engine, points, contribution, hashed)
    responseHash = await responseHashOf(engine, contribution)
    points = contribution.after
    challenge = contribution.nextChallenge
  }
  return { points, responseHash, nextChallenge: challenge }
}

/** A file must not ask for hours. @throws FileError */
function checkIterations(contributions: readonly PtauContribution[]): void {
  let hashes = 0
  for (const { number, name, beacon } of contributions) {
    if (beacon) hashes += 2 ** beacon.iterations
    if (hashes <= 2 ** mostIterations) continue
    throw new FileError({
      what: "iterations of its beacon",
      where: whereOf({ number, name }),
      expected: `at most 2^${mostIterations} in the whole file`,
      given: `${hashes} to there`,
    })
  }
}

/** S of τ, α and β. */
async function hashedPoints(
  engine: KernelEngine,
  { proofs }: PtauContribution,
  challenge: Uint8Array,
  { hashToG2 }: SnarkjsDerivations,
): Promise<FinitePoint[]> {
  const points: FinitePoint[] = []
  for (const [i, name] of secretNames.entries()) {
    const { s, sx } = proofs[name]
    const ofProof = await uncompressed(engine, "g1", [s, sx])
    const hasher = await newHasher()
    const hash = hasher.update(Uint8Array.of(i)).update(challenge).update(ofProof).digest()
    points.push(hashToG2(hash))
  }
  return points
}

function checkContribution(
  engine: KernelEngine,
  before: FirstPoints,
  { number, name, after, proofs }: PtauContribution,
  hashed: readonly FinitePoint[],
): void {
  const where = whereOf({ number, name })
  /** That c·b = d·a of logarithms: e(a, d) = e(b, c). */
  const same = (what: string, [a, b]: FinitePoint[], [c, d]: FinitePoint[]): void => {
    const pairs = [
      { one: a, two: d },
      { one: negated(b), two: c },
    ]
    if (pairingsAreOne(engine.pool, pairs)) return
    const outside = [c, d].some((point) => !isInG2(point))
    throw new FileError({ what: outside ? `${what}: a point is not in G2` : what, where, fix })
  }
  for (const [i, secret] of secretNames.entries()) {
    const { s, sx, spx } = proofs[secret]
    same(`its proof of knowledge of ${secret} does not hold`, [s, sx], [hashed[i], spx])
    const inG1 = `${secret}G1` as const
    same(`${secret} in G1 does not follow from before`, [before[inG1], after[inG1]], [hashed[i], spx])
    if (secret === "alpha") continue
    const inG2 = `${secret}G2` as const
    same(`${secret} in G2 does not follow from before`, [s, sx], [before[inG2], after[inG2]])
  }
}

/** @throws FileError unless s and x·s are those of the beacon, from which x·S follows */
async function checkBeacon(
  { number, name, beacon, proofs }: PtauContribution,
  { draws }: SnarkjsDerivations,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (beacon === undefined) return
  const where = whereOf({ number, name })
  const { value, iterations } = beacon
  const next = draws(await beaconHash({ value: `0x${bytesToHex(value)}`, iterations }, { signal }))
  const secrets = secretNames.map(() => next.scalar())
  for (const [i, secret] of secretNames.entries()) {
    const s = next.g1()
    const { s: given, sx }: KnowledgeProof = proofs[secret]
    if (isSame(s, given) && isSame(times(s, secrets[i]), sx)) continue
    throw new FileError({ what: `${secret} of its beacon is not what its value gives`, where, fix })
  }
}

/** BLAKE2b of a response, whose points lie before the state of the record. */
async function responseHashOf(
  engine: KernelEngine,
  { proofs, responseState }: PtauContribution,
): Promise<Uint8Array> {
  const inG1 = secretNames.flatMap((name) => [proofs[name].s, proofs[name].sx])
  const inG2 = secretNames.map((name) => proofs[name].spx)
  const parts = [await uncompressed(engine, "g1", inG1), await uncompressed(engine, "g2", inG2)]
  const hasher = await newHasher(responseState)
  for (const part of parts) hasher.update(part)
  return hasher.digest()
}

function times([x, y]: FinitePoint, scalar: bigint): FinitePoint {
  const product = G1.fromAffine({ x, y }).multiply(scalar).toAffine()
  return [product.x, product.y]
}
