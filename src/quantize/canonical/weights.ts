/**
 * The private weights of a model, as their owner keeps them (weights.secret): the integers that its architecture leaves out,
 * and once they are committed to, the commitment with what blinds it. Whoever has this file has the weights.
 *
 * Layout:
 *   "CSWS", version u8 1, digest of the architecture (32 bytes)
 *   integers, in their order (../integers/secrets.ts): each less the least of its range, in as few bytes as that range takes,
 *     little endian
 *   committed u8; after 1: blinding, x and y of the commitment (32 bytes each, big endian)
 *   keccak256 of everything before: a file that was damaged is told from one that is another's
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { checkArgument, checkBytes, checkRecord, checkThing } from "../../arguments.js"
import { FileError, UsageError } from "../../errors.js"
import { r } from "../../field.js"
import { type G1Json, parseG1, requireG1, wordsOfG1 } from "../../statement/points.js"
import type { IntGraph } from "../integers/intgraph.js"
import { isPrivate, secretRuns, secretsOf, withSecrets } from "../integers/secrets.js"
import { modelDigest } from "./digest.js"

/** A commitment to private weights, and the secret number that hides them in it. */
export interface OpenCommitment {
  readonly blinding: bigint
  /** D_w. */
  readonly weights: G1Json
}

/** What a file of private weights holds: the model with them, and their commitment, if there is one. */
export interface PrivateWeights {
  readonly graph: IntGraph
  readonly commitment?: OpenCommitment
}

const magic = new TextEncoder().encode("CSWS")
const version = 1
const word = 32
const start = magic.length + 1 + word

const widthOf = (bits: number): number => Math.ceil(bits / 8)

/**
 * The bytes of weights.secret.
 * @throws UsageError for a model that has no private weights, and for what is no commitment; CountersignError for a model
 * without its weights
 */
export function writeWeights(given: PrivateWeights): Uint8Array {
  checkRecord(given, "weights", "an object with `graph` and `commitment`")
  const { graph, commitment } = given
  if (commitment !== undefined) checkRecord(commitment, "weights.commitment", "an opened commitment")
  checkThing("model", graph, "weights.graph")
  if (!isPrivate(graph))
    throw new UsageError({ what: "the model has no private weights", where: `model \`${graph.name}\`` })
  const secrets = secretsOf(graph)
  const bytes = new Uint8Array(sizeFor(graph, commitment !== undefined))
  bytes.set(magic)
  bytes[magic.length] = version
  bytes.set(hexToBytes(modelDigest(graph).slice(2)), magic.length + 1)
  let at = start
  for (const { window, start: first, count } of secretRuns(graph)) {
    const width = widthOf(window.bits)
    for (let i = 0; i < count; i++) {
      let rest = secrets[first + i] - window.lo
      for (let k = 0; k < width; k++) {
        bytes[at++] = rest % 256
        rest = Math.floor(rest / 256)
      }
    }
  }
  bytes[at++] = commitment ? 1 : 0
  if (commitment) {
    const { blinding, weights } = commitment
    checkArgument(isBlinding(blinding), "weights.commitment.blinding", "a bigint from 1 to r - 1", "another")
    for (const x of [blinding, ...wordsOfG1(parseG1(weights, "weights.commitment.weights"))]) {
      bytes.set(hexToBytes(x.toString(16).padStart(2 * word, "0")), at)
      at += word
    }
  }
  bytes.set(keccak_256(bytes.subarray(0, at)), at)
  return bytes
}

/**
 * Reads weights.secret of a model of which the architecture is known.
 * @throws FileError for a file that is damaged, of another version or another architecture
 */
export function readWeights(bytes: Uint8Array, graph: IntGraph, where = "weights.secret"): PrivateWeights {
  checkBytes(bytes, "bytes")
  checkThing("model", graph, "graph")
  const fail = (what: string, expected?: string, given?: string): never => {
    throw new FileError({ what, where, ...(expected && { expected }), ...(given && { given }) })
  }
  if (!isPrivate(graph)) fail("the model has no private weights")
  if (bytes.length < start || magic.some((byte, i) => bytes[i] !== byte))
    fail("is no file of private weights")
  if (bytes[magic.length] !== version) fail("unknown version", String(version), String(bytes[magic.length]))
  const held = `0x${bytesToHex(bytes.subarray(magic.length + 1, start))}`
  const digest = modelDigest(graph)
  if (held !== digest) fail("has the weights of another architecture", digest, held)
  // sizes follow from the architecture: nothing is made by a number of this file
  const sizes = [false, true].map((isCommitted) => sizeFor(graph, isCommitted))
  const isCommitted = bytes.length === sizes[1]
  if (!sizes.includes(bytes.length)) fail("has another size", sizes.join(" or "), `${bytes.length} bytes`)
  const end = bytes.length - word
  if (keccak_256(bytes.subarray(0, end)).some((byte, i) => byte !== bytes[end + i])) fail("is damaged")
  const runs = secretRuns(graph)
  const secrets = new Float64Array(runs.reduce((sum, { count }) => sum + count, 0))
  let at = start
  for (const { window, start: first, count } of runs) {
    const width = widthOf(window.bits)
    for (let i = 0; i < count; i++, at += width) {
      let x = 0
      for (let k = width - 1; k >= 0; k--) x = 256 * x + bytes[at + k]
      secrets[first + i] = window.lo + x
    }
  }
  const model = withSecrets(graph, secrets, where)
  if (bytes[at++] !== (isCommitted ? 1 : 0)) fail("does not say whether there is a commitment")
  if (!isCommitted) return { graph: model }
  const [blinding, x, y] = [0, 1, 2].map((i) =>
    BigInt(`0x${bytesToHex(bytes.subarray(at + word * i, at + word * (i + 1)))}`),
  )
  if (!isBlinding(blinding)) fail("its blinding is out of range")
  const weights = parseG1([`${x}`, `${y}`], `${where}, commitment`)
  requireG1(weights, `${where}, commitment`)
  return { graph: model, commitment: { blinding, weights } }
}

const isBlinding = (x: unknown): boolean => typeof x === "bigint" && x > 0n && x < r

/** Bytes of the file of a model. */
const sizeFor = (graph: IntGraph, isCommitted: boolean): number =>
  secretRuns(graph).reduce((sum, { window, count }) => sum + count * widthOf(window.bits), start) +
  1 +
  (isCommitted ? 3 * word : 0) +
  word
