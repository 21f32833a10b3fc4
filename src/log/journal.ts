/**
 * The file of entries, from which all else follows: a line for each, and behind those that were appended together a
 * commit, `[size,"chain"]`: how many entries there are then, and keccak256 of the commit before (32 bytes, at first
 * zeros), the size (32 bytes, big endian) and the digests of the entries in between. Entries without a whole commit
 * behind them are none: they are appended together or not at all.
 *
 * Lines and their ends are the file's only framing, for canonical JSON has no line end in it.
 */
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { keccak } from "../attest/canonical.js"
import type { Hex } from "../statement/strict.js"
import { mostEntryBytes } from "./entry.js"
import type { DiskFile } from "./platform.js"
import type { Position } from "./state.js"

export const start: Position = { size: 0, bytes: 0, chain: `0x${"0".repeat(64)}` }

/** Most that is appended at once. */
export const mostTogether = { entries: 2 ** 12, bytes: 2 ** 26 }

/** An entry as it stands in the file. */
export interface Line {
  /** Of its first byte, and how many without the line end. */
  readonly at: number
  readonly length: number
  readonly digest: Hex
}

/** What was appended together, and where it ends. */
export interface Batch {
  readonly lines: readonly Line[]
  readonly end: Position
}

/** The digest of a commit behind entries of some digests. */
export const commitOf = (previous: Hex, size: number, digests: readonly Hex[]): Hex =>
  keccak(
    concatBytes(
      ...[previous, `0x${size.toString(16).padStart(64, "0")}`, ...digests].map((hex) =>
        hexToBytes(hex.slice(2)),
      ),
    ),
  )

/** The bytes of entries appended at a position, with their commit. */
export function encodeBatch(
  from: Position,
  entries: readonly Uint8Array[],
  digests: readonly Hex[],
): Batch & { readonly bytes: Uint8Array } {
  const size = from.size + entries.length
  const chain = commitOf(from.chain, size, digests)
  const newline = Uint8Array.of(lineEnd)
  const bytes = concatBytes(
    ...entries.flatMap((entry) => [entry, newline]),
    utf8ToBytes(`[${size},"${chain}"]\n`),
  )
  let at = from.bytes
  const lines = entries.map(({ length }, i) => {
    const line = { at, length, digest: digests[i] }
    at += length + 1
    return line
  })
  return { bytes, lines, end: { size, bytes: from.bytes + bytes.length, chain } }
}

const lineEnd = 0x0a
const openList = 0x5b
/** Longest line: an entry; commits are shorter. */
const mostLine = mostEntryBytes

/** Lines of a file from a position, without their ends; one that has no end, or is too long, is the last, undefined. */
export function* linesFrom(
  file: DiskFile,
  from: number,
): Generator<{ readonly at: number; readonly bytes: Uint8Array } | undefined, void> {
  let held = new Uint8Array(0)
  let at = from
  for (;;) {
    const more = new Uint8Array(2 ** 18)
    const read = file.read(more, at + held.length)
    if (read === 0 || held.length > mostLine) {
      if (held.length > 0) yield undefined
      return
    }
    held = held.length === 0 ? more.subarray(0, read) : concatBytes(held, more.subarray(0, read))
    let begin = 0
    for (let end = held.indexOf(lineEnd); end >= 0; end = held.indexOf(lineEnd, begin)) {
      const bytes = held.subarray(begin, end)
      yield bytes.length > mostLine ? undefined : { at: at + begin, bytes }
      if (bytes.length > mostLine) return
      begin = end + 1
    }
    held = held.subarray(begin)
    at += begin
  }
}

/** Size and chain that a commit says, or undefined for a line that is none. */
export function readCommit(line: Uint8Array): { readonly size: number; readonly chain: Hex } | undefined {
  if (line[0] !== openList || line.length > 100) return undefined
  const parts = /^\[(0|[1-9][0-9]{0,15}),"(0x[0-9a-f]{64})"\]$/.exec(new TextDecoder().decode(line))
  return parts ? { size: Number(parts[1]), chain: parts[2] as Hex } : undefined
}

/** Reads batches from a position on, as long as they are whole and right. */
export function* batchesFrom(file: DiskFile, from: Position): Generator<Batch, void> {
  let end = from
  let lines: Line[] = []
  let bytesTogether = 0
  for (const line of linesFrom(file, from.bytes)) {
    if (!line) return
    const { at, bytes } = line
    bytesTogether += bytes.length + 1
    if (bytes[0] !== openList) {
      if (lines.length === mostTogether.entries || bytesTogether > mostTogether.bytes) return
      lines.push({ at, length: bytes.length, digest: keccak(bytes) })
      continue
    }
    const commit = readCommit(bytes)
    const size = end.size + lines.length
    const chain = commitOf(
      end.chain,
      size,
      lines.map(({ digest }) => digest),
    )
    if (lines.length === 0 || commit?.size !== size || commit.chain !== chain) return
    end = { size, bytes: at + bytes.length + 1, chain }
    yield { lines, end }
    lines = []
    bytesTogether = 0
  }
}

/**
 * Whether what follows the last good commit is one append that did not come to its end: nothing stands behind another
 * commit. Entries that were appended and then changed are not that, but for the last ones.
 */
export function isUnfinished(file: DiskFile, from: Position): boolean {
  let isEnd = false
  for (const line of linesFrom(file, from.bytes)) {
    if (isEnd) return false
    isEnd = line !== undefined && readCommit(line.bytes) !== undefined
  }
  return true
}
