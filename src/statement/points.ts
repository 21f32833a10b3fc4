/**
 * Points of bn254 in our JSON (affine decimal strings; G2 as [[x0, x1], [y0, y1]] with x = x0 + x1·u) and
 * as words for the EVM, which puts the imaginary part first (EIP-197). Infinity has no encoding, but for
 * one kind of points (`infinity1`): no other honest one is infinite, and it satisfies equations it should not.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { q } from "../field.js"
import { array, fail, integer } from "./strict.js"

export type G1Json = readonly [x: string, y: string]
export type G2Json = readonly [x: readonly [string, string], y: readonly [string, string]]

const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
export type G1Point = typeof G1.BASE
export type G2Point = typeof G2.BASE

/** The generator of G2. */
export const generator2Point: G2Point = G2.BASE

/** The generators (EIP-197), as our JSON has them. */
export const generator1: G1Json = ["1", "2"]
export const generator2: G2Json = [
  [`${G2.BASE.x.c0}`, `${G2.BASE.x.c1}`],
  [`${G2.BASE.y.c0}`, `${G2.BASE.y.c1}`],
]

/** The point at infinity as the EVM writes it (EIP-196): only selectors that are zero everywhere commit to it. */
export const infinity1: G1Json = ["0", "0"]

/** Reads a G1 point's shape and coordinates, each canonical and < q; whether it is on the curve comes later. */
export function parseG1(value: unknown, path: string): G1Json {
  const given = array(value, path, 2)
  return [coordinate(given[0], `${path}[0]`), coordinate(given[1], `${path}[1]`)]
}

/** Reads a G2 point's shape and coordinates, each canonical and < q. */
export function parseG2(value: unknown, path: string): G2Json {
  const given = array(value, path, 2)
  const pair = (i: number): readonly [string, string] => parseG1(given[i], `${path}[${i}]`)
  return [pair(0), pair(1)]
}

const coordinate = (value: unknown, path: string): string => `${integer(value, path, 0n, q - 1n)}`

/** The point of G1, or null when it is at infinity or off the curve (the cofactor is one). */
export function g1([x, y]: G1Json): G1Point | null {
  return valid(() => G1.fromAffine({ x: BigInt(x), y: BigInt(y) }))
}

/** The point of G2, or null when it is at infinity, off the twist, or outside the subgroup of order r. */
export function g2([x, y]: G2Json): G2Point | null {
  const fp2 = ([c0, c1]: readonly [string, string]) => ({ c0: BigInt(c0), c1: BigInt(c1) })
  return valid(() => G2.fromAffine({ x: fp2(x), y: fp2(y) }))
}

/** noble throws on what is no point, and lets infinity pass; both are no point here. */
function valid<P extends { assertValidity(): void; is0(): boolean }>(point: () => P): P | null {
  try {
    const p = point()
    p.assertValidity()
    return p.is0() ? null : p
  } catch {
    return null
  }
}

/** As `g1`, for key files. @throws FileError */
export function requireG1(json: G1Json, path: string): G1Point {
  return g1(json) ?? fail(path, { what: "not a point of G1, or the point at infinity" })
}

/** As `g2`, for key files. @throws FileError */
export function requireG2(json: G2Json, path: string): G2Point {
  return g2(json) ?? fail(path, { what: "not a point of G2's subgroup of order r, or the point at infinity" })
}

/** Two words: x, y. */
export const wordsOfG1 = ([x, y]: G1Json): bigint[] => [BigInt(x), BigInt(y)]

/** Four words, imaginary parts first. */
export const wordsOfG2 = ([x, y]: G2Json): bigint[] => [x[1], x[0], y[1], y[0]].map(BigInt)

/** Whether two points have the same coordinates. */
export const samePoint = (a: G1Json | G2Json, b: G1Json | G2Json): boolean => `${a}` === `${b}`

/** Whether two points are equal or each other's negative: exactly then are their x the same. */
export const sameOrOpposite = (a: G1Json | G2Json, b: G1Json | G2Json): boolean => `${a[0]}` === `${b[0]}`
