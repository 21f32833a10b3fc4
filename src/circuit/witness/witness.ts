/**
 * The witness, straight from the integer execution: every wire's value is a small integer that follows from tensor
 * values and gadget hints. What a proof system adds to that may be full field elements.
 */
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
import { depthOf, type RowsNode, type TensorId } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { Stamp } from "../gadgets/ranges.js"
import { type Lc, ONE } from "../gadgets/reduce.js"
import type { LinkedNodes } from "../link/circuit.js"
import type { StampedNode } from "../link/nodes.js"
import { NONE, sourceOf } from "../plan/plan.js"
import { assignSecret } from "./secret.js"

/** Values per wire: safe integers in `small`; wires in `large` hold canonical field elements instead. */
export interface Witness {
  readonly small: Float64Array
  readonly large: ReadonlyMap<number, bigint>
}

/** Canonical field element of a wire. */
export const fieldValue = (witness: Witness, wire: number): bigint =>
  witness.large.get(wire) ?? mod(BigInt(witness.small[wire]))

/** Integers of every tensor, see quantize/integers/run. */
export type TensorValues = ReadonlyMap<TensorId, Float64Array>

/** Values of a tensor, which there must be. */
export function tensorsOf(graph: IntGraph, values: TensorValues): (id: TensorId) => Float64Array {
  return (id) => {
    const data = values.get(id)
    invariant(data, `tensor ${graph.tensors[id].name} has no values`)
    return data
  }
}

/** Is told what an instance looks up; the array is used again. */
type OnQueries = (sums: Float64Array, group: StampedNode, instance: number) => void

/** Assigns inputs and gadgets, in the linker's order. */
export function assignNodes(
  graph: IntGraph,
  linked: LinkedNodes,
  values: TensorValues,
  small: Float64Array,
  onQueries?: OnQueries,
): void {
  small[0] = 1
  const tensor = tensorsOf(graph, values)
  for (const [i, first] of linked.inputs.entries()) small.set(tensor(graph.inputs[i].tensor), first)
  for (const group of linked.stamped) {
    if (group.free) assignFree(group.free, tensor(group.tensor), small)
    if (group.node.kind === "rows") assignRows(group.node, group, tensor(group.node.source), small)
    if (group.secret) assignSecret(group.secret, graph, tensor, small)
    if (group.plan) assignGadgets(group, linked.stamps, tensor, small, onQueries)
    else assignFree(group.base, tensor(group.tensor), small)
  }
}

/** Wires that stand for elements, whatever their gadgets say of them. */
function assignFree(free: Uint32Array, data: Float64Array, small: Float64Array): void {
  free.forEach((wire, i) => {
    if (wire !== NONE) small[wire] = data[i]
  })
}

/** How often each row of a table is asked for, or the bits that say which row each index names. */
function assignRows(
  node: RowsNode,
  { multiplicities = [], bits }: StampedNode,
  source: Float64Array,
  small: Float64Array,
): void {
  for (const [i, index] of source.entries()) {
    const row = index - node.lo
    if (bits !== undefined) small[bits + i * depthOf(node) + row] = 1
    for (const first of multiplicities) small[first + row]++
  }
}

function assignGadgets(
  group: StampedNode,
  stamps: readonly Stamp[],
  tensor: (id: TensorId) => Float64Array,
  small: Float64Array,
  onQueries: OnQueries | undefined,
): void {
  const plan = group.plan
  invariant(plan, "a gadget group has a plan")
  const isPlain = plan.own === undefined
  const { uses, operandPtr, elements, operandOffset } = plan
  const sources = plan.sources.map(tensor)
  const writers = new Map<number, StampWriter>()
  const operands: number[] = []
  for (let i = 0; i < uses.length; i++) {
    const use = uses[i]
    if (use === NONE) continue
    const first = operandPtr[i]
    const count = operandPtr[i + 1] - first
    if (operands.length !== count) operands.length = count
    for (let j = 0; j < count; j++) {
      const source = sources[isPlain ? Math.min(j, sources.length - 1) : sourceOf(plan, i, j)]
      operands[j] = source[elements[first + j]] + operandOffset
    }
    let writer = writers.get(use)
    if (!writer) {
      writer = stampWriter(stamps[use])
      writers.set(use, writer)
    }
    const sums = writer(operands, small, group.base[i])
    onQueries?.(sums, group, i)
  }
}

/** Writes the wires of an instance from `base` on; returns what it looks up. */
type StampWriter = (operands: readonly number[], small: Float64Array, base: number) => Float64Array

/** Prepares the assignment of one kind of stamp, so that names are looked up once. */
function stampWriter(stamp: Stamp): StampWriter {
  const { gadget, sources } = stamp
  const { inputs, signals } = gadget
  const { kind, parameters } = gadget.use
  const signal = new Map(signals.map((name, i) => [name, i]))
  /** Signals, and locals, with 1 behind them. */
  const values = new Float64Array(signals.length + 1).fill(1, signals.length)
  const locals = new Float64Array(inputs + sources.length + 1).fill(1, inputs + sources.length)
  const set = (name: string, value: number) => {
    const index = signal.get(name)
    if (index !== undefined) values[index] = value
  }
  // limbs of one operand are neighbours: each operand is evaluated once
  const operandsOfBits = [...new Set(sources.flatMap((source) => ("of" in source ? [source.of] : [])))]
  const ranged = flatten(operandsOfBits, signals.length)
  const queries = flatten(
    stamp.queries.map(({ lc }) => lc),
    inputs + sources.length,
  )
  /** Of each wire: its signal, or else a combination and which of its bits. */
  const from = Int32Array.from(sources, (source) =>
    "of" in source ? operandsOfBits.indexOf(source.of) : source.signal,
  )
  const step = Float64Array.from(sources, (source) => ("of" in source ? 2 ** source.shift : 0))
  const size = Float64Array.from(sources, (source) => ("of" in source ? 2 ** source.size : 0))
  return (operands, small, base) => {
    values.set(operands)
    locals.set(operands)
    kind.hints(parameters, operands, set)
    evaluate(ranged, values)
    for (let j = 0; j < from.length; j++) {
      const isSignal = step[j] === 0
      const value = isSignal ? values[from[j]] : Math.floor(ranged.sums[from[j]] / step[j]) % size[j]
      locals[inputs + j] = value
      small[base + j] = value
    }
    evaluate(queries, locals)
    return queries.sums
  }
}

/** Combinations over numbered values, as sparse rows, and room for their sums. */
interface Combinations {
  readonly rowPtr: Uint32Array
  readonly indices: Uint32Array
  readonly coefficients: Float64Array
  readonly sums: Float64Array
}

/** `one`: index of the value 1. */
function flatten(list: readonly Lc[], one: number): Combinations {
  const rowPtr = new Uint32Array(list.length + 1)
  list.forEach((lc, row) => {
    rowPtr[row + 1] = rowPtr[row] + lc.size
  })
  const terms = list.flatMap((lc) => [...lc])
  return {
    rowPtr,
    indices: Uint32Array.from(terms, ([index]) => (index === ONE ? one : index)),
    coefficients: Float64Array.from(terms, ([, coefficient]) => coefficient),
    sums: new Float64Array(list.length),
  }
}

function evaluate({ rowPtr, indices, coefficients, sums }: Combinations, values: Float64Array): void {
  for (let row = 0; row < sums.length; row++) {
    let sum = 0
    for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) sum += coefficients[k] * values[indices[k]]
    sums[row] = sum
  }
}
