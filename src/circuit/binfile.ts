/**
 * The iden3 binary container that `.r1cs`, `.zkey` and `.wtns` share: four letters of magic, version u32,
 * count of sections u32, then per section id u32, length u64 and content; all little endian.
 */
import { FileError } from "../errors.js"

export interface Section {
  readonly id: number
  readonly content: Uint8Array
}

/** Bytes of a container. */
export function writeContainer(magic: string, version: number, sections: readonly Section[]): Uint8Array {
  const size = sections.reduce((sum, section) => sum + 12 + section.content.length, 12)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 4; i++) bytes[i] = magic.charCodeAt(i)
  view.setUint32(4, version, true)
  view.setUint32(8, sections.length, true)
  let at = 12
  for (const { id, content } of sections) {
    view.setUint32(at, id, true)
    view.setBigUint64(at + 4, BigInt(content.length), true)
    bytes.set(content, at + 12)
    at += 12 + content.length
  }
  return bytes
}

/**
 * Sections of a container by id.
 * @throws FileError for a foreign, truncated or padded file, another version, or a section given twice
 */
export function readContainer(
  bytes: Uint8Array,
  magic: string,
  version: number,
  where = "file",
): Map<number, Uint8Array> {
  const fail = (what: string, facts: { expected?: string; given?: string } = {}): never => {
    throw new FileError({
      what,
      where,
      ...facts,
      fix: "The file is damaged or of another kind; make it again",
    })
  }
  if (bytes.length < 12) fail("is too short", { expected: "at least 12 bytes", given: `${bytes.length}` })
  const given = String.fromCharCode(...bytes.subarray(0, 4))
  if (given !== magic) fail("has the wrong magic", { expected: `\`${magic}\``, given: JSON.stringify(given) })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(4, true) !== version) {
    fail("has another version", { expected: `${version}`, given: `${view.getUint32(4, true)}` })
  }
  const sections = new Map<number, Uint8Array>()
  const count = view.getUint32(8, true)
  let at = 12
  for (let i = 0; i < count; i++) {
    if (at + 12 > bytes.length) fail(`ends inside the header of section ${i}`)
    const id = view.getUint32(at, true)
    const length = Number(view.getBigUint64(at + 4, true))
    if (at + 12 + length > bytes.length) fail(`ends inside section ${id}`, { expected: `${length} bytes` })
    if (sections.has(id)) fail(`has section ${id} twice`)
    sections.set(id, bytes.subarray(at + 12, at + 12 + length))
    at += 12 + length
  }
  if (at !== bytes.length) fail("has bytes after its last section")
  return sections
}

/** Writes a field element as 32 bytes little endian. */
export function putField(view: DataView, at: number, value: bigint): void {
  let rest = value
  for (let word = 0; word < 4; word++) {
    view.setBigUint64(at + 8 * word, rest & 0xffffffffffffffffn, true)
    rest >>= 64n
  }
}

/** Reads 32 bytes little endian. */
export function getField(view: DataView, at: number): bigint {
  let value = 0n
  for (let word = 3; word >= 0; word--) value = (value << 64n) | view.getBigUint64(at + 8 * word, true)
  return value
}
