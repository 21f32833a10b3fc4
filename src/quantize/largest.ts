/**
 * The largest elements of windows in integers: keys that carry the position in their low bits are sorted once, and values
 * and positions are read off them. The key of x at position j of n is x·2^s + n − 1 − j with 2^s ≥ n: keys of a window
 * differ, and of equal elements the first has the largest key. So values are floor(key / 2^s), and positions what is left;
 * a window of [0, 2^s) is cut out of those, which changes nothing but what is known of them.
 */
import {
  type SortNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
  type TopNode,
  tieBits,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull } from "./integers/bounds.js"

/** Keys that were sorted: of which integers, and the `count` largest of each window. */
interface Sorted {
  readonly of: TensorId
  readonly node: Pick<TopNode, "window" | "map" | "count">
  readonly keys: TensorId
  readonly values: TensorId
}

/** Sorted keys of a model, so that values and positions share them. */
export class Largest {
  readonly #builder: IntBuilder
  readonly #infos: readonly TensorInfo[]
  readonly #ranges: readonly Range[]
  readonly #sorted: Sorted[] = []

  /** `infos` and `ranges`: of the real program's tensors. */
  constructor(builder: IntBuilder, infos: readonly TensorInfo[], ranges: readonly Range[]) {
    this.#builder = builder
    this.#infos = infos
    this.#ranges = ranges
  }

  /** Adds what a node gives of the integers of its source. Throws ModelError for keys beyond 52 bits. */
  add(node: TopNode, source: TensorId): TensorId {
    const [info, range] = [this.#infos[node.out], this.#ranges[node.out]]
    const { keys, values } = this.#find(node, source, info)
    if (node.gives === "values") return values
    const builder = this.#builder
    const { window, origin } = node
    const size = sizeOf(info.shape)
    const scaled = (factor: number) => diagonalMap(new Float64Array(size).fill(factor))
    // twice the position, since a rescale shifts by one bit at least
    const terms = [
      { source: keys, map: scaled(-2) },
      { source: values, map: scaled(2 ** (tieBits(window) + 1)) },
    ]
    const bias = new Float64Array(size).fill(2 * (window - 1))
    const all = { min: 0, max: window - 1, rms: window / 2 }
    const doubled = builder.add(
      { kind: "linear", terms, bias, origin },
      { ...info, name: `${info.name}:acc` },
      0.5,
      all,
    )
    const bits = Math.max(1, tieBits(window))
    return builder.add({ kind: "rescale", source: doubled, shift: 1, lo: 0, bits, origin }, info, 1, range)
  }

  #find(node: TopNode, of: TensorId, info: TensorInfo): Sorted {
    const known = this.#sorted.find(
      (other) =>
        other.of === of &&
        other.node.window === node.window &&
        other.node.count === node.count &&
        other.node.map.length === node.map.length &&
        other.node.map.every((from, i) => from === node.map[i]),
    )
    const made = known ?? this.#sort(node, of, info)
    if (!known) this.#sorted.push(made)
    return made
  }

  #sort(node: TopNode, of: TensorId, info: TensorInfo): Sorted {
    const builder = this.#builder
    const { window, count, map, origin } = node
    const s = tieBits(window)
    const windows = map.length / window
    const { scale } = builder.tensors[of]
    const range = builder.range(of)
    const named = (what: string, shape: readonly number[]) => ({ name: `${info.name}:${what}`, shape })
    const rowPtr = Uint32Array.from({ length: map.length + 1 }, (_, i) => i)
    const spread = {
      kind: "sparse",
      rowPtr,
      columns: Uint32Array.from(map),
      values: new Float64Array(map.length).fill(2 ** s),
    } as const
    const source = builder.add(
      {
        kind: "linear",
        terms: [{ source: of, map: spread }],
        bias: Float64Array.from(map, (_, i) => window - 1 - (i % window)),
        origin,
      },
      named("keys", [windows, window]),
      scale / 2 ** s,
      range,
    )
    const order: Omit<SortNode, "out"> = {
      kind: "sort",
      source,
      window,
      map: Int32Array.from(map, (_, i) => i),
      count,
      origin,
    }
    const sorted = builder.add(order, named("sorted", [windows, count + window]), scale / 2 ** s, range)
    const first = Int32Array.from(
      { length: windows * count },
      (_, i) => Math.floor(i / count) * (count + window) + (i % count),
    )
    const keys = builder.add(
      { kind: "index", sources: [sorted], map: first, fill: 0, origin },
      named("largest", info.shape),
      scale / 2 ** s,
      range,
    )
    const [least, most] = hull(builder.tensors[keys]).map((key) => Math.floor(key / 2 ** s))
    let bits = 1
    while (2 ** bits <= most - least) bits++
    const values = builder.add(
      { kind: "rescale", source: keys, shift: s, lo: least, bits, origin },
      named("values", info.shape),
      scale,
      range,
    )
    return { of, node, keys, values }
  }
}
