/**
 * A program or an integer model over a batch of samples, node by node: linear maps and contractions on a device, where
 * there is one that can, everything else in the plain loops of ops/evaluate.ts. All tensors are doubles, [samples, size].
 */
import { invariant } from "../../errors.js"
import { type Evaluable, evaluateNode } from "../../ops/evaluate.js"
import { applyMap, productsOf } from "../../ops/linearmap.js"
import { productsIn, sizeOf, type TensorId } from "../../ops/program.js"
import { sourcesOf } from "../../ops/traversal.js"
import type { Device } from "./device.js"
import { contractionOnDevice, type MapProduct, mapOnDevice } from "./products.js"

/** Values of each input by name, flat and row-major. */
export type Sample = Readonly<Record<string, ArrayLike<number>>>

/** What is run: a program over the reals, or an integer model, whose tensors have static bounds. */
export interface Runnable extends Evaluable {
  readonly tensors: readonly (Evaluable["tensors"][number] & {
    readonly lo?: Float64Array
    readonly hi?: Float64Array
  })[]
}

/** Tensors over a batch: `count` samples, each [count, size]. */
export interface Batch {
  readonly count: number
  readonly values: ReadonlyMap<TensorId, Float64Array>
}

/** Multiplications that running a program once takes. */
export function multiplicationsOf({ nodes }: Evaluable): number {
  let work = 0
  for (const node of nodes)
    if (node.kind === "linear") for (const { map } of node.terms) work += productsOf(map)
    else if (node.kind === "contraction") work += productsIn(node)
  return work
}

/** A program on a device, with its weights loaded; without one, in plain loops. */
export class Session {
  readonly #program: Runnable
  readonly #kept: ReadonlySet<TensorId>
  /** Tensors that nothing reads after a node. */
  readonly #ended: ReadonlyMap<number, readonly TensorId[]>
  readonly #maps = new Map<object, MapProduct>()
  readonly #contractions = new Map<object, NonNullable<ReturnType<typeof contractionOnDevice>>>()

  /** `kept`: the tensors that are wanted. */
  constructor(program: Runnable, kept: ReadonlySet<TensorId>, device?: Device, operandBits = 24) {
    this.#program = program
    this.#kept = kept
    this.#ended = endsOf(program, kept)
    try {
      if (device) this.#load(device, operandBits)
    } catch (error) {
      this.dispose()
      throw error
    }
  }

  #load(device: Device, operandBits: number): void {
    const { nodes, tensors } = this.#program
    const exactness = (ids: readonly TensorId[]) => {
      const bounds = ids.map((id) => tensors[id])
      if (bounds.some(({ lo, hi }) => !lo || !hi)) return undefined
      const mostOf = (which: "first" | "second") => {
        const { lo, hi } = bounds[which === "first" ? 0 : 1] as { lo: Float64Array; hi: Float64Array }
        return lo.map((least, i) => Math.max(-least, hi[i], 0))
      }
      return { operandBits, mostOf }
    }
    for (const node of nodes) {
      if (node.kind === "contraction") {
        const run = contractionOnDevice(device, node, exactness([node.left, node.right]))
        if (run) this.#contractions.set(node, run)
      }
      if (node.kind !== "linear") continue
      for (const term of node.terms) {
        const product = mapOnDevice(device, term.map, exactness([term.source]))
        if (product) this.#maps.set(term, product)
      }
    }
  }

  async run(samples: readonly Sample[]): Promise<Batch> {
    const count = samples.length
    const { nodes, tensors } = this.#program
    const values = new Map<TensorId, Float64Array>()
    const read = (id: TensorId): Float64Array => {
      const data = values.get(id)
      invariant(data, `tensor ${id} is read before it is written`)
      return data
    }
    for (const [index, node] of nodes.entries()) {
      const size = sizeOf(tensors[node.out].shape)
      let out = new Float64Array(count * size)
      const contraction = this.#contractions.get(node)
      if (contraction && node.kind === "contraction")
        out = (await contraction(read(node.left), read(node.right), count)) as typeof out
      else if (node.kind === "linear") {
        for (let i = 0; node.bias && i < count; i++) out.set(node.bias, i * size)
        for (const term of node.terms) {
          const [source, product] = [read(term.source), this.#maps.get(term)]
          if (product) await product.add(source, out, count)
          else
            for (let i = 0; i < count; i++)
              applyMap(term.map, part(source, i, count), out.subarray(i * size, (i + 1) * size))
        }
      } else
        for (let i = 0; i < count; i++)
          evaluateNode(
            node,
            out.subarray(i * size, (i + 1) * size),
            (id) => part(read(id), i, count),
            samples[i],
          )
      values.set(node.out, out)
      for (const id of this.#ended.get(index) ?? []) values.delete(id)
    }
    for (const id of values.keys()) if (!this.#kept.has(id)) values.delete(id)
    return { count, values }
  }

  dispose(): void {
    for (const product of this.#maps.values()) product.dispose()
    this.#maps.clear()
    this.#contractions.clear()
  }
}

/** One sample of a batch. */
export function part(values: Float64Array, i: number, count: number): Float64Array {
  const size = values.length / count
  return values.subarray(i * size, (i + 1) * size)
}

/** By the index of a node the tensors that are done with after it. */
function endsOf({ nodes }: Runnable, kept: ReadonlySet<TensorId>): Map<number, TensorId[]> {
  const last = new Map<TensorId, number>()
  for (const [index, node] of nodes.entries())
    for (const id of [...sourcesOf(node), node.out]) last.set(id, index)
  const ended = new Map<number, TensorId[]>()
  for (const [id, index] of last) if (!kept.has(id)) ended.set(index, [...(ended.get(index) ?? []), id])
  return ended
}

/** Elements of a batch that are held at once, and the most samples of one. */
const mostElements = 2 ** 22
const mostSamples = 64

/** Samples of a batch, so that what is held of it stays within a budget; at least one. */
export function batchSize(program: Runnable, kept: ReadonlySet<TensorId>): number {
  const ended = endsOf(program, kept)
  const size = (id: TensorId) => sizeOf(program.tensors[id].shape)
  let [held, most] = [0, 0]
  for (const [index, node] of program.nodes.entries()) {
    held += size(node.out)
    // what a device is given and gives back
    const copied =
      node.kind === "linear" || node.kind === "contraction"
        ? sourcesOf(node).reduce((n, id) => n + size(id), size(node.out))
        : 0
    most = Math.max(most, held + copied)
    for (const id of ended.get(index) ?? []) held -= size(id)
  }
  return Math.max(1, Math.min(mostSamples, Math.floor(mostElements / Math.max(1, most))))
}
