/** The engine of the two-phase prover on our kernels. */
import { writeField } from "../../circuit/formats/container.js"
import { partOf } from "../../circuit/formats/source.js"
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
import { type EngineOptions, openEngine, type PointSet, type RawScalars } from "../kernels/engine.js"
import { type FieldSet, lookupFields } from "../kernels/fields/lookup.js"
import { SparseProduct } from "../kernels/fields/sparse.js"
import { largeValue, Transform } from "../kernels/fields/transform.js"
import { pairingsAreOne } from "../kernels/points/pairing.js"
import { addPoints, fileBytes } from "../kernels/points/points.js"
import { type StreamedPoints, Streams } from "../kernels/points/stream.js"
import type { Layers } from "../kernels/points/windows.js"
import type { KernelPool, Step } from "../kernels/pool.js"
import type { Affine, Engine, Fields, Points, QuotientRows, Rows, Vector, WorkOptions } from "./engine.js"

interface LoadedRows extends Rows {
  readonly products: readonly SparseProduct[]
  readonly vector: number
  readonly sums: readonly number[]
}
interface LoadedFields extends Fields {
  readonly set: Promise<FieldSet>
}
interface LoadedPoints extends Points {
  /** Point i is the sum of point i of each: sums of streamed points are one set for every block. */
  readonly sets: () => Promise<readonly PointSet[]>
  readonly layers?: Layers | undefined
}
/** What `make` makes: once, and again at the next call if it failed, because a worker may have died over it. */
function lasting<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch((error) => {
      made = undefined
      throw error
    })
    return made
  }
}
const isStreamed = (points: Points): points is StreamedPoints => "head" in points

/** Opens the kernels with threads of their own. `blockBytes`: how much of streamed points is held at a time. */
export async function kernelEngine(
  options: Pick<EngineOptions, "threads" | "variant"> & { readonly blockBytes?: number } = {},
): Promise<Engine> {
  const kernels = await openEngine(options)
  const streams = new Streams(kernels, options.blockBytes)
  const { pool } = kernels
  const transforms = new Map<number, () => Promise<Transform>>()
  const transformOf = (n: number): Promise<Transform> => {
    const transform = transforms.get(n) ?? lasting(() => Transform.make(pool, n, 2))
    transforms.set(n, transform)
    return transform()
  }
  const setsOf = (points: Points): Promise<readonly PointSet[]> => (points as LoadedPoints).sets()
  const multiply: Multiply = async (points, scalars, options) => {
    if (isStreamed(points)) return streams.msm(points, scalars, options)
    const products = (await setsOf(points)).map((set) => kernels.msm(set, scalars, options))
    // all have ended before anyone gives their memory back
    await Promise.allSettled(products)
    return addPoints(points.group, await Promise.all(products))
  }
  const msm: Engine["msm"] = async (points, scalars, options) => {
    if (scalars instanceof Float64Array) return multiply(points, { small: scalars }, options)
    const full =
      "fields" in scalars ? pick(await fieldsOf(scalars.fields), scalars.index, pool) : encode(scalars)
    return multiply(points, { full }, options)
  }
  /** Work that needs what was loaded, which is given back only once that has ended, however it ended. */
  const users = new WeakMap<object, Set<Promise<unknown>>>()
  const using = <T>(loaded: readonly object[], work: Promise<T>): Promise<T> => {
    for (const used of loaded) {
      const works = users.get(used) ?? new Set()
      users.set(used, works.add(work))
      work.catch(() => undefined).finally(() => works.delete(work))
    }
    return work
  }
  const fieldsOf = (fields: Fields): Promise<FieldSet> => (fields as LoadedFields).set
  // transforms and rows have one place for their values: whoever comes next waits
  let quotient: Promise<unknown> = Promise.resolve()
  let sumsQueue: Promise<unknown> = Promise.resolve()
  const load: Engine["load"] = (group, points, { multiples, nameOf } = {}) => {
    if (!(points instanceof Uint8Array)) return streams.load(group, points, { multiples, nameOf })
    const given = points.length / fileBytes[group]
    const count = multiples ? given + (given - multiples.from) * (multiples.layers - 1) : given
    const sets = lasting(() => kernels.points(group, points, { multiples, nameOf }).then((set) => [set]))
    // the first proof will wait for them, or tell why there are none
    sets().catch(() => undefined)
    return { group, count, sets } as LoadedPoints
  }
  return {
    load,
    loadQuotient(points, layers, nameOf) {
      if (points instanceof Uint8Array) {
        const loaded = load("g1", points, { nameOf })
        return { ...loaded, layers: layers.count > 1 ? layers : undefined } as LoadedPoints
      }
      // blocks are multiplied one by one: there are no buckets to share
      return load("g1", partOf(points, { at: 0, length: points.size / layers.count }), { nameOf })
    },
    loadRows(system) {
      // large values are the prover's business: here they count as zero
      const large: ReadonlySet<number> = new Set()
      const products = [system.a, system.b, system.c].map((side) => {
        return new SparseProduct(pool, side, system.values, large)
      })
      invariant(
        products.every(({ wires, rows }) => wires <= system.wires && rows === system.rows),
        "rows are of the system's wires",
      )
      const vector = pool.memory.allocate(8 * system.wires, "wires of a circuit")
      const sums = products.map(() => pool.memory.allocate(8 * system.rows, "rows of a circuit"))
      return { system, products, vector, sums } as LoadedRows
    },
    rowSums(rows, wires, options) {
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
      return using([rows], result)
    },
    msm(points, scalars, options) {
      const used = "fields" in scalars ? [points, scalars.fields] : [points]
      return using(used, msm(points, scalars, options))
    },
    lookupFields(c, entries, multiplicities, options) {
      const run = (steps: readonly Step[]) => kernels.run(steps, options)
      const set = lookupFields(pool, c, entries, multiplicities, run)
      // whoever uses them is told
      set.catch(() => undefined)
      return { count: 3 * entries.length, set } as LoadedFields
    },
    sums(points, entries, groups, options) {
      const made = async () => {
        const sets = isStreamed(points)
          ? await streams.sums(points, entries, groups, options)
          : [await kernels.sums(only(await setsOf(points)), entries, groups, options)]
        return { group: points.group, count: groups, sets: async () => sets } as LoadedPoints
      }
      return using([points], made())
    },
    quotientMsm(h, rows, options) {
      const product = quotient.then(async () => {
        const transform = await transformOf(rows.a.small.length)
        const sets = isStreamed(h) ? [] : await setsOf(h)
        const table = writeRows(transform, rows, pool)
        const kept = await fieldsOf(rows.kept)
        pool.memory.bytes(table, 32 * kept.count).set(pool.memory.bytes(kept.address, 32 * kept.count))
        const scalars = { at: transform.out, count: transform.n }
        const before = transform.quotientSteps()
        if (!isStreamed(h)) {
          const { layers } = h as LoadedPoints
          return kernels.msm(only(sets), scalars, { ...options, before, layers })
        }
        await kernels.run(before, options)
        return streams.msm(h, scalars, options)
      })
      quotient = product.catch(() => undefined)
      return using([h, rows.kept], product)
    },
    async free(loaded) {
      await Promise.allSettled(users.get(loaded) ?? [])
      if ("group" in loaded) {
        if (isStreamed(loaded)) return streams.free(loaded)
        // of points that were refused nothing is held
        for (const set of await setsOf(loaded).catch(() => [])) kernels.free(set)
        return
      }
      if (!("system" in loaded)) {
        const { address } = await fieldsOf(loaded)
        return pool.memory.release(address)
      }
      const { products, vector, sums } = loaded as LoadedRows
      for (const product of products) product.close()
      for (const at of [vector, ...sums]) pool.memory.release(at)
    },
    pairingsAreOne: (pairs) => pairingsAreOne(pool, pairs),
    heldBytes: () => pool.memory.allocated,
    close: () => kernels.close(),
  }
}

type Multiply = (points: Points, scalars: RawScalars, options?: WorkOptions) => Promise<Affine>

/** The set of loaded points. */
function only(sets: readonly PointSet[]): PointSet {
  invariant(sets.length === 1, "points that were loaded are one set")
  return sets[0]
}

/**
 * Writes the vectors into the sources of a transform: small integers, and one table of field elements.
 * @returns its address: it begins with room for those that are kept
 */
function writeRows(transform: Transform, { a, b, kept }: QuotientRows, { memory }: KernelPool): number {
  const vectors: Vector[] = [a, b]
  const total = vectors.reduce((sum, { fields }) => sum + fields.length, kept.count)
  const at = transform.reserveLarge(total)
  const table = memory.bytes(at, 32 * total)
  const view = new DataView(table.buffer, table.byteOffset, table.length)
  let first = 0
  vectors.forEach(({ small, rows, index, fields }, i) => {
    const values = memory.doubles(transform.sources[i], transform.n)
    values.set(small)
    for (let j = 0; j < rows.length; j++) {
      values[rows[j]] = largeValue(index[j] < kept.count ? index[j] : first + index[j])
    }
    fields.forEach((value, k) => {
      writeField(view, 32 * (kept.count + first + k), value)
    })
    first += fields.length
  })
  return at
}

/** Some of the elements that are kept. */
function pick({ address, count }: FieldSet, index: Uint32Array, { memory }: KernelPool): Uint8Array {
  const words = memory.unsigned(address, 8 * count)
  const picked = new Uint32Array(8 * index.length)
  for (let i = 0; i < index.length; i++) {
    for (let word = 0; word < 8; word++) picked[8 * i + word] = words[8 * index[i] + word]
  }
  return new Uint8Array(picked.buffer)
}

function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, mod(value))
  })
  return bytes
}
