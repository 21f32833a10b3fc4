/**
 * Section 10 of a `.zkey`, the contributions to it, as snarkjs has it, so that both tools can contribute by turns.
 * Points are affine, Montgomery, little endian; numbers of four bytes are little endian as well.
 *
 *     circuit hash 64 | number of records 4 | records
 *     record: delta after 64 | s 64 | s·x 64 | r·x 128 (G2) | transcript 64 | type 4 | length of parameters 4 | parameters
 *     parameters, ascending, each once: 1, length 1, name | 2, exponent of iterations 1 | 3, length 1, value of the beacon
 *
 * Type 1 is a beacon, which has parameters 2 and 3; type 0 has neither. With U(…) points as big-endian coordinates,
 * of G2 the imaginary part first, and records P_i = U(after, s, s·x, r·x) ‖ transcript,
 *
 *     transcript_i = BLAKE2b-512(circuit hash ‖ P_1 … P_(i−1) ‖ U(s, s·x))
 *
 * and r is hashed from transcript_i, as snarkjs does (snarkjs-curve.ts). The name and the beacon are in none of
 * these; in ours they are (transcript.ts: bytes of records), and s of our own contributions depends on them.
 */
import { blake2b } from "@noble/hashes/blake2.js"
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { coordinates, montgomeryPoint } from "../../circuit/formats/points.js"
import {
  type Beacon,
  type CeremonyHead,
  type Contribution,
  requireCount,
  type Transcript,
  transcriptOf,
} from "../../setup/ceremony/transcript.js"
import { type G1Json, type G2Json, wordsOfG1, wordsOfG2 } from "../../statement/points.js"
import { contributorName, parseBeacon } from "../../statement/provenance.js"
import { fail } from "../../statement/strict.js"
import { encodeWords } from "../../statement/words.js"

/** Number of the section. */
export const recordsSection = 10

/** A record of either tool. */
export interface PlainContribution extends Contribution {
  /** The point whose multiple is shown: hashed from the transcript by us, drawn by snarkjs. */
  readonly s: G1Json
  /** BLAKE2b-512 of all that came before. */
  readonly transcript: Uint8Array
}

export interface PlainTranscript extends Transcript {
  /** What snarkjs calls the circuit hash: BLAKE2b-512 of the points of the initial key. */
  readonly circuitHash: Uint8Array
  readonly contributions: readonly PlainContribution[]
}

const hashBytes = 64
/** Record without its parameters. */
const fixedBytes = 3 * 64 + 128 + hashBytes + 4 + 4
const where = "proving key: section 10"
/** What a record without a name is called. */
const unnamed = "unnamed"

/**
 * Reads section 10. Points are read, not checked.
 * @throws FileError for truncation, trailing bytes, coordinates that are not reduced, parameters that are unknown,
 * repeated or not those of the type, names that are no names
 */
export function parseRecords(content: Uint8Array, head: CeremonyHead): PlainTranscript {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  if (content.length < hashBytes + 4) fail(where, { what: "is cut short" })
  const count = view.getUint32(hashBytes, true)
  requireCount(count)
  const contributions: PlainContribution[] = []
  let at = hashBytes + 4
  for (let i = 0; i < count; i++) {
    const path = `${where}, contribution ${i + 1}`
    if (at + fixedBytes > content.length) fail(path, { what: "is cut short" })
    const end = at + fixedBytes + view.getUint32(at + fixedBytes - 4, true)
    if (end > content.length) fail(path, { what: "is cut short" })
    contributions.push(parseRecord(content.slice(at, end), path))
    at = end
  }
  if (at !== content.length) fail(where, { what: "has bytes after the last contribution" })
  return { ...transcriptOf(head, contributions), contributions, circuitHash: content.slice(0, hashBytes) }
}

/** Content of section 10. */
export function encodeRecords({
  circuitHash,
  contributions,
}: Pick<PlainTranscript, "circuitHash" | "contributions">): Uint8Array {
  const count = new Uint8Array(Uint32Array.of(contributions.length).buffer)
  return concatBytes(circuitHash, count, ...contributions.map(({ bytes }) => bytes))
}

/** A record of ours. */
export function recordOf(
  name: string,
  beacon: Beacon | null,
  points: Pick<PlainContribution, "s" | "transcript"> & {
    readonly after: G1Json
    readonly sx: G1Json
    readonly rx: G2Json
  },
): PlainContribution {
  const { after, s, sx, rx, transcript } = points
  const named = utf8ToBytes(name)
  const value = hexToBytes(beacon?.value.slice(2) ?? "")
  const parameters = concatBytes(
    Uint8Array.of(1, named.length),
    named,
    beacon === null ? new Uint8Array(0) : Uint8Array.of(2, beacon.iterations, 3, value.length),
    value,
  )
  const numbers = Uint32Array.of(beacon === null ? 0 : 1, parameters.length)
  const bytes = concatBytes(
    ...[after, s, sx].map((point) => montgomeryPoint(point.map(BigInt))),
    montgomeryPoint(rx.flat().map(BigInt)),
    transcript,
    new Uint8Array(numbers.buffer),
    parameters,
  )
  return { name, beacon, deltas: { delta: { after, sx, rx } }, bytes, s, transcript }
}

/** transcript_i for a record that would come next, of which only s and s·x are known. */
export function nextTranscript(
  { circuitHash }: Pick<PlainTranscript, "circuitHash">,
  before: readonly PlainContribution[],
  s: G1Json,
  sx: G1Json,
): Uint8Array {
  const hash = blake2b.create({ dkLen: hashBytes }).update(circuitHash)
  for (const { deltas, s: own, transcript } of before) {
    const { after, sx: ownMultiple, rx } = deltas.delta
    hash.update(encodeWords([after, own, ownMultiple].flatMap(wordsOfG1)))
    hash.update(encodeWords(wordsOfG2(rx))).update(transcript)
  }
  return hash.update(encodeWords([s, sx].flatMap(wordsOfG1))).digest()
}

function parseRecord(bytes: Uint8Array, path: string): PlainContribution {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const one = (at: number): G1Json => {
    const [x, y] = coordinates(bytes.subarray(at, at + 64)).map(String)
    return [x, y]
  }
  const [x0, x1, y0, y1] = coordinates(bytes.subarray(192, 320)).map(String)
  const rx: G2Json = [
    [x0, x1],
    [y0, y1],
  ]
  const type = view.getUint32(fixedBytes - 8, true)
  if (type > 1) fail(path, { what: "unknown type", expected: "0 or 1 (a beacon)", given: `${type}` })
  const parameters = parametersOf(bytes.subarray(fixedBytes), path)
  const [named, iterations, value] = [1, 2, 3].map((id) => parameters.get(id))
  if ((iterations !== undefined) !== (type === 1) || (value !== undefined) !== (type === 1))
    fail(path, { what: `its parameters are not those of type ${type}` })
  const shown = type === 1 ? { value: hexOf(value), iterations: iterations?.[0] } : null
  return {
    name: named === undefined ? unnamed : contributorName(nameOf(named, path), `${path}, name`),
    beacon: parseBeacon(shown, `${path}, beacon`),
    deltas: { delta: { after: one(0), sx: one(128), rx } },
    bytes,
    s: one(64),
    transcript: bytes.slice(320, 320 + hashBytes),
  }
}

/** Parameters by number. */
function parametersOf(bytes: Uint8Array, path: string): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  let last = 0
  for (let at = 0; at < bytes.length; ) {
    const id = bytes[at]
    if (id <= last || id > 3) fail(path, { what: "parameters are unknown or not in order", given: `${id}` })
    // of the exponent there is one byte, and no length
    const [first, length] = id === 2 ? [at + 1, 1] : [at + 2, bytes[at + 1]]
    if (length === undefined || first + length > bytes.length)
      fail(path, { what: "a parameter is cut short" })
    found.set(id, bytes.slice(first, first + length))
    last = id
    at = first + length
  }
  return found
}

const hexOf = (bytes: Uint8Array = new Uint8Array(0)): string =>
  `0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`

function nameOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return fail(path, { what: "its name is not text in UTF-8" })
  }
}
