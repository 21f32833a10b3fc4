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
  encodeKey,
  type Groth16Key,
  keyDigest,
  type MirageKey,
  parseVerificationKey,
  type VerificationKey,
} from "./key.js"
export {
  type InputLayout,
  type Layout,
  layoutJson,
  maxInteger,
  type OutputLayout,
  type TensorLayout,
  type Visibility,
} from "./layout.js"
export { libraryName, solidityLibrary } from "./library.js"
export type { G1Json, G2Json } from "./points.js"
export type { Provenance } from "./provenance.js"
export {
  type Groth16Proof,
  type Groth16Receipt,
  type MirageProof,
  type MirageReceipt,
  parseReceipt,
  type Receipt,
} from "./receipt.js"
export {
  fromSnarkjs,
  proofFromSnarkjs,
  proofToSnarkjs,
  type SnarkjsKey,
  type SnarkjsProof,
  toSnarkjs,
} from "./snarkjs.js"
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
export {
  type CommittedClaim,
  contextSignal,
  type PublicClaim,
  publicSignals,
  type Statement,
  type Values,
} from "./statement.js"
export type { Hex } from "./strict.js"
export { dequantize, type RealTensor, realValues } from "./values.js"
export { type Expected, explain, verify } from "./verify.js"
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
} from "./words.js"
