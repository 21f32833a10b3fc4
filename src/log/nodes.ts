/**
 * What is made of the entries, so that nothing need be made again: where each stands (`index`: position and length, 8
 * bytes each, big endian), and the tree's blocks by level (`tree/00`, the leaves, to `tree/32`: 32 bytes each, big
 * endian). All have their place by number. What stands behind the log's size means nothing yet.
 */
import { keccak } from "../attest/canonical.js"
import { FileError, invariant } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import type { Line } from "./journal.js"
import type { Disk, DiskFile } from "./platform.js"
import { poseidon2 } from "./poseidon.js"
import { depth, type Place } from "./tree.js"

/** What helps where these files are damaged. */
export const remake = "Remove `index`, `state` and `tree`: they are made again of the entries"

const nodeBytes = 32
const indexBytes = 16

/** The tree's peaks by level: the block of that size among those that cover all leaves. */
export type Peaks = readonly (bigint | undefined)[]

export const noPeaks: Peaks = new Array<undefined>(depth + 1).fill(undefined)

/** keccak256 of the peaks, the largest first. */
export const peaksDigest = (peaks: Peaks): Hex =>
  keccak(nodesToBytes(peaks.toReversed().filter((peak) => peak !== undefined)))

/** Blocks that come with new leaves: on each level the number of the first one, and all. */
export interface Growth {
  readonly levels: readonly { readonly first: number; readonly nodes: readonly bigint[] }[]
  readonly peaks: Peaks
}

/** Blocks and peaks after more leaves; about as many hashes as leaves. */
export function grow(size: number, peaks: Peaks, leaves: readonly bigint[]): Growth {
  const levels: { first: number; nodes: bigint[] }[] = []
  const after = [...peaks]
  const end = size + leaves.length
  let nodes = [...leaves]
  for (let level = 0; level <= depth; level++) {
    const [first, count] = [Math.floor(size / 2 ** level), Math.floor(end / 2 ** level)]
    levels.push({ first, nodes })
    // all nodes of this level from the one that may have waited for a right one
    const joined = first % 2 === 0 ? nodes : [peaks[level], ...nodes]
    if (count % 2 === 0) after[level] = undefined
    else if (count > first) after[level] = nodes[nodes.length - 1]
    if (level === depth) break
    const above: bigint[] = []
    for (let i = 0; i + 1 < joined.length; i += 2) {
      const [left, right] = [joined[i], joined[i + 1]]
      invariant(
        left !== undefined && right !== undefined,
        "a peak stands where a node waits for its right one",
      )
      above.push(poseidon2(left, right))
    }
    nodes = above
  }
  return { levels, peaks: after }
}

/** Nodes as files have them. */
export function nodesToBytes(nodes: readonly bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(nodeBytes * nodes.length))
  nodes.forEach((node, n) => {
    for (let i = 0; i < 4; i++)
      view.setBigUint64(nodeBytes * n + 8 * i, BigInt.asUintN(64, node >> BigInt(192 - 64 * i)))
  })
  return new Uint8Array(view.buffer)
}

function nodeOfBytes(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, nodeBytes)
  return [0, 8, 16, 24].reduce((sum, i) => (sum << 64n) | view.getBigUint64(i), 0n)
}

const levelName = (level: number): string => `tree/${String(level).padStart(2, "0")}`

/** The files of a log's folder, opened when they are needed. */
export class NodeFiles {
  readonly #disk: Disk
  readonly #folder: string
  readonly #write: boolean
  readonly #files = new Map<string, DiskFile>()

  constructor(disk: Disk, folder: string, write: boolean) {
    this.#disk = disk
    this.#folder = folder
    this.#write = write
  }

  #read(name: string, bytes: number, at: number): Uint8Array {
    const result = new Uint8Array(bytes)
    const file = this.#file(name)
    if (!file || file.read(result, at) < bytes)
      throw new FileError({
        what: file ? "ends too early" : "is missing",
        where: `\`${this.#folder}/${name}\``,
        fix: remake,
      })
    return result
  }

  #file(name: string): DiskFile | undefined {
    const held = this.#files.get(name) ?? this.#disk.open(`${this.#folder}/${name}`, this.#write)
    if (held) this.#files.set(name, held)
    return held
  }

  /** A block of the tree. @throws FileError where the file has none */
  node({ level, index }: Place): bigint {
    return nodeOfBytes(this.#read(levelName(level), nodeBytes, nodeBytes * index))
  }

  /** Bytes of nodes of a level. @throws FileError as above */
  nodes(level: number, first: number, count: number): Uint8Array {
    return this.#read(levelName(level), nodeBytes * count, nodeBytes * first)
  }

  /** Where an entry stands. @throws FileError as above */
  line(i: number): { readonly at: number; readonly length: number } {
    const bytes = this.#read("index", indexBytes, indexBytes * i)
    const view = new DataView(bytes.buffer)
    const [at, length] = [Number(view.getBigUint64(0)), Number(view.getBigUint64(8))]
    if (!Number.isSafeInteger(at + length))
      throw new FileError({
        what: "names no place in a file",
        where: `\`${this.#folder}/index\``,
        fix: remake,
      })
    return { at, length }
  }

  /** Puts what new entries bring in its place. */
  write(size: number, lines: readonly Line[], { levels }: Growth): void {
    const index = new DataView(new ArrayBuffer(indexBytes * lines.length))
    lines.forEach(({ at, length }, i) => {
      index.setBigUint64(indexBytes * i, BigInt(at))
      index.setBigUint64(indexBytes * i + 8, BigInt(length))
    })
    this.#put("index", new Uint8Array(index.buffer), indexBytes * size)
    levels.forEach(({ first, nodes }, level) => {
      if (nodes.length === 0) return
      this.#put(levelName(level), nodesToBytes(nodes), nodeBytes * first)
    })
  }

  #put(name: string, bytes: Uint8Array, at: number): void {
    const file = this.#file(name)
    invariant(file, "files are made when they are written")
    file.write(bytes, at)
  }

  /** Keeps all that any process wrote for a log of a size. */
  async sync(size: number): Promise<void> {
    const names = Array.from({ length: depth + 1 }, (_, level) => level).filter((level) => 2 ** level <= size)
    for (const name of ["index", ...names.map(levelName)]) await this.#file(name)?.sync()
    for (const folder of [`${this.#folder}/tree`, this.#folder]) await this.#disk.syncFolder(folder)
  }

  close(): void {
    for (const file of this.#files.values()) file.close()
    this.#files.clear()
  }
}
