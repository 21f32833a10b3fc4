/**
 * Is a decoded integer graph well formed? Asked of every file, before anything reads it. How large its numbers may be
 * is asked with the bounds.
 */
import type { Budget } from "../budget.js"
import { defaults } from "../defaults.js"
import type { IntNode, LinearMap, TensorId, TensorInfo } from "../ops/program.js"
import { sizeOf } from "../ops/program.js"
import { sourcesOf } from "./bounds.js"
import { tableOutput } from "./intgraph.js"

interface Structure {
  readonly precision: number
  readonly tensors: readonly (TensorInfo & { readonly scale: number })[]
  readonly nodes: readonly IntNode[]
  readonly inputs: readonly { name: string; tensor: TensorId; lo: number; bits: number }[]
  readonly outputs: readonly { name: string; tensor: TensorId }[]
}

const isInteger = (x: number) => Number.isSafeInteger(x)

/** Largest rank of a tensor. */
const maxRank = 32
/** Largest stride, dilation and padding: positions stay exact. */
const maxStep = 2 ** 24

/** Numbers that are held of an element: two bounds, and what planning and linking take. */
const heldPerElement = 8
/** Steps of bounds for an element of a tensor, and for a product of a linear map. */
const workPerElement = 32
const workPerProduct = 8

/**
 * The first thing wrong with a graph's structure, or undefined. Bounds are checked elsewhere, and what they take is
 * charged here, before anything has the size that a file says.
 */
export function findFault(graph: Structure, budget: Budget): string | undefined {
  const { precision, tensors, nodes, inputs, outputs } = graph
  if (!(isInteger(precision) && precision >= defaults.minPrecision && precision <= defaults.maxPrecision))
    return "the precision"
  for (const [i, { shape, scale }] of tensors.entries()) {
    if (!(scale > 0 && Number.isFinite(scale))) return `scale of tensor ${i}`
    if (shape.length > maxRank || !shape.every((d) => isInteger(d) && d >= 1) || !isInteger(sizeOf(shape)))
      return `shape of tensor ${i}`
    budget.elements(heldPerElement * sizeOf(shape), `tensor ${i}`)
    budget.work(workPerElement * sizeOf(shape), `tensor ${i}`)
  }
  const size = (id: TensorId) => sizeOf(tensors[id].shape)
  const written = new Set<TensorId>()
  const inputNodes = new Set<TensorId>()
  const declared = new Map(inputs.map((input) => [input.tensor, input]))
  if (declared.size !== inputs.length || new Set(inputs.map((input) => input.name)).size !== inputs.length)
    return "an input declared twice"
  for (const [i, node] of nodes.entries()) {
    if (!sourcesOf(node).every((id) => written.has(id))) return `a source of node ${i}`
    if (!(node.out < tensors.length) || written.has(node.out)) return `the output of node ${i}`
    const fault = nodeFault(node, size, precision)
    if (fault) return `${fault} of node ${i}`
    budget.momentary(transientOf(node, size), `node ${i}`)
    budget.work(workOf(node, size), `node ${i}`)
    if (node.kind === "input") {
      const input = declared.get(node.out)
      if (input?.name !== node.name) return `the name of input node ${i}`
      inputNodes.add(node.out)
    }
    written.add(node.out)
  }
  for (const { tensor, lo, bits } of inputs) {
    if (!inputNodes.has(tensor)) return "an input without a node"
    if (!isInteger(lo) || !(bits >= 1 && bits <= 32)) return "the range of an input"
  }
  if (written.size !== tensors.length) return "a tensor that no node writes"
  if (inputNodes.size !== inputs.length) return "an input node not declared"
  if (!outputs.length || !outputs.every(({ tensor }) => written.has(tensor))) return "an output"
  if (new Set(outputs.map((output) => output.name)).size !== outputs.length) return "an output declared twice"
  return undefined
}

/** Numbers that bounds of a node take beside its sources and its output. */
function transientOf(node: IntNode, size: (id: TensorId) => number): number {
  if (node.kind === "index") return 2 * node.sources.reduce((sum, id) => sum + size(id), 0)
  if (node.kind !== "linear") return 0
  // magnitude, centre and radius of the sources, their results, and the magnitudes of weights
  const held = node.terms.map(({ source, map }) => 3 * size(source) + heldBy(map))
  return held.reduce((sum, x) => sum + x, 4 * size(node.out))
}

function heldBy(map: LinearMap): number {
  if (map.kind === "sparse") return map.values.length
  // a convolution's taps, twice while they are found
  return map.weight.length + (map.kind === "conv" ? 4 * sizeOf(map.outSize) * sizeOf(map.kernel) : 0)
}

function workOf(node: IntNode, size: (id: TensorId) => number): number {
  if (node.kind === "index") return 4 * node.sources.reduce((sum, id) => sum + size(id), 0)
  if (node.kind !== "linear") return 0
  const works = node.terms.map(
    ({ source, map }) => workPerElement * size(source) + workPerProduct * products(map),
  )
  return works.reduce((sum, x) => sum + x, 0)
}

/** Multiplications of a linear map, those outside of the input included. */
function products(map: LinearMap): number {
  if (map.kind === "sparse") return map.values.length
  if (map.kind === "dense") return map.n * map.k * map.m
  return map.n * sizeOf(map.outSize) * map.weight.length
}

function nodeFault(node: IntNode, size: (id: TensorId) => number, precision: number): string | undefined {
  const out = size(node.out)
  switch (node.kind) {
    case "input":
      return undefined
    case "index": {
      const total = node.sources.reduce((n, id) => n + size(id), 0)
      if (node.map.length !== out) return "the index map length"
      if (!isInteger(node.fill)) return "the fill"
      return node.map.every((from) => from >= -1 && from < total) ? undefined : "the index map"
    }
    case "linear": {
      if (node.bias && (node.bias.length !== out || !node.bias.every(isInteger))) return "the bias"
      for (const { source, map } of node.terms) {
        const fault = mapFault(map, size(source), out)
        if (fault) return fault
      }
      return undefined
    }
    case "max":
    case "argmax": {
      const { map, window } = node
      if (!(window >= 1) || map.length !== out * window) return "the window"
      const from = size(node.source)
      // only a maximum may have padding
      const least = node.kind === "max" ? -1 : 0
      if (!map.every((element) => element >= least && element < from)) return "the window map"
      for (let i = 0; i < out; i++)
        if (map.subarray(i * window, (i + 1) * window).every((from) => from === -1)) return "an empty window"
      return undefined
    }
    case "product":
      return size(node.left) === out && size(node.right) === out ? undefined : "the operand sizes"
    case "rescale": {
      if (size(node.source) !== out) return "the source size"
      if (!(node.shift >= 1 && node.shift <= 52)) return "the shift"
      return node.bits >= 1 && node.bits <= 32 && isInteger(node.lo) ? undefined : "the range"
    }
    case "table": {
      if (size(node.source) !== out) return "the source size"
      // both sides of a table are activations; that every entry is reachable is checked with the bounds
      const { lo, values } = node
      if (!isInteger(lo) || !(values.length >= 1 && values.length <= 2 ** precision)) return "the table size"
      if (!values.every(isInteger)) return "a table entry"
      return tableOutput(node).bits <= precision ? undefined : "the range of a table"
    }
  }
}

function mapFault(map: LinearMap, from: number, to: number): string | undefined {
  switch (map.kind) {
    case "dense": {
      const { n, k, m, weight } = map
      if (n * k !== from || n * m !== to || m * k !== weight.length) return "the dense map sizes"
      return weight.every(isInteger) ? undefined : "a weight"
    }
    case "conv": {
      const { n, groups, inChannels, outChannels, inSize, kernel, outSize, weight } = map
      const rank = inSize.length
      const lists = [kernel, outSize, map.strides, map.padsBegin, map.dilations]
      if (lists.some((list) => list.length !== rank)) return "the convolution rank"
      if (!(groups >= 1) || inChannels % groups !== 0 || outChannels % groups !== 0) return "the groups"
      if (kernel.some((x) => x < 1) || sizeOf(kernel) > weight.length) return "the convolution geometry"
      if (![...map.strides, ...map.dilations].every((x) => x >= 1 && x <= maxStep))
        return "the convolution geometry"
      if (!map.padsBegin.every((x) => Math.abs(x) <= maxStep)) return "the convolution geometry"
      if (n * inChannels * sizeOf(inSize) !== from || n * outChannels * sizeOf(outSize) !== to)
        return "the convolution sizes"
      if (weight.length !== outChannels * (inChannels / groups) * sizeOf(kernel)) return "the kernel size"
      return weight.every(isInteger) ? undefined : "a weight"
    }
    case "sparse": {
      const { rowPtr, columns, values } = map
      if (rowPtr.length !== to + 1 || rowPtr[0] !== 0 || rowPtr[to] !== columns.length)
        return "the row pointers"
      for (let i = 0; i < to; i++) if (rowPtr[i] > rowPtr[i + 1]) return "the row pointers"
      if (values.length !== columns.length || !values.every(isInteger)) return "a weight"
      return columns.every((column) => column < from) ? undefined : "a column"
    }
  }
}
