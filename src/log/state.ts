/**
 * How far a log is for sure, so that reopening is cheap and what is missing is noticed. Two slots are written in turn, so
 * a write that is torn leaves the other. Whatever a slot says was true before it was written: that the entries up to
 * `size` are in their file for good, and the files made of them (index, tree) up to `made.size`. More may be there; less
 * is damage. Both slots may be lost: everything in them follows from the entries.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js"
import { canonicalJson, keccak } from "../attest/canonical.js"
import { whole } from "../attest/read.js"
import { FileError } from "../errors.js"
import { bytes32, fields, type Hex, parseJson } from "../statement/strict.js"
import type { DiskFile } from "./platform.js"
import { leafCount } from "./tree.js"

/** A place in the file of entries, behind a commit. */
export interface Position {
  /** Entries before it. */
  readonly size: number
  readonly bytes: number
  /** The digest that the commit has (journal.ts). */
  readonly chain: Hex
}

export interface State extends Position {
  /** Counts slots that were written. */
  readonly turn: number
  /** Up to where index and tree are there for good; `peaks` is keccak256 of the tree's peaks, 32 bytes each. */
  readonly made: Position & { readonly peaks: Hex }
}

const slotBytes = 1024

/** Writes the slot of a state. Not synced: a state that is lost costs time, nothing else. */
export function writeState(file: DiskFile, state: State): void {
  const text = canonicalJson(state)
  const line = `${keccak(utf8ToBytes(text)).slice(2)} ${text}`
  file.write(utf8ToBytes(`${line.padEnd(slotBytes - 1)}\n`), (state.turn % 2) * slotBytes)
}

/** The later state of two slots, or undefined where neither is whole. */
export function readState(file: DiskFile): State | undefined {
  const states = [0, 1].map((slot) => {
    const bytes = new Uint8Array(slotBytes)
    const text = new TextDecoder().decode(bytes.subarray(0, file.read(bytes, slot * slotBytes))).trimEnd()
    const body = text.slice(65)
    if (text.slice(0, 64) !== keccak(utf8ToBytes(body)).slice(2)) return undefined
    try {
      return parseState(body)
    } catch (error) {
      if (error instanceof FileError) return undefined
      throw error
    }
  })
  return states.reduce((a, b) => (!a || (b && b.turn > a.turn) ? b : a))
}

function parseState(text: string): State {
  const given = fields(parseJson(text, "state"), "state", ["turn", "size", "bytes", "chain", "made"])
  const made = fields(given.made, "state.made", ["size", "bytes", "chain", "peaks"])
  const peaks = bytes32(made.peaks, "state.made.peaks")
  const turn = whole(given.turn, "state.turn", 0, Number.MAX_SAFE_INTEGER)
  return { turn, ...position(given, "state"), made: { ...position(made, "state.made"), peaks } }
}

const position = (given: Record<"size" | "bytes" | "chain", unknown>, path: string): Position => ({
  size: leafCount(given.size, `${path}.size`),
  bytes: whole(given.bytes, `${path}.bytes`, 0, Number.MAX_SAFE_INTEGER),
  chain: bytes32(given.chain, `${path}.chain`),
})
