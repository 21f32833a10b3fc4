/** The operator's store of what proofs take, for Node. */
export { executeKept, type Kept, keep, keptInput, listKept, proveKept, pruneKept, readKept } from "./keep.js"
