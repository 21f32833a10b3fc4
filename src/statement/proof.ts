/**
 * What receipts and proofs of all proof systems have. A receipt is a statement and its proof; it names no key and no
 * verifier: what it is checked against is the caller's choice alone. A proof can be re-randomised by anyone, so
 * nothing may be identified by its bytes.
 */
import {
  type G1Json,
  type G1Point,
  type G2Json,
  type G2Point,
  g1,
  g2,
  parseG1,
  parseG2,
  wordsOfG1,
  wordsOfG2,
} from "./points.js"
import type { Statement } from "./statement.js"

export interface ReceiptFacts {
  readonly version: 1
  readonly statement: Statement
}

/** Points that every proof has, affine coordinates as decimal strings below q. */
export interface CommonProof {
  readonly a: G1Json
  readonly b: G2Json
  readonly c: G1Json
}

/** The same as points of the curve. */
export interface ProofPoints {
  readonly a: G1Point
  readonly b: G2Point
  readonly c: G1Point
}

/** Reads those points. @throws FileError */
export const parseCommon = (given: Record<"a" | "b" | "c", unknown>, path: string): CommonProof => ({
  a: parseG1(given.a, `${path}.a`),
  b: parseG2(given.b, `${path}.b`),
  c: parseG1(given.c, `${path}.c`),
})

/** Those points, on the curve, in the subgroup and finite, or which of them is none. */
export function finitePoints(proof: CommonProof): ProofPoints | string {
  const [a, b, c] = [g1(proof.a), g2(proof.b), g1(proof.c)]
  if (a === null) return "proof.a is not a point of G1, or the point at infinity"
  if (b === null) return "proof.b is not a point of G2's subgroup of order r, or the point at infinity"
  if (c === null) return "proof.c is not a point of G1, or the point at infinity"
  return { a, b, c }
}

type Two = readonly [bigint, bigint]
/** A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. */
export type CommonWords = readonly [...Two, ...Two, ...Two, ...Two]

/** Those points as words for the EVM. */
export function commonWords({ a, b, c }: CommonProof): CommonWords {
  const [[ax, ay], [bx1, bx0, by1, by0]] = [wordsOfG1(a), wordsOfG2(b)]
  const [cx, cy] = wordsOfG1(c)
  return [ax, ay, bx1, bx0, by1, by0, cx, cy]
}
