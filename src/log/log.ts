/**
 * A log: entries appended for good to a folder of plain files, under one root. Any number of processes may have it open
 * and append; each sees what the others did when it appends itself, or asks with `refresh`.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkArgument, checkOptions, checkText } from "../arguments.js"
import { parseDomain } from "../attest/read.js"
import type { ClaimSigner } from "../attest/signature.js"
import type { Domain } from "../attest/structs.js"
import { FileError, UsageError } from "../errors.js"
import { platformRandom } from "../platform.js"
import type { Hex } from "../statement/strict.js"
import { type LogHead, type SignedCheckpoint, signCheckpoint } from "./checkpoint.js"
import { type Entry, entryBytes, parseEntry } from "./entry.js"
import { mostTogether } from "./journal.js"
import { waitMs } from "./lock.js"
import type { Platform } from "./platform.js"
import { names, Store, type Unsettled, usualUnsettled } from "./store.js"
import {
  blocksOf,
  type ConsistencyProof,
  type InclusionProof,
  nodeHex,
  siblingsOf,
  verifyConsistency,
  verifyInclusion,
} from "./tree.js"

export interface LogOptions {
  /** Make the log if there is none. */
  readonly create?: boolean
  /** `false`: `append` does not wait for the disk, and a power failure may take what it said was appended. */
  readonly sync?: boolean
  /** How long to wait for another process that appends, in ms. Default: 10 s. */
  readonly waitMs?: number
}

/** An entry's place. */
export interface Appended {
  readonly index: number
  readonly leaf: Hex
  /** Of the log, with what was appended together with it. */
  readonly size: number
}

/** Entries that wait for their turn. */
interface Waiting {
  readonly texts: readonly Uint8Array[]
  readonly done: (appended: Appended[]) => void
  readonly failed: (why: unknown) => void
}

const isEntries = (value: Entry | readonly Entry[]): value is readonly Entry[] => Array.isArray(value)

export class Log {
  /** The log's name. */
  readonly id: Hex
  readonly #store: Store
  readonly #queue: Waiting[] = []
  #pumping: Promise<void> | undefined
  #closed = false

  /** Logs are opened with `openLog`. */
  constructor(store: Store, id: Hex) {
    this.#store = store
    this.id = id
  }

  /** Entries in the log, as far as this process has looked: `refresh` looks again. */
  get size(): number {
    return this.#store.position.size
  }

  /** Size and root, for a checkpoint or the contract's `anchor`. @throws UsageError if the log is closed */
  head(): LogHead {
    return { log: this.id, size: this.size, root: this.root() }
  }

  /**
   * Appends entries, all or none of a list, and comes back when they are on the disk. Calls that wait are written
   * together, so many at once cost little more than one.
   * @throws FileError and UsageError for entries that are none; UsageError for more than 4096 or 64 MiB at once, a disk
   * that is full or fails, or another process that does not end its turn: then nothing was appended
   */
  append(entry: Entry): Promise<Appended>
  append(entries: readonly Entry[]): Promise<Appended[]>
  async append(given: Entry | readonly Entry[]): Promise<Appended | Appended[]> {
    this.#check()
    const texts = (isEntries(given) ? given : [given]).map(entryBytes)
    for (const entry of isEntries(given) ? given : [given])
      if (entry.type === "log") throw new UsageError({ what: "entries of type `log` are made with a log" })
    checkTogether(texts)
    if (texts.length === 0) return []
    const appended = await new Promise<Appended[]>((done, failed) => {
      this.#queue.push({ texts, done, failed })
      this.#pumping ??= this.#pump()
    })
    return isEntries(given) ? appended : appended[0]
  }

  /** Writes what waits, as much as may be together at a time. */
  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const together: Waiting[] = []
      try {
        await this.#store.inTurn(async () => {
          // what came while the turn was waited for goes with it
          let [entries, bytes] = [0, 0]
          for (const { texts } of this.#queue) {
            entries += texts.length
            bytes += bytesOf(texts)
            if (entries > mostTogether.entries || bytes > mostTogether.bytes) break
            together.push(this.#queue[together.length])
          }
          const first = this.size
          const leaves = await this.#store.commit(together.flatMap(({ texts }) => texts))
          const all = leaves.map((leaf, i) => ({ index: first + i, leaf: nodeHex(leaf), size: this.size }))
          for (const { texts, done } of together) done(all.splice(0, texts.length))
        })
      } catch (error) {
        // without a turn nobody was chosen: all that wait are told
        if (together.length === 0) together.push(...this.#queue)
        for (const { failed } of together) failed(error)
      }
      this.#queue.splice(0, together.length)
    }
    // at once, or who comes in between would wait for nobody
    this.#pumping = undefined
  }

  /** Reads what other processes appended. */
  async refresh(): Promise<void> {
    this.#check()
    await this.#store.inTurn(async () => undefined)
  }

  /** An entry. @throws UsageError for a number that the log has not; FileError where it was changed */
  entry(i: number): Entry {
    this.#check()
    return parseEntry(this.#store.text(this.#number(i, 0, this.size - 1)), `entry ${i}`)
  }

  /** The root, now or when the log had `size` entries. @throws UsageError for a size that it never had */
  root(size = this.size): Hex {
    this.#check()
    return this.#store.root(this.#number(size, 0, this.size))
  }

  /**
   * Proof that an entry is in the log, now or when it had `size` entries; `verifyInclusion` checks it.
   * @throws UsageError for numbers that the log has not; FileError where its files were changed
   */
  inclusionProof(i: number, size = this.size): InclusionProof {
    this.#check()
    this.#number(size, 1, this.size)
    const index = this.#number(i, 0, size - 1)
    const proof = {
      size,
      index,
      siblings: siblingsOf(index).map((place) => nodeHex(this.#store.node(place, size))),
    }
    const leaf = nodeHex(this.#store.node({ level: 0, index }, size))
    if (!verifyInclusion(proof, leaf, { size, root: this.root(size) }))
      this.#store.damaged(`\`${names.tree}\` was changed`)
    return proof
  }

  /**
   * Proof that the log of size `to` begins with the one of size `from`; `verifyConsistency` checks it.
   * @throws as `inclusionProof`
   */
  consistencyProof(from: number, to = this.size): ConsistencyProof {
    this.#check()
    this.#number(to, 0, this.size)
    this.#number(from, 0, to)
    const blocks = [...blocksOf(0, from), ...blocksOf(from, to)]
    const proof = { from, to, blocks: blocks.map((place) => nodeHex(this.#store.node(place, to))) }
    const heads = [from, to].map((size) => ({ size, root: this.root(size) }))
    if (!verifyConsistency(proof, heads[0], heads[1])) this.#store.damaged(`\`${names.tree}\` was changed`)
    return proof
  }

  /**
   * Signs what the log is now, and keeps that in the log's folder too. Give it to others: they see then what is changed.
   * @param options `domain`: default without a chain; `time`: seconds since 1970, default now
   * @throws what the signer throws; UsageError as `append`
   */
  async checkpoint(
    signer: ClaimSigner,
    options: { readonly domain?: Domain; readonly time?: number } = {},
  ): Promise<SignedCheckpoint> {
    checkOptions(options)
    await this.refresh()
    const { domain = "offline", time = Math.floor(Date.now() / 1000) } = options
    const checked = parseDomain(domain, "options.domain")
    const signed = await signCheckpoint({ ...this.head(), time }, checked, signer)
    this.#check()
    await this.#store.inTurn(() => this.#store.keep(signed))
    return signed
  }

  /** Waits for what is under way, and gives the files back. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pumping
    await this.#store.close()
  }

  #check(): void {
    if (this.#closed) throw new UsageError({ what: "the log is closed" })
  }

  #number(value: number, least: number, most: number): number {
    const isGood = Number.isSafeInteger(value) && value >= least && value <= most
    checkArgument(isGood, "number", `${least} to ${most}, of a log of ${this.size} entries`, value)
    return value
  }
}

const bytesOf = (texts: readonly Uint8Array[]) => texts.reduce((sum, { length }) => sum + length + 1, 0)

function checkTogether(texts: readonly Uint8Array[]): void {
  const bytes = bytesOf(texts)
  if (texts.length <= mostTogether.entries && bytes <= mostTogether.bytes) return
  throw new UsageError({
    what: "too much to append at once",
    expected: `at most ${mostTogether.entries} entries and ${mostTogether.bytes} bytes`,
    given: `${texts.length} entries, ${bytes} bytes`,
  })
}

/** Opens a log on a platform; see `openLog`. */
export async function openLogOn(
  platform: Platform,
  folder: string,
  options: LogOptions = {},
  unsettled: Unsettled = usualUnsettled,
): Promise<Log> {
  checkText(folder, "folder")
  checkOptions(options)
  const { create = false, sync = true, waitMs: wait = waitMs } = options
  const { disk } = platform
  const where = `\`${folder}\``
  const found = disk.list(folder)
  if (!found.includes(names.entries)) {
    if (!create) throw new FileError({ what: `is no log: it has no \`${names.entries}\``, where })
    const others = found.filter((name) => !(Object.values(names) as string[]).includes(name))
    if (others.length > 0)
      throw new UsageError({ what: "is no log, and holds other files", where, expected: "an empty folder" })
  }
  for (const name of [names.tree, names.turns]) disk.makeFolder(`${folder}/${name}`)
  const store = new Store(platform, folder, { sync, waitMs: wait, unsettled })
  try {
    await store.inTurn(async () => {
      if (store.position.size > 0) return
      if (!create) throw new FileError({ what: "is no log yet: making it was not finished", where })
      // names first: a log that has an entry is found again
      for (const path of [`${folder}/..`, folder]) await disk.syncFolder(path)
      const log: Hex = `0x${bytesToHex(platformRandom(32))}`
      await store.commit([entryBytes({ type: "log", body: { version: 1, log } })])
    })
    const { type, body } = parseEntry(store.text(0), `${where}, entry 0`)
    if (type !== "log") throw new FileError({ what: "is no log: entry 0 does not name it", where })
    return new Log(store, body.log as Hex)
  } catch (error) {
    await store.close(false)
    throw error
  }
}
