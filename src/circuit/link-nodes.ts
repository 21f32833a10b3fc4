/**
 * The part of linking that is the same for every proof system: the nodes of the model, in order. Linear and
 * index nodes combine rows, the others stamp gadgets.
 */
import { invariant } from "../errors.js"
import type { IntNode, TensorId } from "../ops/program.js"
import { sourcesOf } from "../quantize/bounds.js"
import type { IntGraph } from "../quantize/intgraph.js"
import type { R1csBuilder, WireLc } from "./builder.js"
import type { GadgetUse } from "./gadgets.js"
import type { LookupBuilder } from "./lookup.js"
import { NONE, type NodePlan, type Plan } from "./plan.js"
import type { Stamp } from "./ranges.js"
import { type Lc, ONE } from "./reduce-gadgets.js"
import {
  Accumulator,
  compositionCost,
  indexRows,
  linearRows,
  RowCollector,
  rowOf,
  type TensorRows,
} from "./rows.js"

/** Where the wires and rows of one node went. Instances without gadget have base NONE. */
export interface StampGroup {
  readonly node: IntNode
  readonly tensor: TensorId
  /** First wire and first row of each instance. */
  readonly base: Uint32Array
  readonly firstRow: Uint32Array
  readonly rowEnd: number
  /** The plan of a gadget node; absent where elements only got a wire of their own. */
  readonly plan?: NodePlan
}

export interface Trace {
  /** A gadget whose output is `output` (NONE if it has none), fed by combinations of earlier wires. */
  gadget(use: GadgetUse, operands: readonly WireLc[], offset: number, output: number): void
  /** A wire that equals a combination: a defined wire or a public output. */
  define(wire: number, lc: WireLc): void
}

/** What nodes are linked with. */
export interface NodeLinking {
  readonly graph: IntGraph
  readonly plan: Plan
  readonly stamps: readonly Stamp[]
  readonly builder: R1csBuilder
  /** First wire of each input in model order; without, an input is the sum of its range check's bits. */
  readonly inputs: readonly number[] | undefined
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Serves the queries of stamps; without, stamps must have none. */
  readonly lookup?: LookupBuilder | undefined
  readonly trace?: Trace | undefined
}

/** Elements of a tensor. */
export const sizeOf = (graph: IntGraph, tensor: TensorId): number => graph.tensors[tensor].lo.length

/** Links all nodes. `rowsOf` gives the combinations of the model's outputs. Throws ModelError, see rows.ts. */
export function linkNodes(linking: NodeLinking): {
  groups: StampGroup[]
  rowsOf: (tensor: TensorId) => TensorRows
} {
  const { graph, plan, builder, inputs, trace } = linking
  const groups: StampGroup[] = []
  const tensors = new Map<TensorId, TensorRows>()
  const lastUse = lastUses(graph)

  const rowsOf = (tensor: TensorId): TensorRows => {
    const rows = tensors.get(tensor)
    invariant(rows, `tensor ${graph.tensors[tensor].name} is used before it is computed`)
    return rows
  }

  /** Gives every element of a tensor that is not a plain wire or constant a wire of its own. */
  const define = (tensor: TensorId, node: IntNode): void => {
    const rows = rowsOf(tensor)
    const count = rows.rowPtr.length - 1
    const base = new Uint32Array(count).fill(NONE)
    const firstRow = new Uint32Array(count)
    const collector = new RowCollector(count)
    for (let i = 0; i < count; i++) {
      firstRow[i] = builder.rows
      const lc = rowOf(rows, i)
      const single =
        lc.wires.length === 0 || (lc.wires.length === 1 && (lc.wires[0] === 0 || lc.coefficients[0] === 1))
      if (single) for (let e = 0; e < lc.wires.length; e++) collector.entry(lc.wires[e], lc.coefficients[e])
      else {
        base[i] = builder.allocate(1)
        builder.equal(base[i], lc)
        trace?.define(base[i], lc)
        collector.entry(base[i], 1)
      }
      collector.endRow()
    }
    tensors.set(tensor, collector.take())
    groups.push({ node, tensor, base, firstRow, rowEnd: builder.rows })
  }

  for (const node of graph.nodes) {
    if (node.kind === "input" && inputs) {
      const first = inputs[graph.inputs.findIndex((input) => input.tensor === node.out)]
      tensors.set(node.out, wireRows(first, sizeOf(graph, node.out)))
    }
    if (node.kind === "linear") {
      for (const source of new Set(node.terms.map((term) => term.source))) {
        const rows = rowsOf(source)
        const saved = compositionCost(node, source, rows) - rows.wires.length
        if (saved > linking.nonzerosPerRow * (rows.rowPtr.length - 1)) define(source, node)
      }
      tensors.set(node.out, linearRows(node, sizeOf(graph, node.out), rowsOf))
    } else if (node.kind === "index") {
      tensors.set(node.out, indexRows(node, rowsOf))
    } else {
      const nodePlan = plan.nodes.get(node)
      invariant(nodePlan, `node ${node.origin.name} was not planned`)
      if (node.kind === "input" && !inputs) {
        tensors.set(node.out, stampPrivateInput(nodePlan, linking, groups))
        continue
      }
      const rows = stampNode(nodePlan, linking, rowsOf, groups)
      if (node.kind !== "input") tensors.set(node.out, rows)
    }
    for (const tensor of lastUse.get(node) ?? []) tensors.delete(tensor)
  }

  return { groups, rowsOf }
}

/** A tensor whose element i is wire first + i. */
function wireRows(first: number, count: number): TensorRows {
  return {
    rowPtr: Uint32Array.from({ length: count + 1 }, (_, i) => i),
    wires: Uint32Array.from({ length: count }, (_, i) => first + i),
    coefficients: new Float64Array(count).fill(1),
  }
}

/** Tensors that no node after the given one reads. */
function lastUses(graph: IntGraph): Map<IntNode, TensorId[]> {
  const last = new Map<TensorId, IntNode>()
  for (const node of graph.nodes) for (const source of sourcesOf(node)) last.set(source, node)
  for (const output of graph.outputs) last.delete(output.tensor)
  const result = new Map<IntNode, TensorId[]>()
  for (const [tensor, node] of last) result.set(node, [...(result.get(node) ?? []), tensor])
  return result
}

/** Stamps a node's gadgets and returns the rows of its output tensor. */
function stampNode(
  plan: NodePlan,
  { stamps, builder, lookup, trace }: NodeLinking,
  rowsOf: (tensor: TensorId) => TensorRows,
  groups: StampGroup[],
): TensorRows {
  const accumulator = new Accumulator(plan.node)
  const count = plan.uses.length
  const base = new Uint32Array(count).fill(NONE)
  const firstRow = new Uint32Array(count)
  const collector = new RowCollector(count)
  const sources = plan.sources.map(rowsOf)
  const emit = (wire: number, coefficient: number) => collector.entry(wire, coefficient)
  for (let i = 0; i < count; i++) {
    firstRow[i] = builder.rows
    const operands: WireLc[] = []
    for (let j = plan.operandPtr[i]; j < plan.operandPtr[i + 1]; j++) {
      const source = sources[Math.min(operands.length, sources.length - 1)]
      operands.push(rowOf(source, plan.elements[j]))
    }
    if (plan.uses[i] === NONE) {
      if (Number.isNaN(plan.constants[i])) accumulator.add(operands[0], 1)
      else accumulator.addWire(0, plan.outputSign * plan.constants[i] + plan.outputOffset)
    } else {
      const stamp = stamps[plan.uses[i]]
      base[i] = builder.allocate(stamp.wires)
      const expand = (lc: Lc, factor: number) => {
        for (const [signal, coefficient] of lc) {
          if (signal === ONE) accumulator.addWire(0, factor * coefficient)
          else if (signal < operands.length) {
            accumulator.add(operands[signal], factor * coefficient)
            accumulator.addWire(0, factor * coefficient * plan.operandOffset)
          } else accumulator.addWire(base[i] + signal - operands.length, factor * coefficient)
        }
      }
      for (const row of stamp.rows) {
        ;[row.a, row.b, row.c].forEach((lc, side) => {
          expand(lc, 1)
          accumulator.flush((wire, coefficient) => builder.entry(side, wire, coefficient))
        })
        builder.endRow()
      }
      for (const query of stamp.queries) {
        invariant(lookup, "queries need the lookup strategy")
        expand(query.lc, 1)
        lookup.query(lookup.add(query.table), query.scale, (emitTerm) => accumulator.flush(emitTerm))
      }
      const output = stamp.outputs.length > 0 ? base[i] + stamp.outputs[0] - operands.length : NONE
      trace?.gadget(stamp.gadget.use, operands, plan.operandOffset, output)
      if (output !== NONE) {
        accumulator.addWire(output, plan.outputSign)
        accumulator.addWire(0, plan.outputOffset)
      }
    }
    accumulator.flush(emit)
    collector.endRow()
  }
  groups.push({ node: plan.node, tensor: plan.node.out, base, firstRow, rowEnd: builder.rows, plan })
  return collector.take()
}

/**
 * Range checks of a private input. The check's only row that names its operand says operand = sum of
 * bits; nothing else determines the operand, so the sum takes its place and the row is not needed.
 */
function stampPrivateInput(
  plan: NodePlan,
  { stamps, builder }: NodeLinking,
  groups: StampGroup[],
): TensorRows {
  const count = plan.uses.length
  const base = new Uint32Array(count)
  const firstRow = new Uint32Array(count)
  const collector = new RowCollector(count)
  for (let i = 0; i < count; i++) {
    const stamp = stamps[plan.uses[i]]
    invariant(stamp.gadget.inputs === 1, "an input check has one operand")
    firstRow[i] = builder.rows
    base[i] = builder.allocate(stamp.wires)
    for (const { a, b, c } of stamp.rows) {
      const operand = c.get(0)
      if (operand !== undefined) {
        invariant(operand === 1 && a.size === 0 && b.size === 0, "an input check defines its operand")
        for (const [local, coefficient] of c)
          if (local !== 0) collector.entry(base[i] + local - 1, -coefficient)
        continue
      }
      for (const [side, lc] of [a, b, c].entries()) {
        for (const [local, coefficient] of lc) {
          builder.entry(side, local === ONE ? 0 : base[i] + local - 1, coefficient)
        }
      }
      builder.endRow()
    }
    collector.entry(0, -plan.operandOffset)
    collector.endRow()
  }
  groups.push({ node: plan.node, tensor: plan.node.out, base, firstRow, rowEnd: builder.rows, plan })
  return collector.take()
}
