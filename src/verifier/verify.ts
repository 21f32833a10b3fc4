/**
 * Verification of a receipt against what the caller expects. Groth16 (eprint 2016/260): the proof (A, B, C)
 * is valid for public signals x when e(−A, B) · e(α, β) · e(IC(x), γ) · e(C, δ) = 1.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { FileError, UsageError } from "../errors.js"
import { signed } from "../field.js"
import { type CheckedKey, checkKey, type VerificationKey } from "./key.js"
import { type G1Point, g1, g2 } from "./points.js"
import { type Groth16Proof, parseReceipt, type Receipt } from "./receipt.js"
import { publicSignals, shapeProblem } from "./statement.js"
import { shown } from "./strict.js"

/** What a receipt is checked against; all of it comes from the caller, none of it from the receipt. */
export interface Expected {
  readonly verificationKey: VerificationKey
  /** Digest of the model, 0x and 64 hexadecimal digits; must be the key's. */
  readonly model: string
  /** The 32 bytes this receipt must have been made for, 0x and 64 hexadecimal digits. */
  readonly context: string
  /** Accept a development key, whose maker can forge. */
  readonly allowDev?: boolean
}

/**
 * Whether a receipt (an object, or JSON text) is valid for what is expected; never throws because of the receipt.
 * @throws FileError when the verification key is malformed or was made without a contribution.
 * @throws UsageError when the expected model or context is malformed, or the key is another model's.
 */
export function verify(receipt: unknown, expected: Expected): boolean {
  return explain(receipt, expected) === null
}

/** Null when the receipt is valid, else the first reason why not, in plain words. @throws as `verify` */
export function explain(receipt: unknown, expected: Expected): string | null {
  const model = expectedBytes32(expected.model, "model")
  const context = expectedBytes32(expected.context, "context")
  const checkedKey = checkKey(expected.verificationKey)
  const { key } = checkedKey
  if (key.model !== model)
    throw new UsageError({
      what: "the verification key is another model's",
      where: "expected.verificationKey",
      expected: `model ${model}`,
      given: key.model,
    })
  if (key.setup === "dev" && expected.allowDev !== true)
    return "development key: whoever made it can forge receipts; pass allowDev to accept it"
  const parsed = read(receipt)
  if (typeof parsed === "string") return parsed
  const { statement } = parsed
  if (statement.model !== model) return `the receipt is for model ${statement.model}, expected ${model}`
  if (statement.context !== context)
    return `the receipt is for context ${statement.context}, expected ${context}`
  return (
    shapeProblem(statement, key.layout) ??
    proofProblem(parsed.proof, publicSignals(statement, key.layout), checkedKey)
  )
}

/** The receipt, or why it cannot be read. */
function read(receipt: unknown): Receipt | string {
  try {
    return parseReceipt(receipt)
  } catch (error) {
    return `malformed receipt: ${error instanceof FileError ? error.message : "its fields cannot be read"}`
  }
}

function expectedBytes32(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(value))
    throw new UsageError({
      what: "not 32 bytes",
      where: `expected.${where}`,
      expected: "0x and 64 hexadecimal digits",
      given: shown(value),
    })
  return value.toLowerCase()
}

function proofProblem(proof: Groth16Proof, signals: readonly bigint[], key: CheckedKey): string | null {
  const [a, b, c] = [g1(proof.a), g2(proof.b), g1(proof.c)]
  if (a === null) return "proof.a is not a point of G1, or the point at infinity"
  if (b === null) return "proof.b is not a point of G2's subgroup of order r, or the point at infinity"
  if (c === null) return "proof.c is not a point of G1, or the point at infinity"
  const { alphaBeta, gamma, delta } = linesOf(key)
  const terms: [Lines, G1Point][] = [
    [bn254.utils.calcPairingPrecomputes(b), a.negate()],
    [gamma, linear(key.ic, signals)],
    [delta, c],
  ]
  // The pairing of infinity is one, and noble's takes finite points only; just the public part can be it.
  const finite = terms.filter(([, point]) => !point.is0())
  const { Fp12 } = bn254.fields
  const loops = bn254.millerLoopBatch(
    finite.map(([lines, point]) => {
      const { x, y } = point.toAffine()
      return [lines, x, y]
    }),
  )
  const product = Fp12.finalExponentiate(Fp12.mul(loops, alphaBeta))
  return Fp12.eql(product, Fp12.ONE) ? null : "the statement was changed, or the proof is not for it"
}

type Lines = ReturnType<typeof bn254.utils.calcPairingPrecomputes>

/** What a Miller loop needs of a key and no proof changes: half the time of a verification. */
interface KeyLines {
  readonly alphaBeta: ReturnType<typeof bn254.millerLoopBatch>
  readonly gamma: Lines
  readonly delta: Lines
}

const keyLines = new WeakMap<CheckedKey, KeyLines>()

function linesOf(key: CheckedKey): KeyLines {
  const known = keyLines.get(key)
  if (known) return known
  const lines: KeyLines = {
    alphaBeta: bn254.pairing(key.alpha1, key.beta2, false),
    gamma: bn254.utils.calcPairingPrecomputes(key.gamma2),
    delta: bn254.utils.calcPairingPrecomputes(key.delta2),
  }
  keyLines.set(key, lines)
  return lines
}

/** ic[0] + Σ signals[i] · ic[i + 1]; small negative integers are multiplied by their absolute value. */
function linear(ic: readonly G1Point[], signals: readonly bigint[]): G1Point {
  let sum = ic[0]
  signals.forEach((signal, i) => {
    const x = signed(signal)
    if (x > 0n) sum = sum.add(ic[i + 1].multiplyUnsafe(x))
    else if (x < 0n) sum = sum.subtract(ic[i + 1].multiplyUnsafe(-x))
  })
  return sum
}
