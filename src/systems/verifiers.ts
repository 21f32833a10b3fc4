/**
 * The verifying halves of the proof systems that there are. Whoever reads keys and receipts, checks proofs or calls
 * contracts asks this list, and never which system it is. It imports no prover code: a system's files `verify` and
 * `solidity` rest on the statement and the curve alone. Systems whose equation is another program's (`equation` of
 * system.ts) have all but that equation here.
 */
import type { AbiPart } from "../statement/abi.js"
import type { Layout } from "../statement/layout.js"
import type { SetupKind } from "../statement/provenance.js"
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
import {
  type FflonkArguments,
  fflonkSolidity,
  type PlonkArguments,
  plonkSolidity,
  type UniversalProofWords,
} from "./universal/solidity.js"
import {
  type CheckedFflonkKey,
  type CheckedPlonkKey,
  type FflonkKey,
  type FflonkReceipt,
  fflonkVerifier,
  type PlonkKey,
  type PlonkReceipt,
  plonkVerifier,
} from "./universal/verify.js"

/** What each system calls its own. */
interface Systems {
  fflonk: {
    key: FflonkKey
    checked: CheckedFflonkKey
    receipt: FflonkReceipt
    arguments: FflonkArguments
    words: UniversalProofWords
  }
  plonk: {
    key: PlonkKey
    checked: CheckedPlonkKey
    receipt: PlonkReceipt
    arguments: PlonkArguments
    words: UniversalProofWords
  }
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
  /** What its keys may say of how they were made. */
  readonly setups: readonly SetupKind[]
  /** Names of a proof's points and evaluations. */
  readonly proofParts: readonly string[]
  /** Whether a key may be of a model with private weights. */
  readonly hasPrivateWeights?: true
  /**
   * Reads the points of a key's JSON, which is one of private weights if it names an `architecture`.
   * @throws FileError, also if the system cannot have such a layout
   */
  parsePoints(value: unknown, layout: Layout, architecture?: Hex): Systems[S]["key"]["points"]
  /** Checks a key's points, and that somebody contributed to each. @throws FileError */
  checkKey(key: Systems[S]["key"]): Systems[S]["checked"]
  /** Public values that a key is for, in all and of outputs, as its canonical bytes count them. */
  publicCounts(layout: Layout): { readonly all: number; readonly outputs: number }
  /** The words that a key's points are in its canonical bytes, with its architecture if it names one. */
  keyWords(key: Systems[S]["key"]): readonly bigint[]
  /** Reads a proof strictly. @throws FileError */
  parseProof(value: unknown, path: string): Systems[S]["receipt"]["proof"]
  /** Which part of a proof cannot be one, or null; where the equation is elsewhere, which takes this for granted. */
  pointProblem?(proof: Systems[S]["receipt"]["proof"]): string | null
  /** Why a proof is not valid for a statement that fits the key, or null. `digest` gives the key's. */
  problem?(
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
  /** Whether one contract serves all keys, which are registered there; else each key has its own. */
  readonly registered: boolean
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
  fflonk: { ...fflonkVerifier, solidity: fflonkSolidity },
  groth16: { ...groth16Verifier, solidity: groth16Solidity },
  mirage: { ...mirageVerifier, solidity: mirageSolidity },
  plonk: { ...plonkVerifier, solidity: plonkSolidity },
}

/** The systems that keys and receipts may name. */
export const verifiableSystems = Object.keys(verifiers) as readonly ProofSystem[]

export const verifierOf = (proofSystem: ProofSystem): Verifier => verifiers[proofSystem]

/** The verifier that takes a proof of these parts, or else the last. */
export function verifierOfProof(proof: object): Verifier {
  const has = ({ proofParts }: Verifier) => proofParts.every((name) => name in proof)
  const most = Object.values(verifiers).sort((x, y) => y.proofParts.length - x.proofParts.length)
  return most.find(has) ?? verifiers.groth16
}
