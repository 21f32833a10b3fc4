/**
 * The part of linking that is the same for every proof system: the nodes of the model, in order. Linear and
 * index nodes combine rows, the others stamp gadgets.
 */
import { invariant } from "../../errors.js"
import {
  type ContractionNode,
  depthOf,
  type IntNode,
  type LinearNode,
  type PerKind,
  perKind,
  type RowsNode,
  type SortNode,
  type TensorId,
} from "../../ops/program.js"
import { lastReads } from "../../ops/traversal.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { Stamp } from "../gadgets/ranges.js"
import { ONE } from "../gadgets/reduce.js"
import { NONE, type NodePlan, type Plan, sourceOf } from "../plan/plan.js"
import { isZero, type Projection } from "../plan/projection.js"
import { entriesOf, groupsOf, packingOf } from "../plan/rows.js"
import { windowsOf } from "../plan/sorting.js"
import type { FieldLc, WireLc } from "./builder.js"
import type { Element, ProjectionBuilder } from "./projection.js"
import {
  Accumulator,
  compositionCost,
  indexRows,
  linearRows,
  type MappedTensor,
  mappedTensor,
  RowCollector,
  rowOf,
  rowsOfMapped,
  type TensorRows,
} from "./rows.js"
import { linkSecret, type SecretStamp, type SecretWires } from "./secret.js"
import { type Form, formOf, type Operand, type Stamping, stampGadget } from "./stamping.js"

/** Where the wires and rows of one node went. Instances without gadget have base NONE. */
export interface StampedNode {
  readonly node: IntNode
  readonly tensor: TensorId
  /** First wire and first row of each instance. */
  readonly base: Uint32Array
  readonly firstRow: Uint32Array
  readonly rowEnd: number
  /** The plan of a gadget node; absent where elements only got a wire of their own. */
  readonly plan?: NodePlan
  /** How a contraction is projected, whose elements then have wires that no row of theirs defines. */
  readonly projection?: Projection
  /** Of a node whose gadgets are checks: the wire of each of its elements, or NONE, and the first row behind the gadgets. */
  readonly free?: Uint32Array
  readonly shownFrom?: number
  /**
   * Of rows of a table: the first of the multiplicities of its entries, for each group of columns; or of the bits of its
   * indices, one for each row.
   */
  readonly multiplicities?: readonly number[]
  readonly bits?: number
  /** Of a node with secret weights: its rows, or, before all nodes, their range checks. */
  readonly secret?: SecretStamp
  readonly checked?: SecretWires
}

/** What nodes are linked with. */
export interface NodeLinking extends Stamping {
  readonly graph: IntGraph
  readonly plan: Plan
  readonly stamps: readonly Stamp[]
  /** First wire of each input in model order; without, an input is the sum of its range check's bits. */
  readonly inputs: readonly number[] | undefined
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Keep linear maps as maps where gadgets look up what they give; rows of the system are the same either way. */
  readonly maps?: boolean
  /** Projects contractions; without, all must have been planned as products. */
  readonly projection?: ProjectionBuilder | undefined
  /** Secret weights, whose wires are there already. */
  readonly weights?: ReadonlyMap<LinearNode, SecretWires> | undefined
}

/** Elements of a tensor. */
export const elementsOf = (graph: IntGraph, tensor: TensorId): number => graph.tensors[tensor].lo.length

/** Links all nodes. `rowsOf` gives the combinations of the model's outputs. Throws ModelError, see rows.ts. */
export function linkNodes(linking: NodeLinking): {
  stamped: readonly StampedNode[]
  rowsOf: (tensor: TensorId) => TensorRows
} {
  const { graph } = linking
  const linked = new Linked(linking)
  for (const [node, checked] of linking.weights ?? []) {
    const { firstRow, rowEnd } = checked
    linked.stamped.push({ ...ofRows(node, firstRow, rowEnd), checked })
  }
  const done = lastReads(graph)
  for (const [table, { source }] of linking.plan.stepped) keepUntil(table, source, graph.nodes, done)
  for (const node of graph.nodes) {
    linked.set(node.out, perKind(links, node, linked))
    for (const tensor of done.get(node) ?? []) linked.drop(tensor)
  }
  return { stamped: linked.stamped, rowsOf: (tensor) => linked.rows(tensor) }
}

/** A table that is merged with a rescale reads what that reads. */
function keepUntil(
  table: IntNode,
  source: TensorId,
  nodes: readonly IntNode[],
  done: Map<IntNode, TensorId[]>,
): void {
  for (const node of nodes) {
    if (node === table) break
    const own = done.get(node)
    if (!own?.includes(source)) continue
    done.set(
      node,
      own.filter((id) => id !== source),
    )
    done.set(table, [...(done.get(table) ?? []), source])
  }
}

/** What is linked so far. */
class Linked {
  readonly stamped: StampedNode[] = []
  readonly linking: NodeLinking
  readonly #tensors = new Map<TensorId, TensorRows>()
  readonly #mapped = new Map<TensorId, MappedTensor>()
  readonly #accumulators = new Map<string, Accumulator>()
  readonly #forms: Form[] = []

  constructor(linking: NodeLinking) {
    this.linking = linking
  }

  set(tensor: TensorId, result: TensorRows | MappedTensor): void {
    this.drop(tensor)
    if ("parts" in result) this.#mapped.set(tensor, result)
    else this.#tensors.set(tensor, result)
  }

  drop(tensor: TensorId): void {
    this.#tensors.delete(tensor)
    this.#mapped.delete(tensor)
  }

  /** A tensor as the maps that it is, if rows need not be made. */
  readonly mapped = (tensor: TensorId): MappedTensor | undefined => this.#mapped.get(tensor)

  readonly rows = (tensor: TensorId): TensorRows => {
    let rows = this.#tensors.get(tensor)
    if (rows === undefined) {
      const mapped = this.#mapped.get(tensor)
      invariant(mapped, `tensor ${this.linking.graph.tensors[tensor].name} is used before it is computed`)
      rows = rowsOfMapped(mapped)
      this.#tensors.set(tensor, rows)
    }
    return rows
  }

  /** The accumulator of a name, for a node: what it holds of wires lasts as long as all nodes. */
  accumulator(name: "operands" | "results", node: IntNode): Accumulator {
    const accumulator = this.#accumulators.get(name) ?? new Accumulator(node)
    this.#accumulators.set(name, accumulator)
    return accumulator.of(node)
  }

  /** How a gadget of the plan is stamped. */
  form(use: number): Form {
    return (this.#forms[use] ??= formOf(this.linking.stamps[use], this.linking))
  }

  planOf(node: IntNode): NodePlan {
    const plan = this.linking.plan.nodes.get(node)
    invariant(plan, `node ${node.origin.name} was not planned`)
    return plan
  }

  /** Gives every element of a tensor that is not a plain wire or constant a wire of its own. */
  define(tensor: TensorId, node: IntNode): void {
    const { builder, trace } = this.linking
    const rows = this.rows(tensor)
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
    this.set(tensor, collector.take())
    this.stamped.push({ node, tensor, base, firstRow, rowEnd: builder.rows })
  }
}

/** Rows of a node that are no gadgets of its elements. */
const ofRows = (node: IntNode, firstRow: number, rowEnd: number): StampedNode => ({
  node,
  tensor: node.out,
  base: new Uint32Array(0),
  firstRow: Uint32Array.of(firstRow),
  rowEnd,
})

/** For nodes that gadgets serve. */
const stamped = (node: IntNode, linked: Linked): TensorRows => stampNode(linked.planOf(node), linked)

/** The rows of a node's output, linked. */
const links: PerKind<IntNode, [linked: Linked], TensorRows | MappedTensor> = {
  input(node, linked) {
    const { inputs, graph } = linked.linking
    const plan = linked.planOf(node)
    if (!inputs) return stampPrivateInput(plan, linked)
    const first = inputs[graph.inputs.findIndex((input) => input.tensor === node.out)]
    const rows = wireRows(first, elementsOf(graph, node.out))
    // its range check reads the wires that it already has
    linked.set(node.out, rows)
    stampNode(plan, linked)
    return rows
  },
  index: (node, linked) => indexRows(node, linked.rows),
  linear(node, linked) {
    const { graph, nonzerosPerRow, maps, builder, weights, projection } = linked.linking
    if (node.secret) {
      const wires = weights?.get(node)
      invariant(wires, `the weights of node ${node.origin.name} are linked`)
      const firstRow = builder.rows
      const { out, stamp } = linkSecret(wires, { graph, builder, projection, rows: linked.rows })
      linked.stamped.push({ ...ofRows(node, firstRow, builder.rows), secret: stamp })
      return out
    }
    for (const source of new Set(node.terms.map((term) => term.source))) {
      const rows = linked.rows(source)
      const saved = compositionCost(node, source, rows) - rows.wires.length
      if (saved > nonzerosPerRow * (rows.rowPtr.length - 1)) linked.define(source, node)
    }
    const elements = elementsOf(graph, node.out)
    const mapped = maps ? mappedTensor(node, elements, linked.rows, builder.wires) : undefined
    return mapped ?? linearRows(node, elements, linked.rows)
  },
  max: stamped,
  argmax: stamped,
  product: stamped,
  contraction(node, linked) {
    const projection = linked.linking.plan.projected.get(node)
    if (projection) return projectNode(node, projection, linked)
    const { graph, nonzerosPerRow } = linked.linking
    for (const [source, times] of [
      [node.left, node.n],
      [node.right, node.m],
    ] as const) {
      // each combination stands in as many rows
      const { wires } = linked.rows(source)
      const elements = elementsOf(graph, source)
      if (times * (wires.length - elements) - wires.length > nonzerosPerRow * elements)
        linked.define(source, node)
    }
    return stampNode(linked.planOf(node), linked)
  },
  rescale(node, linked) {
    const { plan, graph } = linked.linking
    // merged with the table that reads it: nothing stands for it
    if (!plan.nodes.has(node)) return wireRows(0, 0, elementsOf(graph, node.out))
    return stampNode(linked.planOf(node), linked)
  },
  table: stamped,
  rows: (node, linked) =>
    linked.linking.projection ? packedNode(node, linked.linking.projection, linked) : bitsNode(node, linked),
  sort: sortNode,
  quotient: stamped,
  below: stamped,
  isqrt: stamped,
}

/**
 * Gives falling keys and marks wires, which the gadgets of the node check. Without a challenge the last mark of a window is
 * what the others leave of the count; with one, lookups say which keys are which.
 */
function sortNode(node: SortNode, linked: Linked): TensorRows {
  const { graph, builder, projection, trace } = linked.linking
  const bounds = graph.tensors[node.out]
  const free = new Uint32Array(elementsOf(graph, node.out)).fill(NONE)
  const collector = new RowCollector(free.length)
  const windows = windowsOf(node)
  for (const { falling, marks } of windows) {
    const last = marks + node.window - 1
    for (let i = falling; i <= last; i++) {
      if (bounds.lo[i] === bounds.hi[i]) collector.entry(0, bounds.lo[i])
      else if (i < last || projection) {
        free[i] = builder.allocate(1)
        collector.entry(free[i], 1)
      } else {
        collector.entry(0, node.count)
        for (let mark = marks; mark < last; mark++) collector.entry(free[mark], -1)
      }
      collector.endRow()
    }
  }
  const out = collector.take()
  linked.set(node.out, out)
  const keys = linked.rows(node.source)
  trace?.free(
    node,
    Array.from(node.map, (element) => rowOf(keys, element)),
    free,
  )
  stampNode(linked.planOf(node), linked)
  const group = linked.stamped.pop()
  invariant(group, "a node was stamped")
  const shownFrom = builder.rows
  if (projection)
    for (const { falling, marks, keys: elements } of windows) {
      const wires = (from: number, count: number) =>
        Array.from({ length: count }, (_, j) => rowOf(out, from + j))
      projection.among(
        wires(falling, node.count),
        Array.from(elements, (element) => rowOf(keys, element)),
        wires(marks, node.window),
      )
    }
  linked.stamped.push({ ...group, free, shownFrom, rowEnd: builder.rows })
  return out
}

/** Gives the elements of rows of a table wires, which are range-checked, and looks them up with their index. */
function packedNode(node: RowsNode, projection: ProjectionBuilder, linked: Linked): TensorRows {
  const { graph, builder, plan } = linked.linking
  const { width } = node
  const count = elementsOf(graph, node.out)
  const first = builder.allocate(count)
  const out = wireRows(first, count)
  linked.set(node.out, out)
  const gadgets = linked.planOf(node)
  stampNode(gadgets, linked)
  const group = linked.stamped.pop()
  invariant(group, "a node was stamped")
  const shownFrom = builder.rows
  const packing = packingOf(node, plan.uses[gadgets.uses[0]].parameters[0])
  const source = linked.rows(node.source)
  const multiplicities = groupsOf(node, packing).map((group) => {
    const queries = Array.from({ length: count / width }, (_, i): FieldLc => {
      const query = new Map<number, bigint>()
      const add = (wire: number, coefficient: bigint) =>
        query.set(wire, (query.get(wire) ?? 0n) + coefficient)
      const { wires, coefficients } = rowOf(source, i)
      for (let j = 0; j < wires.length; j++) add(wires[j], BigInt(coefficients[j]))
      for (const { column, factor } of group.columns) add(first + i * width + column, factor)
      add(0, group.offset - BigInt(node.lo))
      return query
    })
    const counts = builder.allocate(depthOf(node))
    projection.lookUp(queries, entriesOf(node, group), counts)
    return counts
  })
  const free = Uint32Array.from({ length: count }, (_, i) => first + i)
  linked.stamped.push({ ...group, free, shownFrom, multiplicities, rowEnd: builder.rows })
  return out
}

/** Gives every index a bit for each row of its table: bit · (index − row) = 0, and their sum is 1. */
function bitsNode(node: RowsNode, linked: Linked): TensorRows {
  const { graph, builder } = linked.linking
  const [depth, indices] = [depthOf(node), elementsOf(graph, node.source)]
  linked.define(node.source, node)
  const source = linked.rows(node.source)
  const shownFrom = builder.rows
  const bits = builder.allocate(indices * depth)
  const collector = new RowCollector(indices * node.width)
  linked.linking.trace?.bits(
    node,
    Array.from({ length: indices }, (_, i) => rowOf(source, i)),
    bits,
  )
  const difference = linked.accumulator("operands", node)
  for (let i = 0; i < indices; i++) {
    const index = rowOf(source, i)
    for (let v = 0; v < depth; v++) {
      difference.add(index, 1)
      difference.addWire(0, -node.lo - v)
      builder.entry(0, bits + i * depth + v, 1)
      difference.flushInto(builder, 1, 1)
      builder.endRow()
    }
    for (let v = 0; v < depth; v++) builder.entry(2, bits + i * depth + v, 1)
    builder.entry(2, 0, -1)
    builder.endRow()
    for (let column = 0; column < node.width; column++) {
      for (let v = 0; v < depth; v++) {
        const value = node.values[v * node.width + column]
        if (value !== 0) collector.entry(bits + i * depth + v, value)
      }
      collector.endRow()
    }
  }
  const base = new Uint32Array(indices * node.width).fill(NONE)
  const firstRow = new Uint32Array(base.length).fill(shownFrom)
  linked.stamped.push({ node, tensor: node.out, base, firstRow, rowEnd: builder.rows, shownFrom, bits })
  return collector.take()
}

/** Gives the elements of a contraction's output wires, and says by projection what they are. */
function projectNode(node: ContractionNode, projection: Projection, linked: Linked): TensorRows {
  const { graph, builder, projection: projecting } = linked.linking
  invariant(projecting, "projections need a challenge")
  const bounds = graph.tensors[node.out]
  const count = elementsOf(graph, node.out)
  const base = new Uint32Array(count).fill(NONE)
  const firstRow = new Uint32Array(count).fill(builder.rows)
  const collector = new RowCollector(count)
  for (let i = 0; i < count; i++) {
    if (!isZero(bounds, i)) {
      base[i] = builder.allocate(1)
      collector.entry(base[i], 1)
    }
    collector.endRow()
  }
  const out = collector.take()
  linked.set(node.out, out)
  const combinations = ([node.left, node.right, node.out] as const).map((tensor) => {
    const [rows, interval] = [linked.rows(tensor), graph.tensors[tensor]]
    return (i: number) => (isZero(interval, i) ? undefined : rowOf(rows, i))
  })
  projecting.contract(node, projection, combinations as [Element, Element, Element])
  linked.stamped.push({ node, tensor: node.out, base, firstRow, rowEnd: builder.rows, projection })
  return out
}

/** A tensor whose element i is wire first + i, for `count` elements; others behind them are nothing. */
function wireRows(first: number, count: number, size = count): TensorRows {
  return {
    rowPtr: Uint32Array.from({ length: size + 1 }, (_, i) => Math.min(i, count)),
    wires: Uint32Array.from({ length: count }, (_, i) => first + i),
    coefficients: new Float64Array(count).fill(1),
  }
}

/** Stamps a node's gadgets and returns the rows of its output tensor. */
function stampNode(plan: NodePlan, linked: Linked): TensorRows {
  const { builder } = linked.linking
  const results = linked.accumulator("results", plan.node)
  const accumulator = linked.accumulator("operands", plan.node)
  const count = plan.uses.length
  const base = new Uint32Array(count).fill(NONE)
  const firstRow = new Uint32Array(count)
  const collector = new RowCollector(count / plan.terms, count / plan.terms)
  const emit = (wire: number, coefficient: number) => collector.entry(wire, coefficient)
  const operandOf = (i: number, j: number, asMap: boolean): Operand => {
    const source = plan.sources[sourceOf(plan, i, j)]
    const element = plan.elements[plan.operandPtr[i] + j]
    const tensor = asMap ? linked.mapped(source) : undefined
    return tensor ? { tensor, element } : rowOf(linked.rows(source), element)
  }
  for (let i = 0; i < count; i++) {
    firstRow[i] = builder.rows
    const use = plan.uses[i]
    const form = use === NONE ? undefined : linked.form(use)
    const operands: Operand[] = []
    for (let j = 0; j < plan.operandPtr[i + 1] - plan.operandPtr[i]; j++)
      operands.push(operandOf(i, j, form?.takesMaps === true))
    if (form === undefined) {
      if (Number.isNaN(plan.constants[i])) results.add(operands[0] as WireLc, 1)
      else results.addWire(0, plan.outputSign * plan.constants[i] + plan.outputOffset)
    } else {
      base[i] = builder.allocate(form.stamp.wires)
      const output = stampGadget(form, plan.operandOffset, base[i], operands, accumulator, linked.linking)
      if (output !== NONE) {
        results.addWire(output, plan.outputSign)
        results.addWire(0, plan.outputOffset)
      }
    }
    if ((i + 1) % plan.terms > 0) continue
    results.flush(emit)
    collector.endRow()
  }
  linked.stamped.push({ node: plan.node, tensor: plan.node.out, base, firstRow, rowEnd: builder.rows, plan })
  return collector.take()
}

/**
 * Range checks of a private input. The check's only row that names its operand says operand = sum of
 * bits; nothing else determines the operand, so the sum takes its place and the row is not needed.
 */
function stampPrivateInput(plan: NodePlan, { linking, stamped }: Linked): TensorRows {
  const { stamps, builder } = linking
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
  stamped.push({ node: plan.node, tensor: plan.node.out, base, firstRow, rowEnd: builder.rows, plan })
  return collector.take()
}
