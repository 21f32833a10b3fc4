/**
 * Points times scalars, and transforms of points, on a pool (kernels/assembly/curve/butterflies.ts): for a setup from
 * powers of tau.
 *
 * A transform goes through stages of radix 3, then 2, then 4, from points in the order in which the last stage takes
 * its parts, within each of them the one before its own, and so on. The last stage multiplies by 1/n, unless points
 * have factors of their own: those come first, then, and 1/n with them.
 */
import { domainRoot, domainShape } from "../../../circuit/link/domain.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, r } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool, RunOptions } from "../pool.js"
import type { Step } from "../program.js"
import { yieldToEvents } from "../threads.js"
import { constantBytes, partsWords, writeConstants, writeParts } from "./endomorphism.js"
import { countOfFile } from "./files.js"
import { fileBytes, type Group, loadPoints, type PointSet, releasePoints, writePoints } from "./points.js"

/** Points that lie in the memory of the pool at the same time, where each is by itself. */
const blockPoints = 2 ** 16
/** Accumulators of an item: enough for an inversion of each batch. */
const itemAccumulators = 512
/** The least, where there are too few for that. */
const leastAccumulators = 64
/** Scalars that are cut into parts before other events have their turn. */
const turnScalars = 2048

interface Stage {
  readonly radix: number
  readonly length: number
  readonly scalars: number
  readonly order: number
  readonly stride: number
  readonly whole: boolean
}

/** Makes steps of stages on n points, which go to and fro between two places. */
class Stages {
  readonly blocks: Blocks
  readonly steps: Step[] = []
  /** Address of the points after the last stage. */
  at: number
  private readonly pool: KernelPool
  private readonly points: PointSet
  private readonly constants: number
  private other: number
  /** 64-bit words of scalars. */
  private readonly copied: { readonly at: number; readonly count: number }[] = []

  constructor(pool: KernelPool, points: PointSet) {
    this.pool = pool
    this.points = points
    this.blocks = new Blocks(pool.memory, "points of a setup")
    this.at = points.address
    try {
      this.other = this.blocks.allocate(points.count * pool.constant(`${points.group}PointBytes`))
      this.constants = this.blocks.allocate(constantBytes)
      writeConstants(pool.memory, this.constants, points.group)
    } catch (error) {
      this.release()
      throw error
    }
  }

  /** Scalars in parts, undefined ones left out; gives their address. */
  async scalars(
    count: number,
    scalarOf: (index: number) => bigint | undefined,
    { signal }: RunOptions,
  ): Promise<number> {
    const at = this.blocks.allocate(8 * partsWords * count)
    this.copied.push({ at, count: partsWords * count })
    for (let i = 0; i < count; ) {
      signal?.throwIfAborted()
      // anew each time: memory may grow meanwhile
      const words = this.pool.memory.longs(at, partsWords * count)
      for (const end = Math.min(count, i + turnScalars); i < end; i++) {
        const scalar = scalarOf(i)
        if (scalar !== undefined) writeParts(words, i, this.points.group, scalar)
      }
      await yieldToEvents()
    }
    return at
  }

  add({ radix, whole, ...stage }: Stage): void {
    const { pool } = this
    const { group, count: n } = this.points
    const count = n / radix
    const accumulators = radix - 1 + (whole ? 1 : 0)
    const fair = Math.ceil((count * accumulators) / (4 * pool.threads))
    const length = Math.min(itemAccumulators, Math.max(leastAccumulators, fair))
    const rangeLength = Math.max(1, Math.floor(length / accumulators))
    const job = this.blocks.struct("PointStage")
    const { at: from, other: to, constants } = this
    job.write({ ...stage, from, to, count, rangeLength, radix, whole: whole ? 1 : 0, constants })
    const scratchOf = pool.exports[`${group}StageScratch`] as unknown as (...of: number[]) => number
    this.steps.push({
      kernel: `${group}Stage`,
      args: job.at,
      items: Math.ceil(count / rangeLength),
      scratchBytes: scratchOf(rangeLength, radix, whole ? 1 : 0),
      after: this.steps.length === 0 ? [] : [this.steps.length - 1],
    })
    this.other = from
    this.at = to
  }

  /** Gives the memory back; what was copied of scalars is overwritten. */
  release(): void {
    for (const { at, count } of this.copied) this.pool.memory.longs(at, count).fill(0n)
    this.blocks.release()
  }
}

/** Runs stages on points of a file. */
async function runStages(
  pool: KernelPool,
  group: Group,
  points: Uint8Array,
  plan: (stages: Stages) => Promise<void>,
  options: RunOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  options.signal?.throwIfAborted()
  const set = await loadPoints(pool, group, points)
  try {
    const stages = new Stages(pool, set)
    try {
      await plan(stages)
      await pool.run(stages.steps, options)
      return await writePoints(pool, { group, address: stages.at, count: set.count })
    } finally {
      stages.release()
    }
  } finally {
    releasePoints(pool, set)
  }
}

/** As `KernelEngine.scale`. */
export async function scalePoints(
  pool: KernelPool,
  group: Group,
  points: Uint8Array,
  scalar: bigint,
  { signal, onProgress }: RunOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  invariant(scalar >= 0n && scalar < r, "a scalar is below r")
  const size = fileBytes[group]
  const count = countOfFile(group, points)
  const result = new Uint8Array(points.length)
  for (let first = 0; first < count; first += blockPoints) {
    const part = points.subarray(size * first, size * (first + blockPoints))
    const length = part.length / size
    const plan = async (stages: Stages): Promise<void> => {
      const scalars = await stages.scalars(1, () => scalar, { signal })
      stages.add({ radix: 1, length, scalars, order: 0, stride: 0, whole: true })
    }
    // items of a block count as its share of all points
    const progress =
      onProgress && ((done: number, total: number) => onProgress(first + (length * done) / total, count))
    result.set(await runStages(pool, group, part, plan, { signal, onProgress: progress }), size * first)
  }
  return result
}

/** Radices of the stages for n points, the first that is done first. */
export function radicesOf(n: number): number[] {
  const shape = domainShape(n)
  invariant(shape, `${n} is no size of a domain`)
  const threes = Array.from({ length: Math.round(Math.log(shape.odd) / Math.log(3)) }, () => 3)
  const fours = Array.from({ length: shape.bits >> 1 }, () => 4)
  return [...threes, ...(shape.bits % 2 === 1 ? [2] : []), ...fours]
}

/** Which points the first stage takes, one after the other. */
function orderOf(radices: readonly number[]): Uint32Array {
  let order = Uint32Array.of(0)
  for (const radix of radices) {
    const before = order
    order = new Uint32Array(radix * before.length)
    for (let l = 0; l < radix; l++)
      order.set(
        before.map((i) => radix * i + l),
        l * before.length,
      )
  }
  return order
}

/** scalar·base^i for i = 0, 1, … */
function powers(scalar: bigint, base: bigint, count: number): bigint[] {
  const result = new Array<bigint>(count)
  for (let i = 0; i < count; i++, scalar = (scalar * base) % r) result[i] = scalar
  return result
}

/** As `KernelEngine.transform`. */
export async function transformPoints(
  pool: KernelPool,
  group: Group,
  points: Uint8Array,
  {
    first = 1n,
    step = 1n,
    ...options
  }: RunOptions & { readonly first?: bigint; readonly step?: bigint } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const size = fileBytes[group]
  const n = countOfFile(group, points)
  const radices = radicesOf(n)
  const order = orderOf(radices)
  const ordered = new Uint8Array(points.length)
  order.forEach((index, at) => {
    ordered.set(points.subarray(size * index, size * (index + 1)), size * at)
  })
  const root = inverse(domainRoot(n))
  const scale = inverse(BigInt(n))
  const hasFactors = first !== 1n || step !== 1n
  const plan = async (stages: Stages): Promise<void> => {
    if (hasFactors) {
      const factors = powers(mod(first * scale), mod(step), n)
      const scalars = await stages.scalars(n, (at) => factors[order[at]], options)
      stages.add({ radix: 1, length: n, scalars, order: 0, stride: 1, whole: true })
    }
    const last = radices[radices.length - 1]
    const twiddles = powers(1n, root, n / 2)
    // all stages but the last take some of them only
    const some = (i: number) => (hasFactors || i % last === 0 ? twiddles[i] : undefined)
    const scalars = await stages.scalars(n / 2, some, options)
    let length = 1
    for (const radix of radices) {
      const whole = !hasFactors && length * radix === n
      const scaled = (i: number) => mod(scale * twiddles[i])
      const own = whole ? await stages.scalars(n / 2, scaled, options) : scalars
      stages.add({ radix, length, scalars: own, order: n, stride: n / (radix * length), whole })
      length *= radix
    }
  }
  return runStages(pool, group, ordered, plan, options)
}
