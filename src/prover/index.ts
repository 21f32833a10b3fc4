/**
 * Proving alone, for Node and for pages: a circuit is rebuilt from the files that Node compiled, and proven
 * against its key. Nothing here loads Node's modules or GPL packages in a page; receipts are checked by
 * `countersign/verifier`.
 */
export type { Salts } from "../circuit/commitment.js"
export type { Circuit, MirageCircuit, PlainCircuit } from "../circuit/compile.js"
export {
  type CircuitFiles,
  type CircuitInfo,
  describeCircuit,
  type RebuildOptions,
  rebuildCircuit,
} from "../circuit/description.js"
export { drawSalt } from "../circuit/poseidon.js"
export type { CompiledGadgets } from "../circuit/reduce-gadgets.js"
export { serialize } from "../quantize/digest.js"
export { dequantize } from "../verifier/values.js"
export type { ByteSource, ProvingKey } from "./keysource.js"
export { memoryEstimate, type OpenOptions, openProver, type ProveOptions, type Prover } from "./prover.js"
