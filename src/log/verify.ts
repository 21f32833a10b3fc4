/**
 * A log checked from its entries on, without trust in what was made of them: every text and commit is read, the tree
 * is built again, and all that the folder holds is compared with it, checkpoints too. Nothing is written, and no turn is
 * taken: others may go on appending.
 *
 * Who can write all files can make another log of them that agrees with itself. Only heads that somebody else keeps
 * show that: signed checkpoints, or roots on a chain.
 */
import { checkList, checkOptions, checkText } from "../arguments.js"
import { keccak } from "../attest/canonical.js"
import { FileError, type OnProgress } from "../errors.js"
import { bytes32, type Hex } from "../statement/strict.js"
import { type LogHead, parseCheckpoint } from "./checkpoint.js"
import { leafOfDigest, parseEntry } from "./entry.js"
import { commitOf, isUnfinished, type Line, linesFrom, mostTogether, readCommit, start } from "./journal.js"
import { type Growth, grow, NodeFiles, nodesToBytes, noPeaks, type Peaks } from "./nodes.js"
import type { DiskFile, Platform } from "./platform.js"
import { type Position, readState, type State } from "./state.js"
import { names } from "./store.js"
import { nodeHex, parseHead, rootOf } from "./tree.js"

/** What is wrong with a log. */
export interface LogProblem {
  /** The first entry that is wrong, as far as can be told: what it should be may have been in the log only. */
  readonly entry: number
  readonly what: string
}

export interface LogReport {
  /** The log's name; null if entry 0 does not say it. */
  readonly log: Hex | null
  /** Entries that were checked, and their root: all of the log if nothing is wrong. */
  readonly size: number
  readonly root: Hex
  /** Bytes of an append that did not come to its end, or is under way: not in the log. */
  readonly unfinished: number
  /** Heads that the log agrees with, of the folder's checkpoints and the ones given. */
  readonly heads: number
  readonly problem: LogProblem | null
}

export interface VerifyLogOptions {
  /** Heads that the log must have had: checkpoints that you kept, roots on a chain. */
  readonly heads?: readonly LogHead[]
  /** Stage `log`, in bytes. */
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** Entries between two chances for others to run. */
const breath = 256

/** Checks a log on a platform; see `verifyLog`. @throws FileError where there is none */
export async function verifyLogOn(
  { disk }: Platform,
  folder: string,
  options: VerifyLogOptions = {},
): Promise<LogReport> {
  checkText(folder, "folder")
  checkOptions(options)
  const { heads = [], onProgress, signal } = options
  checkList(heads, "options.heads")
  const given = heads.map((head, i) => ({
    log: bytes32(head?.log, `heads[${i}].log`),
    ...parseHead(head, `heads[${i}]`),
  }))
  const file = disk.open(`${folder}/${names.entries}`, false)
  if (!file)
    throw new FileError({ what: `is no log: it has no \`${names.entries}\``, where: `\`${folder}\`` })
  const nodes = new NodeFiles(disk, folder, false)
  const stateFile = disk.open(`${folder}/${names.state}`, false)
  const kept = disk.open(`${folder}/${names.checkpoints}`, false)
  try {
    const state = stateFile && readState(stateFile)
    const held = [...(kept ? linesFrom(kept, 0) : [])].flatMap((line) => (line ? [readHead(line.bytes)] : []))
    const check = new LogCheck(file, nodes, state, [...held, ...given])
    const total = file.size()
    for (let entries = 0; check.step(); ) {
      onProgress?.({ stage: "log", done: check.end.bytes, total })
      if ((entries += check.stepped) < breath) continue
      entries = 0
      await new Promise((resolve) => setTimeout(resolve))
      signal?.throwIfAborted()
    }
    return check.report()
  } finally {
    for (const open of [file, nodes, stateFile, kept]) open?.close()
  }
}

const readHead = (line: Uint8Array): LogHead =>
  parseCheckpoint(new TextDecoder().decode(line), `a line of \`${names.checkpoints}\``)

/** An entry as it was read. */
interface Read extends Line {
  /** Why it is none, or null. */
  readonly flaw: string | null
}

class LogCheck {
  end: Position = start
  /** Entries of the last step. */
  stepped = 0
  #log: Hex | null = null
  #peaks: Peaks = noPeaks
  #problem: LogProblem | null = null
  /** Heads in order of size, and how many of them were reached. */
  readonly #heads: readonly LogHead[]
  #agreed = 0
  readonly #file: DiskFile
  readonly #nodes: NodeFiles
  readonly #state: State | undefined
  readonly #lines: ReturnType<typeof linesFrom>

  constructor(file: DiskFile, nodes: NodeFiles, state: State | undefined, heads: readonly LogHead[]) {
    this.#file = file
    this.#nodes = nodes
    this.#state = state
    this.#heads = heads.toSorted((a, b) => a.size - b.size)
    this.#lines = linesFrom(file, 0)
  }

  /** Entries that the log had for sure. */
  get #claimed(): number {
    return this.#state?.size ?? 0
  }

  /** Entries of which index and tree are there for sure; of later ones, power may have failed before they were kept. */
  get #settled(): number {
    return this.#state?.made.size ?? 0
  }

  /** Checks what was appended together; false when that was the last, or something is wrong. */
  step(): boolean {
    const { read, commit } = this.#batch()
    const from = this.end.size
    const size = from + read.length
    const digests = read.map(({ digest }) => digest)
    const chain = commitOf(this.end.chain, size, digests)
    const isWhole = commit?.size === size && commit.chain === chain && read.length > 0
    const leaves = digests.map((digest) => BigInt(leafOfDigest(digest)))
    if (!isWhole) {
      if (from < this.#claimed || !isUnfinished(this.#file, this.end))
        this.#problem = this.#broken(leaves, commit?.size)
      return false
    }
    const growth = grow(from, this.#peaks, leaves)
    this.#problem = this.#flawed(read) ?? this.#made(read, growth) ?? this.#headsUpTo(size, leaves)
    if (this.#problem) return false
    this.#peaks = growth.peaks
    this.end = { size, bytes: commit.end, chain }
    this.stepped = read.length
    if (size === this.#state?.size && chain !== this.#state.chain)
      this.#problem = { entry: from, what: `the commit behind it is not the one in \`${names.state}\`` }
    return this.#problem === null
  }

  /** Lines up to a commit, or to where there is no further. */
  #batch(): { read: Read[]; commit?: { size: number; chain: Hex; end: number } } {
    const read: Read[] = []
    let bytesTogether = 0
    for (;;) {
      const { value: line } = this.#lines.next()
      if (!line) return { read }
      const { at, bytes } = line
      const commit = readCommit(bytes)
      if (commit) return { read, commit: { ...commit, end: at + bytes.length + 1 } }
      bytesTogether += bytes.length + 1
      if (read.length === mostTogether.entries || bytesTogether > mostTogether.bytes) return { read }
      read.push({ at, length: bytes.length, digest: keccak(bytes), flaw: this.#flawOf(bytes, read.length) })
    }
  }

  /** Why a text is no entry, or null. */
  #flawOf(bytes: Uint8Array, i: number): string | null {
    const isFirst = this.end.size + i === 0
    try {
      const { type, body } = parseEntry(bytes)
      if (isFirst && type === "log") this.#log = body.log as Hex
      return isFirst === (type === "log") ? null : "entry 0, and it alone, names the log"
    } catch (error) {
      if (error instanceof FileError) return error.message
      throw error
    }
  }

  #flawed(read: readonly Read[]): LogProblem | null {
    const i = read.findIndex(({ flaw }) => flaw !== null)
    return i < 0 ? null : { entry: this.end.size + i, what: read[i].flaw as string }
  }

  /** Which entry it is because of which a commit is wrong or missing. */
  #broken(leaves: readonly bigint[], committed: number | undefined): LogProblem {
    const from = this.end.size
    for (const [i, leaf] of leaves.entries()) {
      const entry = from + i
      if (this.#storedLeaf(entry) === leaf) continue
      const other = this.#placeOf(leaf)
      if (other === undefined) return { entry, what: "its text is not the one that was appended" }
      return { entry, what: `it was taken out or moved: entry ${other} stands in its place` }
    }
    const entry = from + leaves.length
    if (committed === undefined && entry < this.#claimed)
      return { entry, what: `it is missing: the log had ${this.#claimed} entries` }
    if (committed !== undefined && entry < committed)
      return { entry, what: `it is missing: the commit behind it says ${committed} entries` }
    return { entry: Math.max(from, entry - 1), what: "the commit behind it is wrong" }
  }

  /** The leaf that was made of an entry when it was appended, if that is there. */
  #storedLeaf(i: number): bigint | undefined {
    try {
      return this.#nodes.node({ level: 0, index: i })
    } catch (error) {
      if (error instanceof FileError) return undefined
      throw error
    }
  }

  /** The entry that a leaf was made of. */
  #placeOf(leaf: bigint): number | undefined {
    for (let i = 0; i < this.#claimed; i++) {
      const stored = this.#storedLeaf(i)
      if (stored === leaf) return i
      if (stored === undefined) break
    }
    return undefined
  }

  /** Whether index and tree are what follows from entries, as far as they must be there. */
  #made(read: readonly Read[], { levels }: Growth): LogProblem | null {
    const from = this.end.size
    try {
      for (const [i, { at, length }] of read.entries()) {
        if (from + i >= this.#settled) break
        const stored = this.#nodes.line(from + i)
        if (stored.at !== at || stored.length !== length)
          return { entry: from + i, what: `\`${names.index}\` does not say where it stands` }
      }
      for (const [level, { first, nodes }] of levels.entries()) {
        const count = Math.min(nodes.length, Math.floor(this.#settled / 2 ** level) - first)
        if (count <= 0) continue
        const stored = this.#nodes.nodes(level, first, count)
        const right = nodesToBytes(nodes.slice(0, count))
        const at = right.findIndex((byte, i) => byte !== stored[i])
        if (at < 0) continue
        const index = first + Math.floor(at / 32)
        return {
          entry: index * 2 ** level,
          what: `its node on level ${level} of \`${names.tree}\` is not what follows from the entries`,
        }
      }
    } catch (error) {
      if (error instanceof FileError) return { entry: from, what: error.message }
      throw error
    }
    return null
  }

  /** Whether the log is what heads say that it was, up to a size. */
  #headsUpTo(size: number, leaves: readonly bigint[]): LogProblem | null {
    for (; this.#agreed < this.#heads.length; this.#agreed++) {
      const head = this.#heads[this.#agreed]
      if (head.size > size) return null
      if (head.log !== this.#log) return { entry: 0, what: `the checkpoint is of another log, ${head.log}` }
      const { peaks } = grow(this.end.size, this.#peaks, leaves.slice(0, head.size - this.end.size))
      if (rootFrom(head.size, peaks) === head.root) continue
      const entry = this.#heads[this.#agreed - 1]?.size ?? 0
      const range = entry === head.size - 1 ? "it is" : `one of the entries up to ${head.size - 1} is`
      return {
        entry,
        what: `${range} not the one that the checkpoint of size ${head.size} was signed for: changed, taken out, moved, or of a fork`,
      }
    }
    return null
  }

  report(): LogReport {
    const { size, bytes } = this.end
    const missing = this.#heads.at(this.#agreed)
    const what = missing && `it is missing: there is a checkpoint of size ${missing.size}`
    return {
      log: this.#log,
      size,
      root: rootFrom(size, this.#peaks),
      unfinished: this.#problem ? 0 : this.#file.size() - bytes,
      heads: this.#agreed,
      problem: this.#problem ?? (what ? { entry: size, what } : null),
    }
  }
}

const rootFrom = (size: number, peaks: Peaks): Hex =>
  nodeHex(rootOf(size, ({ level }) => peaks[level] as bigint))
