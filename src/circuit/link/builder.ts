/** Growing constraint systems: typed arrays that double, and rows assembled without duplicate wires. */
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
import { liveChannels, outputsOf, productsOfOutput, weightsOf } from "../../ops/linearmap.js"
import { entriesOfOutputs, type MappedRows, mappedSystem } from "../formats/mapped.js"
import type { R1cs, SparseRows } from "../formats/r1cs.js"

/** A growing array of unsigned 32-bit integers. */
export class GrowingU32 {
  private data = new Uint32Array(1024)
  length = 0
  push(value: number): void {
    if (this.length === this.data.length) {
      const next = new Uint32Array(this.data.length * 2)
      next.set(this.data)
      this.data = next
    }
    this.data[this.length++] = value
  }
  /** The last one pushed. */
  last(): number {
    return this.data[this.length - 1]
  }
  /** All of them; nothing is pushed behind them. */
  take(): Uint32Array {
    const taken = this.length === this.data.length ? this.data : this.data.slice(0, this.length)
    this.data = new Uint32Array(0)
    return taken
  }
}

/** No wire, or no row. */
const NONE = 0xffffffff
/** Whole numbers below this are found in the dictionary directly. */
const direct = 2 ** 20

/** A linear combination of wires: parallel arrays, wire 0 is the constant one. */
export interface WireLc {
  readonly wires: ArrayLike<number>
  readonly coefficients: ArrayLike<number>
}

class Side {
  readonly rowPtr = new GrowingU32()
  readonly wires = new GrowingU32()
  readonly coefficients = new GrowingU32()
  constructor() {
    this.rowPtr.push(0)
  }
  take(): SparseRows {
    return { rowPtr: this.rowPtr.take(), wires: this.wires.take(), coefficients: this.coefficients.take() }
  }
}

/** A combination whose coefficients may be any field elements. */
export type FieldLc = ReadonlyMap<number, number | bigint>

/** Wires from here on are final ones, from there on late ones; `finish` moves them behind all others. */
const FINAL = 2 ** 31
const LATE = 3 * 2 ** 30

/** A linear map of wires, each of which is in a row at most once. */
interface MapOfWires {
  readonly map: MappedRows["map"]
  readonly wires: Uint32Array
}

/** Of a map times a factor: coefficients that are in the dictionary, and how many of each group of outputs are not. */
interface Known {
  readonly isKnown: Uint8Array
  readonly missing: Uint32Array
}

/** Collects rows; coefficients are integers and become field elements through one dictionary. */
export class R1csBuilder {
  private readonly sides = [new Side(), new Side(), new Side()]
  private readonly dictionary = new Map<number | bigint, number>()
  private readonly near = new Int32Array(2 * direct).fill(-1)
  private readonly values: (number | bigint)[] = []
  private readonly maps = new Map<MapOfWires, MappedRows[]>()
  private readonly known = new Map<MapOfWires, Map<number, Known>>()
  wires = 1
  rows = 0
  /** Final wires: those that depend on a challenge. Late ones are numbered behind the others. */
  finals = 0
  lates = 0

  /** Allocates `count` wires and returns the first. */
  allocate(count: number): number {
    const first = this.wires
    this.wires += count
    return first
  }

  /** Allocates a final wire; it gets its number in `finish`, in the order of allocation. */
  allocateFinal(when?: "late"): number {
    return when === "late" ? LATE + this.lates++ : FINAL + this.finals++
  }

  /** Appends one entry to side 0 (a), 1 (b) or 2 (c) of the row under construction. */
  entry(side: number, wire: number, coefficient: number | bigint): void {
    if (coefficient === 0 || coefficient === 0n) return
    this.sides[side].wires.push(wire)
    this.sides[side].coefficients.push(this.numberOf(coefficient))
  }

  /** The number of a coefficient in the dictionary, which has it from now on. */
  private numberOf(coefficient: number | bigint): number {
    const at = typeof coefficient === "number" ? coefficient + direct : -1
    const isNear = at >= 0 && at < 2 * direct && Number.isInteger(at)
    const found = isNear ? this.near[at] : this.dictionary.get(coefficient)
    if (found !== undefined && found >= 0) return found
    // rows.ts has refused models that compose others; every double beyond is even and so looks like an integer
    invariant(typeof coefficient === "bigint" || Number.isSafeInteger(coefficient), "an inexact coefficient")
    const index = this.values.push(coefficient) - 1
    if (isNear) this.near[at] = index
    else this.dictionary.set(coefficient, index)
    return index
  }

  /**
   * Appends to side B of the row under construction what an output of a linear map is, times a factor. No wire of it may be
   * there otherwise. Outputs come in rising order, and one may come again.
   */
  mapped(part: MapOfWires, output: number, factor: number): void {
    if (factor === 0) return
    this.numberOutput(part, output, factor)
    let blocks = this.maps.get(part)
    if (blocks === undefined) this.maps.set(part, (blocks = []))
    let block: MappedRows | undefined
    for (const made of blocks) if (block === undefined && made.rows[output] === NONE) block = made
    if (block === undefined) {
      const count = outputsOf(part.map)
      const rows = new Uint32Array(count).fill(NONE)
      const at = new Uint32Array(count)
      block = { map: part.map, wires: part.wires, rows, factors: new Float64Array(count), at }
      blocks.push(block)
    }
    const { wires, rowPtr } = this.sides[1]
    block.rows[output] = this.rows
    block.factors[output] = factor
    block.at[output] = wires.length - rowPtr.last()
  }

  /** Puts the coefficients of an output in the dictionary, in the order of its entries. */
  private numberOutput(part: MapOfWires, output: number, factor: number): void {
    const { map, wires } = part
    let factors = this.known.get(part)
    if (factors === undefined) this.known.set(part, (factors = new Map()))
    const weights = weightsOf(map)
    // outputs with the same weights: of a channel of a convolution, or a column of a matrix
    const groups = map.kind === "conv" ? map.outChannels : map.kind === "dense" ? map.m : 1
    const perGroup = weights.length / groups
    let known = factors.get(factor)
    if (known === undefined) {
      known = { isKnown: new Uint8Array(weights.length), missing: new Uint32Array(groups).fill(perGroup) }
      factors.set(factor, known)
      const live = map.kind === "conv" ? liveChannels(map, (input) => wires[input] !== NONE) : undefined
      if (map.kind === "conv" && live) {
        // weights of what is never a wire are in no row
        const [perGroupIn, area] = [map.inChannels / map.groups, weights.length / map.outChannels]
        const { isKnown, missing } = known
        weights.forEach((_, w) => {
          const out = Math.floor(w / area)
          const channel = Math.floor((w % area) / (area / perGroupIn))
          const first = Math.floor((out * map.groups) / map.outChannels) * perGroupIn
          if (live[first + channel] === 1) return
          isKnown[w] = 1
          missing[out]--
        })
      }
    }
    const { isKnown, missing } = known
    const area = map.kind === "conv" ? outputsOf(map) / (map.n * groups) : 1
    const group = Math.floor(output / area) % groups
    if (missing[group] === 0) return
    productsOfOutput(map, output, (input, weight) => {
      if (wires[input] === NONE || isKnown[weight] === 1) return
      isKnown[weight] = 1
      missing[group]--
      if (weights[weight] !== 0) this.numberOf(factor * weights[weight])
    })
  }

  /** Closes the row under construction. */
  endRow(): void {
    for (const side of this.sides) side.rowPtr.push(side.wires.length)
    this.rows++
  }

  /** Row a·b = c of whole combinations. */
  row(a: WireLc, b: WireLc, c: WireLc): void {
    ;[a, b, c].forEach((lc, side) => {
      for (let j = 0; j < lc.wires.length; j++) this.entry(side, lc.wires[j], lc.coefficients[j])
    })
    this.endRow()
  }

  /** Row a·b = c of whole combinations with field coefficients. */
  fieldRow(a: FieldLc, b: FieldLc, c: FieldLc): void {
    ;[a, b, c].forEach((lc, side) => {
      for (const [wire, coefficient] of lc) this.entry(side, wire, coefficient)
    })
    this.endRow()
  }

  /** Row 0·0 = lc − wire; the wire does not occur in lc. Side C is the one a prover never multiplies. */
  equal(wire: number, lc: WireLc): void {
    for (let j = 0; j < lc.wires.length; j++) this.entry(2, lc.wires[j], lc.coefficients[j])
    this.entry(2, wire, -1)
    this.endRow()
  }

  finish(publicOutputs: number, publicInputs: number, privateInputs: number): R1cs {
    const [a, b, c] = this.sides.map((side) => side.take())
    const values = this.values.map((value) => mod(BigInt(value)))
    for (const { wires } of [a, b, c])
      for (let j = 0; j < wires.length; j++) {
        if (wires[j] >= LATE) wires[j] += this.wires + this.finals - LATE
        else if (wires[j] >= FINAL) wires[j] += this.wires - FINAL
      }
    const wires = this.wires + this.finals + this.lates
    const system = { wires, publicOutputs, publicInputs, privateInputs, rows: this.rows, values, a, c }
    if (this.maps.size === 0) return { ...system, b }
    let entries = b.wires.length
    for (const [part, blocks] of this.maps) {
      const counts = entriesOfOutputs(part)
      for (const { rows } of blocks)
        rows.forEach((row, i) => {
          if (row !== NONE) entries += counts[i]
        })
    }
    const others = Uint32Array.from(this.values.flatMap((value, i) => (typeof value === "bigint" ? [i] : [])))
    return mappedSystem(system, { rest: b, maps: [...this.maps.values()].flat(), entries, others })
  }
}
