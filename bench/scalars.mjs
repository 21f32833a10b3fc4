/** Rows about the scalar field: transforms and sparse rows. */
import { mod } from "../dist/field.js"
import { SparseProduct } from "../dist/prover/kernels/fields/sparse.js"
import { largeValue, Transform } from "../dist/prover/kernels/fields/transform.js"
import { compare } from "./compare.mjs"
import { fieldElement, generator, toBytes } from "./inputs.mjs"

/** A transform of n random values: from values to coefficients, n times too large while they are in memory. */
async function transformRow(row, bits, { engine, curve }) {
  const { pool } = engine
  const { Fr } = curve
  const n = 2 ** bits
  const next = generator(bits)
  const values = Array.from({ length: n }, () => fieldElement(next))
  const transform = await Transform.make(pool, n, 1)
  const at = transform.reserveLarge(n)
  // a transform with ω instead of ω⁻¹ is one of the values in the opposite order, from the first one on
  const theirInput = new Uint8Array(32 * n)
  values.forEach((value, i) => {
    toBytes(value, pool.memory.bytes(at + 32 * i, 32))
    theirInput.set(Fr.e(value), 32 * ((n - i) % n))
  })
  pool.memory.doubles(transform.sources[0], n).set(values.map((_, i) => largeValue(i)))
  const [reading, ...steps] = transform.inverseSteps()
  await pool.run([reading])
  const resident = steps.map((step) => ({
    ...step,
    after: step.after.filter((i) => i > 0).map((i) => i - 1),
  }))
  const equal = (_, theirs) =>
    transform
      .coefficients(0)
      .every((value, i) => mod(BigInt(n) * value) === Fr.toObject(theirs.slice(32 * i, 32 * i + 32)))
  const result = await compare({
    ...row,
    ours: () => pool.run(resident),
    theirs: () => Fr.fft(theirInput),
    equal,
    times: 3,
  })
  transform.close()
  return result
}

/** A·w of 1.7 million entries: 8-bit coefficients and wires, 100 a row, about as linear layers have them. */
async function sparseRow(row, { engine, curve }) {
  const { pool } = engine
  const { Fr } = curve
  const [rows, perRow, wires] = [17_000, 100, 60_000]
  const next = generator(7)
  const values = Array.from({ length: 255 }, (_, i) => mod(BigInt(i - 127)))
  const entries = rows * perRow
  const matrix = {
    rowPtr: Uint32Array.from({ length: rows + 1 }, (_, i) => perRow * i),
    wires: Uint32Array.from({ length: entries }, () => next() % wires),
    coefficients: Uint32Array.from({ length: entries }, () => next() % values.length),
  }
  const witness = Float64Array.from({ length: wires }, () => next() % 256)
  const product = new SparseProduct(pool, matrix, values, new Set())
  const vector = pool.memory.allocate(8 * wires, "witness")
  const out = pool.memory.allocate(8 * rows, "rows")
  pool.memory.doubles(vector, wires).set(witness)
  const ours = async () => {
    await pool.run(product.steps(vector, out))
    product.finish(out, (wire) => BigInt(witness[wire]), largeValue)
  }
  // as snarkjs does it: one multiplication and one addition of field elements for each entry, on one thread
  const theirValues = values.map((value) => Fr.e(value))
  const theirWitness = Array.from(witness, (value) => Fr.e(BigInt(value)))
  const theirs = () =>
    Array.from({ length: rows }, (_, i) => {
      let sum = Fr.zero
      for (let j = matrix.rowPtr[i]; j < matrix.rowPtr[i + 1]; j++) {
        sum = Fr.add(sum, Fr.mul(theirValues[matrix.coefficients[j]], theirWitness[matrix.wires[j]]))
      }
      return sum
    })
  const equal = (_, theirs) => {
    const sums = pool.memory.doubles(out, rows)
    return theirs.every((sum, i) => Fr.toObject(sum) === mod(BigInt(sums[i])))
  }
  const result = await compare({ ...row, ours, theirs, equal, rounds: 3, times: 5 })
  for (const at of [vector, out]) pool.memory.release(at)
  product.close()
  return result
}

export const scalarRows = {
  "ntt 2^16": (row, context) => transformRow(row, 16, context),
  "ntt 2^18": (row, context) => transformRow(row, 18, context),
  "sparse rows": sparseRow,
}
