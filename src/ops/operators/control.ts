/**
 * Control flow, which a circuit does not have: what is known while compiling decides which nodes there are. A loop becomes
 * its iterations one after the other, a condition the branch that it chooses. A condition that depends on the model's input
 * computes both branches and keeps one.
 */
import type { Port, Subgraph } from "../../model/graph.js"
import { sizeOf } from "../program.js"
import type { Call, Lowering } from "./call.js"
import { transposed } from "./layout.js"
import { constantInput, type Operators, operator, other } from "./limits.js"
import { chosen } from "./logic.js"
import {
  axisOf,
  axisTable,
  checkShape,
  indexTable,
  range,
  sameShape,
  separableMap,
  show,
  stridesOf,
  unsupported,
} from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

/** One truth value. */
function truth(value: Value, what: string): Value {
  if (value.dtype !== "bool") unsupported(`${what} is of type \`${value.dtype}\`, not \`bool\``)
  if (sizeOf(value.shape) !== 1) unsupported(`${what} has shape ${show(value.shape)}, not one value`)
  return value
}

const conditional: Lowering = (call) => {
  const { builder } = call
  const branches = [call.graph("then_branch"), call.graph("else_branch")]
  const condition = truth(call.input(0), "the condition")
  if (isConstant(condition)) return call.run(branches[condition.constant[0] !== 0 ? 0 : 1], [])
  const [x, y] = branches.map((branch) => call.run(branch, []))
  if (x.length !== y.length) unsupported(`one branch has ${x.length} outputs, the other ${y.length}`)
  return x.map((value, i) => {
    const other = y[i]
    if (!sameShape(value.shape, other.shape) || value.dtype !== other.dtype) {
      const [a, b] = [value, other].map(({ dtype, shape }) => `\`${dtype}\` ${show(shape)}`)
      unsupported(
        `the condition depends on the model's input, and output ${i} is ${a} in one branch, ${b} else`,
      )
    }
    if (!isConstant(value) && !isConstant(other) && value.tensor === other.tensor) return value
    const bits = builder.broadcast({ ...condition, shape: [] }, value.shape)
    return chosen(builder, bits, value, other)
  })
}

/** Values of one shape as one tensor, in a new axis before all others; without any, as the file says that they are. */
function stacked({ builder }: Call, values: readonly Value[], port: Port): Value {
  const [first] = values
  if (first === undefined) {
    const { shape, dtype, name } = port
    const dims = shape?.map(
      (dim) => dim ?? unsupported(`no iteration, so the shape of \`${name}\` is unknown`),
    )
    if (dims === undefined) return unsupported(`no iteration, so the shape of \`${name}\` is unknown`)
    return constant(checkShape([0, ...dims]), [], dtype)
  }
  for (const { shape, dtype } of values)
    if (!sameShape(shape, first.shape) || dtype !== first.dtype)
      unsupported(
        `\`${port.name}\` has shape ${show(first.shape)} in one iteration, ${show(shape)} in another`,
      )
  const shape = checkShape([values.length, ...first.shape])
  return builder.move(values, axisTable(builder, sizeOf(shape), 1), shape)
}

/** Outputs that a body adds to in every iteration. */
class Collected {
  readonly #values: Value[][]
  constructor(private readonly ports: readonly Port[]) {
    this.#values = ports.map(() => [])
  }
  add(values: readonly Value[]): void {
    values.forEach((value, i) => {
      this.#values[i].push(value)
    })
  }
  /** All of them, each in a new axis before all others. */
  stacked(call: Call, reversed: (i: number) => boolean = () => false): Value[] {
    return this.ports.map((port, i) => {
      const values = this.#values[i]
      return stacked(call, reversed(i) ? values.toReversed() : values, port)
    })
  }
}

/** A number or truth value that a loop gives its body: without dimensions unless that asks for one. */
const counted = (port: Port, value: number, dtype: "int64" | "bool"): Value =>
  constant(port.shape?.length === 1 ? [1] : [], [value], dtype)

/** The shape that a loop's or scan's body must have; its outputs that are collected. */
function collectedOf(body: Subgraph, inputs: number, kept: number): readonly Port[] {
  if (body.inputs.length !== inputs)
    unsupported(`its \`body\` has ${body.inputs.length} inputs, and is given ${inputs}`)
  if (body.outputs.length < kept)
    unsupported(`its \`body\` has ${body.outputs.length} outputs, and ${kept} are needed`)
  return body.outputs.slice(kept)
}

const loop: Lowering = (call) => {
  const body = call.graph("body")
  const trips = call.scalarInput(0, "trip count", Number.POSITIVE_INFINITY)
  if (call.has(0) && !Number.isInteger(trips)) unsupported(`the trip count (input 0) is ${trips}`)
  const asked = call.has(1)
  let goes = !asked || isTrue(truth(call.input(1), "the condition"), "at first")
  let carried = range(call.node.inputs.length - 2).map((i) => call.input(i + 2))
  const count = carried.length
  const collected = new Collected(collectedOf(body, count + 2, count + 1))
  for (let i = 0; i < trips && goes; i++) {
    const [number, condition] = [counted(body.inputs[0], i, "int64"), counted(body.inputs[1], 1, "bool")]
    const [next, ...results] = call.run(body, [number, condition, ...carried], i)
    goes = isTrue(truth(next, "the condition"), `after iteration ${i}`)
    // ONNX ignores the condition then, and runtimes do not
    if (!goes && !asked && i + 1 < trips) unsupported("its body ends a loop that was given no condition")
    carried = results.slice(0, count)
    collected.add(results.slice(count))
  }
  return [...carried, ...collected.stacked(call)]
}

/** A condition that is known while compiling. */
const isTrue = (condition: Value, when: string): boolean =>
  isConstant(condition)
    ? condition.constant[0] !== 0
    : unsupported(`whether it goes on, ${when}, depends on the model's input`)

/** Element `at` of an axis, without that axis. */
function element({ builder }: Call, x: Value, axis: number, at: number): Value {
  const strides = stridesOf(x.shape)
  const tables = x.shape.map((dim, i) =>
    i === axis ? Int32Array.of(at * strides[i]) : axisTable(builder, dim, strides[i]),
  )
  return builder.move(
    [x],
    separableMap(builder, tables),
    x.shape.filter((_, i) => i !== axis),
  )
}

/** What a scan iterates over: an input, its axis, and whether it starts at the end. */
interface Scanned {
  readonly value: Value
  readonly axis: number
  readonly isReversed: boolean
}

/** Runs the body over so many elements of all that is scanned; `first` numbers the steps. */
function scanned(
  call: Call,
  body: Subgraph,
  state: readonly Value[],
  inputs: readonly Scanned[],
  length: number,
): { state: readonly Value[]; collected: Collected } {
  const collected = new Collected(collectedOf(body, state.length + inputs.length, state.length))
  let current = state
  for (let i = 0; i < length; i++) {
    const elements = inputs.map(({ value, axis, isReversed }) =>
      element(call, value, axis, isReversed ? length - 1 - i : i),
    )
    const results = call.run(body, [...current, ...elements], i)
    current = results.slice(0, state.length)
    collected.add(results.slice(state.length))
  }
  return { state: current, collected }
}

/** One integer for each of `count` things, 0 by default. */
function listOf(call: Call, name: string, count: number): number[] {
  const list = call.integerList(name) ?? new Array<number>(count).fill(0)
  return list.length === count
    ? list
    : unsupported(`attribute \`${name}\` has ${list.length} numbers, not ${count}`)
}

/** Directions, of which 1 is backward. */
function directionsOf(call: Call, name: string, count: number): boolean[] {
  return listOf(call, name, count).map((x) => (x === 0 || x === 1 ? x === 1 : call.refuse(name, x)))
}

/** The length that all scanned inputs have. */
function lengthOf(inputs: readonly Scanned[]): number {
  const lengths = inputs.map(({ value, axis }) => value.shape[axis])
  if (lengths.length === 0) unsupported("nothing is scanned")
  if (lengths.some((length) => length !== lengths[0]))
    unsupported(`the scanned axes have lengths ${show(lengths)}, not one`)
  return lengths[0]
}

const scan: Lowering = (call) => {
  const body = call.graph("body")
  const count = call.integer("num_scan_inputs")
  const first = call.opset < 9 ? 1 : 0
  const kept = call.node.inputs.length - first - count
  if (count < 1 || kept < 0) call.refuse("num_scan_inputs", count)
  const inputs = range(kept + count).map((i) => call.input(first + i))
  return call.opset < 9
    ? batchedScan(call, body, inputs.slice(0, kept), inputs.slice(kept))
    : plainScan(call, body, inputs.slice(0, kept), inputs.slice(kept))
}

function plainScan(call: Call, body: Subgraph, state: readonly Value[], values: readonly Value[]): Value[] {
  const backward = directionsOf(call, "scan_input_directions", values.length)
  const axes = listOf(call, "scan_input_axes", values.length)
  const inputs = values.map((value, i) => ({
    value,
    axis: axisOf(axes[i], value.shape.length),
    isReversed: backward[i],
  }))
  const outputs = collectedOf(body, state.length + values.length, state.length).length
  const prepended = directionsOf(call, "scan_output_directions", outputs)
  const outAxes = listOf(call, "scan_output_axes", outputs)
  const { state: last, collected } = scanned(call, body, state, inputs, lengthOf(inputs))
  const results = collected
    .stacked(call, (i) => prepended[i])
    .map((value, i) => {
      const rank = value.shape.length
      const others = range(rank - 1).map((axis) => axis + 1)
      const at = axisOf(outAxes[i], rank)
      return transposed(call, value, [...others.slice(0, at), 0, ...others.slice(at)])
    })
  return [...last, ...results]
}

/** The Scan of opset 8: every sequence of a batch by itself, as long as it is. */
function batchedScan(call: Call, body: Subgraph, state: readonly Value[], values: readonly Value[]): Value[] {
  const all = [...state, ...values]
  for (const { shape } of all) if (shape.length === 0) unsupported("a batch of no dimensions")
  for (const { shape } of values) if (shape.length < 2) unsupported(`no axis to scan in shape ${show(shape)}`)
  const batch = all[0].shape[0]
  if (all.some(({ shape }) => shape[0] !== batch)) unsupported("batches of several sizes")
  const most = lengthOf(values.map((value) => ({ value, axis: 1, isReversed: false })))
  const backward = directionsOf(call, "directions", values.length)
  const lengths = call.has(0) ? call.constantInput(0, "sequence_lens").constant : undefined
  if (lengths && (lengths.length !== batch || lengths.some((x) => !(x >= 1 && x <= most))))
    unsupported(`sequence_lens (input 0) are not ${batch} numbers from 1 to ${most}`)
  const ports = body.outputs
  const rows = range(batch).map((b) => {
    const length = lengths?.[b] ?? most
    const inputs = values.map((value, i) => ({
      // an axis of the batch less, and what is beyond the end left out
      value: part(call, element(call, value, 0, b), length),
      axis: 0,
      isReversed: backward[i],
    }))
    const kept = state.map((value) => element(call, value, 0, b))
    const { state: last, collected } = scanned(call, body, kept, inputs, length)
    const padded = collected.stacked(call).map((value) => lengthened(call, value, most))
    return [...last, ...padded]
  })
  if (rows.length === 0) return unsupported("an empty batch")
  return ports.map((port, i) =>
    stacked(
      call,
      rows.map((row) => row[i]),
      port,
    ),
  )
}

/** The first `length` elements of the first axis. */
function part({ builder }: Call, x: Value, length: number): Value {
  const shape = [length, ...x.shape.slice(1)]
  return builder.move([x], axisTable(builder, sizeOf(shape), 1), shape)
}

/** Zeros after the first axis, up to `length`. */
function lengthened({ builder }: Call, x: Value, length: number): Value {
  const shape = checkShape([length, ...x.shape.slice(1)])
  const size = sizeOf(x.shape)
  return builder.move(
    [x],
    indexTable(builder, sizeOf(shape), (i) => (i < size ? i : -1)),
    shape,
  )
}

export const controlFlow: Operators = {
  If: operator(
    conditional,
    other("where the condition depends on the model's input, both branches give the same shapes and types"),
  ),
  Loop: operator(
    loop,
    constantInput(0, "trip count"),
    other("whether it goes on never depends on the model's input"),
  ),
  Scan: operator(scan, other("lengths of sequences (opset 8) are constants")),
}
