/**
 * Recurrent layers, unrolled: RNN, GRU and LSTM. A state that is zero takes part in nothing, so the first step costs less
 * than others. A sequence that has ended is left out of the steps after its end; where its length depends on the model's
 * input, a bit keeps its state instead. Backwards, what lies behind the end of a sequence leaves the state as it was, so the
 * first step that counts is its last element.
 */
import { sizeOf } from "../program.js"
import type { Builder } from "./builder.js"
import type { Call, Lowering } from "./call.js"
import { type Cell, gruCell, lstmCell, rnnCell, type State, type Weights } from "./cells.js"
import { type Curve, curvesOf } from "./curves.js"
import { transposed } from "./layout.js"
import { constantInput, type Operators, operator, other, realOnly } from "./limits.js"
import { chosen, greater } from "./logic.js"
import { axisTable, indexTable, numbers, range, sameShape, show, unsupported } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

/** An operator: how many gates it has, its activations unless a node names others, whether it has a cell state; its step. */
interface Kind {
  readonly gates: number
  readonly activations: readonly string[]
  readonly hasCell: boolean
  readonly cell: (call: Call, weights: Weights, curves: readonly Curve[]) => Cell
}

const rnn: Kind = {
  gates: 1,
  activations: ["Tanh"],
  hasCell: false,
  cell: ({ builder }, weights, curves) => rnnCell(builder, weights, curves),
}
const gru: Kind = {
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  hasCell: false,
  cell: (call, weights, curves) =>
    gruCell(call.builder, weights, curves, call.opset >= 3 && call.integer("linear_before_reset", 0) !== 0),
}
const lstm: Kind = {
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  hasCell: true,
  cell: (call, weights, curves) =>
    lstmCell(call.builder, weights, curves, call.integer("input_forget", 0) !== 0),
}

/** Sizes of a layer: elements of a sequence, sequences, and numbers of an element and of a state. */
interface Sizes {
  readonly steps: number
  readonly batch: number
  readonly inputs: number
  readonly hidden: number
  readonly directions: number
}

/** An input that must have a shape. */
function shaped(value: Value, shape: readonly number[], what: string): Value {
  return sameShape(value.shape, shape)
    ? value
    : unsupported(`${what} has shape ${show(value.shape)}, where ${show(shape)} is needed`)
}

const recurrentLayer =
  (kind: Kind): Lowering =>
  (call) => {
    const { builder } = call
    if (call.opset < 7) call.ignore("output_sequence")
    const isBatchFirst = call.opset >= 14 && call.flag("layout")
    const first = call.input(0)
    if (first.shape.length !== 3) unsupported(`X (input 0) of shape ${show(first.shape)} has not three axes`)
    call.real(first, "a recurrent layer")
    const x = isBatchFirst ? transposed(call, first, [1, 0, 2]) : first
    const direction = call.choice("direction", ["forward", "reverse", "bidirectional"])
    const directions = direction === "bidirectional" ? 2 : 1
    const r = call.constantInput(2, "R")
    const hidden = r.shape[r.shape.length - 1]
    const [steps, batch, inputs] = x.shape
    const sizes = { steps, batch, inputs, hidden, directions }
    const asked = call.attribute("hidden_size")
    if (asked !== undefined && asked !== hidden)
      unsupported(`attribute \`hidden_size\` = \`${asked}\`, and R (input 2) of shape ${show(r.shape)}`)
    if (sizeOf(x.shape) === 0 || sizeOf(r.shape) === 0) unsupported("a recurrent layer of no elements")
    const weights = weightsOf(call, kind, sizes)
    const curves = curvesOf(call, kind.activations, kind.hasCell ? 2 : kind.activations.length, directions)
    const lengths = lengthsOf(call, sizes)
    const initial = (slot: number, what: string, d: number): Value | undefined => {
      if (!call.has(slot)) return undefined
      const given = call.input(slot)
      const value = isBatchFirst && given.shape.length === 3 ? transposed(call, given, [1, 0, 2]) : given
      shaped(value, [directions, batch, hidden], `${what} (input ${slot})`)
      const part = rowsOf(builder, value, batch * hidden, [d], [batch, hidden])
      return isConstant(part) && part.constant.every((v) => v === 0) ? undefined : part
    }
    const passes = range(directions).map((d) =>
      unrolled(call, {
        sizes,
        lengths,
        x,
        name: `${call.node.name}/${d}`,
        isBackward: direction === "reverse" || d === 1,
        cell: kind.cell(call, weights[d], curves[d]),
        state: {
          h: initial(5, "initial_h", d),
          ...(kind.hasCell && { c: initial(6, "initial_c", d) }),
        },
      }),
    )
    const joined = (values: readonly Value[], shape: readonly number[]) =>
      builder.move(values, axisTable(builder, sizeOf(shape), 1), shape)
    const y = joined(
      range(steps).flatMap((t) => passes.map(({ outputs }) => outputs[t])),
      [steps, directions, batch, hidden],
    )
    const lastOf = (which: "h" | "c") => {
      const last = joined(
        passes.map(({ state }) => state[which] ?? zeros(builder, x, [batch, hidden])),
        [directions, batch, hidden],
      )
      return isBatchFirst ? transposed(call, last, [1, 0, 2]) : last
    }
    const results = [isBatchFirst ? transposed(call, y, [2, 0, 1, 3]) : y, lastOf("h")]
    return kind.hasCell ? [...results, lastOf("c")] : results
  }

/** The weights of each direction. */
function weightsOf(call: Call, { gates, hasCell }: Kind, sizes: Sizes): Weights[] {
  const { hidden, inputs, directions } = sizes
  const rows = gates * hidden
  const known = (slot: number, what: string, shape: readonly number[]): Float64Array => {
    const value = call.constantInput(slot, what)
    shaped(value, shape, `${what} (input ${slot})`)
    return value.constant
  }
  const w = known(1, "W", [directions, rows, inputs])
  const r = known(2, "R", [directions, rows, hidden])
  const b = call.has(3) ? known(3, "B", [directions, 2 * rows]) : numbers(call.builder, 2 * directions * rows)
  const p = hasCell && call.has(7) ? known(7, "P", [directions, 3 * hidden]) : undefined
  const part = (all: Float64Array, size: number, d: number) => all.subarray(d * size, (d + 1) * size)
  return range(directions).map((d) => ({
    hidden,
    inputs,
    w: part(w, rows * inputs, d),
    r: part(r, rows * hidden, d),
    wb: part(b, rows, 2 * d),
    rb: part(b, rows, 2 * d + 1),
    p: p?.some((v) => v !== 0) ? part(p, 3 * hidden, d) : undefined,
  }))
}

/** Lengths of the sequences [batch], if not all are as long as they can be. */
function lengthsOf(call: Call, { steps, batch }: Sizes): Value | undefined {
  if (!call.has(4)) return undefined
  const lengths = shaped(call.input(4), [batch], "sequence_lens (input 4)")
  if (!isConstant(lengths)) return lengths
  if (!lengths.constant.every((length) => Number.isInteger(length) && length >= 1 && length <= steps))
    unsupported(`sequence_lens (input 4) are not numbers from 1 to ${steps}`)
  return lengths.constant.every((length) => length === steps) ? undefined : lengths
}

const zeros = (builder: Builder, { dtype }: Value, shape: readonly number[]): Value =>
  constant(shape, numbers(builder, sizeOf(shape)), dtype)

/** Some blocks of so many elements. */
function rowsOf(
  builder: Builder,
  x: Value,
  width: number,
  rows: readonly number[],
  shape: readonly number[],
): Value {
  const map = indexTable(
    builder,
    rows.length * width,
    (i) => rows[Math.floor(i / width)] * width + (i % width),
  )
  return builder.move([x], map, shape)
}

/** One direction of a layer. */
interface Pass {
  readonly sizes: Sizes
  readonly lengths: Value | undefined
  /** [steps, batch, inputs] */
  readonly x: Value
  readonly name: string
  readonly isBackward: boolean
  readonly cell: Cell
  readonly state: State
}

/** The outputs [batch, hidden] at each position, and the state at the end. */
function unrolled(call: Call, pass: Pass): { outputs: Value[]; state: State } {
  const { builder } = call
  const { sizes, lengths, x, name, isBackward, cell } = pass
  const { steps, batch, inputs, hidden } = sizes
  const outputs: Value[] = []
  let { state } = pass
  for (let i = 0; i < steps; i++) {
    const t = isBackward ? steps - 1 - i : i
    builder.inStep(name, i, () => {
      const live = lengths && !isConstant(lengths) ? bitsAt(builder, lengths, t, hidden) : undefined
      const rows = range(batch).filter((b) => !lengths || !isConstant(lengths) || lengths.constant[b] > t)
      const at = rowsOf(
        builder,
        x,
        inputs,
        rows.map((b) => t * batch + b),
        [rows.length, inputs],
      )
      if (rows.length === 0) {
        outputs[t] = zeros(builder, x, [batch, hidden])
        return
      }
      const before = mapped(state, (value) =>
        rows.length === batch ? value : rowsOf(builder, value, hidden, rows, [rows.length, hidden]),
      )
      const after = cell(at, before, rows.length)
      if (live) {
        outputs[t] = builder.product(live, after.h)
        const kept = (next: Value, old: Value | undefined) =>
          chosen(builder, live, next, old ?? zeros(builder, x, next.shape))
        state = {
          h: kept(after.h, state.h),
          ...(after.c && { c: kept(after.c, state.c) }),
        }
        return
      }
      outputs[t] = placed(builder, after.h, undefined, rows, batch)
      state = {
        h: placed(builder, after.h, state.h, rows, batch),
        ...(after.c && { c: placed(builder, after.c, state.c, rows, batch) }),
      }
    })
  }
  return { outputs, state }
}

const mapped = ({ h, c }: State, f: (value: Value) => Value): State => ({
  h: h && f(h),
  ...(c && { c: f(c) }),
})

/** Whether each sequence reaches position t, once for each number of its state. */
function bitsAt(builder: Builder, lengths: Value, t: number, hidden: number): Value {
  const [batch] = lengths.shape
  const bits = greater(builder, lengths, constant([batch], numbers(builder, batch).fill(t), lengths.dtype))
  return builder.move(
    [bits],
    indexTable(builder, batch * hidden, (i) => Math.floor(i / hidden)),
    [batch, hidden],
  )
}

/** Rows in their places among those of `old`, or among zeros. */
function placed(
  builder: Builder,
  value: Value,
  old: Value | undefined,
  rows: readonly number[],
  batch: number,
): Value {
  if (rows.length === batch) return value
  const [, hidden] = value.shape
  const size = sizeOf(value.shape)
  const places = new Map(rows.map((b, i) => [b, i]))
  const map = indexTable(builder, batch * hidden, (i) => {
    const place = places.get(Math.floor(i / hidden))
    if (place !== undefined) return place * hidden + (i % hidden)
    return old ? size + i : -1
  })
  return builder.move(old ? [value, old] : [value], map, [batch, hidden])
}

const common = [
  realOnly,
  constantInput(1, "W"),
  constantInput(2, "R"),
  constantInput(3, "B"),
  // ONNX's own defaults are others than onnxruntime's
  other("activations `Affine`, `ScaledTanh` and `ThresholdedRelu` have their parameters"),
]

export const recurrent: Operators = {
  RNN: operator(recurrentLayer(rnn), ...common),
  GRU: operator(recurrentLayer(gru), ...common),
  LSTM: operator(recurrentLayer(lstm), ...common, constantInput(7, "P")),
}
