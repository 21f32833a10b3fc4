/**
 * What was said and done, appended for good under one root: entries, proofs that they are in, proofs that nothing was
 * taken back, and signatures under both. What checks proofs and checkpoints runs in pages; what opens folders needs
 * Node.
 */
import { type Log, type LogOptions, openLogOn } from "./log.js"
import { type LogReport, type VerifyLogOptions, verifyLogOn } from "./verify.js"

const platform = async () => (await import("./disk.js")).nodePlatform

/**
 * Opens a log, a folder on a local disk; `create` makes it if there is none. Close it.
 * @throws FileError for what is no log, or less than it once was; UsageError for what the disk refuses
 */
export const openLog = async (folder: string, options?: LogOptions): Promise<Log> =>
  openLogOn(await platform(), folder, options)

/**
 * Checks a whole log and says what is the first entry that is wrong. About 0.3 ms for an entry.
 * @throws FileError where there is no log, and for heads that are none
 */
export const verifyLog = async (folder: string, options?: VerifyLogOptions): Promise<LogReport> =>
  verifyLogOn(await platform(), folder, options)

export {
  type Checkpoint,
  checkpointDigest,
  checkpointSigner,
  explainCheckpoint,
  type LogHead,
  parseCheckpoint,
  type SignedCheckpoint,
  signCheckpoint,
  verifyCheckpoint,
} from "./checkpoint.js"
export {
  type Body,
  type Entry,
  type EntryType,
  entryTypes,
  leafOf,
  mostEntryBytes,
  parseEntry,
} from "./entry.js"
export type { Appended, Log, LogOptions } from "./log.js"
export { poseidon2 } from "./poseidon.js"
export {
  type ConsistencyFile,
  describeLogProof,
  headsOf,
  type InclusionFile,
  type LogProof,
  logProofProblem,
  parseLogProof,
} from "./proof.js"
export {
  type ConsistencyProof,
  depth,
  type Head,
  type InclusionProof,
  mostEntries,
  parseConsistencyProof,
  parseInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from "./tree.js"
export type { LogProblem, LogReport, VerifyLogOptions } from "./verify.js"
