/**
 * A receipt: a statement and its proof. It names no key and no verifier; what it is checked against is the
 * caller's choice alone. A proof can be re-randomised by anyone, so nothing may be identified by its bytes.
 */
import { type Layout, receiptLimits } from "./layout.js"
import { type G1Json, type G2Json, parseG1, parseG2 } from "./points.js"
import { parseStatement, type Statement } from "./statement.js"
import { fields, fromJson, object, oneOf } from "./strict.js"

/** A Groth16 proof (eprint 2016/260), affine coordinates as decimal strings below q. */
export interface Groth16Proof {
  readonly a: G1Json
  readonly b: G2Json
  readonly c: G1Json
}

export interface Groth16Receipt {
  readonly version: 1
  readonly proofSystem: "groth16"
  readonly statement: Statement
  readonly proof: Groth16Proof
}

/** A two-phase proof (MIRAGE, eprint 2020/278): Groth16's points, and the commitment D of the first phase. */
export interface MirageProof extends Groth16Proof {
  readonly d: G1Json
}

export interface MirageReceipt {
  readonly version: 1
  readonly proofSystem: "mirage"
  readonly statement: Statement
  readonly proof: MirageProof
}

/** One member per proof system, told apart by `proofSystem`. */
export type Receipt = Groth16Receipt | MirageReceipt

/**
 * Reads a receipt (an object, or JSON text) strictly: every field known and present, every number canonical
 * and in range. Says nothing about the proof: that is `verify`.
 * @throws FileError naming the path of the first malformed element.
 */
export const parseReceipt = (value: unknown): Receipt => readReceipt(value)

/** The same for the receipt of a known layout, beyond which nothing is read. @throws FileError */
export function readReceipt(value: unknown, layout?: Layout): Receipt {
  const limits = layout && receiptLimits(layout)
  const parsed = fromJson(value, "receipt", limits)
  oneOf(object(parsed, "receipt").version, "version", [1])
  const proofSystem = oneOf(object(parsed, "receipt").proofSystem, "proofSystem", ["groth16", "mirage"])
  const given = fields(parsed, "receipt", ["version", "proofSystem", "statement", "proof"])
  const statement = parseStatement(given.statement, "statement", limits?.values)
  return proofSystem === "groth16"
    ? { version: 1, proofSystem, statement, proof: parseProof(given.proof, "proof") }
    : { version: 1, proofSystem, statement, proof: parseMirageProof(given.proof, "proof") }
}

/** Reads a Groth16 proof strictly. @throws FileError */
export function parseProof(value: unknown, path: string): Groth16Proof {
  return groth16Points(fields(value, path, ["a", "b", "c"]), path)
}

/** Reads a two-phase proof strictly. @throws FileError */
export function parseMirageProof(value: unknown, path: string): MirageProof {
  const given = fields(value, path, ["a", "b", "c", "d"])
  return { ...groth16Points(given, path), d: parseG1(given.d, `${path}.d`) }
}

const groth16Points = (given: Record<"a" | "b" | "c", unknown>, path: string): Groth16Proof => ({
  a: parseG1(given.a, `${path}.a`),
  b: parseG2(given.b, `${path}.b`),
  c: parseG1(given.c, `${path}.c`),
})
