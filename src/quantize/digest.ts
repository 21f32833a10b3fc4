/**
 * Canonical bytes of an integer model, and the digest that names it. One graph has one encoding, so equal
 * digests mean equal models; bounds are not in the file but recomputed on load, because nobody's word is
 * taken for them.
 *
 * Layout (little endian):
 *   "CSIM", version u8, name, precision uint
 *   tensors: count, then per tensor: name, shape list, scale f64
 *   nodes:   count, then per node: kind u8, out, origin name, origin operator, then by kind
 *     0 input    name
 *     1 index    sources list, fill int, map deltas
 *     2 linear   count of terms, per term: source, map; bias flag u8, bias ints
 *     3 max      source, window, map deltas
 *     4 argmax   source, window, last u8, map deltas
 *     5 product  left, right
 *     6 rescale  source, shift, lo int, bits
 *     7 table    source, lo int, values deltas
 *   linear map: kind u8: 0 dense n k m; 1 conv n groups inChannels outChannels and five lists inSize kernel
 *     outSize strides padsBegin(int) dilations; 2 sparse row lengths, column deltas; then its weights, ints
 *   inputs:  count, then name, tensor, lo int, bits;   outputs: count, then name, tensor
 *
 * The version is the least that has every kind of node in the graph: 2 if there is a table, else 1, so that
 * a new kind changes no digest of models without it.
 *
 * uint is LEB128 below 2^53; int is zigzag LEB128; a list or an array has its length first; text is UTF-8
 * with its length; deltas are ints relative to the element before (the first to 0).
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkBytes, checkThing } from "../arguments.js"
import { allowanceFor, Budget } from "../budget.js"
import { defaults } from "../defaults.js"
import { FileError, ModelError } from "../errors.js"
import type { IntNode, LinearMap, Origin } from "../ops/program.js"
import { graphBounds } from "./bounds.js"
import { ByteReader, ByteWriter } from "./bytes.js"
import type { IntGraph, IntTensor } from "./intgraph.js"
import { findFault } from "./validate.js"

const magic = "CSIM"
const versionOf = (nodes: readonly IntNode[]) => (nodes.some(({ kind }) => kind === "table") ? 2 : 1)
const kinds = ["input", "index", "linear", "max", "argmax", "product", "rescale", "table"] as const
const mapKinds = ["dense", "conv", "sparse"] as const

/** Canonical bytes of an integer graph. */
export function serialize(graph: IntGraph): Uint8Array {
  checkThing("model", graph, "graph")
  const w = new ByteWriter()
  for (const c of magic) w.byte(c.charCodeAt(0))
  w.byte(versionOf(graph.nodes))
  w.text(graph.name)
  w.uint(graph.precision)
  w.uint(graph.tensors.length)
  for (const { name, shape, scale } of graph.tensors) {
    w.text(name)
    w.uints(shape)
    w.float(scale)
  }
  w.uint(graph.nodes.length)
  for (const node of graph.nodes) writeNode(w, node)
  w.uint(graph.inputs.length)
  for (const { name, tensor, lo, bits } of graph.inputs) {
    w.text(name)
    w.uint(tensor)
    w.int(lo)
    w.uint(bits)
  }
  w.uint(graph.outputs.length)
  for (const { name, tensor } of graph.outputs) {
    w.text(name)
    w.uint(tensor)
  }
  return w.bytes()
}

function writeNode(w: ByteWriter, node: IntNode): void {
  w.byte(kinds.indexOf(node.kind))
  w.uint(node.out)
  w.text(node.origin.name)
  w.text(node.origin.operator)
  switch (node.kind) {
    case "input":
      w.text(node.name)
      break
    case "index":
      w.uints(node.sources)
      w.int(node.fill)
      w.deltas(node.map)
      break
    case "linear":
      w.uint(node.terms.length)
      for (const { source, map } of node.terms) {
        w.uint(source)
        writeMap(w, map)
      }
      w.byte(node.bias ? 1 : 0)
      if (node.bias) w.ints(node.bias)
      break
    case "max":
    case "argmax":
      w.uint(node.source)
      w.uint(node.window)
      if (node.kind === "argmax") w.byte(node.last ? 1 : 0)
      w.deltas(node.map)
      break
    case "product":
      w.uint(node.left)
      w.uint(node.right)
      break
    case "rescale":
      w.uint(node.source)
      w.uint(node.shift)
      w.int(node.lo)
      w.uint(node.bits)
      break
    case "table":
      w.uint(node.source)
      w.int(node.lo)
      w.deltas(node.values)
  }
}

function writeMap(w: ByteWriter, map: LinearMap): void {
  w.byte(mapKinds.indexOf(map.kind))
  switch (map.kind) {
    case "dense":
      for (const x of [map.n, map.k, map.m]) w.uint(x)
      w.ints(map.weight)
      break
    case "conv":
      for (const x of [map.n, map.groups, map.inChannels, map.outChannels]) w.uint(x)
      for (const list of [map.inSize, map.kernel, map.outSize, map.strides]) w.uints(list)
      w.ints(map.padsBegin)
      w.uints(map.dilations)
      w.ints(map.weight)
      break
    case "sparse":
      w.uint(map.rowPtr.length - 1)
      for (let i = 1; i < map.rowPtr.length; i++) w.uint(map.rowPtr[i] - map.rowPtr[i - 1])
      w.deltas(map.columns)
      w.ints(map.values)
  }
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
  if (given !== 1 && given !== 2) r.fail("unknown version", "1 or 2", String(given))
  const name = r.text()
  const precision = r.uint()
  const infos = r.list(() => ({ name: r.text(), shape: r.uints(), scale: r.float() }))
  const nodes = r.list(() => readNode(r))
  const inputs = r.list(() => ({ name: r.text(), tensor: r.uint(), lo: r.int(), bits: r.uint() }))
  const outputs = r.list(() => ({ name: r.text(), tensor: r.uint() }))
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
  const graph = { name, precision, tensors, nodes, inputs, outputs }
  const canonical = serialize(graph)
  if (canonical.length !== bytes.length || canonical.some((byte, i) => byte !== bytes[i]))
    r.fail("not the canonical encoding")
  return graph
}

function readNode(r: ByteReader): IntNode {
  const kind = kinds[r.byte()]
  const out = r.uint()
  const origin: Origin = { name: r.text(), operator: r.text() }
  switch (kind) {
    case "input":
      return { kind, out, origin, name: r.text() }
    case "index":
      return { kind, out, origin, sources: r.uints(), fill: r.int(), map: readIndices(r) }
    case "linear": {
      const terms = r.list(() => ({ source: r.uint(), map: readMap(r) }))
      return r.flag() ? { kind, out, origin, terms, bias: r.ints() } : { kind, out, origin, terms }
    }
    case "max":
      return { kind, out, origin, source: r.uint(), window: r.uint(), map: readIndices(r) }
    case "argmax": {
      const [source, window, last] = [r.uint(), r.uint(), r.flag()]
      return { kind, out, origin, source, window, last, map: readIndices(r) }
    }
    case "product":
      return { kind, out, origin, left: r.uint(), right: r.uint() }
    case "rescale":
      return { kind, out, origin, source: r.uint(), shift: r.uint(), lo: r.int(), bits: r.uint() }
    case "table":
      return { kind, out, origin, source: r.uint(), lo: r.int(), values: r.deltas() }
    default:
      return r.fail("unknown kind of node")
  }
}

/** Largest index that signed and unsigned arrays hold. */
const maxIndex = 2 ** 31 - 1
const readIndices = (r: ByteReader): Int32Array => Int32Array.from(r.deltas(-1, maxIndex))

function readMap(r: ByteReader): LinearMap {
  const kind = mapKinds[r.byte()]
  switch (kind) {
    case "dense":
      return { kind, n: r.uint(), k: r.uint(), m: r.uint(), weight: r.ints() }
    case "conv": {
      const [n, groups, inChannels, outChannels] = [r.uint(), r.uint(), r.uint(), r.uint()]
      const [inSize, kernel, outSize, strides] = [r.uints(), r.uints(), r.uints(), r.uints()]
      const padsBegin = [...r.ints()]
      const dilations = r.uints()
      return {
        kind,
        n,
        groups,
        inChannels,
        outChannels,
        inSize,
        kernel,
        outSize,
        strides,
        padsBegin,
        dilations,
        weight: r.ints(),
      }
    }
    case "sparse": {
      const lengths = r.uints()
      const rowPtr = new Uint32Array(lengths.length + 1)
      let end = 0
      lengths.forEach((length, row) => {
        end += length
        if (end > maxIndex) r.fail("a row is too long")
        rowPtr[row + 1] = end
      })
      return { kind, rowPtr, columns: Uint32Array.from(r.deltas(0, maxIndex)), values: r.ints() }
    }
    default:
      return r.fail("unknown kind of linear map")
  }
}

/** keccak256 of the canonical bytes, as 0x-prefixed hex: the name of an integer model. */
export const modelDigest = (graph: IntGraph): `0x${string}` => `0x${bytesToHex(keccak_256(serialize(graph)))}`
