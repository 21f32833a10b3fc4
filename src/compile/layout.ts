/** The public side of an integer model, as the verification key carries it. */
import { documentIn } from "../attest/predicate.js"
import type { TensorId } from "../ops/program.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import type { Layout, OutputLayout, Visibility } from "../statement/layout.js"
import { ranksLayout } from "../statement/ranks.js"

/** Which operator the nodes of a predicate (predicate.ts) come from: no model file has it. */
export const predicateOperator = "Within"

/** The digest of the document that a model's first output is the predicate of, or null: the last node makes it. */
export function predicateIn({ outputs, nodes }: IntGraph): string | null {
  const [{ name, tensor }] = outputs
  const { out, origin } = nodes[nodes.length - 1]
  return out === tensor && origin.name === name && origin.operator === predicateOperator
    ? documentIn(name)
    : null
}

/** Names, shapes, scales and ranges of inputs and outputs. A predicate is public also where outputs are committed to. */
export function layoutOf(graph: IntGraph, input: Visibility, output: OutputLayout["visibility"]): Layout {
  const describe = ({ name, tensor }: { name: string; tensor: TensorId }) => {
    const { shape, scale } = graph.tensors[tensor]
    return { name, shape: [...shape], scale }
  }
  const range = (tensor: TensorId) => {
    const { lo, hi } = graph.tensors[tensor]
    const least = lo.reduce((a, b) => Math.min(a, b)) + 0 // never -0
    const most = hi.reduce((a, b) => Math.max(a, b))
    return { lo: least, bits: BigInt(most - least).toString(2).length }
  }
  const shown = predicateIn(graph) === null ? -1 : 0
  return {
    // an input has the range that is checked, which may be wider than its tensor's bounds
    inputs: graph.inputs.map((entry) => ({
      ...describe(entry),
      lo: entry.lo,
      bits: entry.bits,
      visibility: input,
      ...(entry.ranks && { ranks: ranksLayout(entry.ranks) }),
    })),
    outputs: graph.outputs.map((entry, i) => ({
      ...describe(entry),
      ...range(entry.tensor),
      visibility: i === shown ? "public" : output,
      ...(entry.labels && { labels: entry.labels }),
    })),
  }
}
