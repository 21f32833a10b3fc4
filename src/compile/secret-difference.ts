/**
 * Do the rows of a node with secret weights say what its model says? They are followed in order with the exact integers of
 * an execution, at a random challenge: every side of every row has to be the sum that the form of the node asks for, computed
 * here from the model's own weights and tensors, and every new wire stands in it once. So a row of other weights, inputs or
 * outputs shows, and one that is missing.
 */
import type { SparseRows } from "../circuit/formats/r1cs.js"
import type { Lookup } from "../circuit/link/lookup.js"
import { type CheckedRun, runQueries, type SecretStamp, type SecretWires } from "../circuit/link/secret.js"
import { slotOf, stridesOf, windowOf } from "../circuit/plan/banks.js"
import { isZero, powersTo } from "../circuit/plan/projection.js"
import { type BankPlan, productBits } from "../circuit/plan/secret.js"
import { emitWindows, type Sink, type Sum } from "../circuit/plan/windows.js"
import { mod, power } from "../field.js"
import { forEachProduct, weightsOf } from "../ops/linearmap.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import type { SecretNode } from "../quantize/integers/secrets.js"
import type { Followed } from "./projected-difference.js"

/** What is compared: a group's rows, and the model's numbers. */
export interface SecretComparison {
  readonly node: SecretNode
  readonly graph: IntGraph
  readonly exact: readonly (readonly bigint[])[]
  readonly followed: Followed
  /** Says which integer stands on a wire that is fixed before the challenge. */
  readonly set: (wire: number, value: bigint) => void
}

/** A row that says something else. */
class Difference extends Error {}

function differ(row: number, why: string): never {
  throw new Difference(`constraint ${row} ${why}`)
}

function found(compare: () => void): string | undefined {
  try {
    compare()
    return undefined
  } catch (error) {
    if (error instanceof Difference) return error.message
    throw error
  }
}

/** Reads rows one after the other, with the values of all wires that are there. */
class Rows {
  next: number
  constructor(
    readonly followed: Followed,
    firstRow: number,
  ) {
    this.next = firstRow
  }

  #valueOf(wire: number): bigint | undefined {
    const { challenge, value, finals, known } = this.followed
    return wire === challenge ? value : (finals.get(wire) ?? known(wire))
  }

  /** A side of a row: its sum, and the wires of it that have no value yet. */
  side({ rowPtr, wires, coefficients }: SparseRows, row: number) {
    let sum = 0n
    const made: { wire: number; coefficient: bigint }[] = []
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const coefficient = this.followed.system.values[coefficients[j]]
      const value = this.#valueOf(wires[j])
      if (value === undefined) made.push({ wire: wires[j], coefficient })
      else sum += coefficient * value
    }
    return { sum: mod(sum), made, entries: rowPtr[row + 1] - rowPtr[row] }
  }

  /** The next row is a · b = c + the wire that it makes, which is told, if it is to make one. */
  take(a: bigint, b: bigint, c: bigint, makes: boolean): number {
    const { system } = this.followed
    const row = this.next++
    const [left, right, rest] = [system.a, system.b, system.c].map((side) => this.side(side, row))
    if (left.made.length + right.made.length > 0 || left.sum !== mod(a) || right.sum !== mod(b))
      differ(row, "has other factors than the model")
    const [made] = rest.made
    if (rest.made.length !== (makes ? 1 : 0) || rest.sum !== mod(c))
      differ(row, "has another result than the model")
    if (makes && made.coefficient !== 1n) differ(row, "makes no wire")
    return made?.wire ?? -1
  }
}

/** The range checks of a node's secret integers, from query `first` on; sets what stands on their wires. */
export function checkedDifference(
  checked: SecretWires,
  constants: (wire: number) => bigint,
  lookup: Lookup,
  { node, followed, set }: SecretComparison,
): string | undefined {
  return found(() => {
    let [row, query] = [checked.firstRow, checked.firstQuery]
    const { system } = followed
    const runs = [...checked.weights, checked.constants].filter((run) => run !== undefined)
    for (const [t, run] of checked.weights.entries())
      if (run) {
        const weights = weightsOf(node.terms[t].map)
        for (let i = 0; i < run.count; i++)
          if (constants(run.first + i) !== BigInt(weights[i]))
            differ(row, "checks another weight than the model's")
      }
    for (const run of runs)
      for (let i = 0; i < run.count; i++) {
        setRun(run, i, constants, set)
        for (const { wires, coefficients, constant, scale } of runQueries(run, i)) {
          const sum = wires.reduce(
            (total, wire, j) => total + BigInt(coefficients[j]) * constants(wire),
            BigInt(constant),
          )
          const rows = new Rows(followed, row)
          const [a, b, c] = [system.a, system.b, system.c].map((side) => rows.side(side, row))
          const isQuery =
            lookup.row[query] === row &&
            lookup.scale[query] === scale &&
            lookup.tables[lookup.table[query]].key === `Range(${run.tableBits})` &&
            a.entries === 1 &&
            a.made.length === 1 &&
            a.made[0].wire === lookup.inverses + query &&
            a.made[0].coefficient === 1n &&
            b.made.length === 0 &&
            b.sum === mod(BigInt(scale) * followed.value - sum) &&
            c.made.length === 0 &&
            c.sum === BigInt(scale)
          if (!isQuery) differ(row, "does not check the range of a private weight")
          row++
          query++
        }
      }
    for (const [t, term] of checked.plan.terms.entries()) {
      const first = checked.taken[t]
      if (term?.form !== "windows" || first === undefined) continue
      const count = term.banks.reduce(
        (sum, { bank, slots }) => sum + (slots.paired ? bank.channels * bank.taps : 0),
        0,
      )
      for (let i = 0; i < count; i++) set(first + i, constants(first + i))
    }
    if (row !== checked.rowEnd) differ(row, "is one too many")
  })
}

function setRun(
  { first, firstLimb, limbs }: CheckedRun,
  i: number,
  constants: (wire: number) => bigint,
  set: SecretComparison["set"],
): void {
  set(first + i, constants(first + i))
  for (let l = 0; l < limbs - 1; l++)
    set(firstLimb + i * (limbs - 1) + l, constants(firstLimb + i * (limbs - 1) + l))
}

/** Why the rows of a node do not say what it is, if they do not. */
export function secretDifference(
  stamp: SecretStamp,
  [firstRow, rowEnd]: readonly [number, number],
  comparison: SecretComparison,
): string | undefined {
  return found(() => {
    const rows = new Rows(comparison.followed, firstRow)
    if (stamp.pairs) comparePairs(stamp, rows, comparison)
    else compareTerms(stamp, rows, comparison)
    if (rows.next !== rowEnd) differ(rows.next, "is one too many, or missing")
  })
}

function comparePairs(
  { plan, constants }: SecretStamp,
  rows: Rows,
  { node, exact, followed, set }: SecretComparison,
): void {
  const { pairs } = plan
  if (!pairs || !constants) throw new Difference("a node of pairs has none")
  const { n, m, columns } = pairs
  const maps = node.terms.map(({ source, map }) => ({ weights: weightsOf(map), values: exact[source] }))
  const width = (term: number) => maps[term].values.length / n
  const x = (row: number, k: number) =>
    maps[columns[k].term].values[row * width(columns[k].term) + columns[k].column]
  const w = (output: number, k: number) =>
    BigInt(maps[columns[k].term].weights[output * width(columns[k].term) + columns[k].column])
  const last = columns.length - 1
  const make = (a: bigint, b: bigint, c: bigint, value: bigint) => set(rows.take(a, b, c, true), value)
  for (let row = 0; row < n; row++) {
    let shared = 0n
    for (let k = 0; k < last; k += 2) {
      const product = x(row, k) * x(row, k + 1)
      make(x(row, k), x(row, k + 1), -shared, shared + product)
      shared += product
    }
    for (let output = 0; output < m; output++) {
      let sum = -shared + (followed.known(constants.first + output) ?? 0n)
      for (let k = 0; k < last; k += 2) {
        const [a, b] = [w(output, k) + x(row, k + 1), w(output, k + 1) + x(row, k)]
        make(a, b, 0n, a * b)
        sum += a * b
      }
      if (columns.length % 2 === 1) {
        make(w(output, last), x(row, last), 0n, w(output, last) * x(row, last))
        sum += w(output, last) * x(row, last)
      }
      const value = exact[node.out][row * m + output]
      if (value !== sum) differ(rows.next, `gives ${sum}, the model gives ${value}`)
      defineSum(rows, sum, set)
    }
  }
}

/** The next row is 0 · 0 = sum − y of a new y. */
function defineSum(rows: Rows, sum: bigint, set: SecretComparison["set"]): void {
  const { system } = rows.followed
  const row = rows.next++
  const [a, b, c] = [system.a, system.b, system.c].map((side) => rows.side(side, row))
  const [made] = c.made
  if (a.entries + b.entries > 0 || c.made.length !== 1 || made.coefficient !== mod(-1n) || c.sum !== mod(sum))
    differ(row, "does not sum the products of the model")
  set(made.wire, sum)
}

function compareTerms({ plan, terms }: SecretStamp, rows: Rows, comparison: SecretComparison): void {
  const { node, exact, set } = comparison
  for (const [t, term] of terms.entries()) {
    const form = plan.terms[t]
    if (!term || !form) continue
    const { source, map } = node.terms[t]
    const weights = weightsOf(map)
    const y = exact[node.out].map(() => 0n)
    forEachProduct(map, (output, input, weight) => {
      const product = BigInt(weights[weight]) * exact[source][input]
      y[output] += product
      if (form.form === "products")
        set(rows.take(BigInt(weights[weight]), exact[source][input], 0n, true), product)
    })
    if (form.form === "products") for (const sum of y) defineSum(rows, sum, set)
    else {
      y.forEach((value, i) => {
        set(term.y + i, value)
      })
      let at = term.outputs ?? 0
      for (const bank of form.banks) at = compareBank(bank, at, t, y, rows, comparison)
    }
  }
}

/** Follows the rows of a bank; returns where the limbs of the next one begin. */
function compareBank(
  { bank, slots }: BankPlan,
  firstLimb: number,
  t: number,
  y: readonly bigint[],
  rows: Rows,
  { node, graph, exact, followed, set }: SecretComparison,
): number {
  const { n, outputs, outArea, axes, weight, output } = bank
  const { finals, powers, value: c } = followed
  const { source, map } = node.terms[t]
  const weights = weightsOf(map)
  const half = Math.floor(outputs / 2)
  const pairs = (of: (o: number) => bigint) => {
    let sum = 0n
    for (let o = 0; o < half; o++) sum += of(o) * of(outputs - 1 - o)
    return sum
  }
  if (slots.pairedOutputs)
    for (let i = 0; i < n * outArea; i++) {
      const sum = pairs((o) => y[output(Math.floor(i / outArea), o, i % outArea)])
      const high = sum >> BigInt(productBits)
      set(firstLimb + 2 * i, sum - (high << BigInt(productBits)))
      set(firstLimb + 2 * i + 1, high)
    }
  // wires of the sink are values
  const values: bigint[] = []
  const hold = (value: bigint) => values.push(mod(value)) - 1
  const sumOf = ({ wires, coefficients }: Sum) =>
    wires.reduce((total, wire, j) => total + BigInt(coefficients[j]) * values[wire], 0n)
  const known = new Set(powers.values())
  const kept = new Map<number, bigint>()
  const powerOf = (exponent: number): bigint => {
    const value = kept.get(exponent) ?? power(c, BigInt(exponent))
    kept.set(exponent, value)
    return value
  }
  const sink: Sink = {
    power(exponent, steps) {
      for (const [made, before] of powersTo(exponent, (e) => known.has(e), steps)) {
        const wire = rows.take(powerOf(before), powerOf(made - before), 0n, true)
        known.add(made)
        powers.set(wire, made)
        finals.set(wire, powerOf(made))
      }
      return hold(powerOf(exponent))
    },
    product(a, b, before) {
      const rest = before === undefined ? 0n : values[before]
      const value = mod(sumOf(a) * sumOf(b) + rest)
      finals.set(rows.take(sumOf(a), sumOf(b), -rest, true), value)
      return hold(value)
    },
    equation(a, b, before, sum) {
      const rest = before === undefined ? 0n : values[before]
      rows.take(sumOf(a), sumOf(b), sumOf(sum) - rest, false)
      const { steps } = stridesOf(bank)
      const all = axes.reduce((total, axis, k) => total + steps[k] * windowOf(axis, axis.kernel - 1).from, 0)
      let right = 0n
      for (let i = 0; i < n * outArea; i++)
        for (let o = 0; o < outputs; o++) {
          const exponent = slotOf(slots, o) + slots.block * (i + all)
          right += powerOf(exponent) * y[output(Math.floor(i / outArea), o, i % outArea)]
        }
      if (mod(sumOf(sum) - right) !== 0n) differ(rows.next - 1, "is not about the result of the model")
    },
  }
  const one = (value: bigint): Sum => ({ wires: [hold(value)], coefficients: [1] })
  emitWindows(
    bank,
    slots,
    {
      x: (element) => (isZero(graph.tensors[source], element) ? undefined : one(exact[source][element])),
      weight: (stored) => hold(BigInt(weights[stored])),
      y: (element) => hold(y[element]),
      constant: (channel, tap) => hold(pairs((o) => BigInt(weights[weight(o, channel, tap)]))),
      products: (image, place) => one(pairs((o) => y[output(image, o, place)])),
    },
    sink,
  )
  return firstLimb + (slots.pairedOutputs ? 2 * n * outArea : 0)
}
