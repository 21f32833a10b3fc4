/** What each node costs: the table behind `countersign inspect` and the estimate before a compile. */
import type { IntNode, LinearMap } from "../ops/program.js"
import type { IntGraph } from "../quantize/intgraph.js"
import type { Circuit } from "./compile.js"
import { bitLength, gadgetKey } from "./gadgets.js"
import { NONE, type Plan } from "./plan.js"

export interface NodeReport {
  readonly name: string
  readonly operator: string
  readonly primitive: string
  /** Gadgets used, most frequent first, with counts. */
  readonly gadget: string
  /** Bits of the largest accumulator magnitude, sign included. */
  readonly accBits: number
  readonly lookups: number
  readonly constraints: number
}

/** Multiplications of a linear map, an upper bound of its non-zeros. */
const macs = (map: LinearMap): number => {
  if (map.kind === "sparse") return map.values.length
  if (map.kind === "dense") return map.n * map.k * map.m
  const outputs = map.outSize.reduce((x, y) => x * y, map.n * map.outChannels)
  return outputs * (map.inChannels / map.groups) * map.kernel.reduce((x, y) => x * y, 1)
}

/** Constraints (exact but for linear results that get wires) and non-zeros (approximate), before linking. */
export function estimate(graph: IntGraph, plan: Plan): { constraints: number; nonzeros: number } {
  let constraints = 1
  let nonzeros = 0
  for (const node of graph.nodes) {
    if (node.kind === "linear") for (const term of node.terms) nonzeros += macs(term.map)
    for (const use of plan.nodes.get(node)?.uses ?? []) {
      if (use === NONE) continue
      const { kind, parameters } = plan.uses[use]
      constraints += kind.cost(parameters)
      // a table is written into the rows of its gadget
      if (kind.scalars !== undefined) nonzeros += parameters.length
    }
  }
  for (const output of graph.outputs) constraints += graph.tensors[output.tensor].lo.length
  return { constraints, nonzeros: nonzeros + 4 * constraints }
}

/** One line per node of the integer model, and totals that add up to the whole circuit. */
export function inspect(circuit: Circuit): {
  nodes: NodeReport[]
  totals: { constraints: number; nonzeros: number; domain: number; wires: number }
} {
  const { graph, linked } = circuit
  const rows = new Map<IntNode, number>()
  const gadgets = new Map<IntNode, Map<string, number>>()
  for (const group of linked.groups) {
    const count = group.rowEnd - (group.firstRow[0] ?? group.rowEnd)
    rows.set(group.node, (rows.get(group.node) ?? 0) + count)
    const names = gadgets.get(group.node) ?? new Map<string, number>()
    const add = (name: string) => names.set(name, (names.get(name) ?? 0) + 1)
    group.base.forEach((base, i) => {
      const use = group.plan?.uses[i]
      if (use !== undefined && use !== NONE) add(gadgetKey(linked.stamps[use].gadget.use))
      else if (!group.plan && base !== NONE) add("wire")
    })
    gadgets.set(group.node, names)
  }
  const nodes: NodeReport[] = graph.nodes.map((node) => {
    const source = node.kind === "rescale" ? node.source : node.out
    const { lo, hi } = graph.tensors[source]
    let magnitude = 0
    for (let i = 0; i < lo.length; i++) magnitude = Math.max(magnitude, -lo[i], hi[i])
    const names = [...(gadgets.get(node) ?? [])].sort((x, y) => y[1] - x[1])
    return {
      name: node.origin.name,
      operator: node.origin.operator,
      primitive: node.kind,
      gadget: names.map(([name, count]) => `${name}×${count}`).join(" "),
      accBits: bitLength(Math.round(magnitude)) + 1,
      lookups: 0,
      constraints: rows.get(node) ?? 0,
    }
  })
  const outputs = graph.outputs.reduce((sum, output) => sum + graph.tensors[output.tensor].lo.length, 0)
  const boundary = { operator: "", accBits: 0, lookups: 0, gadget: "" }
  nodes.push({ ...boundary, name: "outputs", primitive: "output", constraints: outputs })
  nodes.push({ ...boundary, name: "context", primitive: "context", constraints: 1 })
  const { r1cs } = linked
  return {
    nodes,
    totals: { constraints: r1cs.rows, nonzeros: circuit.nonzeros, domain: circuit.domain, wires: r1cs.wires },
  }
}
