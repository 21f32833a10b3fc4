/**
 * Gadgets stamped into a system. A stamp is prepared once and stamped many times: its rows and queries are combinations of
 * operands, of its own wires and of one, and an operand is a combination of earlier wires, or an element of a tensor that
 * linear maps stand for.
 */
import { invariant } from "../../errors.js"
import type { RowsNode, SortNode } from "../../ops/program.js"
import type { GadgetUse } from "../gadgets/families.js"
import type { Stamp } from "../gadgets/ranges.js"
import { type Lc, ONE } from "../gadgets/reduce.js"
import { NONE } from "../plan/plan.js"
import type { R1csBuilder, WireLc } from "./builder.js"
import type { LookupBuilder } from "./lookup.js"
import type { Accumulator, MappedTensor } from "./rows.js"

export interface Trace {
  /** A gadget whose output is `output` (NONE if it has none), fed by combinations of earlier wires. */
  gadget(use: GadgetUse, operands: readonly WireLc[], offset: number, output: number): void
  /** A wire that equals a combination: a defined wire or a public output. */
  define(wire: number, lc: WireLc): void
  /** Wires of a node's elements that only gadgets behind them say something of. */
  free(node: SortNode, keys: readonly WireLc[], wires: Uint32Array): void
  /** A wire for each row of a table, for each of some indices, from `first` on: 1 for the row that the index names, else 0. */
  bits(node: RowsNode, indices: readonly WireLc[], first: number): void
}

/** Where gadgets are stamped into. */
export interface Stamping {
  readonly builder: R1csBuilder
  /** Serves the queries of stamps; without, stamps must have none. */
  readonly lookup?: LookupBuilder | undefined
  readonly trace?: Trace | undefined
}

/** An operand of a gadget: a combination, or an element of a tensor that maps stand for. */
export type Operand = WireLc | { readonly tensor: MappedTensor; readonly element: number }

/**
 * Whether a stamp takes the operands of a node as they are: only queries, which are rows of side B, name them, and each
 * names one. Gadgets with one operand alone are asked for; elements then come in the order of the node.
 */
const takesMaps = ({ rows, queries }: Stamp, operands: number): boolean =>
  operands === 1 &&
  rows.every((row) => [row.a, row.b, row.c].every((lc) => !lc.has(0))) &&
  queries.some(({ lc }) => lc.has(0))

/** A combination of a stamp's locals. */
interface Terms {
  readonly locals: Int32Array
  readonly coefficients: Float64Array
}

/** A stamp as it is stamped many times. */
export interface Form {
  readonly stamp: Stamp
  readonly takesMaps: boolean
  readonly rows: readonly (readonly [a: Terms, b: Terms, c: Terms])[]
  readonly queries: readonly { readonly terms: Terms; readonly table: number; readonly scale: number }[]
}

const termsOf = (lc: Lc): Terms => ({
  locals: Int32Array.from(lc.keys()),
  coefficients: Float64Array.from(lc.values()),
})

/** Tables get their numbers when the first gadget that asks for them is stamped. */
export function formOf(stamp: Stamp, { lookup, trace }: Stamping): Form {
  const queries = stamp.queries.map(({ lc, table, scale }) => {
    invariant(lookup, "queries need the lookup strategy")
    return { terms: termsOf(lc), table: lookup.add(table), scale }
  })
  return {
    stamp,
    takesMaps: trace === undefined && takesMaps(stamp, stamp.gadget.inputs),
    rows: stamp.rows.map(({ a, b, c }) => [termsOf(a), termsOf(b), termsOf(c)]),
    queries,
  }
}

/** Adds a combination of an instance's locals, whose wires begin at `base`. */
function expand(
  { locals, coefficients }: Terms,
  operands: readonly Operand[],
  operandOffset: number,
  base: number,
  accumulator: Accumulator,
): void {
  for (let k = 0; k < locals.length; k++) {
    const [local, coefficient] = [locals[k], coefficients[k]]
    if (local === ONE) accumulator.addWire(0, coefficient)
    else if (local < operands.length) {
      const operand = operands[local]
      if ("tensor" in operand) accumulator.addMapped(operand.tensor, operand.element, coefficient)
      else accumulator.add(operand, coefficient)
      accumulator.addWire(0, coefficient * operandOffset)
    } else accumulator.addWire(base + local - operands.length, coefficient)
  }
}

/** Writes the rows and queries of a gadget whose wires begin at `base`; returns the wire of its output, or NONE. */
export function stampGadget(
  { stamp, rows, queries }: Form,
  operandOffset: number,
  base: number,
  operands: readonly Operand[],
  accumulator: Accumulator,
  { builder, lookup, trace }: Stamping,
): number {
  for (const row of rows) {
    for (let side = 0; side < 3; side++) {
      expand(row[side], operands, operandOffset, base, accumulator)
      accumulator.flushInto(builder, side, 1)
    }
    builder.endRow()
  }
  for (const { terms, table, scale } of queries) {
    expand(terms, operands, operandOffset, base, accumulator)
    lookup?.query(table, scale, accumulator)
  }
  const output = stamp.outputs.length > 0 ? base + stamp.outputs[0] - operands.length : NONE
  trace?.gadget(stamp.gadget.use, operands as readonly WireLc[], operandOffset, output)
  return output
}
