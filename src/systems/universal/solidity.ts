/**
 * What the contract of a PLONK or FFLONK key takes (`countersign export solidity`; contract.ts writes it). A key has a
 * contract of its own, so neither key nor model are arguments.
 *
 * snarkjs's FFLONK verifier divides by nothing on chain: the prover sends the inverse of the product of all that it
 * divides by. That number follows from key, statement and proof, so a receipt does not have it. With ξ the point of
 * evaluation, ξω the next one on the domain of n points, and y the point at which the openings are checked, the
 * denominators are those of
 *
 *     1/Z_H(ξ) and the first L_i(ξ)                                 ξ^n − 1,  n·(ξ − ω^i)
 *     Lagrange bases over the roots of X^8 = ξ, of X^4 = ξ          k^k · (k-th roots)^(k−2) · (−ξ) · (y^k − ξ)
 *     … of X³ = ξ and X³ = ξω together                              27 · ξ²·(ξ − ξω)³·(y³ − ξ), and the same exchanged
 *     the quotients of vanishing polynomials                        y⁴ − ξ,  (y³ − ξ)·(y³ − ξω)
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { inverse, mod, power, r } from "../../field.js"
import { type AbiPart, listPart, wordPart } from "../../statement/abi.js"
import { publicInputs } from "../../statement/layout.js"
import { wordsOfG1 } from "../../statement/points.js"
import { flatten, publicSignals, type Statement } from "../../statement/statement.js"
import type { Hex } from "../../statement/strict.js"
import { encodeWords } from "../../statement/words.js"
import {
  type FflonkKey,
  type FflonkProof,
  type FflonkReceipt,
  fflonkCommitments,
  fflonkEvaluations,
  type PlonkKey,
  type PlonkProof,
  type PlonkReceipt,
  plonkCommitments,
  plonkEvaluations,
} from "./verify.js"

/** 24 words: commitments as x, y, then evaluations; of FFLONK the inverse last. */
export type UniversalProofWords = readonly bigint[]

/** What `verifyInference` takes, by name, and in order as `args`. */
interface UniversalArguments {
  readonly context: Hex
  /** All outputs, then (apart) all public inputs, in layout order, with their signs. */
  readonly outputs: readonly bigint[]
  readonly inputs: readonly bigint[]
  readonly proof: UniversalProofWords
  readonly args: readonly [
    context: Hex,
    outputs: readonly bigint[],
    inputs: readonly bigint[],
    proof: UniversalProofWords,
  ]
}
export interface PlonkArguments extends UniversalArguments {
  readonly proofSystem: "plonk"
}
export interface FflonkArguments extends UniversalArguments {
  readonly proofSystem: "fflonk"
}

const plonkWords = (proof: PlonkProof): bigint[] => [
  ...plonkCommitments.flatMap((name) => wordsOfG1(proof[name])),
  ...plonkEvaluations.map((name) => BigInt(proof[name])),
]

const fflonkWords = (proof: FflonkProof): bigint[] => [
  ...fflonkCommitments.flatMap((name) => wordsOfG1(proof[name])),
  ...fflonkEvaluations.map((name) => BigInt(proof[name])),
]

const hash = (...words: readonly bigint[]): bigint =>
  BigInt(`0x${bytesToHex(keccak_256(encodeWords(words)))}`) % r

/** The inverse of the product above. */
function inverseOf(
  proof: FflonkProof,
  signals: readonly bigint[],
  { domain, c0 }: FflonkKey["points"],
): bigint {
  const evaluations = fflonkEvaluations.map((name) => BigInt(proof[name]))
  const beta = hash(...wordsOfG1(c0), ...signals, ...wordsOfG1(proof.c1))
  const seed = hash(hash(beta), ...wordsOfG1(proof.c2))
  const alpha = hash(seed, ...evaluations)
  const y = hash(alpha, ...wordsOfG1(proof.w1))

  const n = BigInt(domain)
  const omega = power(5n, (r - 1n) / n)
  const xi = power(seed, 24n)
  const next = (xi * omega) % r
  const vanishing = (k: bigint, at: bigint) => power(y, k) - at
  const lagrange = (k: bigint) => -(power(k, k) * power(xi, k - 1n) * vanishing(k, xi))
  const cubic = (at: bigint, other: bigint) => 27n * at * at * power(at - other, 3n) * vanishing(3n, at)
  const factors = [
    power(xi, n) - 1n,
    vanishing(4n, xi),
    vanishing(3n, xi) * vanishing(3n, next),
    lagrange(8n),
    lagrange(4n),
    cubic(xi, next),
    cubic(next, xi),
  ]
  for (let i = 0, root = 1n; i < signals.length; i++, root = (root * omega) % r) factors.push(n * (xi - root))
  return inverse(factors.reduce((product, factor) => mod(product * factor), 1n))
}

const shownValues = ({ input, output }: Statement, { layout }: PlonkKey | FflonkKey) => ({
  outputs: flatten(output, layout.outputs, "output"),
  inputs: flatten(input, publicInputs(layout), "input"),
})

/** What `SolidityHalf` of ../verifiers.ts asks of both. */
const universalSolidity = {
  registered: false,
  packed: false,
  types: "bytes32,int256[],int256[],uint256[24]",
  parts: ({ context, outputs, inputs, proof }: UniversalArguments): AbiPart[] => [
    wordPart(context),
    listPart(outputs),
    listPart(inputs),
    { words: proof },
  ],
}

export const plonkSolidity = {
  ...universalSolidity,
  contract: "PlonkInference",
  proofWords: plonkWords,

  argumentsOf({ statement, proof: given }: PlonkReceipt, key: PlonkKey): PlonkArguments {
    const { context } = statement
    const { outputs, inputs } = shownValues(statement, key)
    const proof = plonkWords(given)
    return { proofSystem: "plonk", context, outputs, inputs, proof, args: [context, outputs, inputs, proof] }
  },
}

export const fflonkSolidity = {
  ...universalSolidity,
  contract: "FflonkInference",
  proofWords: fflonkWords,

  argumentsOf({ statement, proof: given }: FflonkReceipt, key: FflonkKey): FflonkArguments {
    const { context } = statement
    const { outputs, inputs } = shownValues(statement, key)
    const signals = publicSignals(statement, key.layout)
    const proof = [...fflonkWords(given), inverseOf(given, signals, key.points)]
    return { proofSystem: "fflonk", context, outputs, inputs, proof, args: [context, outputs, inputs, proof] }
  },
}
