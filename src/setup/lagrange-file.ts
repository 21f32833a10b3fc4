/**
 * Lagrange points that are kept: a file for each domain, beside the powers of tau that they are made of. It is an iden3
 * container of type "cslp", version 1:
 *
 *     1  header    number of points of the domain (u32), BLAKE2b-512 of the file of powers (64 bytes)
 *     2  tauG1     L_d(τ) in G1                 5  betaG1     β·L_d(τ)
 *     3  tauG2     in G2                        6  odd        L_e(τ) over all points, for those of the quotient
 *     4  alphaG1   α·L_d(τ)                     7  products   L_d(τ) over all points, less that over those of rows
 *     8  checksum  BLAKE2b-512 of all bytes before its content; the last section
 *
 * Any of 2 to 7 may be missing: a circuit that needs it has it added. A file that is of other powers, of another
 * domain, truncated or damaged is not used but made again. That finds accidents. Whoever can write to the folder can
 * write a file with a right checksum, so a key is checked against the powers themselves, which needs none of this.
 */
import { hexToBytes } from "@noble/hashes/utils.js"
import { containerHeader, sectionHeader } from "../circuit/formats/container.js"
import { type ByteSource, checkedSource, partOf, sectionsOf } from "../circuit/formats/source.js"
import { FileError, invariant } from "../errors.js"
import { fileBytes, type Group } from "../prover/kernels/points/points.js"
import { digestBytes, newHasher } from "./ptau/blake2b.js"
import type { PowersOfTau } from "./ptau/powers.js"

/** Sections of powers, at Lagrange's polynomials; the quotient's points; and what side C of products adds there. */
export const lagrangeSections = ["tauG1", "tauG2", "alphaG1", "betaG1", "odd", "products"] as const
export type LagrangeSection = (typeof lagrangeSections)[number]

export const lagrangeGroup = (section: LagrangeSection): Group => (section === "tauG2" ? "g2" : "g1")

/** Lagrange points of a domain. */
export interface LagrangePoints {
  readonly domain: number
  /** One point for each of the domain, as a file has them. */
  points(section: LagrangeSection): ByteSource
  /** Gives back what they are read from. */
  close(): Promise<void>
}

/** Where files of Lagrange points lie, one for each domain. */
export interface LagrangeStore {
  /** The file of a domain; undefined if there is none, or none that can be read. */
  open(domain: number): Promise<(ByteSource & { close(): Promise<void> }) | undefined>
  /** Puts a file there, whole or not at all; where it cannot be written, nothing happens. */
  write(domain: number, parts: AsyncIterable<Uint8Array>): Promise<void>
}

interface Kept {
  readonly sections: ReadonlyMap<LagrangeSection, ByteSource>
  close(): Promise<void>
}

const magic = "cslp"
const version = 1
const headerSection = 1
const checksumSection = 8
const sectionNumber = (section: LagrangeSection): number => 2 + lagrangeSections.indexOf(section)
const sectionBytes = (section: LagrangeSection, domain: number): number =>
  domain * fileBytes[lagrangeGroup(section)]

/** Read and hashed at a time. */
const blockBytes = 2 ** 24

function headerOf({ digest }: PowersOfTau, domain: number): Uint8Array {
  const header = new Uint8Array(4 + digestBytes)
  new DataView(header.buffer).setUint32(0, domain, true)
  header.set(hexToBytes(digest.slice(2)), 4)
  return header
}

/**
 * The sections that a store has of a domain, if its file is sound, and of these powers. It is open until `close`.
 * @throws the reason of an abort
 */
export async function openKept(
  store: LagrangeStore,
  powers: PowersOfTau,
  domain: number,
  signal?: AbortSignal,
): Promise<Kept | undefined> {
  const file = await store.open(domain)
  if (file === undefined) return undefined
  const close = () => file.close()
  try {
    return {
      sections: await soundSections(checkedSource(file, "Lagrange points"), powers, domain, signal),
      close,
    }
  } catch (error) {
    await close()
    if (error instanceof FileError) return undefined
    throw error
  }
}

/** @throws FileError for a file that is not as it should be; the reason of an abort */
async function soundSections(
  file: ByteSource,
  powers: PowersOfTau,
  domain: number,
  signal?: AbortSignal,
): Promise<Map<LagrangeSection, ByteSource>> {
  const unsound = () => new FileError({ what: "unsound", where: "Lagrange points" })
  const places = await sectionsOf(file, magic, version)
  const header = places.get(headerSection)
  const checksum = places.get(checksumSection)
  const expected = headerOf(powers, domain)
  if (header?.length !== expected.length || checksum?.length !== digestBytes) throw unsound()
  if (checksum.at + digestBytes !== file.size) throw unsound()
  if (!areEqual(await file.read(header.at, expected.length), expected)) throw unsound()
  const sections = new Map<LagrangeSection, ByteSource>()
  for (const section of lagrangeSections) {
    const place = places.get(sectionNumber(section))
    if (place === undefined) continue
    if (place.length !== sectionBytes(section, domain)) throw unsound()
    sections.set(section, partOf(file, place))
  }
  const given = await file.read(checksum.at, digestBytes)
  if (!areEqual(given, await checksumOf(partOf(file, { at: 0, length: checksum.at }), signal)))
    throw unsound()
  return sections
}

async function checksumOf(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const hasher = await newHasher()
  try {
    for await (const bytes of blocksOf(source)) {
      signal?.throwIfAborted()
      hasher.update(bytes)
    }
  } catch (error) {
    // which gives its place back
    hasher.digest()
    throw error
  }
  return hasher.digest()
}

const areEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** Puts sections into a store. @throws what reading them throws; the reason of an abort */
export function writeKept(
  store: LagrangeStore,
  powers: PowersOfTau,
  domain: number,
  held: ReadonlyMap<LagrangeSection, Uint8Array | ByteSource>,
  signal?: AbortSignal,
): Promise<void> {
  return store.write(domain, fileOf(headerOf(powers, domain), domain, held, signal))
}

/** The bytes of a file, part by part. */
async function* fileOf(
  header: Uint8Array,
  domain: number,
  held: ReadonlyMap<LagrangeSection, Uint8Array | ByteSource>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hasher = await newHasher()
  let checksum: Uint8Array | undefined
  try {
    const hashed = (bytes: Uint8Array): Uint8Array => {
      signal?.throwIfAborted()
      hasher.update(bytes)
      return bytes
    }
    yield hashed(containerHeader(magic, version, held.size + 2))
    yield hashed(sectionHeader({ id: headerSection, bytes: header.length }))
    yield hashed(header)
    for (const section of lagrangeSections) {
      const points = held.get(section)
      if (points === undefined) continue
      const source = checkedSource(points, "Lagrange points")
      invariant(source.size === sectionBytes(section, domain), "there is a point for each of the domain")
      yield hashed(sectionHeader({ id: sectionNumber(section), bytes: source.size }))
      for await (const bytes of blocksOf(source)) yield hashed(bytes)
    }
    yield hashed(sectionHeader({ id: checksumSection, bytes: digestBytes }))
  } finally {
    checksum = hasher.digest()
  }
  yield checksum
}

async function* blocksOf(source: ByteSource): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < source.size; at += blockBytes) {
    yield await source.read(at, Math.min(blockBytes, source.size - at))
  }
}
