/**
 * Tensors as linear combinations of wires. Linear and index nodes never add constraints: they only
 * combine rows. Static bounds say nothing of coefficients, whose products may cancel in every value, so each
 * product and partial sum of them is compared with the largest safe integer here, and refused beyond it.
 */
import { invariant, ModelError } from "../../errors.js"
import { forEachProduct, outputsOf, productCounts, productsOfOutput, weightsOf } from "../../ops/linearmap.js"
import type { IndexNode, IntNode, LinearMap, LinearNode, TensorId } from "../../ops/program.js"
import type { R1csBuilder, WireLc } from "./builder.js"

/** One combination per element, compressed; wire 0 is the constant one. */
export interface TensorRows {
  readonly rowPtr: Uint32Array
  readonly wires: Uint32Array
  readonly coefficients: Float64Array
}

/** The combination of element i. */
export const rowOf = (rows: TensorRows, i: number): WireLc => ({
  wires: rows.wires.subarray(rows.rowPtr[i], rows.rowPtr[i + 1]),
  coefficients: rows.coefficients.subarray(rows.rowPtr[i], rows.rowPtr[i + 1]),
})

/** Collects rows; `entries` is how many there will be, if that is known. */
export class RowCollector {
  private wires: Uint32Array
  private coefficients: Float64Array
  private readonly rowPtr: Uint32Array
  private row = 0
  private length = 0
  constructor(rows: number, entries = 1024) {
    this.rowPtr = new Uint32Array(rows + 1)
    this.wires = new Uint32Array(entries)
    this.coefficients = new Float64Array(entries)
  }
  entry(wire: number, coefficient: number): void {
    if (coefficient === 0) return
    if (this.length === this.wires.length) {
      const wires = new Uint32Array(this.length * 2 + 1)
      const coefficients = new Float64Array(this.length * 2 + 1)
      wires.set(this.wires)
      coefficients.set(this.coefficients)
      this.wires = wires
      this.coefficients = coefficients
    }
    this.wires[this.length] = wire
    this.coefficients[this.length++] = coefficient
  }
  endRow(): void {
    this.rowPtr[++this.row] = this.length
  }
  take(): TensorRows {
    invariant(this.row === this.rowPtr.length - 1, "a tensor has fewer rows than elements")
    const isFull = this.length === this.wires.length
    return {
      rowPtr: this.rowPtr,
      wires: isFull ? this.wires : this.wires.slice(0, this.length),
      coefficients: isFull ? this.coefficients : this.coefficients.slice(0, this.length),
    }
  }
}

const largest = Number.MAX_SAFE_INTEGER

/** Throws the ModelError for a coefficient of a node's rows that no double may hold exactly. */
function inexact({ origin }: IntNode, ...numbers: readonly number[]): never {
  const coefficient = Math.max(...numbers.map(Math.abs))
  throw new ModelError({
    what: `the weights of \`${origin.operator}\`, multiplied with those before it, give a coefficient that is not exact`,
    where: origin.name,
    expected: "coefficients and their partial sums below 2^52",
    given: `2^${Math.log2(coefficient).toFixed(1)}`,
    fix: "Use a lower precision, or an activation between linear layers",
  })
}

/**
 * Sums combinations without duplicate wires, which keep the order in which they came; one serves all rows of a node, or of
 * several after another. Throws ModelError, as above.
 */
export class Accumulator {
  private sums = new Float64Array(64)
  private isTouched = new Uint8Array(64)
  private touched = new Uint32Array(64)
  private length = 0
  /** Outputs of maps, which stand before as many touched wires. */
  private readonly mapped: { part: MappedPart; output: number; factor: number; before: number }[] = []
  constructor(private node: IntNode) {}
  /** For the rows of this node from now on. */
  of(node: IntNode): this {
    this.node = node
    return this
  }
  add(lc: WireLc, factor: number): void {
    for (let j = 0; j < lc.wires.length; j++) this.addWire(lc.wires[j], factor * lc.coefficients[j])
  }
  /**
   * A product of safe integers may be given: if it was rounded, it is not below 2^53. Together with the sum it is
   * compared once, since this is where linking spends its time.
   */
  addWire(wire: number, coefficient: number): void {
    if (wire >= this.sums.length) this.grow(wire)
    if (this.isTouched[wire] === 0) {
      this.isTouched[wire] = 1
      if (this.length === this.touched.length) {
        const touched = new Uint32Array(2 * this.length)
        touched.set(this.touched)
        this.touched = touched
      }
      this.touched[this.length++] = wire
    }
    const sum = this.sums[wire] + coefficient
    if (!(Math.abs(coefficient) + Math.abs(sum) <= largest)) inexact(this.node, coefficient, sum)
    this.sums[wire] = sum
  }
  /** Adds an element of a tensor that maps stand for, none of whose wires is added otherwise. */
  addMapped(tensor: MappedTensor, element: number, factor: number): void {
    for (const part of tensor.parts) {
      if ("map" in part) {
        if (!(2 * part.magnitude * Math.abs(factor) <= largest)) inexact(this.node, part.magnitude * factor)
        this.mapped.push({ part, output: element, factor, before: this.length })
      } else this.add(rowOf(part, element), factor)
    }
    const bias = tensor.bias?.[element] ?? 0
    if (bias !== 0) this.addWire(0, bias * factor)
  }
  /** Emits the non-zero terms and empties the accumulator. */
  flush(emit: (wire: number, coefficient: number) => void): void {
    invariant(this.mapped.length === 0, "outputs of maps have no terms here")
    const { length, touched, sums } = this
    this.length = 0
    for (let k = 0; k < length; k++) {
      const wire = touched[k]
      const coefficient = sums[wire]
      sums[wire] = 0
      this.isTouched[wire] = 0
      if (coefficient !== 0) emit(wire, coefficient)
    }
  }
  /** The same into a side of the row that a builder is at, every coefficient times `sign`; outputs of maps into side B. */
  flushInto(builder: R1csBuilder, side: number, sign: 1 | -1): void {
    const { length, touched, sums, isTouched, mapped } = this
    invariant(side === 1 || mapped.length === 0, "outputs of maps stand on side B")
    let next = 0
    for (let k = 0; k <= length; k++) {
      for (; next < mapped.length && mapped[next].before === k; next++) {
        const { part, output, factor } = mapped[next]
        builder.mapped(part, output, sign * factor)
      }
      if (k === length) break
      const wire = touched[k]
      builder.entry(side, wire, sign * sums[wire])
      sums[wire] = 0
      isTouched[wire] = 0
    }
    this.length = 0
    if (next > 0) mapped.length = 0
  }
  private grow(wire: number): void {
    const size = Math.max(wire + 1, 2 * this.sums.length)
    const sums = new Float64Array(size)
    const isTouched = new Uint8Array(size)
    sums.set(this.sums)
    isTouched.set(this.isTouched)
    this.sums = sums
    this.isTouched = isTouched
  }
}

/** A linear map of wires: a part of a linear result that needs no rows. */
export interface MappedPart {
  readonly map: LinearMap
  /** The wire of each input, no two alike, or NONE. */
  readonly wires: Uint32Array
  /** Largest absolute weight. */
  readonly magnitude: number
}

/** A linear result: the sum of its parts and the bias, in this order. No wire is in two of them. */
export interface MappedTensor {
  readonly node: LinearNode
  readonly elements: number
  readonly parts: readonly (MappedPart | TensorRows)[]
  readonly bias: Float64Array | undefined
}

const NONE = 0xffffffff

/**
 * A linear node as its maps, where the elements of all sources are wires of their own or nothing; undefined for others.
 * Small maps, as residuals and pools have, become rows all the same.
 */
export function mappedTensor(
  node: LinearNode,
  elements: number,
  source: (id: TensorId) => TensorRows,
  wires: number,
): MappedTensor | undefined {
  if (node.terms.every(({ map }) => map.kind === "sparse")) return undefined
  /** Part that each wire is in, counted from 1. */
  const partOf = new Uint8Array(wires)
  if (node.terms.length > 255) return undefined
  const parts: (MappedPart | TensorRows)[] = []
  const { bias, ...unbiased } = node
  for (const [t, { map, source: id }] of node.terms.entries()) {
    const inputs = map.kind === "sparse" ? undefined : wiresOf(source(id))
    if (map.kind !== "sparse" && !inputs) return undefined
    const part = inputs
      ? { map, wires: inputs, magnitude: weightsOf(map).reduce((most, w) => Math.max(most, Math.abs(w)), 0) }
      : linearRows({ ...unbiased, terms: [node.terms[t]] }, elements, source)
    for (const wire of part.wires) {
      if (wire === NONE) continue
      if (partOf[wire] !== 0 && (inputs || partOf[wire] !== t + 1)) return undefined
      partOf[wire] = t + 1
    }
    parts.push(part)
  }
  return partOf[0] === 0 ? { node, elements, parts, bias } : undefined
}

/** The wires that the elements of a tensor are, or undefined if one is something else than a wire or zero. */
function wiresOf(rows: TensorRows): Uint32Array | undefined {
  const count = rows.rowPtr.length - 1
  const wires = new Uint32Array(count).fill(NONE)
  for (let i = 0; i < count; i++) {
    const at = rows.rowPtr[i]
    const size = rows.rowPtr[i + 1] - at
    if (size === 0) continue
    if (size > 1 || rows.coefficients[at] !== 1 || rows.wires[at] === 0) return undefined
    wires[i] = rows.wires[at]
  }
  return wires
}

/** out[i] = Σ weights · source rows + bias. `source(id)` gives the rows of an operand. Throws ModelError. */
export function linearRows(
  node: LinearNode,
  elements: number,
  source: (id: TensorId) => TensorRows,
): TensorRows {
  const terms = node.terms.map(({ source: id, map }) => ({ rows: source(id), map, weights: weightsOf(map) }))
  // a row needs merging only if two of its operands can share a wire
  const simple = terms.length === 1 && isWireTensor(terms[0].rows)
  if (simple) return simpleRows(node, elements, terms[0].rows, terms[0].map)
  const collector = new RowCollector(elements)
  const accumulator = new Accumulator(node)
  const emit = (wire: number, coefficient: number) => collector.entry(wire, coefficient)
  const visitors = terms.map(
    ({ rows: { rowPtr, wires, coefficients }, weights, map }) =>
      (input: number, weight: number) => {
        if (weights[weight] === 0 && map.kind !== "sparse") return
        for (let e = rowPtr[input]; e < rowPtr[input + 1]; e++)
          accumulator.addWire(wires[e], weights[weight] * coefficients[e])
      },
  )
  for (let i = 0; i < elements; i++) {
    for (let t = 0; t < terms.length; t++) productsOfOutput(terms[t].map, i, visitors[t])
    accumulator.addWire(0, node.bias?.[i] ?? 0)
    accumulator.flush(emit)
    collector.endRow()
  }
  return collector.take()
}

/** Of one map of wires, which are in a row once each. */
function simpleRows(node: LinearNode, elements: number, rows: TensorRows, map: LinearMap): TensorRows {
  const weights = weightsOf(map)
  invariant(outputsOf(map) === elements, "a map has as many outputs as its node")
  const counts = productCounts(map)
  const rowPtr = new Uint32Array(elements + 1)
  for (let i = 0; i < elements; i++)
    rowPtr[i + 1] = rowPtr[i] + counts[i] + ((node.bias?.[i] ?? 0) !== 0 ? 1 : 0)
  const wires = new Uint32Array(rowPtr[elements])
  const coefficients = new Float64Array(rowPtr[elements])
  const next = rowPtr.slice(0, elements)
  forEachProduct(map, (output, input, weight) => {
    if (weights[weight] === 0) return
    const coefficient = weights[weight] * rows.coefficients[input]
    if (!(Math.abs(coefficient) <= largest)) inexact(node, coefficient)
    const place = next[output]++
    wires[place] = rows.wires[input]
    coefficients[place] = coefficient
  })
  node.bias?.forEach((bias, i) => {
    if (bias !== 0) coefficients[next[i]] = bias
  })
  return { rowPtr, wires, coefficients }
}

/** The rows of a tensor that maps stand for. */
export function rowsOfMapped({ node, elements, parts, bias }: MappedTensor): TensorRows {
  const collector = new RowCollector(elements)
  const emitters = parts.map((part) => {
    if (!("map" in part)) {
      const { rowPtr, wires, coefficients } = part
      return (i: number) => {
        for (let e = rowPtr[i]; e < rowPtr[i + 1]; e++) collector.entry(wires[e], coefficients[e])
      }
    }
    const weights = weightsOf(part.map)
    const visit = (input: number, weight: number) => {
      if (part.wires[input] !== NONE) collector.entry(part.wires[input], weights[weight])
    }
    return (i: number) => productsOfOutput(part.map, i, visit)
  })
  for (let i = 0; i < elements; i++) {
    for (const emit of emitters) emit(i)
    const constant = bias?.[i] ?? 0
    if (!(Math.abs(constant) <= largest)) inexact(node, constant)
    collector.entry(0, constant)
    collector.endRow()
  }
  return collector.take()
}

/** True if every element is exactly one distinct wire (no constants, no repeats). */
function isWireTensor(rows: TensorRows): boolean {
  const count = rows.rowPtr.length - 1
  if (rows.wires.length !== count) return false
  for (let i = 0; i < count; i++) if (rows.rowPtr[i + 1] !== i + 1 || rows.wires[i] === 0) return false
  let most = 0
  for (const wire of rows.wires) most = Math.max(most, wire)
  const seen = new Uint8Array(most + 1)
  for (const wire of rows.wires) if (seen[wire]++ > 0) return false
  return true
}

/** Data movement on rows. */
export function indexRows(node: IndexNode, source: (id: TensorId) => TensorRows): TensorRows {
  const sources = node.sources.map(source)
  const starts: number[] = []
  let total = 0
  for (const rows of sources) {
    starts.push(total)
    total += rows.rowPtr.length - 1
  }
  const collector = new RowCollector(node.map.length, node.map.length)
  for (const position of node.map) {
    if (position < 0) collector.entry(0, node.fill)
    else {
      let s = sources.length - 1
      while (starts[s] > position) s--
      const rows = sources[s]
      const element = position - starts[s]
      for (let e = rows.rowPtr[element]; e < rows.rowPtr[element + 1]; e++)
        collector.entry(rows.wires[e], rows.coefficients[e])
    }
    collector.endRow()
  }
  return collector.take()
}

/**
 * Non-zeros that giving each element of operand `source` a wire of its own would save when the node's
 * rows are composed, before counting those of the defining rows.
 */
export function compositionCost(node: LinearNode, source: TensorId, { rowPtr }: TensorRows): number {
  // of wires nothing can be saved
  let longest = 0
  for (let i = 0; i + 1 < rowPtr.length; i++) longest = Math.max(longest, rowPtr[i + 1] - rowPtr[i])
  if (longest <= 1) return 0
  let cost = 0
  for (const { source: id, map } of node.terms) {
    if (id !== source) continue
    const weights = weightsOf(map)
    forEachProduct(map, (_, input, weight) => {
      if (weights[weight] !== 0 || map.kind === "sparse") cost += rowPtr[input + 1] - rowPtr[input] - 1
    })
  }
  return cost
}
