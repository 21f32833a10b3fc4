/**
 * The integer model once more, from the definitions in `ops/program.ts` and in integers without limit: no double,
 * no bound, no loop shared with `ops/evaluate.ts`. Slow, and here for ever: `audit` and the tests compare the fast
 * evaluation and the circuit with it.
 */
import { InvariantError, invariant } from "../errors.js"
import { type LinearMap, sizeOf, type TensorId } from "../ops/program.js"
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
    const each = (f: (i: number) => bigint): void => {
      values[node.out] = Array.from({ length: size }, (_, i) => f(i))
    }
    switch (node.kind) {
      case "input":
        each((i) => BigInt(inputs[node.name][i]))
        break
      case "index": {
        const all = node.sources.flatMap(read)
        each((i) => (node.map[i] < 0 ? BigInt(node.fill) : all[node.map[i]]))
        break
      }
      case "linear": {
        const sums = Array.from({ length: size }, (_, i) => BigInt(node.bias?.[i] ?? 0))
        for (const { source, map } of node.terms) addMap(map, read(source), sums)
        values[node.out] = sums
        break
      }
      case "product":
        each((i) => read(node.left)[i] * read(node.right)[i])
        break
      case "rescale": {
        const [least, most] = [BigInt(node.lo), BigInt(node.lo) + (1n << BigInt(node.bits)) - 1n]
        each((i) => {
          // a shift of a BigInt is the floor of a division by a power of two
          const quotient = read(node.source)[i] >> BigInt(node.shift)
          if (quotient < least) return least
          return quotient > most ? most : quotient
        })
        break
      }
      case "table":
        each((i) => {
          const y = node.values[Number(read(node.source)[i] - BigInt(node.lo))]
          invariant(y !== undefined, `the table of ${node.origin.name} lacks an entry`)
          return BigInt(y)
        })
        break
      case "max":
      case "argmax":
        each((i) => {
          let [best, position] = [undefined as bigint | undefined, 0n]
          for (let j = 0; j < node.window; j++) {
            const from = node.map[i * node.window + j]
            if (from < 0) continue
            const x = read(node.source)[from]
            const isBetter =
              best === undefined || x > best || (node.kind === "argmax" && node.last && x === best)
            if (isBetter) [best, position] = [x, BigInt(j)]
          }
          invariant(best !== undefined, `${node.origin.name} has an empty window`)
          return node.kind === "max" ? best : position
        })
        break
      default:
        throw new InvariantError(`no evaluation for ${(node as { kind: string }).kind}`)
    }
  }
  return values
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
