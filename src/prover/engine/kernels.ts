/** The engine of the two-phase prover on our kernels. */
import { encodeFields } from "../../circuit/formats/container.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { type ByteSource, partOf } from "../../circuit/formats/source.js"
import { invariant } from "../../errors.js"
import { mod } from "../../field.js"
import {
  type EngineOptions,
  type Group,
  type KernelEngine,
  openEngine,
  type PointSet,
  type RawScalars,
} from "../kernels/engine.js"
import { type FieldSet, lookupFields } from "../kernels/fields/lookup.js"
import { SparseProduct } from "../kernels/fields/sparse.js"
import { largeValue, Transform } from "../kernels/fields/transform.js"
import type { KernelMemory } from "../kernels/memory.js"
import { pairingsAreOne } from "../kernels/points/pairing.js"
import { addPoints, fileBytes } from "../kernels/points/points.js"
import { type StreamedPoints, Streams } from "../kernels/points/stream.js"
import type { KernelPool, Step } from "../kernels/pool.js"
import type {
  Affine,
  Engine,
  EngineLoadOptions,
  Entries,
  Fields,
  Layers,
  PointPair,
  Points,
  QuotientOptions,
  QuotientRows,
  RowSums,
  Rows,
  Scalars,
  Vector,
  WorkOptions,
} from "./engine.js"

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
const setsOf = (points: Points): Promise<readonly PointSet[]> => (points as LoadedPoints).sets()
const setOf = (fields: Fields): Promise<FieldSet> => (fields as LoadedFields).set

/** Opens the kernels with threads of their own. `blockBytes`: how much of streamed points is held at a time. */
export async function kernelEngine(
  options: Pick<EngineOptions, "threads" | "variant"> & { readonly blockBytes?: number } = {},
): Promise<Engine> {
  const kernels = await openEngine(options)
  return new FastEngine(kernels, new Streams(kernels, options.blockBytes))
}

class FastEngine implements Engine {
  private readonly kernels: KernelEngine
  private readonly streams: Streams
  private readonly transforms = new Map<number, () => Promise<Transform>>()
  /** Work that needs what was loaded, which is given back only once that has ended, however it ended. */
  private readonly users = new WeakMap<object, Set<Promise<unknown>>>()
  // transforms and rows have one place for their values: whoever comes next waits
  private quotient: Promise<unknown> = Promise.resolve()
  private sumsOfRows: Promise<unknown> = Promise.resolve()
  private loading: Promise<unknown> = Promise.resolve()

  constructor(kernels: KernelEngine, streams: Streams) {
    this.kernels = kernels
    this.streams = streams
  }

  load(
    group: Group,
    points: Uint8Array | ByteSource,
    { multiples, nameOf, resident = false }: EngineLoadOptions = {},
  ): StreamedPoints | LoadedPoints {
    if (!resident && !(points instanceof Uint8Array))
      return this.streams.load(group, points, { multiples, nameOf })
    const given = (points instanceof Uint8Array ? points.length : points.size) / fileBytes[group]
    const count = multiples ? given + (given - multiples.from) * (multiples.layers - 1) : given
    // one after the other: what lies outside of the kernels, and is lent within, is a block at a time
    const make = async () => [await this.kernels.points(group, points, { multiples, nameOf })]
    const sets = lasting(() => {
      const made = this.loading.then(make)
      this.loading = made.catch(() => undefined)
      return made
    })
    // the first proof will wait for them, or tell why there are none
    sets().catch(() => undefined)
    return { group, count, sets }
  }

  loadQuotient(points: Uint8Array | ByteSource, layers: Layers, options: QuotientOptions = {}): Points {
    if (options.resident || points instanceof Uint8Array) {
      const loaded = this.load("g1", points, options)
      return { ...loaded, layers: layers.count > 1 ? layers : undefined } as LoadedPoints
    }
    // blocks are multiplied one by one: there are no buckets to share
    return this.load("g1", partOf(points, { at: 0, length: points.size / layers.count }), options)
  }

  async loaded(): Promise<void> {
    await this.loading
  }

  loadRows(system: R1cs): Rows {
    return new LoadedRows(this.kernels.pool, system)
  }

  rowSums(rows: Rows, wires: Float64Array, options?: WorkOptions): Promise<RowSums> {
    const loaded = rows as LoadedRows
    const result = this.sumsOfRows.then(async () => {
      await this.kernels.run(loaded.steps(wires), options)
      return loaded.results()
    })
    this.sumsOfRows = result.catch(() => undefined)
    return this.using([rows], result)
  }

  msm(points: Points, scalars: Scalars, options?: WorkOptions): Promise<Affine> {
    if (!("fields" in scalars)) return this.using([points], this.product(points, rawOf(scalars), options))
    const { fields, index } = scalars
    const product = async () => {
      const full = pick(await setOf(fields), index, this.kernels.pool.memory)
      return this.product(points, { full }, options)
    }
    return this.using([points, fields], product())
  }

  sums(points: Points, entries: Entries, groups: number, options?: WorkOptions): Promise<Points> {
    const made = async () => {
      const sets = isStreamed(points)
        ? await this.streams.sums(points, entries, groups, options)
        : [await this.kernels.sums(only(await setsOf(points)), entries, groups, options)]
      return { group: points.group, count: groups, sets: async () => sets } as LoadedPoints
    }
    return this.using([points], made())
  }

  quotientMsm(h: Points, rows: QuotientRows, options?: WorkOptions): Promise<Affine> {
    const product = this.quotient.then(() => this.quotientNow(h, rows, options))
    this.quotient = product.catch(() => undefined)
    return this.using([h, rows.kept], product)
  }

  lookupFields(
    c: bigint,
    entries: Float64Array,
    multiplicities: Float64Array,
    options?: WorkOptions,
  ): Fields {
    const { kernels } = this
    const run = (steps: readonly Step[]) => kernels.run(steps, options)
    const set = lookupFields(kernels.pool, c, entries, multiplicities, run)
    // whoever uses them is told
    set.catch(() => undefined)
    return { count: 3 * entries.length, set } as LoadedFields
  }

  pairingsAreOne(pairs: readonly PointPair[]): boolean {
    return pairingsAreOne(this.kernels.pool, pairs)
  }

  async free(loaded: Points | Fields | Rows): Promise<void> {
    await Promise.allSettled(this.users.get(loaded) ?? [])
    if ("group" in loaded) {
      if (isStreamed(loaded)) return this.streams.free(loaded)
      // of points that were refused nothing is held
      for (const set of await setsOf(loaded).catch(() => [])) this.kernels.free(set)
    } else if ("system" in loaded) (loaded as LoadedRows).release()
    else this.kernels.pool.memory.release((await setOf(loaded)).address)
  }

  heldBytes(): number {
    return this.kernels.pool.memory.allocated
  }

  close(): Promise<void> {
    return this.kernels.close()
  }

  private using<T>(loaded: readonly object[], work: Promise<T>): Promise<T> {
    for (const used of loaded) {
      const works = this.users.get(used) ?? new Set()
      this.users.set(used, works.add(work))
      work.catch(() => undefined).finally(() => works.delete(work))
    }
    return work
  }

  private async product(points: Points, scalars: RawScalars, options?: WorkOptions): Promise<Affine> {
    if (isStreamed(points)) return this.streams.msm(points, scalars, options)
    const products = (await setsOf(points)).map((set) => this.kernels.msm(set, scalars, options))
    // all have ended before anyone gives their memory back
    await Promise.allSettled(products)
    return addPoints(points.group, await Promise.all(products))
  }

  private async quotientNow(h: Points, rows: QuotientRows, options?: WorkOptions): Promise<Affine> {
    const { memory } = this.kernels.pool
    const transform = await this.transformOf(rows.a.small.length)
    const sets = isStreamed(h) ? [] : await setsOf(h)
    const table = writeRows(transform, rows, memory)
    const kept = await setOf(rows.kept)
    memory.bytes(table, 32 * kept.count).set(memory.bytes(kept.address, 32 * kept.count))
    const scalars = { at: transform.out, count: transform.n }
    const before = transform.quotientSteps()
    if (!isStreamed(h)) {
      const { layers } = h as LoadedPoints
      return this.kernels.msm(only(sets), scalars, { ...options, before, layers })
    }
    await this.kernels.run(before, options)
    return this.streams.msm(h, scalars, options)
  }

  private transformOf(n: number): Promise<Transform> {
    const transform = this.transforms.get(n) ?? lasting(() => Transform.make(this.kernels.pool, n, 2))
    this.transforms.set(n, transform)
    return transform()
  }
}

/** The rows of a system on a pool, with one place for the wires and one for the sums. */
class LoadedRows implements Rows {
  readonly system: R1cs
  private readonly memory: KernelMemory
  private readonly products: readonly SparseProduct[]
  private readonly vector: number
  private readonly sums: readonly number[]

  constructor(pool: KernelPool, system: R1cs) {
    this.system = system
    this.memory = pool.memory
    // large values are the prover's business: here they count as zero
    const large: ReadonlySet<number> = new Set()
    this.products = [system.a, system.b, system.c].map((side) => {
      return new SparseProduct(pool, side, system.values, large)
    })
    invariant(
      this.products.every(({ wires, rows }) => wires <= system.wires && rows === system.rows),
      "rows are of the system's wires",
    )
    this.vector = pool.memory.allocate(8 * system.wires, "wires of a circuit")
    this.sums = this.products.map(() => pool.memory.allocate(8 * system.rows, "rows of a circuit"))
  }

  steps(wires: Float64Array): Step[] {
    this.memory.doubles(this.vector, this.system.wires).set(wires)
    return this.products.flatMap((product, i) => product.steps(this.vector, this.sums[i]))
  }

  results(): RowSums {
    const [a, b, c] = this.sums.map((at) => this.memory.doubles(at, this.system.rows).slice())
    return { a, b, c }
  }

  release(): void {
    for (const product of this.products) product.close()
    for (const at of [this.vector, ...this.sums]) this.memory.release(at)
  }
}

const rawOf = (scalars: Float64Array | readonly bigint[]): RawScalars =>
  scalars instanceof Float64Array
    ? { small: scalars }
    : { full: encodeFields(scalars.map((value) => mod(value))) }

/** The set of loaded points. */
function only(sets: readonly PointSet[]): PointSet {
  invariant(sets.length === 1, "points that were loaded are one set")
  return sets[0]
}

/**
 * Writes the vectors into the sources of a transform: small integers, and one table of field elements.
 * @returns its address: it begins with room for those that are kept
 */
function writeRows(transform: Transform, { a, b, kept }: QuotientRows, memory: KernelMemory): number {
  const vectors: Vector[] = [a, b]
  const total = vectors.reduce((sum, { fields }) => sum + fields.length, kept.count)
  const at = transform.reserveLarge(total)
  let first = 0
  vectors.forEach(({ small, rows, index, fields }, i) => {
    const values = memory.doubles(transform.sources[i], transform.n)
    values.set(small)
    for (let j = 0; j < rows.length; j++) {
      values[rows[j]] = largeValue(index[j] < kept.count ? index[j] : first + index[j])
    }
    memory.writeIntegers(at + 32 * (kept.count + first), fields)
    first += fields.length
  })
  return at
}

/** Some of the elements that are kept. */
function pick({ address, count }: FieldSet, index: Uint32Array, memory: KernelMemory): Uint8Array {
  const words = memory.unsigned(address, 8 * count)
  const picked = new Uint32Array(8 * index.length)
  for (let i = 0; i < index.length; i++) {
    for (let word = 0; word < 8; word++) picked[8 * i + word] = words[8 * index[i] + word]
  }
  return new Uint8Array(picked.buffer)
}
