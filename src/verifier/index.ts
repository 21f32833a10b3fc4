/** Verification alone: small, synchronous, for Node and browsers, and free of prover code. */
export * from "../errors.js"
export {
  encodeKey,
  type Groth16Key,
  keyDigest,
  layoutJson,
  parseVerificationKey,
  type VerificationKey,
} from "./key.js"
export type { G1Json, G2Json } from "./points.js"
export { type Groth16Proof, type Groth16Receipt, parseReceipt, type Receipt } from "./receipt.js"
export {
  fromSnarkjs,
  proofFromSnarkjs,
  proofToSnarkjs,
  type SnarkjsKey,
  type SnarkjsProof,
  toSnarkjs,
} from "./snarkjs.js"
export { type SolidityArguments, solidityKey, solidityProof, toSolidityArguments } from "./solidity.js"
export {
  contextSignal,
  type InputLayout,
  type Layout,
  maxInteger,
  type OutputLayout,
  publicSignals,
  type Statement,
  type Values,
  type Visibility,
} from "./statement.js"
export { type Expected, explain, verify } from "./verify.js"
