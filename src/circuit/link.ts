/**
 * The linker: stamps compiled gadgets as often as the integer model needs them and wires them to the
 * linear maps. Wire order: one, outputs, context, public inputs, then the wires of each node in model
 * order. A private input has no wire: it is the sum of its range check's bits.
 */
import { invariant } from "../errors.js"
import type { IntNode, TensorId } from "../ops/program.js"
import { sourcesOf } from "../quantize/bounds.js"
import type { IntGraph } from "../quantize/intgraph.js"
import { R1csBuilder, type WireLc } from "./builder.js"
import { type Gadget, type Lc, ONE } from "./compile-gadgets.js"
import { type GadgetUse, gadgetKey } from "./gadgets.js"
import { NONE, type NodePlan, type Plan } from "./plan.js"
import type { R1cs } from "./r1cs.js"
import type { RangeStrategy, Stamp } from "./ranges.js"
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

export interface Linked {
  readonly r1cs: R1cs
  readonly stamps: readonly Stamp[]
  readonly groups: readonly StampGroup[]
  /** First wire of each public output and of each input, in model order; the context is one wire. */
  readonly outputs: readonly number[]
  readonly context: number
  /** The wire that holds the context's square, which ties the signal into a constraint. */
  readonly contextSquare: number
  /** First wire of each input, in model order; empty if inputs are private. */
  readonly inputs: readonly number[]
}

/** What decides the shape of a circuit besides the model. */
export interface LinkOptions {
  readonly publicInputs: boolean
  readonly strategy: RangeStrategy
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Told of everything that is linked, in order; for exports that write the circuit in other words. */
  readonly trace?: Trace
}

export interface Trace {
  /** A gadget whose output is `output` (NONE if it has none), fed by combinations of earlier wires. */
  gadget(use: GadgetUse, operands: readonly WireLc[], offset: number, output: number): void
  /** A wire that equals a combination: a defined wire or a public output. */
  define(wire: number, lc: WireLc): void
}

/** Builds the constraint system of an integer model. */
export function link(
  graph: IntGraph,
  plan: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  options: LinkOptions,
): Linked {
  const stamps = plan.uses.map((use) => {
    const gadget = gadgets.get(gadgetKey(use))
    invariant(gadget, `gadget ${gadgetKey(use)} was not compiled`)
    return options.strategy(gadget)
  })
  const builder = new R1csBuilder()
  const size = (tensor: TensorId) => graph.tensors[tensor].lo.length
  const outputs = graph.outputs.map((output) => builder.allocate(size(output.tensor)))
  const context = builder.allocate(1)
  const inputs = options.publicInputs ? graph.inputs.map((input) => builder.allocate(size(input.tensor))) : []
  const publicInputs = builder.wires - context
  const privateInputs = options.publicInputs
    ? 0
    : graph.inputs.reduce((sum, input) => sum + size(input.tensor) * input.bits, 0)
  const groups: StampGroup[] = []
  const tensors = new Map<TensorId, TensorRows>()
  const lastUse = lastUses(graph)
  const accumulator = new Accumulator()

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
        options.trace?.define(base[i], lc)
        collector.entry(base[i], 1)
      }
      collector.endRow()
    }
    tensors.set(tensor, collector.take())
    groups.push({ node, tensor, base, firstRow, rowEnd: builder.rows })
  }

  for (const node of graph.nodes) {
    if (node.kind === "input" && options.publicInputs) {
      const first = inputs[graph.inputs.findIndex((input) => input.tensor === node.out)]
      tensors.set(node.out, wireRows(first, size(node.out)))
    }
    if (node.kind === "linear") {
      for (const source of new Set(node.terms.map((term) => term.source))) {
        const rows = rowsOf(source)
        const saved = compositionCost(node, source, rows) - rows.wires.length
        if (saved > options.nonzerosPerRow * (rows.rowPtr.length - 1)) define(source, node)
      }
      tensors.set(node.out, linearRows(node, size(node.out), rowsOf))
    } else if (node.kind === "index") {
      tensors.set(node.out, indexRows(node, rowsOf))
    } else {
      const nodePlan = plan.nodes.get(node)
      invariant(nodePlan, `node ${node.origin.name} was not planned`)
      if (node.kind === "input" && !options.publicInputs) {
        tensors.set(node.out, stampPrivateInput(nodePlan, stamps, builder, groups))
        continue
      }
      const rows = stampNode(nodePlan, stamps, builder, rowsOf, accumulator, groups, options.trace)
      if (node.kind !== "input" || !options.publicInputs) tensors.set(node.out, rows)
    }
    for (const tensor of lastUse.get(node) ?? []) tensors.delete(tensor)
  }

  graph.outputs.forEach((output, index) => {
    const rows = rowsOf(output.tensor)
    for (let i = 0; i < size(output.tensor); i++) {
      builder.equal(outputs[index] + i, rowOf(rows, i))
      options.trace?.define(outputs[index] + i, rowOf(rows, i))
    }
  })
  const contextSquare = builder.allocate(1)
  const contextLc = { wires: [context], coefficients: [1] }
  builder.row(contextLc, contextLc, { wires: [contextSquare], coefficients: [1] })
  const r1cs = builder.finish(context - 1, publicInputs, privateInputs)
  return { r1cs, stamps, groups, outputs, context, contextSquare, inputs }
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
  stamps: readonly Stamp[],
  builder: R1csBuilder,
  rowsOf: (tensor: TensorId) => TensorRows,
  accumulator: Accumulator,
  groups: StampGroup[],
  trace: Trace | undefined,
): TensorRows {
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
  stamps: readonly Stamp[],
  builder: R1csBuilder,
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
