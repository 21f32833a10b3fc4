/** What a setup does with the bytes of points, block by block: kernels/assembly/curve/files.ts. */
import { invariant } from "../../../errors.js"
import { Blocks } from "../blocks.js"
import type { KernelPool, RunOptions } from "../pool.js"
import { fileBytes, type Group } from "./points.js"

/** Points whose bytes lie in the memory of the pool at the same time, and those that an item takes. */
const blockPoints = 2 ** 16
const rangeLength = 1024

type Kernel = "OffCurve" | "Uncompressed"

/** Points of a file, or their number. */
export function countOfFile(group: Group, bytes: Uint8Array): number {
  const count = bytes.length / fileBytes[group]
  invariant(Number.isInteger(count), `points of ${group} take ${fileBytes[group]} bytes each`)
  return count
}

/** Runs a kernel on `count` points, block by block, with progress over all of them. */
async function eachBlock(
  pool: KernelPool,
  group: Group,
  kernel: Kernel,
  count: number,
  options: RunOptions,
  work: (run: (from: number, to: number, length: number) => Promise<void>, blocks: Blocks) => Promise<void>,
): Promise<void> {
  const blocks = new Blocks(pool.memory, "points of a setup")
  const { signal, onProgress } = options
  const total = Math.ceil(count / rangeLength)
  let done = 0
  try {
    const job = blocks.struct("PointBytes")
    await work(async (from, to, length) => {
      job.write({ from, to, count: length, rangeLength })
      const items = Math.ceil(length / rangeLength)
      const scratchBytes = pool.constant(`${group}FileScratch`)
      const progress = onProgress && ((some: number) => onProgress(done + some, total))
      const step = { kernel: `${group}${kernel}`, args: job.at, items, scratchBytes }
      await pool.run([step], { signal, onProgress: progress })
      done += items
    }, blocks)
  } finally {
    blocks.release()
  }
}

/** As `KernelEngine.uncompressed`. */
export async function uncompressedOf(
  pool: KernelPool,
  group: Group,
  points: Uint8Array,
  options: RunOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const size = fileBytes[group]
  const count = countOfFile(group, points)
  const result = new Uint8Array(points.length)
  await eachBlock(pool, group, "Uncompressed", count, options, async (run, blocks) => {
    const bytes = size * Math.min(count, blockPoints)
    const [from, to] = [blocks.allocate(bytes), blocks.allocate(bytes)]
    for (let first = 0; first < count; first += blockPoints) {
      const part = points.subarray(size * first, size * (first + blockPoints))
      pool.memory.bytes(from, part.length).set(part)
      await run(from, to, part.length / size)
      result.set(pool.memory.bytes(to, part.length), size * first)
    }
  })
  return result
}

/** As `KernelEngine.firstOffCurve`. */
export async function firstOffCurveOf(
  pool: KernelPool,
  group: Group,
  points: Uint8Array,
  options: RunOptions = {},
): Promise<number> {
  const size = fileBytes[group]
  const count = countOfFile(group, points)
  let found = -1
  await eachBlock(pool, group, "OffCurve", count, options, async (run, blocks) => {
    const from = blocks.allocate(size * Math.min(count, blockPoints))
    const to = blocks.allocate(4 * Math.ceil(blockPoints / rangeLength))
    for (let first = 0; first < count && found < 0; first += blockPoints) {
      const part = points.subarray(size * first, size * (first + blockPoints))
      pool.memory.bytes(from, part.length).set(part)
      const length = part.length / size
      await run(from, to, length)
      const numbers = pool.memory.unsigned(to, Math.ceil(length / rangeLength))
      const number = numbers.find((some) => some !== 0)
      if (number !== undefined) found = first + number - 1
    }
  })
  return found
}
