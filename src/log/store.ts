/**
 * A log's files. Whoever appends takes a turn (lock.ts), reads what others appended meanwhile, and writes in an order
 * that leaves the log as it was before or as it is after, wherever it stops:
 *
 * 1. what is made of the entries (nodes.ts), in places behind the log's size, where nobody looks yet;
 * 2. the entries with their commit (journal.ts), synced: now they are in the log;
 * 3. how far the log is (state.ts), not synced: if it is lost, the entries behind it are read again.
 *
 * From time to time what is made of the entries is synced too, and the state says so: opening the log reads the entries
 * behind that, some thousands at most. What follows the last whole commit was never appended, and the next entries take
 * its place.
 */
import { utf8ToBytes } from "@noble/hashes/utils.js"
import { canonicalJson } from "../attest/canonical.js"
import { FileError, invariant, UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import type { SignedCheckpoint } from "./checkpoint.js"
import { entryDigest, leafOfDigest, mostEntryBytes } from "./entry.js"
import { type Batch, batchesFrom, encodeBatch, isUnfinished, start } from "./journal.js"
import { Turns } from "./lock.js"
import { grow, NodeFiles, noPeaks, type Peaks, peaksDigest, remake } from "./nodes.js"
import type { DiskFile, Platform } from "./platform.js"
import { type Position, readState, type State, writeState } from "./state.js"
import { blocksOf, mostEntries, nodeHex, nodeOf, type Place, rootOf } from "./tree.js"

/** Names in a log's folder. */
export const names = {
  entries: "entries.jsonl",
  index: "index",
  state: "state",
  tree: "tree",
  turns: "turns",
  checkpoints: "checkpoints.jsonl",
} as const

/** Entries after which what is made of them is synced: as many may have to be read again by who opens the log. */
export interface Unsettled {
  /** While the log is open, and when it is closed. */
  readonly most: number
  readonly atClose: number
}
/** About a second for who opens a log after a crash, and some milliseconds else: a sync of 40 files may take longer. */
export const usualUnsettled: Unsettled = { most: 2 ** 12, atClose: 2 ** 6 }

export interface StoreOptions {
  readonly sync: boolean
  readonly waitMs: number
  readonly unsettled: Unsettled
}

/** A log of any content: entries are bytes here, and how they are read is not known. */
export class Store {
  readonly folder: string
  readonly #platform: Platform
  readonly #options: StoreOptions
  readonly #turns: Turns
  readonly #nodes: NodeFiles
  readonly #entries: DiskFile
  readonly #stateFile: DiskFile
  #begun = false
  /** Of the state that was written last. */
  #turn = 0
  /** Up to where what is made of the entries is there for good. */
  #made: State["made"]
  #position: Position = start
  #peaks: Peaks = noPeaks
  /** Why the files cannot be trusted to be what is held here. */
  #failure: unknown
  /** The root of the present size, once it was asked for. */
  #root: { readonly size: number; readonly root: Hex } | undefined

  /** Opens the files of a folder that is there, or makes them; `inTurn` reads them. */
  constructor(platform: Platform, folder: string, options: StoreOptions) {
    this.#platform = platform
    this.folder = folder
    this.#options = options
    this.#turns = new Turns(platform, `${folder}/${names.turns}`)
    this.#nodes = new NodeFiles(platform.disk, folder, true)
    this.#made = { ...start, peaks: peaksDigest([]) }
    this.#entries = this.#open(names.entries)
    this.#stateFile = this.#open(names.state)
  }

  #open(name: string): DiskFile {
    const file = this.#platform.disk.open(`${this.folder}/${name}`, true)
    invariant(file, "files are made when they are written")
    return file
  }

  /** How far this process has read. */
  get position(): Position {
    return this.#position
  }

  /**
   * Does work while no other process writes, and after what others wrote was read.
   * @throws FileError where less is there than was once; UsageError for a turn that does not come, or what the disk refuses
   */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined)
      throw new UsageError({
        what: "the disk failed, and what is on it is not known",
        where: `\`${this.folder}\``,
        fix: "Open the log again",
      })
    const end = await this.#turns.take(this.#options.waitMs)
    try {
      this.#catchUp()
      return await work()
    } finally {
      end()
    }
  }

  #catchUp(): void {
    const state = readState(this.#stateFile)
    if (!this.#begun && state) this.#begin(state.made)
    this.#begun = true
    this.#turn = Math.max(this.#turn, state?.turn ?? 0)
    if (state && state.made.size > this.#made.size) this.#made = state.made
    if (this.#entries.size() !== this.#position.bytes)
      for (const batch of batchesFrom(this.#entries, this.#position)) {
        if (batch.end.size === state?.size && batch.end.chain !== state.chain)
          this.damaged(`entry ${this.#position.size}, or one near it, was changed`)
        this.#prepare(batch)()
      }
    const { size, bytes } = this.#position
    const end = this.#entries.size()
    if (end < bytes) this.damaged(`\`${names.entries}\` is shorter than it was`)
    if (size < (state?.size ?? 0) || (end > bytes && !isUnfinished(this.#entries, this.#position)))
      this.damaged(`it is not whole from entry ${size} on`)
  }

  /** Begins where what is made of the entries is there for good. */
  #begin(made: State["made"]): void {
    const peaks = [...noPeaks]
    for (const place of blocksOf(0, made.size)) peaks[place.level] = this.#nodes.node(place)
    if (peaksDigest(peaks) !== made.peaks)
      throw new FileError({ what: "was changed", where: `\`${this.folder}/${names.tree}\``, fix: remake })
    this.#position = { size: made.size, bytes: made.bytes, chain: made.chain }
    this.#peaks = peaks
    this.#made = made
  }

  /** Puts what is made of entries in its place; what it gives goes on to their end. */
  #prepare(batch: Batch): () => readonly bigint[] {
    const leaves = batch.lines.map(({ digest }) => BigInt(leafOfDigest(digest)))
    const growth = grow(this.#position.size, this.#peaks, leaves)
    this.#nodes.write(this.#position.size, batch.lines, growth)
    return () => {
      this.#position = batch.end
      this.#peaks = growth.peaks
      return leaves
    }
  }

  /**
   * Appends entries, in a turn, and gives their leaves.
   * @throws UsageError for what the disk refuses: then nothing was appended, or it is not known (the next turn says so)
   */
  async commit(entries: readonly Uint8Array[]): Promise<readonly bigint[]> {
    if (this.#position.size + entries.length > mostEntries)
      throw new UsageError({ what: "the log is full", expected: `at most ${mostEntries} entries` })
    const batch = encodeBatch(this.#position, entries, entries.map(entryDigest))
    const goOn = this.#prepare(batch)
    await this.#put(batch.bytes)
    const leaves = goOn()
    // the entries are in the log: what fails from here on costs time, of whoever opens it
    await this.#note(this.#unsettled >= this.#options.unsettled.most).catch(() => undefined)
    return leaves
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const at = this.#position.bytes
    try {
      if (this.#entries.size() > at) {
        // what a process left that did not come to its commit; gone for good, before something else stands there
        this.#entries.truncate(at)
        await this.#entries.sync()
      }
      this.#entries.write(bytes, at)
      if (this.#options.sync) await this.#entries.sync()
    } catch (error) {
      try {
        this.#entries.truncate(at)
        await this.#entries.sync()
      } catch {
        this.#failure = error
      }
      throw error
    }
  }

  /** Entries of which what is made may be lost when power fails. */
  get #unsettled(): number {
    return this.#position.size - this.#made.size
  }

  /** Says how far the log is; `settle`: and keeps what is made of the entries. */
  async #note(settle: boolean): Promise<void> {
    if (settle) {
      await this.#nodes.sync(this.#position.size)
      this.#made = { ...this.#position, peaks: peaksDigest(this.#peaks) }
    }
    this.#turn++
    writeState(this.#stateFile, { turn: this.#turn, ...this.#position, made: this.#made })
    if (settle) await this.#stateFile.sync()
  }

  /** Keeps a checkpoint beside the entries, in a turn. */
  async keep(checkpoint: SignedCheckpoint): Promise<void> {
    const file = this.#open(names.checkpoints)
    try {
      let end = file.size()
      // a line that was not written to its end
      const last = new Uint8Array(Math.min(end, 2 ** 16))
      file.read(last, end - last.length)
      end -= last.length - (last.lastIndexOf(0x0a) + 1)
      file.truncate(end)
      file.write(utf8ToBytes(`${canonicalJson(checkpoint)}\n`), end)
      await file.sync()
      await this.#platform.disk.syncFolder(this.folder)
    } finally {
      file.close()
    }
  }

  /** Text of an entry. @throws FileError if it was changed */
  text(i: number): Uint8Array {
    const { at, length } = this.#nodes.line(i)
    const bytes = new Uint8Array(Math.min(length, mostEntryBytes))
    const isThere = this.#entries.read(bytes, at) === length
    if (!isThere || leafOfDigest(entryDigest(bytes)) !== nodeHex(this.#nodes.node({ level: 0, index: i })))
      this.damaged(`entry ${i} was changed`)
    return bytes
  }

  /** A node of the tree as it was with `size` entries. @throws FileError where files are missing */
  node(place: Place, size: number): bigint {
    return nodeOf(place, size, (block) => this.#nodes.node(block))
  }

  /** The root when there were `size` entries. @throws FileError where files are missing */
  root(size: number): Hex {
    if (size !== this.#position.size) return nodeHex(rootOf(size, (block) => this.#nodes.node(block)))
    if (this.#root?.size !== size) {
      const root = rootOf(size, ({ level }) => {
        const peak = this.#peaks[level]
        invariant(peak !== undefined, "blocks of the present size are peaks")
        return peak
      })
      this.#root = { size, root: nodeHex(root) }
    }
    return this.#root.root
  }

  /** @throws FileError always: what is there is not what was */
  damaged(what: string): never {
    throw new FileError({
      what,
      where: `\`${this.folder}\``,
      fix: "`countersign log verify` (`verifyLog`) names the first entry that is wrong",
    })
  }

  /** Gives the files back; `settle`: and leaves little to be read again. */
  async close(settle = true): Promise<void> {
    try {
      if (settle && this.#failure === undefined && this.#unsettled > this.#options.unsettled.atClose)
        await this.inTurn(() => this.#note(true))
    } finally {
      this.#nodes.close()
      this.#entries.close()
      this.#stateFile.close()
    }
  }
}
