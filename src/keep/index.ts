/** The operator's store of what proofs take, for Node. */
export { type Judgement, type Judging, judgeBy, judgeByStore, type KnownInput } from "./judge.js"
export { executeKept, type Kept, keep, keptInput, listKept, proveKept, pruneKept, readKept } from "./keep.js"
