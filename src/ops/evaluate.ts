/**
 * The slow reference that stays for ever: plain loops over the primitives in double precision, for real
 * programs and integer ones. Integer programs keep every partial sum below 2^52 (quantize/integers/bounds.ts), so there it is
 * exact; quantize/integers/exact.ts says so.
 */
import { InputError, invariant } from "../errors.js"
import { functionOf, roundHalfEven } from "./formula.js"
import { applyMap } from "./linearmap.js"
import {
  compared,
  depthOf,
  type IntNode,
  type PerKind,
  perKind,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "./program.js"

/** What evaluation needs of a Program or an IntGraph. */
export interface Evaluable {
  readonly tensors: readonly TensorInfo[]
  readonly nodes: readonly (RealNode | IntNode)[]
}

/**
 * Values of every tensor, flat row-major.
 * @throws InputError when an input is missing or has the wrong number of elements
 */
export function evaluate(
  program: Evaluable,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Map<TensorId, Float64Array> {
  const values = new Map<TensorId, Float64Array>()
  const read = (id: TensorId): Float64Array => {
    const data = values.get(id)
    invariant(data, `tensor ${id} is read before it is written`)
    return data
  }
  for (const node of program.nodes) {
    const out = new Float64Array(sizeOf(program.tensors[node.out].shape))
    evaluateNode(node, out, read, inputs)
    values.set(node.out, out)
  }
  return values
}

/** Writes the elements of one node's output, which are zero before. @throws InputError as `evaluate` does */
export const evaluateNode = (
  node: RealNode | IntNode,
  out: Float64Array,
  read: (id: TensorId) => Float64Array,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): void => perKind(evaluation, node, out, read, inputs)

/** What nodes of each kind write. */
const evaluation: PerKind<
  RealNode | IntNode,
  [
    out: Float64Array,
    read: (id: TensorId) => Float64Array,
    inputs: Readonly<Record<string, ArrayLike<number>>>,
  ],
  void
> = {
  input(node, out, _, inputs) {
    const given = inputs[node.name]
    if (given?.length !== out.length) {
      throw new InputError({
        what: given ? "wrong number of values" : "missing",
        where: `input \`${node.name}\``,
        expected: `${out.length} values`,
        ...(given ? { given: `${given.length}` } : {}),
      })
    }
    out.set(given)
  },
  index(node, out, read) {
    const sources = node.sources.map(read)
    const data = sources.length === 1 ? sources[0] : concatenate(sources)
    for (let i = 0; i < out.length; i++) out[i] = node.map[i] < 0 ? node.fill : data[node.map[i]]
  },
  linear(node, out, read) {
    if (node.bias) out.set(node.bias)
    for (const { source, map } of node.terms) applyMap(map, read(source), out)
  },
  clamp(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(x[i], node.lo), node.hi)
  },
  round(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(roundHalfEven(x[i]), node.lo), node.hi)
  },
  step(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) out[i] = x[i] > 0 ? 1 : 0
  },
  compare(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) out[i] = compared(node, x[i], i)
  },
  function(node, out, read) {
    const x = read(node.source)
    const f = functionOf(node.formula)
    for (let i = 0; i < out.length; i++) out[i] = f(x[i])
  },
  table(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) {
      const y = node.values[x[i] - node.lo]
      invariant(y !== undefined, `${x[i]} is not in the table of ${node.origin.name}`)
      out[i] = y
    }
  },
  rescale(node, out, read) {
    const x = read(node.source)
    const divisor = 2 ** node.shift
    const hi = node.lo + 2 ** node.bits - 1
    for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(Math.floor(x[i] / divisor), node.lo), hi)
  },
  divide(node, out, read) {
    const [x, y] = [read(node.numerator), read(node.denominator)]
    for (let i = 0; i < out.length; i++) out[i] = x[i] / y[i]
  },
  root(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(x[i])
  },
  softmax(node, out, read) {
    const x = read(node.source)
    for (let start = 0; start < out.length; start += node.window) {
      const scores = x.subarray(start, start + node.window)
      const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
      let sum = 0
      for (const score of scores) sum += Math.exp(score - largest)
      for (const [j, score] of scores.entries()) out[start + j] = Math.exp(score - largest) / sum
    }
  },
  quotient(node, out, read) {
    const [x, y] = [read(node.numerator), read(node.denominator)]
    // exact: below 2^53, no quotient of doubles is rounded up to an integer
    for (let i = 0; i < out.length; i++) out[i] = Math.floor((2 * x[i] + y[i]) / (2 * y[i]))
  },
  below(node, out, read) {
    const [x, maximum] = [read(node.source), read(node.maximum)]
    const divisor = 2 ** node.shift
    for (let i = 0; i < out.length; i++) {
      const y = node.values[Math.floor((maximum[node.owner[i]] - x[i]) / divisor)]
      invariant(y !== undefined, `the values of ${node.origin.name} lack one`)
      out[i] = y
    }
  },
  isqrt(node, out, read) {
    const x = read(node.source)
    // exact: below 2^52, no root is rounded up to an integer
    for (let i = 0; i < out.length; i++) out[i] = Math.floor(Math.sqrt(x[i]))
  },
  max(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) {
      let best = Number.NEGATIVE_INFINITY
      for (let j = 0; j < node.window; j++) {
        const at = node.map[i * node.window + j]
        if (at >= 0 && x[at] > best) best = x[at]
      }
      out[i] = best
    }
  },
  argmax(node, out, read) {
    const x = read(node.source)
    for (let i = 0; i < out.length; i++) {
      let best = 0
      for (let j = 1; j < node.window; j++) {
        const [candidate, current] = [x[node.map[i * node.window + j]], x[node.map[i * node.window + best]]]
        if (candidate > current || (node.last && candidate === current)) best = j
      }
      out[i] = best
    }
  },
  rows(node, out, read) {
    const { lo, width, values } = node
    const depth = depthOf(node)
    for (const [i, x] of read(node.source).entries()) {
      const row = x < lo ? x - lo + depth : x - lo
      if (row >= 0 && row < depth && Number.isInteger(row))
        out.set(values.subarray(row * width, (row + 1) * width), i * width)
    }
  },
  top(node, out, read) {
    const { window, count, map, gives } = node
    const x = read(node.source)
    for (let first = 0, at = 0; first < map.length; first += window) {
      const order = Array.from({ length: window }, (_, j) => j)
      order.sort((i, j) => x[map[first + j]] - x[map[first + i]] || i - j)
      for (const j of order.slice(0, count)) out[at++] = gives === "values" ? x[map[first + j]] : j
    }
  },
  sort({ source, window, count, map }, out, read) {
    const x = read(source)
    for (let first = 0, at = 0; first < map.length; first += window, at += count + window) {
      const keys = Float64Array.from(map.subarray(first, first + window), (from) => x[from])
      const falling = keys.slice().sort().reverse()
      out.set(falling.subarray(0, count), at)
      for (let j = 0; j < window; j++) out[at + count + j] = keys[j] >= falling[count - 1] ? 1 : 0
    }
  },
  product(node, out, read) {
    const [x, y] = [read(node.left), read(node.right)]
    for (let i = 0; i < out.length; i++) out[i] = x[i] * y[i]
  },
  contraction(node, out, read) {
    const { batch, m, k, n } = node
    const [x, y] = [read(node.left), read(node.right)]
    // row by row of the right side: neighbours are neighbours in memory
    for (let row = 0; row < batch * m; row++) {
      const base = Math.floor(row / m) * k
      for (let inner = 0; inner < k; inner++) {
        const factor = x[row * k + inner]
        for (let j = 0; j < n; j++) out[row * n + j] += factor * y[(base + inner) * n + j]
      }
    }
  },
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
