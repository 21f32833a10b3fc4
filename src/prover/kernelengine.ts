/** The engine of the two-phase prover on our kernels. */
import { writeField } from "../circuit/binfile.js"
import { mod } from "../field.js"
import type { Engine, Points, QuotientRows, Rows, Vector } from "./engine.js"
import { openEngine, type PointSet } from "./kernels/engine.js"
import { fileBytes } from "./kernels/points.js"
import type { KernelPool } from "./kernels/pool.js"
import { SparseProduct } from "./kernels/sparse.js"
import { largeValue, Transform } from "./kernels/transform.js"
import { multipleWindows } from "./kernels/windows.js"

interface LoadedRows extends Rows {
  readonly products: readonly SparseProduct[]
  readonly vector: number
  readonly sums: readonly number[]
}
interface LoadedPoints extends Points {
  readonly set: Promise<PointSet>
}

/** Opens the kernels with threads of their own. */
export async function kernelEngine(options: { readonly threads?: number } = {}): Promise<Engine> {
  const kernels = await openEngine(options)
  const { pool } = kernels
  const transforms = new Map<number, Promise<Transform>>()
  const transformOf = (n: number): Promise<Transform> => {
    const held = transforms.get(n)
    if (held) return held
    const made = Transform.make(pool, n, 2)
    transforms.set(n, made)
    // a worker may have died over it: the next proof tries again
    made.catch(() => transforms.delete(n))
    return made
  }
  const setOf = (points: Points): Promise<PointSet> => (points as LoadedPoints).set
  // transforms and rows have one place for their values: whoever comes next waits
  let quotient: Promise<unknown> = Promise.resolve()
  let sumsQueue: Promise<unknown> = Promise.resolve()
  const load: Engine["load"] = (group, bytes, multiples) => {
    const given = bytes.length / fileBytes[group]
    const count = multiples ? given + (given - multiples.from) * (multiples.layers - 1) : given
    return { group, count, set: kernels.points(group, bytes, multiples) } as LoadedPoints
  }
  return {
    load,
    loadQuotient(bytes, multiples) {
      const { bits, count: layers } = multipleWindows(bytes.length / fileBytes.g1)
      return load("g1", bytes, multiples ? { from: 0, bits, layers } : undefined)
    },
    loadRows(system) {
      // large values are the prover's business: here they count as zero
      const large: ReadonlySet<number> = new Set()
      const products = [system.a, system.b, system.c].map((side) => {
        return new SparseProduct(pool, side, system.values, large)
      })
      const vector = pool.memory.allocate(8 * system.wires, "wires of a circuit")
      const sums = products.map(() => pool.memory.allocate(8 * system.rows, "rows of a circuit"))
      return { system, products, vector, sums } as LoadedRows
    },
    async rowSums(rows, wires, options) {
      const { system, products, vector, sums } = rows as LoadedRows
      const result = sumsQueue.then(async () => {
        pool.memory.doubles(vector, system.wires).set(wires)
        await kernels.run(
          products.flatMap((product, i) => product.steps(vector, sums[i])),
          options,
        )
        const [a, b, c] = sums.map((at) => pool.memory.doubles(at, system.rows).slice())
        return { a, b, c }
      })
      sumsQueue = result.catch(() => undefined)
      return result
    },
    msm: async (points, scalars, options) =>
      kernels.msm(
        await setOf(points),
        scalars instanceof Float64Array ? { small: scalars } : { full: encode(scalars) },
        options,
      ),
    async sums(points, entries, groups, options) {
      const set = await kernels.sums(await setOf(points), entries, groups, options)
      return { group: points.group, count: groups, set: Promise.resolve(set) } as LoadedPoints
    },
    quotientMsm(h, rows, options) {
      const product = quotient.then(async () => {
        const transform = await transformOf(rows.a.small.length)
        const set = await setOf(h)
        writeRows(transform, rows, pool)
        return kernels.msm(
          set,
          { at: transform.out, count: transform.n },
          { ...options, before: transform.quotientSteps() },
        )
      })
      quotient = product.catch(() => undefined)
      return product
    },
    async free(loaded) {
      if (!("system" in loaded)) return kernels.free(await setOf(loaded))
      const { products, vector, sums } = loaded as LoadedRows
      for (const product of products) product.close()
      for (const at of [vector, ...sums]) pool.memory.release(at)
    },
    heldBytes: () => pool.memory.allocated,
    close: () => kernels.close(),
  }
}

/** Writes the vectors into the sources of a transform: small integers, and one table of field elements. */
function writeRows(transform: Transform, { a, b }: QuotientRows, { memory }: KernelPool): void {
  const vectors: Vector[] = [a, b]
  const total = vectors.reduce((sum, { fields }) => sum + fields.length, 0)
  const at = transform.reserveLarge(total)
  const table = memory.bytes(at, 32 * total)
  const view = new DataView(table.buffer, table.byteOffset, table.length)
  let first = 0
  vectors.forEach(({ small, rows, index, fields }, i) => {
    const values = memory.doubles(transform.sources[i], transform.n)
    values.set(small)
    for (let j = 0; j < rows.length; j++) values[rows[j]] = largeValue(first + index[j])
    fields.forEach((value, k) => {
      writeField(view, 32 * (first + k), value)
    })
    first += fields.length
  })
}

function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, mod(value))
  })
  return bytes
}
