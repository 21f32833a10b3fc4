/**
 * The verifying halves of the proof systems that there are. Whoever reads keys and receipts, checks proofs or calls
 * contracts asks this list, and never which system it is. It imports no prover code: a system's files `verify` and
 * `solidity` rest on the statement and the curve alone.
 */
import type { AbiPart } from "../statement/abi.js"
import type { Layout } from "../statement/layout.js"
import type { G2Json } from "../statement/points.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"
import { type Groth16Arguments, type Groth16ProofWords, groth16Solidity } from "./groth16/solidity.js"
import {
  type CheckedGroth16Key,
  type Groth16Key,
  type Groth16Receipt,
  groth16Verifier,
} from "./groth16/verify.js"
import { type MirageArguments, type MirageProofWords, mirageSolidity } from "./mirage/solidity.js"
import { type CheckedMirageKey, type MirageKey, type MirageReceipt, mirageVerifier } from "./mirage/verify.js"

/** What each system calls its own. */
interface Systems {
  groth16: {
    key: Groth16Key
    checked: CheckedGroth16Key
    receipt: Groth16Receipt
    arguments: Groth16Arguments
    words: Groth16ProofWords
  }
  mirage: {
    key: MirageKey
    checked: CheckedMirageKey
    receipt: MirageReceipt
    arguments: MirageArguments
    words: MirageProofWords
  }
}

/** Name of a proof system, as keys and receipts say it. */
export type ProofSystem = keyof Systems
/** One member per proof system, told apart by `proofSystem`. */
export type VerificationKey = Systems[ProofSystem]["key"]
/** One member per proof system, told apart by `proofSystem`. */
export type Receipt = Systems[ProofSystem]["receipt"]
/** A key that was read and checked, with its points ready for the pairing. */
export type CheckedKey = Systems[ProofSystem]["checked"]
export type SolidityArguments = Systems[ProofSystem]["arguments"]

/** What a proof system must say to verify. */
export interface Verifier<S extends ProofSystem = ProofSystem> {
  /** Names of a proof's points. */
  readonly proofPoints: readonly string[]
  /** Reads the points of a key's JSON. @throws FileError, also if the system cannot have such a layout */
  parsePoints(value: unknown, layout: Layout): Systems[S]["key"]["points"]
  /** Checks a key's points, and that somebody contributed to each. @throws FileError */
  checkKey(key: Systems[S]["key"]): Systems[S]["checked"]
  /** Public values that a key is for, in all and of outputs, as its canonical bytes count them. */
  publicCounts(layout: Layout): { readonly all: number; readonly outputs: number }
  /** The points of G2 between beta2 and ic in a key's canonical bytes. */
  middlePoints(points: Systems[S]["key"]["points"]): readonly G2Json[]
  /** Reads a proof strictly. @throws FileError */
  parseProof(value: unknown, path: string): Systems[S]["receipt"]["proof"]
  /** Why a proof is not valid for a statement that fits the key, or null. `digest` gives the key's. */
  problem(
    proof: Systems[S]["receipt"]["proof"],
    statement: Statement,
    key: Systems[S]["checked"],
    digest: () => Hex,
  ): string | null
  readonly solidity: SolidityHalf<S>
}

/** What its contract takes. */
export interface SolidityHalf<S extends ProofSystem = ProofSystem> {
  /** Name of the contract. */
  readonly contract: string
  /** Whether public values come packed into words (statement/words.ts), or as they are. */
  readonly packed: boolean
  proofWords(proof: Systems[S]["receipt"]["proof"]): Systems[S]["words"]
  /** A receipt as arguments of `verifyInference`; `digest` is the key's. @throws UsageError if it does not fit the key */
  argumentsOf(receipt: Systems[S]["receipt"], key: Systems[S]["key"], digest: Hex): Systems[S]["arguments"]
  /** Types of the arguments, as a selector hashes them. */
  readonly types: string
  /** The arguments in ABI encoding. */
  parts(given: Systems[S]["arguments"]): readonly AbiPart[]
}

const verifiers: { readonly [S in ProofSystem]: Verifier<S> } = {
  groth16: { ...groth16Verifier, solidity: groth16Solidity },
  mirage: { ...mirageVerifier, solidity: mirageSolidity },
}

/** The systems that keys and receipts may name. */
export const verifiableSystems = Object.keys(verifiers) as readonly ProofSystem[]

export const verifierOf = (proofSystem: ProofSystem): Verifier => verifiers[proofSystem]

/** The verifier that takes a proof of these points, or else the first. */
export function verifierOfProof(proof: object): Verifier {
  const has = ({ proofPoints }: Verifier) => proofPoints.every((name) => name in proof)
  const most = Object.values(verifiers).sort((x, y) => y.proofPoints.length - x.proofPoints.length)
  return most.find(has) ?? verifiers.groth16
}
