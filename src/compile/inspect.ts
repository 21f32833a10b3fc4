/** What each node costs, and what samples showed of it: the table behind `countersign inspect`. */
import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import { bitLength, gadgetKey } from "../circuit/gadgets/families.js"
import type { StampedNode } from "../circuit/link/nodes.js"
import { NONE } from "../circuit/plan/plan.js"
import type { IntNode } from "../ops/program.js"
import { sourcesOf } from "../ops/traversal.js"
import { type Circuit, systemOf } from "../systems/index.js"
import {
  figuresOf,
  type MeasuredSaturation,
  type NodeAccuracy,
  type NodeFigures,
  readNodeAccuracy,
} from "./figures.js"

export interface NodeReport extends NodeFigures {
  readonly name: string
  readonly operator: string
  readonly primitive: string
  /** Gadgets used, most frequent first, with counts. */
  readonly gadget: string
  /** Bits of the largest accumulator magnitude, sign included. */
  readonly accBits: number
  readonly lookups: number
  readonly constraints: number
  /** Of the tensor that it makes; null for the rows of a proof system. */
  readonly shape: readonly number[] | null
  /** Names of the model's outputs that it makes, if it makes any. */
  readonly outputs?: readonly string[]
  /** Places, among the nodes, of those that it reads. */
  readonly sources: readonly number[]
}

/** Nodes and totals that add up to the whole circuit. */
export interface Inspection {
  readonly nodes: readonly NodeReport[]
  readonly totals: {
    readonly constraints: number
    readonly lookups: number
    readonly nonzeros: number
    readonly domain: number
    readonly wires: number
  }
}

export interface InspectOptions {
  /** What `measureAccuracy` said of the model, as circuit.json has it. */
  readonly accuracy?: NodeAccuracy | undefined
  /** What `measureSaturation` said of it. */
  readonly saturation?: MeasuredSaturation | undefined
}

/** Lookup queries of a circuit. */
export const queryCount = (circuit: Circuit): number => systemOf(circuit).lookup(circuit)?.row.length ?? 0

/** What the rows of a node with secret weights are: integers that are range-checked, and products by form. */
function secretNames({ checked, secret }: StampedNode): [name: string, count: number][] {
  if (checked) {
    const { weights, constants } = checked
    return [...weights, constants].flatMap((run): [string, number][] =>
      run ? [[`Secret(${run.window.bits})`, run.count]] : [],
    )
  }
  if (!secret) return []
  const { pairs, terms } = secret.plan
  if (pairs) return [["pair", pairs.n * pairs.m * Math.floor(pairs.columns.length / 2)]]
  return terms.flatMap((term): [string, number][] => (term ? [[term.form, term.cost.rows]] : []))
}

/**
 * One line per node of the integer model, and of what the proof system adds. @throws FileError for an accuracy that is none
 */
export function inspect(circuit: Circuit, options: InspectOptions = {}): Inspection {
  checkThing("circuit", circuit, "circuit")
  checkOptions(options)
  const { saturation } = options
  const isFitting = saturation === undefined || saturation?.nodes?.length === circuit.graph.nodes.length
  checkArgument(isFitting, "options.saturation", "what `measureSaturation` said of this model", saturation)
  const accuracy =
    options.accuracy === undefined ? undefined : readNodeAccuracy(options.accuracy, "options.accuracy")
  const { graph, linked } = circuit
  const rows = new Map<IntNode, number>()
  const gadgets = new Map<IntNode, Map<string, number>>()
  const lookups = new Map<IntNode, number>()
  for (const group of linked.stamped) {
    const count = group.rowEnd - (group.firstRow[0] ?? group.rowEnd)
    rows.set(group.node, (rows.get(group.node) ?? 0) + count)
    const names = gadgets.get(group.node) ?? new Map<string, number>()
    const add = (name: string) => names.set(name, (names.get(name) ?? 0) + 1)
    group.base.forEach((base, i) => {
      const use = group.plan?.uses[i]
      if (use !== undefined && use !== NONE) {
        const { gadget, queries } = linked.stamps[use]
        add(gadgetKey(gadget.use))
        lookups.set(group.node, (lookups.get(group.node) ?? 0) + queries.length)
      } else if (!group.plan && base !== NONE) add(group.projection ? "projection" : "wire")
    })
    for (const [name, count] of secretNames(group)) names.set(name, (names.get(name) ?? 0) + count)
    if (group.checked) lookups.set(group.node, (lookups.get(group.node) ?? 0) + group.checked.queries)
    gadgets.set(group.node, names)
  }
  const made = new Map(graph.nodes.map((node, i) => [node.out, i]))
  const figures = figuresOf(graph, accuracy, saturation)
  const nodes: NodeReport[] = graph.nodes.map((node, i) => {
    const source = node.kind === "rescale" ? node.source : node.out
    const { lo, hi } = graph.tensors[source]
    let magnitude = 0
    for (let i = 0; i < lo.length; i++) magnitude = Math.max(magnitude, -lo[i], hi[i])
    const names = [...(gadgets.get(node) ?? [])].sort((x, y) => y[1] - x[1])
    const outputs = graph.outputs.filter(({ tensor }) => tensor === node.out).map(({ name }) => name)
    return {
      name: node.origin.name,
      operator: node.origin.operator,
      primitive: node.kind,
      gadget: names.map(([name, count]) => `${name}×${count}`).join(" "),
      accBits: bitLength(Math.round(magnitude)) + 1,
      lookups: lookups.get(node) ?? 0,
      constraints: rows.get(node) ?? 0,
      shape: graph.tensors[node.out].shape,
      sources: [...new Set(sourcesOf(node).map((id) => made.get(id) ?? 0))],
      ...(outputs.length > 0 && { outputs }),
      ...figures[i],
    }
  })
  for (const part of systemOf(circuit).boundary(circuit))
    nodes.push({ ...part, operator: "", gadget: "", accBits: 0, lookups: 0, shape: null, sources: [] })
  const { r1cs } = linked
  return {
    nodes,
    totals: {
      constraints: r1cs.rows,
      lookups: queryCount(circuit),
      nonzeros: circuit.nonzeros,
      domain: circuit.domain,
      wires: r1cs.wires,
    },
  }
}
