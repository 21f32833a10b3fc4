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
  type Problem,
  type ProblemGroup,
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
export { privateModel } from "../statement/model.js"
export type { G1Json, G2Json } from "../statement/points.js"
export {
  type CeremonyFacts,
  describeProvenance,
  type Provenance,
  type UniversalFacts,
} from "../statement/provenance.js"
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
  proofFromSnarkjs,
  proofToSnarkjs,
  type SnarkjsKey,
  type SnarkjsProof,
  toSnarkjs,
} from "../systems/groth16/snarkjs.js"
export type { Groth16Arguments, Groth16ProofWords } from "../systems/groth16/solidity.js"
export type { Groth16Key, Groth16Proof, Groth16Receipt } from "../systems/groth16/verify.js"
export type { MirageArguments, MirageProofWords } from "../systems/mirage/solidity.js"
export type { MirageKey, MirageProof, MirageReceipt } from "../systems/mirage/verify.js"
export type { FflonkArguments, PlonkArguments, UniversalProofWords } from "../systems/universal/solidity.js"
export type {
  FflonkKey,
  FflonkProof,
  FflonkReceipt,
  PlonkKey,
  PlonkProof,
  PlonkReceipt,
} from "../systems/universal/verify.js"
export type { Receipt, SolidityArguments, VerificationKey } from "../systems/verifiers.js"
export { describeTensor, elementName, largestElement } from "./describe.js"
export { encodeKey, fromSnarkjs, keyDigest, parseVerificationKey } from "./key.js"
export { libraryName, solidityLibrary } from "./library.js"
export { parseReceipt } from "./receipt.js"
export {
  type CallOptions,
  registrationCall,
  type SolidityCall,
  solidityKey,
  solidityProof,
  toSolidityArguments,
  verificationCall,
} from "./solidity.js"
export { type Expected, explain, verify } from "./verify.js"
