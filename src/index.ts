/**
 * Countersign: prove which model produced which output, and check it anywhere.
 *
 * model file → importOnnx / importTfjs → quantize → compile → setup → openProver → prove → verify.
 * This entry depends on GPL-3.0 packages through the prover; `countersign/verifier` does not.
 */
export { type AuditReport, auditWitness } from "./circuit/audit.js"
export { type CompileOptions, compile, witnessOf } from "./circuit/compile.js"
export { commit } from "./circuit/compile-poseidon.js"
export { exportCircom } from "./circuit/export-circom.js"
export { inspect, type NodeReport } from "./circuit/inspect.js"
export { readR1cs, writeR1cs } from "./circuit/r1csfile.js"
export { defaults } from "./defaults.js"
export type { Graph } from "./model/graph.js"
export { type ImportOptions, importOnnx } from "./model/onnx.js"
export { importTfjs } from "./model/tfjs.js"
export { lower } from "./ops/lower.js"
export { type Audit, audit, auditReceipt } from "./prover/audit.js"
export * from "./prover/index.js"
export { type KeyFile, openKeyFile } from "./prover/keyfile.js"
export {
  checkKeys,
  type Keys,
  type SetupOptions,
  setup,
  verificationKeyOf,
} from "./prover/prover.js"
export { type Accuracy, measureAccuracy } from "./quantize/accuracy.js"
export { deserialize, modelDigest } from "./quantize/digest.js"
export type { IntGraph } from "./quantize/intgraph.js"
export { type QuantizeOptions, quantize, quantizeProgram } from "./quantize/quantize.js"
export { quantizeInput, runInteger } from "./quantize/run.js"
export { parseInput, parseSamples } from "./quantize/samples.js"
export * from "./verifier/index.js"
