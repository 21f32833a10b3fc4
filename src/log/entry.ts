/**
 * Entries of a log: what somebody said or did about an inference, or that it did not happen. The text of an entry is
 * canonical JSON (RFC 8785), so an entry has one digest, keccak256 of it, and one leaf: Poseidon of the digest's two
 * halves, because a digest may be larger than a field element.
 *
 * A log takes what has the form that its type says. It does not ask whether signatures or proofs hold: that something
 * false was said is worth an entry too.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js"
import { checkRecord } from "../arguments.js"
import { canonicalJson, keccak } from "../attest/canonical.js"
import { parseDocument } from "../attest/document.js"
import { parseAttestation, parseSignOff, parseWithdrawal, whole } from "../attest/read.js"
import { FileError, UsageError } from "../errors.js"
import {
  bytes32,
  fail,
  fields,
  type Hex,
  object,
  oneOf,
  parseJson,
  shown,
  type TextLimits,
} from "../statement/strict.js"
import { parseReceipt } from "../verifier/receipt.js"
import { poseidon2 } from "./poseidon.js"
import { nodeHex } from "./tree.js"

/** Most bytes of an entry. */
export const mostEntryBytes = 2 ** 20
const limits: TextLimits = { characters: mostEntryBytes, values: 2 ** 17 }

/** What each type of entry holds. @throws FileError by what reads it */
const bodies = {
  /** Entry 0 of every log: its name, drawn when it was made. */
  log: (body: Body) => {
    const given = fields(body, "body", ["version", "log"])
    oneOf(given.version, "body.version", [1])
    bytes32(given.log, "body.log")
  },
  attestation: parseAttestation,
  receipt: parseReceipt,
  "sign-off": parseSignOff,
  withdrawal: parseWithdrawal,
  /** A proof that did not come, an answer that was not given: at least the reason, in words. */
  failure: ({ reason }: Body) => {
    if (typeof reason !== "string" || reason === "")
      fail("body.reason", { what: "says nothing", expected: "a text", given: shown(reason) })
  },
  /** A policy's whole document. */
  policy: parseDocument,
  /** Anything else. */
  note: () => undefined,
} satisfies Record<string, (body: Body) => unknown>

export type EntryType = keyof typeof bodies
export type Body = Readonly<Record<string, unknown>>
export const entryTypes = Object.keys(bodies) as EntryType[]

export interface Entry {
  readonly type: EntryType
  readonly body: Body
  /** Seconds since 1970, on the word of who appends. */
  readonly time?: number
}

/**
 * Canonical text of an entry, in UTF-8.
 * @throws FileError for a body that is not of its type; UsageError for what has no canonical JSON, or is too long
 */
export function entryBytes(entry: Entry): Uint8Array {
  checkRecord(entry, "entry", "an object with `type` and `body`")
  const bytes = utf8ToBytes(canonicalJson(checkEntry(entry)))
  if (bytes.length > mostEntryBytes)
    throw new UsageError({
      what: "the entry is too large",
      expected: `at most ${mostEntryBytes} bytes`,
      given: `${bytes.length}`,
    })
  return bytes
}

/** The entry of a canonical text. @throws FileError for anything else */
export function parseEntry(bytes: Uint8Array, where = "entry"): Entry {
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new FileError({ what: "is not text in UTF-8", where })
  }
  const entry = checkEntry(parseJson(text, where, limits))
  if (canonicalJson(entry) !== text) fail(where, { what: "is not canonical JSON (RFC 8785)" })
  return entry
}

function checkEntry(value: unknown): Entry {
  const names = ["type", "body", ...("time" in object(value, "entry") ? ["time" as const] : [])] as const
  const given = fields(value, "entry", names as readonly ("type" | "body" | "time")[])
  const type = oneOf(given.type, "entry.type", entryTypes)
  const body = object(given.body, "entry.body")
  bodies[type](body)
  if (names.length === 2) return { type, body }
  return { type, body, time: whole(given.time, "entry.time", 0, Number.MAX_SAFE_INTEGER) }
}

/** keccak256 of an entry's text. */
export const entryDigest = (bytes: Uint8Array): Hex => keccak(bytes)

/** The leaf of a digest. */
export const leafOfDigest = (digest: Hex): Hex =>
  nodeHex(poseidon2(BigInt(digest.slice(0, 34)), BigInt(`0x${digest.slice(34)}`)))

/** The leaf of an entry: what `verifyInclusion` asks for. @throws what `entryBytes` throws */
export const leafOf = (entry: Entry): Hex => leafOfDigest(entryDigest(entryBytes(entry)))
