/**
 * Files of powers of tau (`.ptau`, version 1), as snarkjs and the public ceremonies write them: an iden3 container
 * with a header (prime q, power, power of the ceremony), a section of points for each of τ^i in G1 and G2, ατ^i and
 * βτ^i, a section with β in G2, and the record of the contributions. Prepared files hold Lagrange points too, in
 * sections 12 to 15; they follow from the others, so nothing here reads them, but they are of the digest.
 *
 * Such a file has up to hundreds of gigabytes: only its table and header are in memory, and what is asked for.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkArgument, checkOptions } from "../../arguments.js"
import { checkPrime, checkSection } from "../../circuit/formats/container.js"
import { type ByteSource, checkedSource, isBytesOrSource, sectionsOf } from "../../circuit/formats/source.js"
import { type Facts, FileError, invariant, type OnProgress } from "../../errors.js"
import { q } from "../../field.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
import type { Hex } from "../../statement/strict.js"
import { newHasher } from "./blake2b.js"
import { knownName } from "./known.js"
import { groupOf, mostPower, type PowersOfTau, type PowersSection, pointsOf } from "./powers.js"

/** A file of powers of tau, with what check.ts needs beyond the powers. */
export interface PtauFile extends PowersOfTau {
  /** The record of contributions (record.ts). */
  readRecord(): Promise<Uint8Array>
}

export interface OpenPtauOptions {
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

const where = ".ptau file"
const headerSection = 1
const betaSection = 6
const recordSection = 7
export const sectionNumber: Readonly<Record<PowersSection, number>> = {
  tauG1: 2,
  tauG2: 3,
  alphaG1: 4,
  betaG1: 5,
}
/** The section of Lagrange points of each section, and of how many more powers than the file's they are. */
const lagrange: Readonly<Record<PowersSection, readonly [id: number, more: number]>> = {
  tauG1: [12, 1],
  tauG2: [13, 0],
  alphaG1: [14, 0],
  betaG1: [15, 0],
}
export const sectionNames = Object.keys(sectionNumber) as PowersSection[]

/** No ceremony has a record as large: some thousand contributions. */
const mostRecordBytes = 2 ** 24
/** Read and hashed at a time. */
const blockBytes = 2 ** 24

const refuse = (facts: Facts): never => {
  throw new FileError({ where, ...facts })
}

/**
 * Opens a file of powers of tau: looks at its form, and hashes all of it. Whether its points are what they say is
 * what `checkPtau` tells. The source is its owner's to close, and must not change meanwhile.
 * @throws FileError for a file that is truncated, of another format or curve, or of other sections than its power has;
 * the reason of an abort
 */
export async function openPtau(
  source: Uint8Array | ByteSource,
  options: OpenPtauOptions = {},
): Promise<PtauFile> {
  checkArgument(
    isBytesOrSource(source),
    "source",
    "a `.ptau` file: bytes, or `openKeyFile` of its path",
    source,
  )
  checkOptions(options)
  const file = checkedSource(source, where)
  const sections = await sectionsOf(file, "ptau", 1)
  const place = (id: number, bytes?: number) => checkSection(sections.get(id), id, where, bytes)
  const { at, length } = place(headerSection)
  const { power, ceremonyPower } = readHeader(await file.read(at, Math.min(length, 64)), length)
  for (const name of sectionNames) {
    const size = fileBytes[groupOf[name]]
    place(sectionNumber[name], size * pointsOf(name, power))
    const [id, more] = lagrange[name]
    if (sections.has(id)) place(id, size * (2 ** (power + 1 + more) - 1))
  }
  const beta = place(betaSection, fileBytes.g2)
  const record = place(recordSection)
  if (record.length > mostRecordBytes) {
    const expected = `at most ${mostRecordBytes} bytes`
    refuse({
      what: `record of contributions (section ${recordSection})`,
      expected,
      given: `${record.length}`,
    })
  }
  const known = [headerSection, betaSection, recordSection, ...Object.values(sectionNumber)]
  for (const [id] of Object.values(lagrange)) known.push(id)
  const unknown = [...sections.keys()].find((id) => !known.includes(id))
  if (unknown !== undefined)
    refuse({ what: `unknown section ${unknown}`, expected: "sections 1 to 7 and 12 to 15" })
  const betaG2 = (await file.read(beta.at, beta.length)).slice()
  const digest = await digestOf(file, options)
  return {
    power,
    ceremonyPower,
    digest,
    name: knownName(digest),
    betaG2,
    read(section, first, count) {
      const inside = first >= 0 && count >= 0 && first + count <= pointsOf(section, power)
      invariant(inside, `points ${first} to ${first + count} are points of ${section}`)
      const size = fileBytes[groupOf[section]]
      return file.read(place(sectionNumber[section]).at + first * size, count * size)
    },
    readRecord: () => file.read(record.at, record.length),
  }
}

function readHeader(bytes: Uint8Array, length: number): { power: number; ceremonyPower: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = checkPrime(view, 0, where, q, "Use powers of tau for bn254 (which snarkjs calls bn128)")
  if (length !== at + 8) refuse({ what: "header", expected: `${at + 8} bytes`, given: `${length}` })
  const power = view.getUint32(at, true)
  const ceremonyPower = view.getUint32(at + 4, true)
  for (const [what, given] of Object.entries({ power, "power of the ceremony": ceremonyPower })) {
    if (given < 1 || given > mostPower) refuse({ what, expected: `1 to ${mostPower}`, given: `${given}` })
  }
  if (power > ceremonyPower) {
    const expected = `at most that of the ceremony, ${ceremonyPower}`
    refuse({ what: "power", expected, given: `${power}`, fix: "The file is damaged: get it again" })
  }
  return { power, ceremonyPower }
}

/** BLAKE2b-512 of a source. */
async function digestOf(source: ByteSource, { onProgress, signal }: OpenPtauOptions): Promise<Hex> {
  const hasher = await newHasher()
  const read = (at: number) => {
    const bytes = source.read(at, Math.min(blockBytes, source.size - at))
    // it is awaited later, or never if something else fails first
    bytes.catch(() => undefined)
    return bytes
  }
  let next = read(0)
  for (let at = 0; at < source.size; at += blockBytes) {
    signal?.throwIfAborted()
    const bytes = await next
    if (at + blockBytes < source.size) next = read(at + blockBytes)
    hasher.update(bytes)
    onProgress?.({ stage: "hash powers of tau", done: at + bytes.length, total: source.size })
  }
  return `0x${bytesToHex(hasher.digest())}`
}
