/**
 * Proofs of a log as files, for people who have not got the log: that an entry is in it, or that it begins with what it
 * was. Such a file names the roots that it leads to; who says that these are the log's roots is a checkpoint.
 */
import { UsageError } from "../errors.js"
import { bytes32, fail, fields, fromJson, type Hex, object, oneOf } from "../statement/strict.js"
import { type Entry, leafOf } from "./entry.js"
import {
  type ConsistencyProof,
  type Head,
  type InclusionProof,
  parseConsistencyProof,
  parseHead,
  parseInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from "./tree.js"

/** That an entry is in a log: root and size are what a checkpoint says. */
export interface InclusionFile {
  readonly version: 1
  readonly log: Hex
  readonly root: Hex
  readonly entry: Entry
  readonly inclusion: InclusionProof
}
/** That a log begins with what it was. */
export interface ConsistencyFile {
  readonly version: 1
  readonly log: Hex
  readonly oldRoot: Hex
  readonly root: Hex
  readonly consistency: ConsistencyProof
}
export type LogProof = InclusionFile | ConsistencyFile

/** Reads a proof of either kind (an object, or JSON text) strictly; says nothing about whether it holds. @throws FileError */
export function parseLogProof(value: unknown, path = "proof"): LogProof {
  const given = object(fromJson(value, path), path)
  const names: readonly string[] = Object.hasOwn(given, "inclusion")
    ? ["version", "log", "root", "entry", "inclusion"]
    : ["version", "log", "root", "oldRoot", "consistency"]
  const file = fields(given, path, names)
  const version = oneOf(file.version, `${path}: version`, [1])
  const common = { version: version as 1, log: bytes32(file.log, `${path}: log`) }
  const root = (x: unknown, size: number): Hex => parseHead({ root: x, size }, path).root
  if (!Object.hasOwn(file, "inclusion")) {
    const consistency = parseConsistencyProof(file.consistency, "consistency")
    const oldRoot = root(file.oldRoot, consistency.from)
    return { ...common, oldRoot, root: root(file.root, consistency.to), consistency }
  }
  const inclusion = parseInclusionProof(file.inclusion, "inclusion")
  const entry = object(file.entry, `${path}: entry`) as unknown as Entry
  try {
    leafOf(entry) // reads it
  } catch (error) {
    // what has no canonical text, or too long a one, cannot be an entry
    if (error instanceof UsageError) fail(`${path}: entry`, { what: error.facts.what })
    throw error
  }
  return { ...common, root: root(file.root, inclusion.size), entry, inclusion }
}

/** The heads that a proof is about, the older first: what checkpoints are compared with. */
export function headsOf(proof: LogProof): readonly Head[] {
  if ("inclusion" in proof) return [{ size: proof.inclusion.size, root: proof.root }]
  const { from, to } = proof.consistency
  return [
    { size: from, root: proof.oldRoot },
    { size: to, root: proof.root },
  ]
}

/** Why a proof does not lead to its roots, or null. Whose roots they are, a checkpoint says. */
export function logProofProblem(proof: LogProof): string | null {
  const [first, last = first] = headsOf(proof)
  const holds =
    "inclusion" in proof
      ? verifyInclusion(proof.inclusion, leafOf(proof.entry), first)
      : verifyConsistency(proof.consistency, first, last)
  return holds ? null : "the proof does not lead to its root"
}

/** What a proof shows if it holds, in words. */
export const describeLogProof = (proof: LogProof): string =>
  "inclusion" in proof
    ? `entry ${proof.inclusion.index}, ${proof.entry.type}, is in the log`
    : `nothing was taken back from size ${proof.consistency.from} to ${proof.consistency.to}`
