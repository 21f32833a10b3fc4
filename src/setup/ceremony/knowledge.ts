/**
 * Proofs that a contributor knows by what a δ was multiplied (BGM17, eprint 2017/1050, sections 3 and 4). For a
 * factor x, points S of G1 and R of G2 that nobody knows a logarithm of, and before, after = x·before:
 *
 *     e(s·x, R) = e(S, r·x)      e(after, R) = e(before, r·x)
 *
 * R is hashed from all that was before, S and s·x, so r·x can be made only after them, and, under the knowledge
 * assumption, only by who knows x: whoever answered the last contribution with after = x·(1/theirs) could not.
 * Here S and R of our own keys:
 *
 *     S = G1("countersign.ceremony.s", T_(i−1), name, beacon, δ)
 *     R = G2("countersign.ceremony.r", T_(i−1), name, beacon, δ, S, s·x)
 *
 * hashed (hash-to-curve.ts) from the JSON list of these, T as 0x and hexadecimal digits. So a proof is good for one
 * place in one transcript, one name and one δ.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { platformRandom } from "../../platform.js"
import {
  type G1Json,
  type G1Point,
  type G2Json,
  type G2Point,
  g1,
  g2,
  sameOrOpposite,
} from "../../statement/points.js"
import { hashToG1, hashToG2 } from "./hash-to-curve.js"
import type { Beacon, DeltaRecord } from "./transcript.js"

/** What a proof is good for. */
export interface Place {
  /** T_(i−1). */
  readonly previous: Uint8Array
  readonly name: string
  readonly beacon: Beacon | null
  readonly delta: string
}

/** A claim: `after` is a multiple of `before` by a factor that whoever made r·x knows. */
export interface Knowledge extends DeltaRecord {
  readonly before: G1Json
  readonly s: G1Json
  readonly r: G2Json
}

const placeList = ({ previous, name, beacon, delta }: Place): unknown[] => [
  `0x${bytesToHex(previous)}`,
  name,
  beacon && { value: beacon.value, iterations: beacon.iterations },
  delta,
]
const message = (tag: string, list: readonly unknown[]): Uint8Array =>
  utf8ToBytes(JSON.stringify([`countersign.ceremony.${tag}`, ...list]))

/** The point S of a place. */
export const basePoint = (place: Place): G1Json => json1(hashToG1(message("s", placeList(place))))

/** The point R of a place, with S and s·x. */
export const challengePoint = (place: Place, s: G1Json, sx: G1Json): G2Json =>
  json2(hashToG2(message("r", [...placeList(place), s, sx])))

/** x times a point that is one. */
export const times1 = (x: bigint, point: G1Json): G1Json => json1((g1(point) as G1Point).multiply(x))
/** The same in G2. */
export const times2 = (x: bigint, point: G2Json): G2Json => json2((g2(point) as G2Point).multiply(x))

/**
 * Why claims do not hold, or null. Both equations of a claim are checked as one, by a random combination, and so are
 * all claims: a wrong one passes with a chance below 2^-120.
 * @param claims by what a message calls their δ
 */
export function knowledgeProblem(claims: Readonly<Record<string, Knowledge>>): string | null {
  const pairs: { g1: G1Point; g2: G2Point }[] = []
  for (const [name, claim] of Object.entries(claims)) {
    const points = [claim.before, claim.after, claim.s, claim.sx].map(g1)
    const twos = [claim.r, claim.rx].map(g2)
    if (points.includes(null) || twos.includes(null))
      return `${name}: a point is not on its curve, outside its group, or at infinity`
    if (sameOrOpposite(claim.before, claim.after)) return `${name} was left as it was, or negated`
    const [before, after, s, sx] = points as G1Point[]
    const [r, rx] = twos as G2Point[]
    const [u, v] = [randomWeight(), randomWeight()]
    const mix = (p: G1Point, t: G1Point) => p.multiplyUnsafe(u).add(t.multiplyUnsafe(v))
    pairs.push({ g1: mix(sx, after), g2: r }, { g1: mix(s, before).negate(), g2: rx })
  }
  const { Fp12 } = bn254.fields
  const finite = pairs.filter((pair) => !pair.g1.is0())
  if (finite.length === 0 || Fp12.eql(bn254.pairingBatch(finite), Fp12.ONE)) return null
  const names = Object.keys(claims)
  const wrong = names.filter(
    (name) => names.length === 1 || knowledgeProblem({ [name]: claims[name] }) !== null,
  )
  return `${wrong.join(" and ")}: the proof of knowledge is not for this place in the transcript, this name and this factor`
}

/** 1 to 2^128: enough where nobody can choose after it. */
const randomWeight = (): bigint =>
  platformRandom(16).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + 1n

const json1 = (point: G1Point): G1Json => {
  const { x, y } = point.toAffine()
  return [`${x}`, `${y}`]
}
const json2 = (point: G2Point): G2Json => {
  const { x, y } = point.toAffine()
  return [
    [`${x.c0}`, `${x.c1}`],
    [`${y.c0}`, `${y.c1}`],
  ]
}
