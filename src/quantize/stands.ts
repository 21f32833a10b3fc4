/** Which integer tensors stand for which real ones: what a comparison of both models, node by node, begins with. */
import type { IntNode, TensorId } from "../ops/program.js"

/** Integer tensors of a real one: as wide as it is, in w bits, or both. */
export type Stands = ReadonlyMap<TensorId, readonly TensorId[]>

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
