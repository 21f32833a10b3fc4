/**
 * Canonical bytes of an integer model, and the digest that names it. One graph has one encoding, so equal
 * digests mean equal models; bounds are not in the file but recomputed on load, because nobody's word is
 * taken for them.
 *
 * Layout (little endian):
 *   "CSIM", version u8, name, precision uint
 *   tensors: count, then per tensor: name, shape list, scale f64
 *   nodes:   count, then each as nodes.ts says
 *   inputs:  count, then name, tensor, lo int, bits;   outputs: count, then name, tensor
 *
 * The version is the least that has every kind of node in the graph; 5 if its weights are private. These are not in the bytes
 * then, which say the architecture and are the same for all weights of it. From version 4 on, which a model whose inputs are
 * ranks or whose outputs have names has at least, a flag u8 follows each input, and after 1: type u8 (0 float32, 1 float64),
 * missing u8, and for each element a list of edges f64; and a byte each output: 0, or 1 (of its values) or 2 (of its columns)
 * and a list of names. Version 5 ends in a flag u8, and after 1 the digest of the program that was quantized, 32 bytes.
 *
 * uint is LEB128 below 2^53; int is zigzag LEB128; a list or an array has its length first; text is UTF-8
 * with its length; deltas are ints relative to the element before (the first to 0).
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { checkBytes, checkThing } from "../../arguments.js"
import { allowanceFor, Budget } from "../../budget.js"
import { defaults } from "../../defaults.js"
import { FileError, ModelError } from "../../errors.js"
import type { Labels } from "../../statement/labels.js"
import type { Ranks } from "../../statement/ranks.js"
import { graphBounds } from "../integers/bounds.js"
import type { IntGraph, IntTensor } from "../integers/intgraph.js"
import { withoutSecrets } from "../integers/secrets.js"
import { ByteReader, ByteWriter } from "./bytes.js"
import { readNode, secretsSince, versionOf, versions, writeNode } from "./nodes.js"
import { findFault } from "./validate.js"

const magic = "CSIM"

/** Versions that are read. */
const known = [...new Set([...versions, 4, secretsSince])].sort((a, b) => a - b)

/** The version from which on inputs may be ranks, and outputs may have names. */
const ranksSince = 4

const namedThings = ["values", "columns"] as const

function writeLabels(w: ByteWriter, labels: Labels | undefined): void {
  w.byte(labels ? 1 + namedThings.indexOf(labels.of) : 0)
  if (!labels) return
  w.uint(labels.names.length)
  for (const name of labels.names) w.text(name)
}

function readLabels(r: ByteReader): Labels | undefined {
  const kind = r.byte()
  if (kind === 0) return undefined
  const of = namedThings[kind - 1] ?? r.fail("unknown names", "0, 1 or 2", String(kind))
  return { of, names: r.list(() => r.text()) }
}

function writeRanks(w: ByteWriter, ranks: Ranks | undefined): void {
  w.byte(ranks ? 1 : 0)
  if (!ranks) return
  w.byte(ranks.type === "float32" ? 0 : 1)
  w.byte(ranks.missing ? 1 : 0)
  w.uint(ranks.edges.length)
  for (const edges of ranks.edges) {
    w.uint(edges.length)
    // one of the patterns of NaN
    for (const edge of edges) w.float(Number.isNaN(edge) ? Number.NaN : edge)
  }
}

function readRanks(r: ByteReader): Ranks | undefined {
  if (!r.flag()) return undefined
  const type = r.flag() ? "float64" : "float32"
  const missing = r.flag()
  return { type, missing, edges: r.list(() => Float64Array.from(r.list(() => r.float()))) }
}

/** Canonical bytes of an integer graph; of one with private weights, those of its architecture. */
export function serialize(model: IntGraph): Uint8Array {
  checkThing("model", model, "graph")
  const graph = withoutSecrets(model)
  const w = new ByteWriter()
  for (const c of magic) w.byte(c.charCodeAt(0))
  const needs = graph.inputs.some(({ ranks }) => ranks) || graph.outputs.some(({ labels }) => labels)
  const version = Math.max(versionOf(graph.nodes), needs ? ranksSince : 1)
  w.byte(version)
  w.text(graph.name)
  w.uint(graph.precision)
  w.uint(graph.tensors.length)
  for (const { name, shape, scale } of graph.tensors) {
    w.text(name)
    w.uints(shape)
    w.float(scale)
  }
  w.uint(graph.nodes.length)
  for (const node of graph.nodes) writeNode(w, node, version)
  w.uint(graph.inputs.length)
  for (const { name, tensor, lo, bits, ranks } of graph.inputs) {
    w.text(name)
    w.uint(tensor)
    w.int(lo)
    w.uint(bits)
    if (version >= ranksSince) writeRanks(w, ranks)
  }
  w.uint(graph.outputs.length)
  for (const { name, tensor, labels } of graph.outputs) {
    w.text(name)
    w.uint(tensor)
    if (version >= ranksSince) writeLabels(w, labels)
  }
  if (version >= secretsSince) {
    w.byte(graph.program === undefined ? 0 : 1)
    for (const byte of hexToBytes((graph.program ?? "0x").slice(2))) w.byte(byte)
  }
  return w.bytes()
}

/**
 * Reads canonical bytes; bounds are recomputed. Throws FileError for anything that is not exactly what
 * `serialize` writes: foreign or truncated data, fields out of range, a second encoding of the same graph; and for
 * a model that would take more memory or work than its file may ask for.
 */
export function deserialize(bytes: Uint8Array, file = "integer model"): IntGraph {
  checkBytes(bytes, "bytes")
  const r = new ByteReader(bytes, file)
  for (const c of magic)
    if (r.byte() !== c.charCodeAt(0)) r.fail("not an integer model", `magic \`${magic}\``)
  const given = r.byte()
  if (!known.includes(given)) r.fail("unknown version", known.join(" or "), String(given))
  const name = r.text()
  const precision = r.uint()
  const infos = r.list(() => ({ name: r.text(), shape: r.uints(), scale: r.float() }))
  const nodes = r.list(() => readNode(r, given))
  const inputs = r.list(() => {
    const input = { name: r.text(), tensor: r.uint(), lo: r.int(), bits: r.uint() }
    const ranks = given >= ranksSince ? readRanks(r) : undefined
    return ranks ? { ...input, ranks } : input
  })
  const outputs = r.list(() => {
    const output = { name: r.text(), tensor: r.uint() }
    const labels = given >= ranksSince ? readLabels(r) : undefined
    return labels ? { ...output, labels } : output
  })
  const program =
    given >= secretsSince && r.flag()
      ? (`0x${bytesToHex(Uint8Array.from({ length: 32 }, () => r.byte()))}` as const)
      : undefined
  r.end()
  const { elements } = allowanceFor(bytes.length)
  // a circuit has a limit of its own, so that work does not grow with the file
  const budget = new Budget({ elements, work: defaults.budget.work }, (facts) => {
    throw new FileError({ ...facts, where: `${file}, ${facts.where}` })
  })
  const fault = findFault({ precision, tensors: infos, nodes, inputs, outputs }, budget)
  if (fault) r.fail(`${fault} is inconsistent`)
  let tensors: IntTensor[]
  try {
    const bounds = graphBounds({ tensors: infos, nodes, inputs })
    tensors = infos.map((info, i) => ({ ...info, ...bounds[i] }))
  } catch (error) {
    if (error instanceof ModelError) r.fail(error.message)
    throw error
  }
  const graph = { name, precision, tensors, nodes, inputs, outputs, ...(program && { program }) }
  const canonical = serialize(graph)
  if (canonical.length !== bytes.length || canonical.some((byte, i) => byte !== bytes[i]))
    r.fail("not the canonical encoding")
  return graph
}

/**
 * keccak256 of the canonical bytes, as 0x-prefixed hex: the name of an integer model, or of its architecture if its weights
 * are private.
 */
export const modelDigest = (graph: IntGraph): `0x${string}` => `0x${bytesToHex(keccak_256(serialize(graph)))}`
