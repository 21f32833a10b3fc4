/**
 * Proving alone, for Node and for pages: a circuit is rebuilt from the files that Node compiled, and proven
 * against its key. Nothing here loads Node's modules or GPL packages in a page; receipts are checked by
 * `countersign/verifier`.
 */

export type { ByteSource, ProvingKey } from "../circuit/formats/source.js"
export { drawSalt } from "../circuit/gadgets/poseidon.js"
export type { CompiledGadgets } from "../circuit/gadgets/reduce.js"
export type { Salts } from "../circuit/witness/commitment.js"
export {
  type CircuitFiles,
  type CircuitInfo,
  describeCircuit,
  keepCircuit,
  type RebuildOptions,
  rebuildCircuit,
} from "../compile/description.js"
export { type CircuitEstimate, estimateCircuit } from "../compile/estimate.js"
export { serialize } from "../quantize/canonical/digest.js"
export { dequantize } from "../statement/values.js"
export type { Circuit } from "../systems/index.js"
export type { MirageCircuit } from "../systems/mirage/circuit.js"
export type { PlainCircuit } from "../systems/plain/circuit.js"
export { type Executed, type ExecuteOptions, execute } from "./execute.js"
export { memoryEstimate, type OpenOptions, openProver, type ProveOptions, type Prover } from "./open.js"
