/**
 * One step of an RNN, GRU or LSTM (equations of the ONNX operators). Gates with one activation are one tensor; a state that
 * is undefined is zero, and takes part in nothing.
 */
import type { LinearNode } from "../program.js"
import { diagonalMap } from "../scaling.js"
import type { Builder } from "./builder.js"
import type { Curve } from "./curves.js"
import { indexTable, numbers } from "./shapes.js"
import { constant, isConstant, type Value } from "./values.js"

/** What a layer keeps from step to step: values [rows, hidden]; undefined is zero. */
export interface State {
  readonly h: Value | undefined
  /** Of an LSTM. */
  readonly c?: Value | undefined
}

/** Weights of one direction. */
export interface Weights {
  readonly hidden: number
  readonly inputs: number
  /** [gates · hidden, inputs] and [gates · hidden, hidden]; biases [gates · hidden]. */
  readonly w: Float64Array
  readonly r: Float64Array
  readonly wb: Float64Array
  readonly rb: Float64Array
  /** Peepholes [3 · hidden], of the gates i, o, f. */
  readonly p?: Float64Array | undefined
}

/** A step: the state after it, from x [rows, inputs] and the state before. */
export type Cell = (x: Value, state: State, rows: number) => State & { readonly h: Value }

/** A summand of a gate: what it is made of, and by which map. */
type Part =
  /** [rows, k] through weights [m, k]. */
  | { readonly value: Value; readonly weight: Float64Array; readonly k: number }
  /** [rows, m], times a factor for each column, or as it is. */
  | { readonly value: Value; readonly factor?: Float64Array }

/** One linear map of all parts and a bias of `m` columns: [rows, m]. */
function sumOf(
  builder: Builder,
  rows: number,
  bias: Float64Array,
  parts: readonly (Part | undefined)[],
): Value {
  const m = bias.length
  const offset = numbers(builder, rows * m).map((_, i) => bias[i % m])
  const terms: LinearNode["terms"][number][] = []
  let dtype: Value["dtype"] = "float32"
  for (const part of parts) {
    if (!part) continue
    dtype = part.value.dtype
    const map =
      "weight" in part
        ? ({ kind: "dense", weight: part.weight, n: rows, k: part.k, m } as const)
        : diagonalMap(numbers(builder, rows * m).map((_, i) => part.factor?.[i % m] ?? 1))
    if (isConstant(part.value)) addConstant(builder, part, part.value.constant, offset, m)
    else terms.push({ source: part.value.tensor, map })
  }
  const shape = [rows, m]
  return terms.length === 0 ? constant(shape, offset, dtype) : builder.linear(terms, shape, dtype, offset)
}

/** What a part that is known adds to each element. */
function addConstant(builder: Builder, part: Part, x: Float64Array, offset: Float64Array, m: number): void {
  if (!("weight" in part)) {
    for (let i = 0; i < offset.length; i++) offset[i] += x[i] * (part.factor?.[i % m] ?? 1)
    return
  }
  const { weight, k } = part
  builder.work(offset.length * k)
  for (let i = 0; i < offset.length; i++) {
    const row = Math.floor(i / m)
    for (let j = 0; j < k; j++) offset[i] += x[row * k + j] * weight[(i % m) * k + j]
  }
}

/** The rows of some gates of a matrix or vector of all gates. */
function gatesOf(all: Float64Array, gates: readonly number[], hidden: number, width: number): Float64Array {
  const size = hidden * width
  const out = new Float64Array(gates.length * size)
  for (const [i, gate] of gates.entries()) out.set(all.subarray(gate * size, (gate + 1) * size), i * size)
  return out
}

/** Weights of some gates, made once for all steps. */
class Gates {
  readonly #kept = new Map<string, Pick<Weights, "w" | "r" | "wb" | "rb">>()
  constructor(
    private readonly builder: Builder,
    private readonly weights: Weights,
  ) {}

  of(gates: readonly number[]): Pick<Weights, "w" | "r" | "wb" | "rb"> {
    const key = gates.join()
    const known = this.#kept.get(key)
    if (known) return known
    const { hidden, inputs, w, r, wb, rb } = this.weights
    this.builder.hold(gates.length * hidden * (inputs + hidden + 2))
    const made = {
      w: gatesOf(w, gates, hidden, inputs),
      r: gatesOf(r, gates, hidden, hidden),
      wb: gatesOf(wb, gates, hidden, 1),
      rb: gatesOf(rb, gates, hidden, 1),
    }
    this.#kept.set(key, made)
    return made
  }

  /** What x and h add to some gates, with both biases; `more` are further parts. */
  sum(
    gates: readonly number[],
    rows: number,
    x: Value,
    h: Value | undefined,
    ...more: (Part | undefined)[]
  ): Value {
    const { w, r, wb, rb } = this.of(gates)
    const { inputs, hidden } = this.weights
    const bias = wb.map((b, i) => b + rb[i])
    return sumOf(this.builder, rows, bias, [
      { value: x, weight: w, k: inputs },
      h && { value: h, weight: r, k: hidden },
      ...more,
    ])
  }
}

/** Gate `index` of a tensor [rows, count · hidden]. */
function gate(builder: Builder, x: Value, index: number, hidden: number): Value {
  const [rows, width] = x.shape
  if (width === hidden) return x
  const map = indexTable(
    builder,
    rows * hidden,
    (i) => Math.floor(i / hidden) * width + index * hidden + (i % hidden),
  )
  return builder.move([x], map, [rows, hidden])
}

/** Runs one part of a step under a name of its own. */
function named<T>(builder: Builder, part: string, make: () => T): T {
  const { outputName } = builder
  builder.outputName = `${outputName}:${part}`
  const made = make()
  builder.outputName = outputName
  return made
}

/** h' = f(x·W + h·R + b) */
export function rnnCell(builder: Builder, weights: Weights, [f]: readonly Curve[]): Cell {
  const gates = new Gates(builder, weights)
  return (x, { h }, rows) => ({ h: named(builder, "h", () => f(builder, gates.sum([0], rows, x, h))) })
}

/**
 * z, r = f(…), n = g(x·W + (r ⊙ h)·R + b), h' = n + z ⊙ (h − n); with `isLinearFirst` the reset gate multiplies h·R + b
 * instead of h.
 */
export function gruCell(
  builder: Builder,
  weights: Weights,
  [f, g]: readonly Curve[],
  isLinearFirst: boolean,
): Cell {
  const gates = new Gates(builder, weights)
  const { hidden, inputs } = weights
  const n = gates.of([2])
  const isReset = (h: Value | undefined) => h !== undefined || (isLinearFirst && n.rb.some((b) => b !== 0))
  return (x, { h }, rows) => {
    const resets = isReset(h)
    const both = named(builder, "zr", () => f(builder, gates.sum(resets ? [0, 1] : [0], rows, x, h)))
    const z = gate(builder, both, 0, hidden)
    const r = resets ? gate(builder, both, 1, hidden) : undefined
    const inner = named(builder, "r", () => {
      if (!r) return undefined
      if (!isLinearFirst) return h && { value: builder.product(r, h), weight: n.r, k: hidden }
      return {
        value: builder.product(r, sumOf(builder, rows, n.rb, [h && { value: h, weight: n.r, k: hidden }])),
      }
    })
    const bias = isLinearFirst ? n.wb : n.wb.map((b, i) => b + n.rb[i])
    const candidate = named(builder, "n", () =>
      g(builder, sumOf(builder, rows, bias, [{ value: x, weight: n.w, k: inputs }, inner])),
    )
    return { h: named(builder, "h", () => between(builder, z, h, candidate)) }
  }
}

/** z ⊙ x + (1 − z) ⊙ y = y + z ⊙ (x − y), where x may be nothing, which is zero. */
function between(builder: Builder, z: Value, x: Value | undefined, y: Value): Value {
  const difference = builder.combine([...(x ? [{ value: x, factor: 1 }] : []), { value: y, factor: -1 }])
  return builder.combine([
    { value: y, factor: 1 },
    { value: builder.product(z, difference), factor: 1 },
  ])
}

/** i, f = f(… + P ⊙ c), c' = f ⊙ c + i ⊙ g(…), o = f(… + P ⊙ c'), h' = o ⊙ h(c'); with `isCoupled` f = 1 − i. */
export function lstmCell(
  builder: Builder,
  weights: Weights,
  [f, g, output]: readonly Curve[],
  isCoupled: boolean,
): Cell {
  const gates = new Gates(builder, weights)
  const { hidden, p } = weights
  const [input, out, forget, cell] = [0, 1, 2, 3]
  const peephole = (list: readonly number[], c: Value | undefined): Part | undefined => {
    if (!p || !c) return undefined
    const value = list.length === 1 ? c : repeated(builder, c, list.length)
    return { value, factor: gatesOf(p, list, hidden, 1) }
  }
  return (x, { h, c }, rows) => {
    // with peepholes the output gate looks at the new state
    const first = [input, ...(p ? [] : [out]), ...(isCoupled || !c ? [] : [forget])]
    const made = named(builder, "gates", () => f(builder, gates.sum(first, rows, x, h, peephole(first, c))))
    const at = (which: number) => gate(builder, made, first.indexOf(which), hidden)
    const candidate = named(builder, "g", () => g(builder, gates.sum([cell], rows, x, h)))
    const next = named(builder, "c", () => {
      const i = at(input)
      if (!c) return builder.product(i, candidate)
      if (isCoupled) return between(builder, i, candidate, c)
      return builder.combine([
        { value: named(builder, "kept", () => builder.product(at(forget), c)), factor: 1 },
        { value: named(builder, "added", () => builder.product(i, candidate)), factor: 1 },
      ])
    })
    const o = p
      ? named(builder, "o", () => f(builder, gates.sum([out], rows, x, h, peephole([out], next))))
      : at(out)
    const shown = named(builder, "hc", () => output(builder, next))
    return { h: named(builder, "h", () => builder.product(o, shown)), c: next }
  }
}

/** [rows, m] side by side with itself. */
function repeated(builder: Builder, x: Value, times: number): Value {
  const [rows, m] = x.shape
  const map = indexTable(builder, rows * times * m, (i) => Math.floor(i / (times * m)) * m + (i % m))
  return builder.move([x], map, [rows, times * m])
}
