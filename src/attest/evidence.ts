/**
 * What an operator holds about an inference beside its input: a small manifest, of which the attestation has the digest.
 * It is shown to whoever audits, not put on a chain, and so are the fields that logs of high-risk systems need (EU AI Act,
 * article 12(3)): the period of use, what the input was checked against, and who verified the result. People stand in it
 * under pseudonyms that the operator can resolve; names and other personal data have no place here.
 */
import {
  array,
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  object,
  type TextLimits,
} from "../statement/strict.js"
import { jsonDigest } from "./canonical.js"
import { line, whole } from "./read.js"

export interface Evidence {
  readonly version: 1
  /** Period of this use, seconds since 1970. */
  readonly started: number
  readonly ended: number
  /** What computed it, with its version. */
  readonly software: string
  /** Transcript of the ceremony that made the key; null for keys without one. */
  readonly transcript: Hex | null
  /** Digest of the report on quantization: the measured distance from the float model. */
  readonly quantization: Hex | null
  /** Digest of the reference data that the input was checked against. */
  readonly reference: Hex | null
  /** Pseudonyms of those who verified the result. */
  readonly verifiedBy: readonly string[]
  /** Digests of anything else, by name: a payment, a quote of hardware, files of the float model. */
  readonly other: Readonly<Record<string, Hex>>
}

const limits: TextLimits = { characters: 2 ** 16, values: 1024 }
const most = 64

/** Reads a manifest (an object, or JSON text) strictly. @throws FileError */
export function parseEvidence(value: unknown): Evidence {
  const path = "evidence"
  const names = [
    "version",
    "started",
    "ended",
    "software",
    "transcript",
    "quantization",
    "reference",
    "verifiedBy",
    "other",
  ] as const
  const given = fields(fromJson(value, path, limits), path, names)
  const verifiedBy = array(given.verifiedBy, "verifiedBy")
  const other = Object.entries(object(given.other, "other"))
  for (const [count, where] of [
    [verifiedBy.length, "verifiedBy"],
    [other.length, "other"],
  ] as const)
    if (count > most) fail(where, { what: "too many elements", expected: `at most ${most}` })
  const started = whole(given.started, "started", 0, Number.MAX_SAFE_INTEGER)
  return {
    version: whole(given.version, "version", 1, 1) as 1,
    started,
    ended: whole(given.ended, "ended", started, Number.MAX_SAFE_INTEGER),
    software: line(given.software, "software"),
    transcript: digestOrNull(given.transcript, "transcript"),
    quantization: digestOrNull(given.quantization, "quantization"),
    reference: digestOrNull(given.reference, "reference"),
    verifiedBy: Array.from(verifiedBy, (name, i) => line(name, `verifiedBy[${i}]`)),
    other: Object.fromEntries(
      other.map(([name, digest]) => {
        const at = `other[${JSON.stringify(name)}]`
        return [line(name, at), bytes32(digest, at)]
      }),
    ),
  }
}

/** keccak256 of the canonical JSON of a manifest. @throws FileError as `parseEvidence` */
export const evidenceDigest = (evidence: Evidence): Hex => jsonDigest(parseEvidence(evidence))

const digestOrNull = (value: unknown, path: string): Hex | null =>
  value === null ? null : bytes32(value, path)
