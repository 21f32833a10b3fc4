/**
 * Countersign: prove which model produced which output, and check it anywhere.
 *
 * model file → importOnnx / importTfjs / importKeras → quantize → compile → setup → openProver → prove → verify.
 * This entry depends on GPL-3.0 packages through the prover; `countersign/verifier` does not.
 */

export { type Accepted, acceptKey } from "./ceremony/accept.js"
export * from "./ceremony/index.js"
export {
  type ContributionFacts,
  type SetupReport,
  type VerifySetupOptions,
  verifySetup,
} from "./ceremony/verify.js"
export { readR1cs, writeR1cs } from "./circuit/formats/r1csfile.js"
export { commit } from "./circuit/gadgets/circom-poseidon.js"
export { type CompileOptions, checkCompileOptions, compile } from "./compile/compile.js"
export type { CircuitEstimate } from "./compile/estimate.js"
export { exportCircom } from "./compile/export-circom.js"
export {
  type MeasuredSaturation,
  measureSaturation,
  type NodeAccuracy,
  type NodeFigures,
  type Saturation,
  type SaturationOptions,
} from "./compile/figures.js"
export { type AuditReport, auditWitness } from "./compile/forgeries.js"
export { type Inspection, type InspectOptions, inspect, type NodeReport } from "./compile/inspect.js"
export { checkPredicate, withPredicate } from "./compile/predicate.js"
export {
  AccuracyError,
  type Candidate,
  type FailedSearch,
  type PrecisionSearch,
  type SearchOptions,
  searchPrecision,
} from "./compile/search.js"
export { defaults } from "./defaults.js"
export { cutGraph } from "./model/cut.js"
export type { Graph } from "./model/graph.js"
export { importKeras, type KerasOptions } from "./model/keras/keras.js"
export type { ImportOptions } from "./model/onnx/onnx.js"
export { importTfjs } from "./model/tfjs/tfjs.js"
export { importOnnx } from "./ops/import.js"
export { lower } from "./ops/lower.js"
export { type Audit, audit, auditReceipt } from "./prover/audit.js"
export type { FirstKeyOptions } from "./prover/first-key.js"
export * from "./prover/index.js"
export { type KeyFile, openKeyFile } from "./prover/keyfile.js"
export {
  checkKeys,
  type FirstKeys,
  type Keys,
  type SetupOptions,
  setup,
  verificationKeyOf,
} from "./prover/open.js"
export { type OpenPtauFile, openPtauFile } from "./prover/ptau-file.js"
export { solidityVerifier } from "./prover/solidity.js"
export {
  explainReceipt,
  openVerifier,
  type ReceiptVerifier,
  verifyReceipt,
} from "./prover/verify.js"
export {
  type CommittedWeights,
  type CommitWeightsOptions,
  checkWeights,
  commitWeights,
} from "./prover/weights.js"
export { type Accuracy, type AccuracyOptions, measureAccuracy } from "./quantize/accuracy.js"
export {
  type BackendChoice,
  type BackendOptions,
  type Backends,
  openBackends,
  type PassedOver,
} from "./quantize/backends/backends.js"
export type { BackendName } from "./quantize/backends/device.js"
export type { CalibrationMethod } from "./quantize/calibration/calibrate.js"
export { parseInput, parseJson, parseLabels, parseSamples } from "./quantize/calibration/samples.js"
export { deserialize, modelDigest } from "./quantize/canonical/digest.js"
export {
  type OpenCommitment,
  type PrivateWeights,
  readWeights,
  writeWeights,
} from "./quantize/canonical/weights.js"
export type { IntGraph } from "./quantize/integers/intgraph.js"
export {
  quantizeInput,
  type RunIntegersOptions,
  runInteger,
  runIntegers,
} from "./quantize/integers/run.js"
export { hasSecrets, secretsOf, withoutSecrets, withSecrets } from "./quantize/integers/secrets.js"
export type { QuantizeOptions } from "./quantize/options.js"
export { quantize, quantizeProgram } from "./quantize/quantize.js"
export { type CheckedPtau, type CheckPtauOptions, checkPtau } from "./setup/ptau/check.js"
export { type OpenPtauOptions, openPtau, type PtauFile } from "./setup/ptau/file.js"
export type { PowersOfTau } from "./setup/ptau/powers.js"
export { witnessOf } from "./systems/plain/witness.js"
export * from "./verifier/index.js"
