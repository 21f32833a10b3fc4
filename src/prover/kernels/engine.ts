/**
 * Arithmetic on the groups of bn254 at full speed: resident points, multi-scalar multiplications, fixed-base
 * multiplication. An engine owns its threads and memory; whoever opens it closes it.
 */
import type { ByteSource } from "../../circuit/formats/source.js"
import { invariant, UsageError } from "../../errors.js"
import type { MadeScalars } from "./fields/evaluation.js"
import { canRun, chooseModule, loadModule, type Variant } from "./modules.js"
import { firstOffCurveOf, uncompressedOf } from "./points/files.js"
import { BaseTable, baseWindows } from "./points/fixedbase.js"
import { type Entries, Grouping } from "./points/grouping.js"
import {
  countOf,
  Multiplication,
  type MultiplicationOptions,
  type RawScalars,
} from "./points/multiplication.js"
import {
  type Affine,
  addPoints,
  type Group,
  type LoadOptions,
  loadPoints,
  type PointSet,
  releasePoints,
  writePoints,
} from "./points/points.js"
import { scalePoints, transformPoints } from "./points/transform.js"
import { KernelPool, type RunOptions, type Step } from "./pool.js"
import { maximumSteps } from "./program.js"
import { nextTurn } from "./threads.js"

export type { Variant } from "./modules.js"
export type { Entries } from "./points/grouping.js"
export type { RawScalars } from "./points/multiplication.js"
export type { Affine, Group, LoadOptions, Multiples, NameOf, PointSet } from "./points/points.js"

export interface EngineOptions {
  /** Default: as many as may work at the same time. */
  readonly threads?: number
  /** Default: the fastest that passes its self-test. */
  readonly variant?: "auto" | Variant
  readonly maximumBytes?: number
}

export interface MsmOptions extends RunOptions, Omit<MultiplicationOptions, "windowBits" | "mayCentre"> {
  /** Steps that come before, in the same program: they make the scalars. */
  readonly before?: readonly Step[]
}

export interface TransformOptions extends RunOptions {
  /** What point m is multiplied by before: first·step^m, both below r. Default: 1. */
  readonly first?: bigint
  readonly step?: bigint
}

/** Steps of one call, numbered from 0, and about how many additions of points they are. */
interface Job {
  readonly steps: readonly Step[]
  readonly weight: number
}

/** What is kept beside points. */
interface Held {
  /** Gives their memory back. */
  readonly release: () => void
  /** Whether all of them have been multiplied before. */
  reused: boolean
  /** The sum of them all, centre times, by centre. */
  readonly sums: Map<number, Promise<Affine>>
}

/** Jobs that will be one program. */
interface Batch {
  readonly signal: AbortSignal | undefined
  readonly jobs: Job[]
  /** Steps of all jobs. */
  steps: number
  done: Promise<void>
}

function oneProgram(jobs: readonly Job[]): Step[] {
  const program: Step[] = []
  for (const { steps } of jobs.toSorted((a, b) => b.weight - a.weight)) {
    const first = program.length
    for (const step of steps)
      program.push({ ...step, after: step.after?.map((index) => index + first) ?? [] })
  }
  return program
}

export class KernelEngine {
  readonly pool: KernelPool
  readonly variant: Variant
  private readonly held = new Map<PointSet, Held>()
  /** Programs that have not begun. */
  private readonly batches: Batch[] = []
  private running: Promise<unknown> = Promise.resolve()
  private readonly tables = new Map<Group, BaseTable>()
  /** The last use of the tables: one after the other, because one may replace them. */
  private tablesInUse: Promise<unknown> = Promise.resolve()

  constructor(pool: KernelPool, variant: Variant) {
    this.pool = pool
    this.variant = variant
  }

  /**
   * Loads affine points as a file has them: Montgomery form, 64 (G1) or 128 (G2) bytes; zero is infinity.
   * @throws what loadPoints and KernelPool.run throw
   */
  async points(group: Group, bytes: Uint8Array | ByteSource, options?: LoadOptions): Promise<PointSet> {
    const points = await loadPoints(this.pool, group, bytes, options)
    this.hold(points, () => releasePoints(this.pool, points))
    return points
  }

  /** Points of a set, sums among them, as a file has them. @throws what KernelPool.run throws */
  bytes(points: PointSet): Promise<Uint8Array<ArrayBuffer>> {
    invariant(this.held.has(points), "points belong to the engine")
    return writePoints(this.pool, points)
  }

  /** Gives the memory of points back. */
  free(points: PointSet): void {
    const held = this.held.get(points)
    invariant(held && this.held.delete(points), "points are freed once, by the engine that loaded them")
    held.release()
  }

  /**
   * Σ scalars[i]·points[from + i]. Points that are not on the curve give an error, or a point of the curve.
   * @throws InputError for a small scalar that is no safe integer, or a full one that is not below r; FileError where
   * points are not on the curve; what KernelPool.run throws
   */
  async msm(points: PointSet, scalars: RawScalars, options: MsmOptions = {}): Promise<Affine> {
    const held = this.held.get(points)
    invariant(held, "points belong to the engine")
    const isWhole = countOf(scalars) === points.count
    // points that are multiplied once are not worth the sum of them all
    const mayCentre = isWhole && held.reused
    held.reused ||= isWhole
    const job = new Multiplication(this.pool, points, scalars, { ...options, mayCentre })
    try {
      const { before = [] } = options
      const steps = [...before, ...job.steps(before.length, before.length > 0 ? [before.length - 1] : [])]
      // first, because it may throw, and then nothing must be under way
      const rest = job.centre === 0 ? null : this.centreSum(points, held, job.centre)
      const done = this.run(steps, { ...options, weight: job.weight })
      // both have ended before anyone gives their memory back
      await Promise.allSettled([done, rest])
      await done
      return addPoints(points.group, [job.value(), await rest])
    } finally {
      job.release()
    }
  }

  /** The sum of all points of a set, `centre` times. */
  private centreSum(points: PointSet, { sums }: Held, centre: number): Promise<Affine> {
    const known = sums.get(centre)
    if (known) return known
    const small = new Float64Array(points.count).fill(centre)
    const job = new Multiplication(this.pool, points, { small })
    const sum = this.run(job.steps(), { weight: job.weight })
      .then(() => job.value())
      .finally(() => job.release())
    sums.set(centre, sum)
    // whoever waits for it is told; the next one tries again
    sum.catch(() => sums.delete(centre))
    return sum
  }

  /**
   * Sums of points by group, as points to be freed like loaded ones: number g is the sum of ±points[point[i]] over
   * the entries i with group[i] = g. Points may be infinity, occur more than once, and be one another's opposites.
   * @throws what KernelPool.run throws
   */
  async sums(
    points: PointSet,
    entries: Entries,
    groups: number,
    options: RunOptions = {},
  ): Promise<PointSet> {
    invariant(this.held.has(points), "points belong to the engine")
    const grouping = new Grouping(this.pool, points, entries, groups)
    try {
      await this.run(grouping.steps(), options)
      grouping.finish()
    } catch (error) {
      grouping.release()
      throw error
    }
    this.hold(grouping.sums, () => grouping.release())
    return grouping.sums
  }

  private hold(points: PointSet, release: () => void): void {
    this.held.set(points, { release, reused: false, sums: new Map() })
  }

  /**
   * The generator of the group times each scalar, as a file has points; scalars: 32 bytes little endian each,
   * below r, 0 for infinity, or made when they are needed (fields/evaluation.ts). Tables are kept for the next call, and made anew where larger ones pay.
   * @throws InputError for a scalar that is not below r; what KernelPool.run throws
   */
  fixedBase(
    group: Group,
    scalars: Uint8Array | MadeScalars,
    options: RunOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const result = this.tablesInUse.then(() => {
      const count = scalars instanceof Uint8Array ? scalars.length / 32 : scalars.count
      let table = this.tables.get(group)
      if (table === undefined || table.windows.bits < baseWindows(count).bits) {
        table?.release()
        this.tables.delete(group)
        table = new BaseTable(this.pool, group, count)
        this.tables.set(group, table)
      }
      return table.multiples(scalars, options)
    })
    this.tablesInUse = result.catch(() => undefined)
    return result
  }

  /**
   * Every point of a file times one scalar below r. Points are on the curve, those of G2 in the subgroup: what comes
   * of others is some point or other.
   * @throws what KernelPool.run throws
   */
  scale(
    group: Group,
    points: Uint8Array,
    scalar: bigint,
    options: RunOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    return scalePoints(this.pool, group, points, scalar, options)
  }

  /**
   * The inverse transform of n points P of a file, n a size of a domain (circuit/link/domain.ts) with root ω:
   * number j is 1/n · Σ_m ω^(−jm)·first·step^m·P_m. Points as for `scale`.
   * @throws what KernelPool.run throws
   */
  transform(group: Group, points: Uint8Array, options: TransformOptions = {}): Promise<Uint8Array> {
    return transformPoints(this.pool, group, points, options)
  }

  /**
   * Number of the first point of a file that is infinity, or not on its curve, or has a coordinate that is not below
   * q; −1 if there is none. Points of G2's curve may lie outside of the subgroup.
   * @throws what KernelPool.run throws
   */
  firstOffCurve(group: Group, points: Uint8Array, options: RunOptions = {}): Promise<number> {
    return firstOffCurveOf(this.pool, group, points, options)
  }

  /**
   * Points of a file as challenge files of ceremonies have them, uncompressed: plain integers, big endian, of an
   * element of F_q² the imaginary part first; infinity is zero, as for snarkjs.
   * @throws what KernelPool.run throws
   */
  uncompressed(group: Group, points: Uint8Array, options: RunOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return uncompressedOf(this.pool, group, points, options)
  }

  /** Gives the memory of tables back that `fixedBase` keeps. */
  async freeTables(): Promise<void> {
    await this.tablesInUse
    for (const table of this.tables.values()) table.release()
    this.tables.clear()
  }

  /**
   * Runs steps, side by side with those of other calls that come before the threads are free: a thread that has
   * to wait in one job works on another, and the heaviest begins first, so that no thread is left alone with it.
   * Calls with different signals never share a program, so an abort stops nobody else's work.
   * @throws what KernelPool.run throws
   */
  run(
    steps: readonly Step[],
    { signal, onProgress, weight = 0 }: RunOptions & { readonly weight?: number } = {},
  ): Promise<void> {
    const last = this.batches.at(-1)
    if (last && !onProgress && last.signal === signal && last.steps + steps.length <= maximumSteps) {
      last.jobs.push({ steps, weight })
      last.steps += steps.length
      return last.done
    }
    const batch: Batch = {
      signal,
      jobs: [{ steps, weight }],
      steps: steps.length,
      done: Promise.resolve(),
    }
    const before = this.running
    batch.done = before.then(async () => {
      // calls of the same turn of the event loop belong together, and those that what came before leads to
      await nextTurn()
      const at = this.batches.indexOf(batch)
      if (at >= 0) this.batches.splice(at, 1)
      await this.pool.run(oneProgram(batch.jobs), { signal, onProgress })
    })
    this.running = batch.done.catch(() => undefined)
    // what reports progress of its own is not joined
    if (!onProgress) this.batches.push(batch)
    return batch.done
  }

  close(): Promise<void> {
    return this.pool.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Opens an engine with threads of its own.
 * @throws UsageError for a variant that this platform does not run; what KernelPool.open throws
 */
export async function openEngine(options: EngineOptions = {}): Promise<KernelEngine> {
  const { threads, maximumBytes, variant = "auto" } = options
  if (!["auto", "scalar", "relaxed"].includes(variant)) {
    throw new UsageError({ what: "variant", expected: "auto, scalar or relaxed", given: variant })
  }
  const { name, wasm } =
    variant === "auto" ? await chooseModule() : { name: variant, wasm: await loadModule(variant) }
  if (!(await canRun(wasm))) {
    throw new UsageError({
      what: `variant ${name}`,
      fix: "This engine has no relaxed SIMD: use auto or scalar",
    })
  }
  const pool = await KernelPool.open({
    wasm,
    ...(threads === undefined ? {} : { threads }),
    ...(maximumBytes === undefined ? {} : { maximumBytes }),
  })
  return new KernelEngine(pool, name)
}
