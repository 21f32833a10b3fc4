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
 * The version is the least that has every kind of node in the graph.
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
import { graphBounds } from "./bounds.js"
import { ByteReader, ByteWriter } from "./bytes.js"
import type { IntGraph, IntTensor } from "./intgraph.js"
import { readNode, versionOf, versions, writeNode } from "./nodes.js"
import { findFault } from "./validate.js"

const magic = "CSIM"

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
  if (!versions.includes(given)) r.fail("unknown version", versions.join(" or "), String(given))
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

/** keccak256 of the canonical bytes, as 0x-prefixed hex: the name of an integer model. */
export const modelDigest = (graph: IntGraph): `0x${string}` => `0x${bytesToHex(keccak_256(serialize(graph)))}`
