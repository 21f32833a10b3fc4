/**
 * What a piece of work on the kernels touches. It runs several times, each time with all memory that is nobody's, and
 * the working memory of the threads, filled with another pattern: what lies outside the blocks that it asked for must
 * be as before, and what it gives must not depend on the pattern, so it read nothing that was not its own either.
 */
import { expect } from "vitest"
import { CountersignError, FileError } from "#src/errors.js"
import { r } from "#src/field.js"
import type { Affine, KernelEngine } from "#src/prover/kernels/engine.js"
import { KernelMemory } from "#src/prover/kernels/memory.js"
import type { LoadOptions, PointSet } from "#src/prover/kernels/points/points.js"
import { KernelPool } from "#src/prover/kernels/pool.js"
import { programBytes } from "#src/prover/kernels/program.js"
import { anyBelow, type Group, isOnCurve } from "./curves.js"
import { bytesOf } from "./kernels.js"

const patterns = [0xff, 0x5a]
/** More than any work here takes, so that memory need not grow. */
const roomBytes = 3 * 2 ** 20
const scratchBytes = 2 ** 21

interface Region {
  readonly at: number
  readonly end: number
}
const fieldOf = <T>(of: object, name: string): T => Reflect.get(of, name) as T

/** A value, or the error instead of it; errors that are not ours pass. */
export const outcome = async <T>(work: Promise<T>): Promise<T | CountersignError> =>
  work.catch((error) => {
    if (error instanceof CountersignError) return error
    throw error
  })

/** Those of the memory that are in none of the given ones, from byte 64 on. */
function others(regions: readonly Region[], size: number): Region[] {
  const result: Region[] = []
  let at = 64
  for (const region of regions.toSorted((a, b) => a.at - b.at)) {
    if (region.at > at) result.push({ at, end: region.at })
    at = Math.max(at, region.end)
  }
  if (at < size) result.push({ at, end: size })
  return result
}

/** What memory was before work, in a block that is there for all work: there is much of it. */
let held = Buffer.alloc(0)
function snapshot(all: Uint8Array): Buffer {
  if (held.length !== all.length) held = Buffer.alloc(all.length)
  held.set(all)
  return held
}

/** For an engine with one thread. `work` leaves nothing behind but what it returns. */
export async function isolated<T>(engine: KernelEngine, work: () => Promise<T>): Promise<T> {
  const { pool } = engine
  const { memory } = pool
  expect(pool.threads).toBe(1)
  fieldOf<(bytes: number) => void>(pool, "reserveScratch").call(pool, scratchBytes)
  memory.release(memory.allocate(roomBytes, "room"))
  const [scratch, program] = [fieldOf<number>(pool, "scratch"), fieldOf<number>(pool, "program")]
  const all = new Uint8Array(memory.memory.buffer)
  const outcomes: T[] = []
  for (const pattern of patterns) {
    const used = Array.from(fieldOf<Map<number, number>>(memory, "used"), ([at, bytes]) => ({
      at,
      end: at + bytes,
    }))
    // constants of the module lie below the first block
    const first = Math.min(...used.map(({ at }) => at))
    for (const { at, end } of others([{ at: 0, end: first }, ...used], all.length)) all.fill(pattern, at, end)
    all.fill(pattern, scratch, scratch + scratchBytes)
    const before = snapshot(all)
    const own: Region[] = [{ at: program, end: program + programBytes }]
    memory.allocate = (bytes, what) => {
      const at = KernelMemory.prototype.allocate.call(memory, bytes, what)
      own.push({ at, end: at + bytes })
      return at
    }
    pool.run = (steps, options) => {
      const most = Math.max(0, ...steps.map((step) => step.scratchBytes ?? 0))
      own.push({ at: scratch, end: scratch + most })
      return KernelPool.prototype.run.call(pool, steps, options)
    }
    try {
      outcomes.push(await work())
    } finally {
      Reflect.deleteProperty(memory, "allocate")
      Reflect.deleteProperty(pool, "run")
    }
    expect(memory.size, "room was enough").toBe(all.length)
    expect(fieldOf(pool, "scratch")).toBe(scratch)
    for (const { at, end } of others(own, all.length)) {
      const now = Buffer.from(all.buffer, at, end - at)
      if (now.equals(before.subarray(at, end))) continue
      const place = at + now.findIndex((byte, i) => byte !== before[at + i])
      expect.fail(`byte ${place} was written, which is in no block of this work`)
    }
  }
  for (const other of outcomes) expect(other).toEqual(outcomes[0])
  return outcomes[0]
}

export const many = <T>(count: number, of: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => of(i))
export const encode = (scalars: readonly bigint[]) => new Uint8Array(Buffer.concat(scalars.map(bytesOf)))
export const fullScalars = (count: number) =>
  many(count, (i) => [0n, 1n, r - 1n, r - 2n, r >> 1n][i] ?? anyBelow(r))

export type Work = (set: PointSet) => Promise<Affine>

/** What work gives for points, in isolation: a point of the curve, or the error that some are not. */
export async function checkSound(
  engine: KernelEngine,
  group: Group,
  points: Uint8Array,
  work: Work,
  options?: LoadOptions,
): Promise<void> {
  const given = await isolated(engine, async () => {
    const set = await outcome(engine.points(group, points, options))
    if (set instanceof Error) return set
    const product = await outcome(work(set))
    engine.free(set)
    return product
  })
  if (given instanceof Error) {
    expect(given).toBeInstanceOf(FileError)
    expect(given.message).toMatch(/of its points in G[12] some are not on the curve|is no point of G[12]/)
  } else expect(isOnCurve(group, given)).toBe(true)
}
