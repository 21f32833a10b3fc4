/**
 * Where a proving key comes from: bytes in memory, or anything that gives ranges of them, such as a file
 * (keyfile.ts). A browser's `File` or `Blob` is one in two lines:
 *
 *     { size: blob.size,
 *       read: async (from, length) => new Uint8Array(await blob.slice(from, from + length).arrayBuffer()) }
 */

import { checkArgument, kindOf } from "../../arguments.js"
import { CountersignError, FileError, invariant } from "../../errors.js"
import { findSections, type SectionPlace } from "./container.js"

/** Bytes that are read in ranges. */
export interface ByteSource {
  /** Bytes in all. */
  readonly size: number
  /** The `length` bytes from `from` on; they are not written to. Calls may overlap. */
  read(from: number, length: number): Promise<Uint8Array>
}
export type ProvingKey = Uint8Array | ByteSource

/** Whether a value is bytes, or looks like a source of them. */
export function isBytesOrSource(value: unknown): boolean {
  const source = value as Partial<ByteSource> | null | undefined
  return (
    value instanceof Uint8Array ||
    (typeof source === "object" &&
      typeof source?.read === "function" &&
      Number.isSafeInteger(source.size) &&
      (source.size as number) >= 0)
  )
}

/** @throws UsageError unless `key` is bytes or a source of them */
export const checkProvingKey = (key: unknown, parameter: string): void =>
  checkArgument(isBytesOrSource(key), parameter, "a proving key: bytes, or `openKeyFile` of its path", key)

/** A source whose reads give what was asked for, or a FileError that says `where` they did not. */
export function checkedSource(key: ProvingKey, where: string): ByteSource {
  if (key instanceof Uint8Array) {
    return { size: key.length, read: async (from, length) => key.subarray(from, from + length) }
  }
  const fail = (what: string, from: number, length: number, given?: string): FileError =>
    new FileError({
      what,
      where: `${where}, bytes ${from} to ${from + length}`,
      ...(given === undefined ? {} : { expected: `${length} bytes`, given }),
      fix: "Leave the file as it is while a prover is open; open the prover again, or make the key again",
    })
  const { size } = key
  return {
    size,
    async read(from, length) {
      invariant(from >= 0 && length >= 0 && from + length <= size, "what is read lies within the source")
      let bytes: Uint8Array
      try {
        bytes = await key.read(from, length)
      } catch (error) {
        if (error instanceof CountersignError) throw error
        throw fail(`cannot be read: ${(error as Error).message}`, from, length)
      }
      if (!(bytes instanceof Uint8Array)) throw fail("did not give bytes", from, length, kindOf(bytes))
      if (bytes.length !== length) throw fail("was cut short", from, length, `${bytes.length}`)
      return bytes
    },
  }
}

/** A part of a source. */
export const partOf = (source: ByteSource, { at, length }: SectionPlace): ByteSource => ({
  size: length,
  read: (from, bytes) => source.read(at + from, bytes),
})

/** All of a key, for what works on bytes only. */
export const bytesOf = async (key: ProvingKey, where: string): Promise<Uint8Array> =>
  key instanceof Uint8Array ? key : checkedSource(key, where).read(0, key.size)

/** Sections of a container (container.ts), of which only the table is read. @throws FileError */
export async function sectionsOf(
  source: ByteSource,
  magic: string,
  version: number,
): Promise<Map<number, SectionPlace>> {
  const search = findSections(source.size, magic, version)
  let step = search.next()
  while (!step.done) step = search.next(await source.read(...step.value))
  return step.value
}

/** Points nearer than this in the file are read at once: what lies between costs less than another read. */
const nearBytes = 2 ** 16
/** And at most so many bytes at once. */
const spanBytes = 2 ** 24

/**
 * The points at some `places` of a section, ascending: bytes where the section is in memory, else a source that
 * is read in whole points and picks them out of the section in one pass.
 */
export function gather(
  section: Uint8Array | ByteSource,
  pointBytes: number,
  places: Uint32Array,
): Uint8Array | ByteSource {
  const size = places.length * pointBytes
  /** Puts points number `first` … `end` − 1 into `out`, from bytes of the section that begin at a place. */
  const put = (out: Uint8Array, bytes: Uint8Array, place: number, first: number, end: number) => {
    for (let i = first; i < end; ) {
      const start = i++
      while (i < end && places[i] === places[i - 1] + 1) i++
      const from = (places[start] - place) * pointBytes
      out.set(bytes.subarray(from, from + (i - start) * pointBytes), (start - first) * pointBytes)
    }
  }
  if (section instanceof Uint8Array) {
    const all = new Uint8Array(size)
    put(all, section, 0, 0, places.length)
    return all
  }
  /** End of the points from `first` on that one read of the section serves. */
  const endOfSpan = (first: number, end: number): number => {
    let i = first + 1
    const last = places[first] + spanBytes / pointBytes
    while (i < end && (places[i] - places[i - 1]) * pointBytes <= nearBytes && places[i] < last) i++
    return i
  }
  return {
    size,
    async read(from, length) {
      invariant(from % pointBytes === 0 && length % pointBytes === 0, "points are read whole")
      const first = from / pointBytes
      const end = first + length / pointBytes
      if (places[end - 1] - places[first] === end - 1 - first) {
        return section.read(places[first] * pointBytes, length)
      }
      const out = new Uint8Array(length)
      for (let i = first; i < end; ) {
        const stop = endOfSpan(i, end)
        const bytes = (places[stop - 1] - places[i] + 1) * pointBytes
        const span = await section.read(places[i] * pointBytes, bytes)
        put(out.subarray((i - first) * pointBytes), span, places[i], i, stop)
        i = stop
      }
      return out
    },
  }
}

/** Parts one behind the other: bytes if all of them are. */
export function join(parts: readonly (Uint8Array | ByteSource)[]): Uint8Array | ByteSource {
  let size = 0
  const placed = parts.map((part) => {
    const at = size
    size += part instanceof Uint8Array ? part.length : part.size
    return { part, at, end: size }
  })
  if (parts.every((part) => part instanceof Uint8Array)) {
    const all = new Uint8Array(size)
    for (const { part, at } of placed) all.set(part as Uint8Array, at)
    return all
  }
  return {
    size,
    async read(from, length) {
      const touched = placed.filter(({ at, end }) => at < from + length && from < end)
      const out = touched.length === 1 ? undefined : new Uint8Array(length)
      for (const { part, at, end } of touched) {
        const [first, last] = [Math.max(at, from), Math.min(end, from + length)]
        const bytes =
          part instanceof Uint8Array
            ? part.subarray(first - at, last - at)
            : await part.read(first - at, last - first)
        if (out === undefined) return bytes
        out.set(bytes, first - from)
      }
      return out ?? new Uint8Array(0)
    },
  }
}
