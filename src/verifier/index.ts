/** Verification alone: small, synchronous, for Node and browsers, and free of prover code. */
export {
  CountersignError,
  type Facts,
  FileError,
  InputError,
  InvariantError,
  invariant,
  ModelError,
  type OnProgress,
  printable,
  UsageError,
} from "../errors.js"
export {
  type InputLayout,
  type Layout,
  layoutJson,
  maxInteger,
  type OutputLayout,
  type TensorLayout,
  type Visibility,
} from "../statement/layout.js"
export type { G1Json, G2Json } from "../statement/points.js"
export type { Provenance } from "../statement/provenance.js"
export {
  type Groth16Proof,
  type Groth16Receipt,
  type MirageProof,
  type MirageReceipt,
  parseReceipt,
  type Receipt,
} from "../statement/receipt.js"
export {
  type CommittedClaim,
  contextSignal,
  type PublicClaim,
  publicSignals,
  type Statement,
  type Values,
} from "../statement/statement.js"
export type { Hex } from "../statement/strict.js"
export { dequantize, type RealTensor, realValues } from "../statement/values.js"
export {
  type CommitmentWord,
  challenge,
  evaluation,
  packing,
  packTensor,
  unpackTensor,
  type ValuesWord,
  type Word,
  wordBits,
  wordsOf,
} from "../statement/words.js"
export {
  fromSnarkjs,
  proofFromSnarkjs,
  proofToSnarkjs,
  type SnarkjsKey,
  type SnarkjsProof,
  toSnarkjs,
} from "../systems/groth16/snarkjs.js"
export {
  encodeKey,
  type Groth16Key,
  keyDigest,
  type MirageKey,
  parseVerificationKey,
  type VerificationKey,
} from "./key.js"
export { libraryName, solidityLibrary } from "./library.js"
export {
  type CallOptions,
  type Groth16Arguments,
  type Groth16ProofWords,
  type MirageArguments,
  type MirageProofWords,
  registrationCall,
  type SolidityArguments,
  type SolidityCall,
  solidityKey,
  solidityProof,
  toSolidityArguments,
  verificationCall,
} from "./solidity.js"
export { type Expected, explain, verify } from "./verify.js"
