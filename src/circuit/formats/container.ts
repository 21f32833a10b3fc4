/**
 * The iden3 binary container, shared by `.r1cs`, `.wtns` and `.zkey`: four letters, version (u32), number
 * of sections (u32), then per section id (u32), length (u64), content. Little endian throughout.
 * Source: https://github.com/iden3/r1csfile/blob/master/doc/r1cs_bin_format.md
 */
import { FileError, invariant } from "../../errors.js"
import { r } from "../../field.js"

const headerBytes = 12
const sectionHeaderBytes = 12
/** More than any format of this kind has. */
const mostSections = 256

export interface SectionSize {
  readonly id: number
  readonly bytes: number
}

/**
 * A container with empty sections, to be filled in place: `sections[i]` is a view of section i. Sections
 * of whole words stay aligned to 4 bytes.
 */
export function createBinFile(
  magic: string,
  version: number,
  sizes: readonly SectionSize[],
): { file: Uint8Array<ArrayBuffer>; sections: Uint8Array<ArrayBuffer>[] } {
  const total = sizes.reduce((sum, { bytes }) => sum + sectionHeaderBytes + bytes, headerBytes)
  const file = new Uint8Array(total)
  file.set(containerHeader(magic, version, sizes.length))
  let at = headerBytes
  const sections = sizes.map((size) => {
    file.set(sectionHeader(size), at)
    at += sectionHeaderBytes + size.bytes
    return file.subarray(at - size.bytes, at)
  })
  return { file, sections }
}

/** What a container of that many sections begins with. */
export function containerHeader(magic: string, version: number, count: number): Uint8Array {
  invariant(magic.length === 4, `container magic ${magic}`)
  const header = new Uint8Array(headerBytes)
  const view = new DataView(header.buffer)
  for (let i = 0; i < 4; i++) view.setUint8(i, magic.charCodeAt(i))
  view.setUint32(4, version, true)
  view.setUint32(8, count, true)
  return header
}

/** What stands before the content of a section. */
export function sectionHeader({ id, bytes }: SectionSize): Uint8Array {
  const header = new Uint8Array(sectionHeaderBytes)
  const view = new DataView(header.buffer)
  view.setUint32(0, id, true)
  view.setBigUint64(4, BigInt(bytes), true)
  return header
}

/** Where a section lies. */
export interface SectionPlace {
  readonly at: number
  readonly length: number
}

/**
 * Finds the sections of a container of `size` bytes. It asks for the ranges it has to see, [from, length], and
 * is given their bytes, so that a file need not be in memory. Every byte must belong to a section, and no id
 * may occur twice.
 * @throws FileError for another magic or version, truncation, trailing bytes, repeated sections
 */
export function* findSections(
  size: number,
  magic: string,
  version: number,
): Generator<readonly [from: number, length: number], Map<number, SectionPlace>, Uint8Array> {
  const where = `.${magic} file`
  const fix = `Give a complete \`.${magic}\` file of version ${version}`
  const fail = (what: string, expected: string, given: string): never => {
    throw new FileError({ what, where, expected, given, fix })
  }
  if (size < headerBytes) fail("truncated header", `${headerBytes} bytes`, `${size}`)
  const header = yield [0, headerBytes]
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength)
  const found = String.fromCharCode(...header.subarray(0, 4))
  if (found !== magic) fail("foreign file", `magic \`${magic}\``, JSON.stringify(found))
  if (view.getUint32(4, true) !== version) fail("unknown version", `${version}`, `${view.getUint32(4, true)}`)
  const count = view.getUint32(8, true)
  if (count > mostSections) fail("too many sections", `at most ${mostSections}`, `${count}`)
  const sections = new Map<number, SectionPlace>()
  let at = headerBytes
  for (let i = 0; i < count; i++) {
    if (at + sectionHeaderBytes > size) fail("truncated section table", `${count} sections`, `${i}`)
    const entry = yield [at, sectionHeaderBytes]
    const words = new DataView(entry.buffer, entry.byteOffset, entry.byteLength)
    const id = words.getUint32(0, true)
    const length = Number(words.getBigUint64(4, true))
    at += sectionHeaderBytes
    if (length > size - at) fail(`truncated section ${id}`, `${length} bytes`, `${size - at}`)
    if (sections.has(id)) fail("repeated section", "every section once", `section ${id} twice`)
    sections.set(id, { at, length })
    at += length
  }
  if (at !== size) fail("bytes after the last section", `${at} bytes`, `${size}`)
  return sections
}

/** Sections of a container by id. @throws as `findSections` */
export function readBinFile(file: Uint8Array, magic: string, version: number): Map<number, Uint8Array> {
  const search = findSections(file.length, magic, version)
  let step = search.next()
  while (!step.done) {
    const [from, length] = step.value
    step = search.next(file.subarray(from, from + length))
  }
  return new Map(Array.from(step.value, ([id, { at, length }]) => [id, file.subarray(at, at + length)]))
}

/** A section of known or free length. @throws FileError if missing or of another length */
export function checkSection<T extends { readonly length: number }>(
  section: T | undefined,
  id: number,
  where: string,
  bytes?: number,
): T {
  if (section === undefined) throw new FileError({ what: `section ${id} is missing`, where })
  if (bytes !== undefined && section.length !== bytes) {
    throw new FileError({
      what: `length of section ${id}`,
      where,
      expected: `${bytes} bytes`,
      given: `${section.length}`,
      fix: "The file is damaged or inconsistent: make it again",
    })
  }
  return section
}

/** The same as a DataView. @throws as `checkSection` */
export function sectionView(
  sections: ReadonlyMap<number, Uint8Array>,
  id: number,
  where: string,
  bytes?: number,
): DataView {
  const section = checkSection(sections.get(id), id, where, bytes)
  return new DataView(section.buffer, section.byteOffset, section.byteLength)
}

/** Writes x in [0, 2^256) as 32 little-endian bytes. */
export function writeField(view: DataView, at: number, x: bigint): void {
  view.setBigUint64(at, x & 0xffffffffffffffffn, true)
  view.setBigUint64(at + 8, (x >> 64n) & 0xffffffffffffffffn, true)
  view.setBigUint64(at + 16, (x >> 128n) & 0xffffffffffffffffn, true)
  view.setBigUint64(at + 24, x >> 192n, true)
}

/** Reads 32 little-endian bytes as an integer in [0, 2^256). */
export const readField = (view: DataView, at: number): bigint =>
  view.getBigUint64(at, true) |
  (view.getBigUint64(at + 8, true) << 64n) |
  (view.getBigUint64(at + 16, true) << 128n) |
  (view.getBigUint64(at + 24, true) << 192n)

/** Integers in [0, 2^256), 32 little-endian bytes each. */
export function encodeFields(values: readonly bigint[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, value)
  })
  return bytes
}

/** Writes `32, r`: how each of the formats names its scalar field. Returns the position after it. */
export function writePrime(view: DataView, at: number, prime: bigint = r): number {
  view.setUint32(at, 32, true)
  writeField(view, at + 4, prime)
  return at + 36
}

/** Checks what writePrime wrote. @throws FileError for a file over another field */
export function checkPrime(
  view: DataView,
  at: number,
  where: string,
  prime: bigint = r,
  fix = "Compile for bn254 (`--prime bn128` in circom)",
): number {
  const width = at + 36 <= view.byteLength ? view.getUint32(at, true) : 0
  if (width !== 32 || readField(view, at + 4) !== prime) {
    throw new FileError({
      what: "the file is over another field",
      where,
      expected: "bn254",
      given: width === 32 ? `prime ${readField(view, at + 4)}` : `field elements of ${width} bytes`,
      fix,
    })
  }
  return at + 36
}
