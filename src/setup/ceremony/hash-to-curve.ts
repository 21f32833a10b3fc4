/**
 * Points of bn254 that nobody knows a logarithm of: x is hashed until it is that of a point. With a counter k in four
 * big-endian bytes and a message,
 *
 *     h_j = SHA-512("countersign.curve.1" ‖ j ‖ k ‖ message)      j one byte
 *
 *     G1   x = h_0 mod q,                   y is odd exactly if the last bit of h_1 is one
 *     G2   x = h_0 mod q + (h_1 mod q)·u,   its y by h_2; then the point times the cofactor 2q − r
 *
 * for the least k for which x has a y. A y of G2 is odd if its real part is, or, where that is zero, its imaginary
 * part. 512 bits leave a bias below 2^-250, and half of all x have a point, so the result is uniform in the group of
 * order r as far as SHA-512 is a random function. Time depends on the message, which is public. Nothing here is RFC
 * 9380: nobody else needs these points.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { invariant } from "../../errors.js"
import { q, r } from "../../field.js"
import type { G1Point, G2Point } from "../../statement/points.js"

const { Fp, Fp2 } = bn254.fields
const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
const tag = utf8ToBytes("countersign.curve.1")

/** Of the points of the twist a part of 1 in this many is in G2: #E'(F_q²) = r·(2q − r). */
export const cofactor2 = 2n * q - r

/** A point of G1 from a message, and never infinity. */
export function hashToG1(message: Uint8Array): G1Point {
  return firstOf((hash) => {
    const x = hash(0) % q
    const y = squareRoot(Fp, Fp.add(Fp.mul(Fp.sqr(x), x), 3n))
    if (y === undefined) return undefined
    return G1.fromAffine({ x, y: isOdd(y) === isOdd(hash(1)) ? y : Fp.neg(y) })
  }, message)
}

/** A point of G2, the group of order r, from a message, and never infinity. */
export function hashToG2(message: Uint8Array): G2Point {
  return firstOf((hash) => {
    const x = { c0: hash(0) % q, c1: hash(1) % q }
    const y = squareRoot(Fp2, Fp2.add(Fp2.mul(Fp2.sqr(x), x), twist))
    if (y === undefined) return undefined
    const sign = isOdd(y.c0 === 0n ? y.c1 : y.c0)
    const point = G2.fromAffine({ x, y: sign === isOdd(hash(2)) ? y : Fp2.neg(y) })
    const cleared = timesCofactor(point)
    return cleared.is0() ? undefined : cleared
  }, message)
}

/** b of the twist y² = x³ + b, 3/(9 + u). */
const twist = Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n]))

/** Tries before the hash must be broken: each fails half of the time. */
const mostTries = 512

function firstOf<P>(attempt: (hash: (j: number) => bigint) => P | undefined, message: Uint8Array): P {
  const counter = new Uint8Array(5)
  for (let k = 0; k < mostTries; k++) {
    new DataView(counter.buffer).setUint32(1, k)
    const hash = (j: number): bigint => {
      counter[0] = j
      return sha512(concatBytes(tag, counter, message)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    }
    const found = attempt(hash)
    if (found !== undefined) return found
  }
  invariant(false, "half of all x have a point")
}

const isOdd = (x: bigint): boolean => (x & 1n) === 1n

/** A square root, which noble's `sqrt` throws for if there is none. */
function squareRoot<T>(
  field: { sqrt(x: T): T; sqr(x: T): T; eql(a: T, b: T): boolean },
  x: T,
): T | undefined {
  try {
    const root = field.sqrt(x)
    return field.eql(field.sqr(root), x) ? root : undefined
  } catch {
    return undefined
  }
}

/** Doubling and adding: the cofactor is above r, where multiplication of points takes no scalars. */
function timesCofactor(point: G2Point): G2Point {
  let product = G2.ZERO
  for (const bit of cofactor2.toString(2)) {
    product = product.double()
    if (bit === "1") product = product.add(point)
  }
  return product
}
