/**
 * Contributions to ceremonies, for Node and for pages: a key file in, a key file out, in blocks. Nothing here loads
 * Node's modules or GPL packages for keys of the two-phase proof; keys of plain groth16 are for Node alone.
 */
export type { ByteSource, ProvingKey } from "../circuit/formats/source.js"
export { drawSeed } from "../setup/ceremony/secrets.js"
export type { VerificationKey } from "../systems/verifiers.js"
export {
  applyBeacon,
  type BeaconOptions,
  type Contributed,
  type ContributeOptions,
  contribute,
} from "./contribute.js"
export type { RewriteOptions, Sink } from "./rewrite.js"
