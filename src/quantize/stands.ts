/** Which integer tensors stand for which real ones: what a comparison of both models, node by node, begins with. */
import type { IntNode, Program, TensorId } from "../ops/program.js"
import type { IntGraph } from "./integers/intgraph.js"

/** Integer tensors of a real one: as wide as it is, in w bits, or both. */
export type Stands = ReadonlyMap<TensorId, readonly TensorId[]>

/** An integer model, and what stands for what in it. */
export interface Quantized {
  readonly graph: IntGraph
  readonly stands: Stands
}

/** A program of which samples have shown the ranges: integers of any precision follow without them. */
export interface Calibrated {
  /** The program as it is quantized: rewritten, of the same outputs. */
  readonly program: Program
  at(precision: number): Quantized
}

/** The same of a graph that has these nodes and is numbered by them. */
export function standing(
  nodes: readonly IntNode[],
  maps: readonly ReadonlyMap<TensorId, TensorId>[],
): Stands {
  const ids = new Map(nodes.map(({ out }, i) => [out, i]))
  const stands = new Map<TensorId, TensorId[]>()
  for (const map of maps)
    for (const [real, made] of map) {
      const id = ids.get(made)
      if (id === undefined) continue
      const others = stands.get(real) ?? []
      if (!others.includes(id)) stands.set(real, [...others, id])
    }
  return stands
}
