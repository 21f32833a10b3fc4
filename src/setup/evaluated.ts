/**
 * The polynomials of a constraint system at one point τ (qap.ts), in the memory of the kernels: of every wire its sum of
 * Lagrange polynomials of rows, with the coefficients of a side. Rows are turned around block by block, into the rows
 * that each wire is in; a linear map that stands for rows (circuit/formats/mapped.ts) is taken the other way round
 * instead, so that its products are not written down.
 */
import { type MappedRows, mappedB, NO_ROW } from "../circuit/formats/mapped.js"
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import { r, signed } from "../field.js"
import { forEachReading, weightsOf } from "../ops/linearmap.js"
import type { LinearMap } from "../ops/program.js"
import type { KernelEngine } from "../prover/kernels/engine.js"
import {
  type Columns,
  coefficientBound,
  Evaluation,
  joinScalars,
  type MadeScalars,
  NONE,
  type Transposed,
} from "../prover/kernels/fields/evaluation.js"
import { basisValues, type CosetValues } from "./basis.js"
import { productRows, publicCount } from "./qap.js"
import type { Column } from "./queries.js"

/** Entries of rows that are turned around at a time. */
const blockEntries = 2 ** 20

export interface EvaluateOptions {
  readonly signal?: AbortSignal | undefined
}

export class Evaluated {
  private constructor(
    private readonly evaluation: Evaluation,
    /** Addresses of what was evaluated. */
    private readonly columns: ReadonlyMap<Column | "quotient", number>,
  ) {}

  /** Evaluates what some queries ask for, over a domain of n points, none of which is τ. @throws AbortError */
  static async make(
    { pool }: KernelEngine,
    system: R1cs,
    n: number,
    tau: bigint,
    asked: ReadonlySet<Column | "quotient">,
    options: EvaluateOptions = {},
  ): Promise<Evaluated> {
    const evaluation = new Evaluation(pool)
    const work = new Work(evaluation, (at) => pool.memory.integer(at), system, options)
    const values = basisValues(n, tau)
    const columns = new Map<Column | "quotient", number>()
    const column = (name: Column): number => {
      const at = evaluation.integers(system.wires)
      columns.set(name, at)
      return at
    }
    const basisOf = async (parts: readonly CosetValues[]): Promise<number> => {
      const at = evaluation.integers(n)
      let first = 0
      for (const { coset, factors } of parts) {
        await evaluation.lagrange(at + 32 * first, coset, tau, factors, options)
        first += coset.size
      }
      return at
    }
    if (asked.has("oddProducts")) {
      const basis = await basisOf(values.products)
      const isProduct = productRows(system)
      await work.addRows(system.c, basis, column("oddProducts"), (row) => isProduct[row] === 1)
      evaluation.free(basis)
    }
    if (asked.has("u") || asked.has("v") || asked.has("w")) {
      const basis = await basisOf(values.rows)
      if (asked.has("u")) {
        const u = column("u")
        await work.addRows(system.a, basis, u)
        await work.addPublic(basis, u)
      }
      if (asked.has("v")) await work.addSideB(basis, column("v"))
      if (asked.has("w")) await work.addRows(system.c, basis, column("w"))
      evaluation.free(basis)
    }
    if (asked.has("quotient")) columns.set("quotient", await basisOf(values.quotient))
    return new Evaluated(evaluation, columns)
  }

  /** Sums of columns times factors, for some wires. */
  combinations(
    terms: readonly { readonly column: Column; readonly factor: bigint }[],
    wires: Uint32Array,
  ): MadeScalars {
    const addresses = terms.map(({ column, factor }) => ({ column: this.address(column), factor }))
    return this.evaluation.combinations(addresses, wires.length, wires)
  }

  /** Lagrange polynomials of the points of the quotient, of which there are `count`, times each factor. */
  quotient(count: number, factors: readonly bigint[]): MadeScalars {
    const column = this.address("quotient")
    return joinScalars(factors.map((factor) => this.evaluation.combinations([{ column, factor }], count)))
  }

  /** Gives all memory back. */
  close(): void {
    this.evaluation.close()
  }

  private address(column: Column | "quotient"): number {
    return this.columns.get(column) as number
  }
}

/** Entries whose coefficients the kernels do not take, by wire. */
type LargeEntries = Map<number, { readonly row: number; readonly value: bigint }[]>

/** Sums over the rows of a system. */
class Work {
  /** Coefficients, those that the kernels take. */
  private readonly small: Float64Array
  /** Numbers of entries by wire, or where the next one goes. */
  private readonly counts: Uint32Array

  constructor(
    private readonly evaluation: Evaluation,
    private readonly integerAt: (address: number) => bigint,
    private readonly system: R1cs,
    private readonly options: EvaluateOptions,
  ) {
    this.small = Float64Array.from(system.values, (value) => {
      const number = Number(signed(value))
      return Math.abs(number) < coefficientBound ? number : Number.NaN
    })
    this.counts = new Uint32Array(system.wires)
  }

  /** The rows that keep the columns of public wires independent. */
  async addPublic(basis: number, to: number): Promise<void> {
    const count = publicCount(this.system) + 1
    const targets = Uint32Array.from({ length: count }, (_, i) => i)
    const indices = targets.map((i) => this.system.rows + i)
    const starts = Uint32Array.from({ length: count + 1 }, (_, i) => i)
    const coefficients = new Float64Array(count).fill(1)
    await this.evaluation.addColumns({ targets, starts, indices, coefficients }, basis, to, this.options)
  }

  async addSideB(basis: number, to: number): Promise<void> {
    const side = mappedB(this.system)
    if (side === undefined || !side.maps.every(({ map }) => fits(map))) {
      return await this.addRows(this.system.b, basis, to)
    }
    await this.addRows(side.rest, basis, to)
    for (const mapped of side.maps) await this.addMap(mapped, basis, to)
  }

  /** Adds the rows of a side, some of them or all. */
  async addRows(
    side: SparseRows,
    basis: number,
    to: number,
    counts: (row: number) => boolean = () => true,
  ): Promise<void> {
    const { rowPtr } = side
    const { rows } = this.system
    const large: LargeEntries = new Map()
    let busy: Promise<void> = Promise.resolve()
    for (let from = 0; from < rows; ) {
      let end = from + 1
      while (end < rows && rowPtr[end + 1] - rowPtr[from] <= blockEntries) end++
      // a block is turned around while the kernels have the one before
      const columns = this.turn(side, from, end, counts, large)
      await busy
      busy = this.evaluation.addColumns(columns, basis, to, this.options)
      busy.catch(() => undefined)
      from = end
    }
    await busy
    this.addLarge(large, basis, to)
  }

  /** Entries of rows by wire; those with large coefficients go to `large`. */
  private turn(
    { rowPtr, wires, coefficients }: SparseRows,
    from: number,
    end: number,
    counted: (row: number) => boolean,
    large: LargeEntries,
  ): Columns {
    const { counts, small } = this
    const touched: number[] = []
    let length = 0
    for (let row = from; row < end; row++) {
      if (!counted(row)) continue
      for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
        if (Number.isNaN(small[coefficients[j]])) {
          const list = large.get(wires[j]) ?? []
          large.set(wires[j], list)
          list.push({ row, value: this.system.values[coefficients[j]] })
        } else {
          if (counts[wires[j]]++ === 0) touched.push(wires[j])
          length++
        }
      }
    }
    const targets = Uint32Array.from(touched)
    const starts = new Uint32Array(targets.length + 1)
    for (let i = 0, at = 0; i < targets.length; i++) {
      const count = counts[targets[i]]
      counts[targets[i]] = at
      at += count
      starts[i + 1] = at
    }
    const indices = new Uint32Array(length)
    const factors = new Float64Array(length)
    for (let row = from; row < end; row++) {
      if (!counted(row)) continue
      for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
        const factor = small[coefficients[j]]
        if (Number.isNaN(factor)) continue
        const place = counts[wires[j]]++
        indices[place] = row
        factors[place] = factor
      }
    }
    for (let i = 0; i < targets.length; i++) counts[targets[i]] = 0
    return { targets, starts, indices, coefficients: factors }
  }

  /** Large coefficients are few: words, and packed entries of tables. */
  private addLarge(entries: LargeEntries, basis: number, to: number): void {
    for (const [wire, list] of entries) {
      let sum = this.integerAt(to + 32 * wire)
      for (const { row, value } of list) sum = (sum + value * this.integerAt(basis + 32 * row)) % r
      this.evaluation.setInteger(to + 32 * wire, sum)
    }
  }

  private async addMap({ map, wires, rows, factors }: MappedRows, basis: number, to: number): Promise<void> {
    const { options, evaluation } = this
    /** Adds factor · basis of its row to each output, which are numbered anew. */
    const outputs = (placeOf: (output: number) => number) => (at: number) => {
      const used = rows.map((_, i) => i).filter((i) => rows[i] !== NO_ROW)
      const columns = {
        targets: used.map(placeOf),
        starts: Uint32Array.from({ length: used.length + 1 }, (_, i) => i),
        indices: used.map((i) => rows[i]),
        coefficients: Float64Array.from(used, (i) => factors[i]),
      }
      return evaluation.addColumns(columns, basis, at, options)
    }
    if (map.kind === "sparse")
      return await this.addSparse(
        map,
        wires,
        outputs((i) => i),
        to,
      )
    const shape = shapeOf(map)
    const { outChannels, outPositions } = shape
    const area = outPositions / (map.kind === "dense" ? 1 : map.n)
    const placeOf = (output: number): number => {
      if (map.kind === "dense") return output
      const channel = Math.floor(output / area) % outChannels
      const position = Math.floor(output / (area * outChannels)) * area + (output % area)
      return position * outChannels + channel
    }
    await evaluation.addTransposed(
      { ...shape, targets: targetsOf(map, wires) },
      outputs(placeOf),
      to,
      options,
    )
  }

  private async addSparse(
    { rowPtr, columns, values }: Extract<LinearMap, { kind: "sparse" }>,
    wires: Uint32Array,
    make: (at: number) => Promise<void>,
    to: number,
  ): Promise<void> {
    const outputs = rowPtr.length - 1
    const at = this.evaluation.integers(outputs)
    await make(at)
    const starts = new Uint32Array(wires.length + 1)
    const isUsed = (j: number) => wires[columns[j]] !== NO_ROW
    for (let j = 0; j < columns.length; j++) if (isUsed(j)) starts[columns[j] + 1]++
    for (let i = 0; i < wires.length; i++) starts[i + 1] += starts[i]
    const next = starts.slice()
    const indices = new Uint32Array(starts[wires.length])
    const coefficients = new Float64Array(indices.length)
    for (let i = 0; i < outputs; i++) {
      for (let j = rowPtr[i]; j < rowPtr[i + 1]; j++) {
        if (!isUsed(j)) continue
        const place = next[columns[j]]++
        indices[place] = i
        coefficients[place] = values[j]
      }
    }
    // an input without wire has no entries, and may stand for any
    const targets = wires.map((wire) => (wire === NO_ROW ? 0 : wire))
    await this.evaluation.addColumns({ targets, starts, indices, coefficients }, at, to, this.options)
    this.evaluation.free(at)
  }
}

/** Whether the sums of a map's transpose are exact in the kernels. */
function fits(map: LinearMap): boolean {
  const weights = weightsOf(map)
  if (map.kind === "sparse") return weights.every((weight) => Math.abs(weight) < coefficientBound)
  const { inChannels, groups, taps } = sizesOf(map)
  const sizes = new Float64Array(inChannels / groups)
  for (let i = 0; i < weights.length; i++) sizes[Math.floor(i / taps) % sizes.length] += Math.abs(weights[i])
  return sizes.every((size) => size < coefficientBound)
}

type Regular = Exclude<LinearMap, { kind: "sparse" }>
const area = (sizes: readonly number[]): number => sizes.reduce((x, y) => x * y, 1)

/** A map of matrices is a convolution without neighbours whose positions are rows. */
function sizesOf(map: Regular) {
  if (map.kind === "dense") {
    const { n, k, m } = map
    return { positions: n, outPositions: n, inChannels: k, outChannels: m, groups: 1, taps: 1 }
  }
  const { n, inSize, outSize, kernel, inChannels, outChannels, groups } = map
  const positions = n * area(inSize)
  const outPositions = n * area(outSize)
  return { positions, outPositions, inChannels, outChannels, groups, taps: area(kernel) }
}

/** What the kernels take of a map, but for its targets. */
function shapeOf(map: Regular): Omit<Transposed, "targets"> {
  const sizes = sizesOf(map)
  const { positions, outPositions, inChannels, outChannels, groups, taps } = sizes
  const [groupIn, groupOut] = [inChannels / groups, outChannels / groups]
  const weights = new Float64Array(inChannels * taps * groupOut)
  for (let out = 0, i = 0; out < outChannels; out++) {
    const first = Math.floor(out / groupOut) * groupIn
    for (let channel = 0; channel < groupIn; channel++)
      for (let tap = 0; tap < taps; tap++)
        weights[((first + channel) * taps + tap) * groupOut + (out % groupOut)] = map.weight[i++]
  }
  const starts = new Uint32Array(positions + 1)
  const each = (visit: (output: number, input: number, tap: number) => void) => {
    if (map.kind === "dense") for (let i = 0; i < positions; i++) visit(i, i, 0)
    else {
      const [inArea, outArea] = [positions / map.n, outPositions / map.n]
      for (let b = 0; b < map.n; b++)
        forEachReading(map, (output, input, tap) => visit(b * outArea + output, b * inArea + input, tap))
    }
  }
  each((_, input) => {
    starts[input + 1]++
  })
  for (let i = 0; i < positions; i++) starts[i + 1] += starts[i]
  const next = starts.slice()
  const readings = new Uint32Array(2 * starts[positions])
  each((output, input, tap) => {
    const place = 2 * next[input]++
    readings[place] = tap
    readings[place + 1] = output
  })
  return { ...sizes, weights, starts, readings }
}

/** The wires of inputs, channel by channel. */
function targetsOf(map: Regular, wires: Uint32Array): Uint32Array {
  const { positions, inChannels } = sizesOf(map)
  const inArea = map.kind === "dense" ? 1 : positions / map.n
  const targets = new Uint32Array(wires.length).fill(NONE)
  for (let channel = 0, i = 0; channel < inChannels; channel++) {
    for (let position = 0; position < positions; position++) {
      const batch = Math.floor(position / inArea)
      targets[i++] = wires[(batch * inChannels + channel) * inArea + (position % inArea)]
    }
  }
  return targets
}
