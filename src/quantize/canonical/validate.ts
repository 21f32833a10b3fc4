/**
 * Is a decoded integer graph well formed? Asked of every file, before anything reads it. How large its numbers may be
 * is asked with the bounds.
 */
import type { Budget } from "../../budget.js"
import { defaults } from "../../defaults.js"
import { productsOf, weightCount } from "../../ops/linearmap.js"
import {
  type ArgmaxNode,
  type IntNode,
  keysDiffer,
  type LinearMap,
  type MaxNode,
  type PerKind,
  perKind,
  productsIn,
  type Secret,
  sizeOf,
  type TensorId,
  type TensorInfo,
  type Window,
} from "../../ops/program.js"
import { sourcesOf } from "../../ops/traversal.js"
import { type Labels, labelsFault } from "../../statement/labels.js"
import { edgesFault, maxEdges, type Ranks, rankBits } from "../../statement/ranks.js"
import { tableOutput } from "../integers/intgraph.js"

interface Structure {
  readonly precision: number
  readonly tensors: readonly (TensorInfo & { readonly scale: number })[]
  readonly nodes: readonly IntNode[]
  readonly inputs: readonly { name: string; tensor: TensorId; lo: number; bits: number; ranks?: Ranks }[]
  readonly outputs: readonly { name: string; tensor: TensorId; labels?: Labels }[]
}

const isInteger = (x: number) => Number.isSafeInteger(x)

/** Largest rank of a tensor. */
const maxRank = 32
/** Largest stride, dilation and padding: positions stay exact. */
const maxStep = 2 ** 24

/** Bits of the quotients that a function of the distance from a maximum is given for. */
const maxStepBits = 14

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
  const written = new Map<TensorId, IntNode>()
  const inputNodes = new Set<TensorId>()
  const declared = new Map(inputs.map((input) => [input.tensor, input]))
  if (declared.size !== inputs.length || new Set(inputs.map((input) => input.name)).size !== inputs.length)
    return "an input declared twice"
  for (const [i, node] of nodes.entries()) {
    if (!sourcesOf(node).every((id) => written.has(id))) return `a source of node ${i}`
    if (!(node.out < tensors.length) || written.has(node.out)) return `the output of node ${i}`
    const check = checkOf(node)
    const fault = check.fault(node, size, precision, (id) => written.get(id))
    if (fault) return `${fault} of node ${i}`
    budget.momentary(check.held(node, size), `node ${i}`)
    budget.work(check.work(node, size), `node ${i}`)
    if (node.kind === "input") {
      const input = declared.get(node.out)
      if (input?.name !== node.name) return `the name of input node ${i}`
      inputNodes.add(node.out)
    }
    written.set(node.out, node)
  }
  for (const { tensor, lo, bits, ranks } of inputs) {
    if (!inputNodes.has(tensor)) return "an input without a node"
    if (!isInteger(lo) || !(bits >= 1 && bits <= 32)) return "the range of an input"
    if (!ranks) continue
    if (ranks.edges.length !== size(tensor) || total(ranks.edges, ({ length }) => length) > maxEdges)
      return "the number of edges"
    for (const edges of ranks.edges) if (edgesFault(edges, ranks.type)) return "an edge"
    if (lo !== 0 || bits !== rankBits(ranks) || tensors[tensor].scale !== 1) return "the range of ranks"
  }
  if (written.size !== tensors.length) return "a tensor that no node writes"
  if (inputNodes.size !== inputs.length) return "an input node not declared"
  if (!outputs.length || !outputs.every(({ tensor }) => written.has(tensor))) return "an output"
  if (new Set(outputs.map((output) => output.name)).size !== outputs.length) return "an output declared twice"
  for (const { tensor, labels } of outputs)
    if (labels && labelsFault(labels, tensors[tensor].shape)) return "the names of an output"
  return undefined
}

type Size = (id: TensorId) => number

/** What is asked of a node of a kind. */
interface Check<N extends IntNode> {
  /** What is wrong with it, if anything. */
  fault(
    node: N,
    size: Size,
    precision: number,
    made: (id: TensorId) => IntNode | undefined,
  ): string | undefined
  /** Numbers that its bounds take beside its sources and its output, and steps beside those of its elements. */
  held(node: N, size: Size): number
  work(node: N, size: Size): number
}

/** For kinds whose bounds take no more than their elements. */
const elementwise = { held: () => 0, work: () => 0 }

const total = <T>(list: readonly T[], count: (item: T) => number): number =>
  list.reduce((sum, item) => sum + count(item), 0)

const checks: { readonly [K in IntNode["kind"]]: Check<Extract<IntNode, { readonly kind: K }>> } = {
  input: { fault: () => undefined, ...elementwise },
  index: {
    fault({ out, sources, map, fill }, size) {
      const end = total(sources, size)
      if (map.length !== size(out)) return "the index map length"
      if (!isInteger(fill)) return "the fill"
      return map.every((from) => from >= -1 && from < end) ? undefined : "the index map"
    },
    held: ({ sources }, size) => 2 * total(sources, size),
    work: ({ sources }, size) => 4 * total(sources, size),
  },
  linear: {
    fault({ out, terms, bias, secret }, size) {
      if (bias && (bias.length !== size(out) || !bias.every(isInteger))) return "the bias"
      for (const [t, { source, map }] of terms.entries()) {
        const window = secret?.weights[t]
        const fault = perKind(mapFaults, map, size(source), size(out), window !== undefined)
        if (fault) return fault
        if (window && !isRange(window)) return "the range of weights"
      }
      return secret && secretFault(secret, size(out), bias)
    },
    // magnitude, centre and radius of the sources, their results, and the magnitudes of weights
    held: ({ out, terms }, size) =>
      4 * size(out) + total(terms, ({ source, map }) => 3 * size(source) + heldBy(map)),
    work: ({ terms }, size) =>
      total(terms, ({ source, map }) => workPerElement * size(source) + workPerProduct * productsOf(map)),
  },
  // only a maximum may have padding
  max: { fault: (node, size) => windowFault(node, size, -1), ...elementwise },
  argmax: { fault: (node, size) => windowFault(node, size, 0), ...elementwise },
  rows: {
    fault({ out, source, lo, width, values }, size) {
      if (!(width >= 1) || values.length === 0 || values.length % width !== 0) return "the width of a table"
      if (size(out) !== size(source) * width) return "the source size"
      // that every row is reachable is checked with the bounds
      return isInteger(lo) && values.every(isInteger) ? undefined : "a table entry"
    },
    held: ({ values }) => 2 * values.length,
    work: ({ values }) => 4 * values.length,
  },
  sort: {
    fault(node, size, _, made) {
      const { out, source, window, count, map } = node
      if (!(window >= 2) || map.length === 0 || map.length % window !== 0) return "the window"
      if (!(count >= 1 && count <= window)) return "the count"
      if (size(out) !== (map.length / window) * (count + window)) return "the size of its output"
      const from = size(source)
      if (!map.every((element) => element >= 0 && element < from)) return "the window map"
      return keysDiffer(node, made(source)) ? undefined : "keys that differ"
    },
    held: ({ map }) => 2 * map.length,
    work: ({ map }) => workPerElement * map.length,
  },
  product: {
    fault: ({ out, left, right }, size) =>
      size(left) === size(out) && size(right) === size(out) ? undefined : "the operand sizes",
    ...elementwise,
  },
  contraction: {
    fault({ out, left, right, batch, m, k, n }, size) {
      // sizes of tensors are at least 1 and exact, so no factor is zero
      if (size(left) !== batch * m * k || size(right) !== batch * k * n || size(out) !== batch * m * n)
        return "the sizes of a contraction"
      return Number.isSafeInteger(productsIn({ batch, m, k, n }))
        ? undefined
        : "the products of a contraction"
    },
    held: ({ out }, size) => size(out),
    work: (node) => workPerProduct * productsIn(node),
  },
  rescale: {
    fault({ out, source, shift, lo, bits }, size) {
      if (size(source) !== size(out)) return "the source size"
      if (!(shift >= 1 && shift <= 52)) return "the shift"
      return bits >= 1 && bits <= 32 && isInteger(lo) ? undefined : "the range"
    },
    ...elementwise,
  },
  quotient: {
    fault: ({ out, numerator, denominator }, size) =>
      size(numerator) === size(out) && size(denominator) === size(out) ? undefined : "the operand sizes",
    ...elementwise,
  },
  below: {
    fault(node, size, precision, made) {
      const { out, source, maximum, owner, shift, values } = node
      if (size(source) !== size(out) || owner.length !== size(out)) return "the source size"
      if (!(shift >= 1 && shift <= 52)) return "the shift"
      if (!(values.length >= 1 && values.length <= 2 ** maxStepBits)) return "the table size"
      if (!values.every(isInteger)) return "a table entry"
      if (tableOutput(node).bits > precision) return "the range of a table"
      const found = made(maximum)
      if (found?.kind !== "max" || found.source !== source) return "the maximum"
      return hasOwners(found, owner) ? undefined : "the window of an element"
    },
    held: ({ out }, size) => 4 * size(out),
    work: ({ out }, size) => 8 * size(out),
  },
  isqrt: {
    fault: ({ out, source }, size) => (size(source) === size(out) ? undefined : "the source size"),
    ...elementwise,
  },
  table: {
    fault(node, size, precision) {
      const { out, source, lo, values } = node
      if (size(source) !== size(out)) return "the source size"
      // both sides of a table are activations; that every entry is reachable is checked with the bounds
      if (!isInteger(lo) || !(values.length >= 1 && values.length <= 2 ** precision)) return "the table size"
      if (!values.every(isInteger)) return "a table entry"
      return tableOutput(node).bits <= precision ? undefined : "the range of a table"
    },
    ...elementwise,
  },
}

/** Whether each element is in the window of the maximum that it is compared with. */
function hasOwners({ map, window }: MaxNode, owner: Int32Array): boolean {
  const found = new Uint8Array(owner.length)
  for (const [j, element] of map.entries())
    if (element >= 0 && owner[element] === Math.floor(j / window)) found[element] = 1
  return found.every((one) => one === 1)
}

const checkOf = <N extends IntNode>(node: N): Check<N> => checks[node.kind] as unknown as Check<N>

function windowFault(
  { out, source, window, map }: MaxNode | ArgmaxNode,
  size: Size,
  least: number,
): string | undefined {
  if (!(window >= 1) || map.length !== size(out) * window) return "the window"
  const from = size(source)
  if (!map.every((element) => element >= least && element < from)) return "the window map"
  for (let i = 0; i < size(out); i++)
    if (map.subarray(i * window, (i + 1) * window).every((element) => element === -1))
      return "an empty window"
  return undefined
}

/** Bits of a secret weight or bias. */
const maxSecretBits = 40

const isRange = ({ lo, bits }: Window): boolean =>
  isInteger(lo) && bits >= 1 && bits <= maxSecretBits && Math.abs(lo) <= 2 ** maxSecretBits

/** What is wrong with the secrets of a node that has `size` results, if its maps are right. */
function secretFault({ weights, bias }: Secret, size: number, given: unknown): string | undefined {
  if (!bias) return weights.some((window) => window) ? undefined : "a node without secrets"
  if (given !== undefined) return "a bias that is secret"
  if (!isRange(bias)) return "the range of biases"
  const { count, inner } = bias
  const fits = count >= 1 && inner >= 1 && isInteger(count * inner) && size % (count * inner) === 0
  return fits ? undefined : "the number of biases"
}

/** Numbers that are made of a map: the magnitudes of its weights, and a convolution's taps, twice while they are found. */
const heldBy = (map: LinearMap): number =>
  weightCount(map) + (map.kind === "conv" ? 4 * sizeOf(map.outSize) * sizeOf(map.kernel) : 0)

/** What is wrong with a map that reads `from` elements and makes `to`. */
const mapFaults: PerKind<LinearMap, [from: number, to: number, isSecret: boolean], string | undefined> = {
  dense({ n, k, m, weight }, from, to, isSecret) {
    if (n * k !== from || n * m !== to || (isSecret ? 0 : m * k) !== weight.length)
      return "the dense map sizes"
    return weight.every(isInteger) ? undefined : "a weight"
  },
  conv(map, from, to, isSecret) {
    const { n, groups, inChannels, outChannels, inSize, kernel, outSize, weight } = map
    const rank = inSize.length
    const lists = [kernel, outSize, map.strides, map.padsBegin, map.dilations]
    if (lists.some((list) => list.length !== rank)) return "the convolution rank"
    if (!(groups >= 1) || inChannels % groups !== 0 || outChannels % groups !== 0) return "the groups"
    const weights = isSecret ? weightCount(map) : weight.length
    if (kernel.some((x) => x < 1) || sizeOf(kernel) > weights) return "the convolution geometry"
    if (![...map.strides, ...map.dilations].every((x) => x >= 1 && x <= maxStep))
      return "the convolution geometry"
    if (!map.padsBegin.every((x) => Math.abs(x) <= maxStep)) return "the convolution geometry"
    if (n * inChannels * sizeOf(inSize) !== from || n * outChannels * sizeOf(outSize) !== to)
      return "the convolution sizes"
    if (weight.length !== (isSecret ? 0 : weightCount(map))) return "the kernel size"
    return weight.every(isInteger) ? undefined : "a weight"
  },
  sparse({ rowPtr, columns, values }, from, to, isSecret) {
    if (rowPtr.length !== to + 1 || rowPtr[0] !== 0 || rowPtr[to] !== columns.length)
      return "the row pointers"
    for (let i = 0; i < to; i++) if (rowPtr[i] > rowPtr[i + 1]) return "the row pointers"
    if (values.length !== (isSecret ? 0 : columns.length) || !values.every(isInteger)) return "a weight"
    return columns.every((column) => column < from) ? undefined : "a column"
  },
}
