/**
 * The lookup argument of a circuit: LogUp (Haböck, eprint 2022/1530) with one challenge c.
 *
 *     query      inv · (scale · c − lc) = scale        so inv = 1 / (c − lc / scale)
 *     entry t    s · (c − t) = m                        so s = m / (c − t)
 *     per table  Σ inv − Σ s = 0
 *
 * If the queries and multiplicities were fixed before c was drawn, the sums agree for more than
 * queries + 2 · entries values of c only if every query is an entry. inv and s are final wires and stand on
 * side A alone: what is multiplied in G2 stays small.
 */

import type { Table } from "../gadgets/tables.js"
import { GrowingU32, type R1csBuilder, type WireLc } from "./builder.js"
import type { Accumulator } from "./rows.js"

/** Where the queries and tables of a circuit went. Entries of all tables are numbered in table order. */
export interface Lookup {
  readonly tables: readonly Table[]
  /** The wire of the challenge c. */
  readonly challenge: number
  /** First entry of each table, and the number of all entries at the end. */
  readonly tableStart: Uint32Array
  /** Per query: its table, its scale, and its row. Query i's inverse is wire inverses + i. */
  readonly table: Uint32Array
  readonly scale: Float64Array
  readonly row: Uint32Array
  /** First wires: multiplicities (committed), inverses and quotients (final). */
  readonly multiplicities: number
  readonly inverses: number
  readonly quotients: number
  /** Row of entry 0; the others follow, then the sums. */
  readonly entryRow: number
}

/** All entries of all tables. */
export const entriesOf = ({ tables }: Pick<Lookup, "tables">): bigint[] =>
  tables.flatMap(({ entries }) => Array.from(entries, BigInt))

export class LookupBuilder {
  private readonly tables: Table[] = []
  private readonly known = new Map<string, number>()
  private readonly table = new GrowingU32()
  private readonly scale: number[] = []
  private readonly row = new GrowingU32()
  private readonly inverses: number[][] = []

  constructor(
    private readonly builder: R1csBuilder,
    private readonly challenge: number,
  ) {}

  /** Number of a table, for `query`. */
  add(table: Table): number {
    let index = this.known.get(table.key)
    if (index === undefined) {
      index = this.tables.push(table) - 1
      this.known.set(table.key, index)
      this.inverses.push([])
    }
    return index
  }

  /** Adds the row that says that what an accumulator holds, which it takes, is `scale` times an entry. */
  query(table: number, scale: number, lc: Accumulator): void {
    const { builder } = this
    const inverse = builder.allocateFinal()
    this.table.push(table)
    this.scale.push(scale)
    this.row.push(builder.rows)
    this.inverses[table].push(inverse)
    builder.entry(0, inverse, 1)
    builder.entry(1, this.challenge, scale)
    lc.flushInto(builder, 1, -1)
    builder.entry(2, 0, scale)
    builder.endRow()
  }

  /** Adds multiplicities, entries and sums. Wire numbers of final wires are relative to the first of them. */
  finish(): Omit<Lookup, "inverses" | "quotients"> & { readonly queries: number } {
    const { builder, tables } = this
    const tableStart = new Uint32Array(tables.length + 1)
    tables.forEach((table, i) => {
      tableStart[i + 1] = tableStart[i] + table.entries.length
    })
    const multiplicities = builder.allocate(tableStart[tables.length])
    const entryRow = builder.rows
    const quotients = tables.map(({ entries }, i) =>
      Array.from(entries, (entry, k) => {
        const quotient = builder.allocateFinal()
        const multiplicity: WireLc = { wires: [multiplicities + tableStart[i] + k], coefficients: [1] }
        const denominator: WireLc = { wires: [this.challenge, 0], coefficients: [1, -entry] }
        builder.row({ wires: [quotient], coefficients: [1] }, denominator, multiplicity)
        return quotient
      }),
    )
    tables.forEach((_, i) => {
      for (const wire of this.inverses[i]) builder.entry(2, wire, 1)
      for (const wire of quotients[i]) builder.entry(2, wire, -1)
      builder.endRow()
    })
    return {
      tables,
      challenge: this.challenge,
      tableStart,
      table: this.table.take(),
      scale: Float64Array.from(this.scale),
      row: this.row.take(),
      multiplicities,
      entryRow,
      queries: this.scale.length,
    }
  }
}
