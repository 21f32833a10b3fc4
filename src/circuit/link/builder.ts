/** Growing constraint systems: typed arrays that double, and rows assembled without duplicate wires. */
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
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
  take(): Uint32Array {
    return this.data.slice(0, this.length)
  }
}

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

/** Collects rows; coefficients are integers and become field elements through one dictionary. */
export class R1csBuilder {
  private readonly sides = [new Side(), new Side(), new Side()]
  private readonly dictionary = new Map<number | bigint, number>()
  private readonly values: (number | bigint)[] = []
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
    let index = this.dictionary.get(coefficient)
    if (index === undefined) {
      // rows.ts has refused models that compose others; every double beyond is even and so looks like an integer
      invariant(
        typeof coefficient === "bigint" || Number.isSafeInteger(coefficient),
        "an inexact coefficient",
      )
      index = this.values.length
      this.values.push(coefficient)
      this.dictionary.set(coefficient, index)
    }
    this.sides[side].wires.push(wire)
    this.sides[side].coefficients.push(index)
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
    return {
      wires: this.wires + this.finals + this.lates,
      publicOutputs,
      publicInputs,
      privateInputs,
      rows: this.rows,
      values,
      a,
      b,
      c,
    }
  }
}
