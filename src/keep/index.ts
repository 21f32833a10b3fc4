/** The operator's store of what proofs take, and what a model says of claims by it, for Node. */
export { type Apart, type Dispute, dispute } from "./dispute.js"
export { type Filing, filings, groundsOf, type Situations } from "./filings.js"
export { type Judgement, type Judging, judgeBy, judgeByStore, type KnownInput } from "./judge.js"
export { executeKept, type Kept, keep, keptInput, listKept, proveKept, pruneKept, readKept } from "./keep.js"
export type { DisputeFacts, KnownModel, Party, Shown } from "./party.js"
