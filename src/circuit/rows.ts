/**
 * Tensors as linear combinations of wires. Linear and index nodes never add constraints: they only
 * combine rows. Static bounds say nothing of coefficients, whose products may cancel in every value, so each
 * product and partial sum of them is compared with the largest safe integer here, and refused beyond it.
 */
import { invariant, ModelError } from "../errors.js"
import { sparseRows } from "../ops/linearmap.js"
import type { IndexNode, IntNode, LinearNode, TensorId } from "../ops/program.js"
import type { WireLc } from "./builder.js"

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

/** Collects rows of unknown total length. */
export class RowCollector {
  private wires = new Uint32Array(1024)
  private coefficients = new Float64Array(1024)
  private readonly rowPtr: Uint32Array
  private row = 0
  private length = 0
  constructor(rows: number) {
    this.rowPtr = new Uint32Array(rows + 1)
  }
  entry(wire: number, coefficient: number): void {
    if (coefficient === 0) return
    if (this.length === this.wires.length) {
      const wires = new Uint32Array(this.length * 2)
      const coefficients = new Float64Array(this.length * 2)
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
    return {
      rowPtr: this.rowPtr,
      wires: this.wires.slice(0, this.length),
      coefficients: this.coefficients.slice(0, this.length),
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

/** Sums combinations without duplicate wires; reused for all rows of a node. Throws ModelError, as above. */
export class Accumulator {
  private readonly sums = new Map<number, number>()
  constructor(private readonly node: IntNode) {}
  add(lc: WireLc, factor: number): void {
    for (let j = 0; j < lc.wires.length; j++) this.addWire(lc.wires[j], factor * lc.coefficients[j])
  }
  /**
   * A product of safe integers may be given: if it was rounded, it is not below 2^53. Together with the sum it is
   * compared once, since this is where linking spends its time.
   */
  addWire(wire: number, coefficient: number): void {
    const sum = (this.sums.get(wire) ?? 0) + coefficient
    if (!(Math.abs(coefficient) + Math.abs(sum) <= largest)) inexact(this.node, coefficient, sum)
    this.sums.set(wire, sum)
  }
  /** Emits the non-zero terms and empties the accumulator. */
  flush(emit: (wire: number, coefficient: number) => void): void {
    for (const [wire, coefficient] of this.sums) if (coefficient !== 0) emit(wire, coefficient)
    this.sums.clear()
  }
}

/** out[i] = Σ weights · source rows + bias. `source(id)` gives the rows of an operand. Throws ModelError. */
export function linearRows(
  node: LinearNode,
  elements: number,
  source: (id: TensorId) => TensorRows,
): TensorRows {
  const terms = node.terms.map((term) => ({ rows: source(term.source), map: sparseRows(term.map) }))
  const collector = new RowCollector(elements)
  // a row needs merging only if two of its operands can share a wire
  const simple = terms.length === 1 && isWireTensor(terms[0].rows)
  const accumulator = new Accumulator(node)
  const emit = (wire: number, coefficient: number) => collector.entry(wire, coefficient)
  for (let i = 0; i < elements; i++) {
    const bias = node.bias?.[i] ?? 0
    if (simple) {
      const { rows, map } = terms[0]
      for (let j = map.rowPtr[i]; j < map.rowPtr[i + 1]; j++) {
        const coefficient = map.values[j] * rows.coefficients[map.columns[j]]
        if (!(Math.abs(coefficient) <= largest)) inexact(node, coefficient)
        emit(rows.wires[map.columns[j]], coefficient)
      }
      emit(0, bias)
    } else {
      for (const { rows, map } of terms) {
        for (let j = map.rowPtr[i]; j < map.rowPtr[i + 1]; j++) {
          const column = map.columns[j]
          for (let e = rows.rowPtr[column]; e < rows.rowPtr[column + 1]; e++) {
            accumulator.addWire(rows.wires[e], map.values[j] * rows.coefficients[e])
          }
        }
      }
      accumulator.addWire(0, bias)
      accumulator.flush(emit)
    }
    collector.endRow()
  }
  return collector.take()
}

/** True if every element is exactly one distinct wire (no constants, no repeats). */
function isWireTensor(rows: TensorRows): boolean {
  const seen = new Set<number>()
  for (let i = 0; i + 1 < rows.rowPtr.length; i++) {
    if (rows.rowPtr[i + 1] !== i + 1 || rows.wires[i] === 0 || seen.has(rows.wires[i])) return false
    seen.add(rows.wires[i])
  }
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
  const collector = new RowCollector(node.map.length)
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
export function compositionCost(node: LinearNode, source: TensorId, rows: TensorRows): number {
  let cost = 0
  for (const term of node.terms) {
    if (term.source !== source) continue
    const map = sparseRows(term.map)
    for (const column of map.columns) cost += rows.rowPtr[column + 1] - rows.rowPtr[column] - 1
  }
  return cost
}
