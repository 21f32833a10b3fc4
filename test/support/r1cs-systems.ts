/** Random satisfiable constraint systems and their witnesses, for tests of files, setup and prover. */
import fc from "fast-check"
import type { R1cs, SparseRows } from "#src/circuit/formats/r1cs.js"
import { fieldValue, type Witness } from "#src/circuit/witness/witness.js"
import { mod, power, r } from "#src/field.js"

export interface Instance {
  readonly system: R1cs
  readonly witness: Witness
}

type Row = [wire: number, coefficient: bigint][]

/** A system from rows written out; coefficients are taken mod r. */
export function systemOf(
  rows: readonly (readonly [Row, Row, Row])[],
  wires: number,
  publicOutputs: number,
  publicInputs: number,
): R1cs {
  const values: bigint[] = []
  const side = (which: 0 | 1 | 2): SparseRows => {
    const rowPtr = [0]
    const columns: number[] = []
    const coefficients: number[] = []
    for (const row of rows) {
      for (const [wire, value] of row[which]) {
        const canonical = mod(value)
        if (!values.includes(canonical)) values.push(canonical)
        columns.push(wire)
        coefficients.push(values.indexOf(canonical))
      }
      rowPtr.push(columns.length)
    }
    return {
      rowPtr: Uint32Array.from(rowPtr),
      wires: Uint32Array.from(columns),
      coefficients: Uint32Array.from(coefficients),
    }
  }
  const [a, b, c] = [side(0), side(1), side(2)]
  return { wires, publicOutputs, publicInputs, privateInputs: 0, rows: rows.length, values, a, b, c }
}

export function witnessOfValues(values: readonly bigint[]): Witness {
  const small = new Float64Array(values.length)
  const large = new Map<number, bigint>()
  values.forEach((value, wire) => {
    if (value < 2n ** 53n) small[wire] = Number(value)
    else if (r - value < 2n ** 53n) small[wire] = -Number(r - value)
    else large.set(wire, value)
  })
  return { small, large }
}

const coefficient = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt(-5n, 5n) },
  { weight: 1, arbitrary: fc.bigInt(0n, r - 1n) },
)

/**
 * Rows a·b = c in which c is a combination of other wires plus the wire of the row, which takes whatever
 * value satisfies it. Wires 1 … outputs are defined by the first rows, as public outputs.
 */
export const instances = (maxRows = 12): fc.Arbitrary<Instance> =>
  fc
    .record({
      rows: fc.integer({ min: 1, max: maxRows }),
      inputs: fc.array(fc.oneof(fc.bigInt(-300n, 300n), fc.bigInt(0n, r - 1n)), {
        minLength: 1,
        maxLength: 4,
      }),
      outputs: fc.integer({ min: 0, max: 3 }),
      publicInputs: fc.integer({ min: 0, max: 3 }),
    })
    .chain((shape) => {
      const wires = 1 + shape.rows + shape.inputs.length
      const entries = fc.array(fc.tuple(fc.integer({ min: 0, max: wires - 1 }), coefficient), {
        maxLength: 4,
      })
      const row = fc.tuple(entries, entries, entries)
      return fc.record({
        shape: fc.constant(shape),
        rows: fc.array(row, { minLength: shape.rows, maxLength: shape.rows }),
      })
    })
    .map(({ shape, rows }) => instanceOf(shape, rows))

function instanceOf(
  shape: { rows: number; inputs: bigint[]; outputs: number; publicInputs: number },
  random: [Row, Row, Row][],
): Instance {
  // order: one, outputs (rows first), inputs, the other rows' wires
  const outputs = Math.min(shape.outputs, shape.rows)
  const publicInputs = Math.min(shape.publicInputs, shape.inputs.length)
  const wires = 1 + shape.rows + shape.inputs.length
  const wireOfRow = (row: number) => (row < outputs ? 1 + row : 1 + shape.inputs.length + row)
  const values = new Array<bigint | undefined>(wires).fill(undefined)
  values[0] = 1n
  shape.inputs.forEach((value, i) => {
    values[1 + outputs + i] = mod(value)
  })
  const rows = random.map((sides, index) => {
    const own = wireOfRow(index)
    const [a, b, c] = sides.map((entries) => merge(entries.filter(([wire]) => values[wire] !== undefined)))
    const dot = (entries: Row) =>
      entries.reduce((sum, [wire, value]) => sum + value * (values[wire] as bigint), 0n)
    values[own] = mod(dot(a) * dot(b) - dot(c))
    return [a, b, [...c, [own, 1n]]] as [Row, Row, Row]
  })
  return {
    system: systemOf(rows, wires, outputs, publicInputs),
    witness: witnessOfValues(values as bigint[]),
  }
}

/** One entry per wire, none zero. */
function merge(entries: Row): Row {
  const sums = new Map<number, bigint>()
  for (const [wire, value] of entries) sums.set(wire, mod((sums.get(wire) ?? 0n) + value))
  return [...sums].filter(([, value]) => value !== 0n)
}

/** Whether every row holds, by the definition. */
export function satisfied(system: R1cs, witness: Witness): boolean {
  const dot = ({ rowPtr, wires, coefficients }: SparseRows, row: number): bigint => {
    let sum = 0n
    for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
      sum += system.values[coefficients[k]] * fieldValue(witness, wires[k])
    }
    return sum % r
  }
  for (let row = 0; row < system.rows; row++) {
    if ((dot(system.a, row) * dot(system.b, row)) % r !== dot(system.c, row)) return false
  }
  return true
}

/** x·x = y, x·y = z with z public, padded with as many copies as asked: z = x³. */
export function cubes(x: bigint, copies = 1): Instance {
  const rows: [Row, Row, Row][] = []
  const values = [1n, mod(x ** 3n), mod(x), mod(x * x)]
  for (let i = 0; i < copies; i++) {
    rows.push([[[2, 1n]], [[2, 1n]], [[3, 1n]]])
    rows.push([[[2, 1n]], [[3, 1n]], [[1, 1n]]])
  }
  return { system: systemOf(rows, 4, 1, 0), witness: witnessOfValues(values) }
}

/** x^(2^n) by n squarings, the last one public. */
export function squarings(x: bigint, n: number): Instance {
  const values = [1n, power(x, 1n << BigInt(n)), mod(x)]
  for (let i = 1; i < n; i++) values.push(power(x, 1n << BigInt(i)))
  const rows = Array.from({ length: n }, (_, i) => {
    const to = i + 1 === n ? 1 : 3 + i
    return [[[2 + i, 1n]], [[2 + i, 1n]], [[to, 1n]]] as [Row, Row, Row]
  })
  return { system: systemOf(rows, values.length, 1, 0), witness: witnessOfValues(values) }
}
