/**
 * The integer model once more, from the definitions in `ops/program.ts` and in integers without limit: no double,
 * no bound, no loop shared with `ops/evaluate.ts`. Slow, and here for ever: `audit` and the tests compare the fast
 * evaluation and the circuit with it.
 */
import { invariant } from "../../errors.js"
import {
  type ArgmaxNode,
  type IntNode,
  type LinearMap,
  type MaxNode,
  type PerKind,
  perKind,
  sizeOf,
  type TensorId,
} from "../../ops/program.js"
import type { IntGraph } from "./intgraph.js"

type Linear<Kind> = Extract<LinearMap, { kind: Kind }>

/** Integers of every tensor, by tensor id, flat row-major, for integers of the inputs by name. */
export function runExactly(
  graph: Pick<IntGraph, "tensors" | "nodes">,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): bigint[][] {
  const values: bigint[][] = []
  const read = (id: TensorId): readonly bigint[] => {
    const data = values[id]
    invariant(data, `tensor ${id} is read before it is written`)
    return data
  }
  for (const node of graph.nodes) {
    const size = sizeOf(graph.tensors[node.out].shape)
    values[node.out] = perKind(exactly, node, size, read, inputs)
  }
  return values
}

type Read = (id: TensorId) => readonly bigint[]

const each = (size: number, f: (i: number) => bigint): bigint[] =>
  Array.from({ length: size }, (_, i) => f(i))

/** The elements of a node's output, of which there are `size`. */
const exactly: PerKind<
  IntNode,
  [size: number, read: Read, inputs: Readonly<Record<string, ArrayLike<number>>>],
  bigint[]
> = {
  input: (node, size, _, inputs) => each(size, (i) => BigInt(inputs[node.name][i])),
  index(node, size, read) {
    const all = node.sources.flatMap(read)
    return each(size, (i) => (node.map[i] < 0 ? BigInt(node.fill) : all[node.map[i]]))
  },
  linear(node, size, read) {
    const sums = each(size, (i) => BigInt(node.bias?.[i] ?? 0))
    for (const { source, map } of node.terms) addMap(map, read(source), sums)
    return sums
  },
  product: (node, size, read) => each(size, (i) => read(node.left)[i] * read(node.right)[i]),
  contraction: ({ left, right, m, k, n }, size, read) =>
    each(size, (i) => {
      const [column, row] = [i % n, Math.floor(i / n)]
      const first = Math.floor(row / m) * k
      return each(
        k,
        (inner) => read(left)[row * k + inner] * read(right)[(first + inner) * n + column],
      ).reduce((sum, term) => sum + term, 0n)
    }),
  rescale(node, size, read) {
    const [least, most] = [BigInt(node.lo), BigInt(node.lo) + (1n << BigInt(node.bits)) - 1n]
    return each(size, (i) => {
      // a shift of a BigInt is the floor of a division by a power of two
      const quotient = read(node.source)[i] >> BigInt(node.shift)
      if (quotient < least) return least
      return quotient > most ? most : quotient
    })
  },
  table: (node, size, read) =>
    each(size, (i) => {
      const y = node.values[Number(read(node.source)[i] - BigInt(node.lo))]
      invariant(y !== undefined, `the table of ${node.origin.name} lacks an entry`)
      return BigInt(y)
    }),
  quotient: (node, size, read) =>
    each(size, (i) => {
      const [x, y] = [read(node.numerator)[i], read(node.denominator)[i]]
      invariant(y > 0n, `${node.origin.name} divides by ${y}`)
      return floorOf(2n * x + y, 2n * y)
    }),
  below: (node, size, read) =>
    each(size, (i) => {
      const distance = read(node.maximum)[node.owner[i]] - read(node.source)[i]
      const y = node.values[Number(distance >> BigInt(node.shift))]
      invariant(y !== undefined, `the values of ${node.origin.name} lack one`)
      return BigInt(y)
    }),
  isqrt: (node, size, read) => each(size, (i) => rootOf(read(node.source)[i])),
  rows: ({ source, lo, width, values, origin }, size, read) =>
    each(size, (i) => {
      const row = Number(read(source)[Math.floor(i / width)] - BigInt(lo))
      const y = row < 0 ? undefined : values[row * width + (i % width)]
      invariant(y !== undefined, `the table of ${origin.name} lacks a row`)
      return BigInt(y)
    }),
  sort({ source, window, count, map }, _, read) {
    const windows = Array.from({ length: map.length / window }, (_w, w) =>
      each(window, (j) => read(source)[map[w * window + j]]),
    )
    return windows.flatMap((keys) => {
      // by counting: the key with so many larger ones has that place
      const place = (key: bigint) => keys.filter((other) => other > key).length
      const falling = each(count, () => 0n)
      for (const key of keys) if (place(key) < count) falling[place(key)] = key
      return [...falling, ...keys.map((key) => (place(key) < count ? 1n : 0n))]
    })
  },
  max: (node, size, read) => each(size, (i) => best(node, read(node.source), i).value),
  argmax: (node, size, read) => each(size, (i) => best(node, read(node.source), i).position),
}

/** The largest integer that is no more than x / y, for y > 0. */
const floorOf = (x: bigint, y: bigint): bigint => (x - (((x % y) + y) % y)) / y

/** The largest integer whose square is no more than x: Heron's steps fall from above until they are there. */
function rootOf(x: bigint): bigint {
  invariant(x >= 0n, `a root of ${x}`)
  let root = x
  for (let next = (x + 1n) / 2n; next < root; next = (root + x / root) / 2n) root = next
  return root
}

/** The largest value in window i, and where in the window it stands. */
function best(node: MaxNode | ArgmaxNode, source: readonly bigint[], i: number) {
  let found: { value: bigint; position: bigint } | undefined
  for (let j = 0; j < node.window; j++) {
    const from = node.map[i * node.window + j]
    if (from < 0) continue
    const value = source[from]
    const isTaken = node.kind === "argmax" && node.last && value === found?.value
    if (found === undefined || value > found.value || isTaken) found = { value, position: BigInt(j) }
  }
  invariant(found !== undefined, `${node.origin.name} has an empty window`)
  return found
}

/** y += map(x). */
function addMap(map: LinearMap, x: readonly bigint[], y: bigint[]): void {
  if (map.kind === "dense") addDense(map, x, y)
  else if (map.kind === "conv") addConv(map, x, y)
  else {
    for (let i = 0; i < y.length; i++)
      for (let j = map.rowPtr[i]; j < map.rowPtr[i + 1]; j++)
        y[i] += BigInt(map.values[j]) * x[map.columns[j]]
  }
}

function addDense({ weight, n, k, m }: Linear<"dense">, x: readonly bigint[], y: bigint[]): void {
  const weights = Array.from(weight, BigInt)
  for (let row = 0; row < n; row++)
    for (let out = 0; out < m; out++)
      for (let inner = 0; inner < k; inner++)
        y[row * m + out] += weights[out * k + inner] * x[row * k + inner]
}

/** Positions in a box of `size`, row-major. */
function* positions(size: readonly number[]): Generator<number[]> {
  if (size.length === 0) yield []
  else for (let at = 0; at < size[0]; at++) for (const rest of positions(size.slice(1))) yield [at, ...rest]
}

/** Index of a position in a box, row-major; −1 outside. */
const indexIn = (size: readonly number[], position: readonly number[]): number =>
  position.reduce(
    (index, at, axis) => (index < 0 || at < 0 || at >= size[axis] ? -1 : index * size[axis] + at),
    0,
  )

/** y[n, c, o] += Σ over channels of the group and taps t of weight[c, channel, t] · x[n, channel, o·stride − pad + t·dilation]. */
function addConv(map: Linear<"conv">, x: readonly bigint[], y: bigint[]): void {
  const { n, groups, inChannels, outChannels, inSize, kernel, outSize, strides, padsBegin, dilations } = map
  const weights = Array.from(map.weight, BigInt)
  const [inArea, taps, outArea] = [inSize, kernel, outSize].map(sizeOf)
  const [perGroupIn, perGroupOut] = [inChannels / groups, outChannels / groups]
  const tapPositions = [...positions(kernel)]
  for (const [o, at] of [...positions(outSize)].entries()) {
    // the same for every channel: what each tap reads
    const reads = tapPositions.map((tap) =>
      indexIn(
        inSize,
        tap.map((t, axis) => at[axis] * strides[axis] - padsBegin[axis] + t * dilations[axis]),
      ),
    )
    for (let batch = 0; batch < n; batch++) {
      for (let out = 0; out < outChannels; out++) {
        const firstIn = batch * inChannels + Math.floor(out / perGroupOut) * perGroupIn
        let sum = 0n
        for (let channel = 0; channel < perGroupIn; channel++) {
          const [weight, input] = [(out * perGroupIn + channel) * taps, (firstIn + channel) * inArea]
          for (let t = 0; t < taps; t++) if (reads[t] >= 0) sum += weights[weight + t] * x[input + reads[t]]
        }
        y[(batch * outChannels + out) * outArea + o] += sum
      }
    }
  }
}
