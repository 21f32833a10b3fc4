/** Field elements of a lookup argument, made on a pool (kernels/assembly/lookup.ts). */
import { invariant } from "../../../errors.js"
import { inverse, mod } from "../../../field.js"
import { constantOf } from "../points/points.js"
import type { KernelPool, Step } from "../pool.js"

const fileRadix = 1n << 256n
const shift = 1n << 53n
/** What the kernel needs besides c: 2^−256 and 2^512. */
const factors = [inverse(fileRadix), mod(fileRadix * fileRadix)]

/** What is released as a whole: 32 bytes each, canonical, little endian. */
export interface FieldSet {
  readonly count: number
  readonly address: number
}

/**
 * For n entries t with multiplicities m: c − t, then 1/(c − t), then m/(c − t), n of each. Where c is one of the
 * entries, the inverses around it are undefined.
 * @throws what `run` throws
 */
export async function lookupFields(
  pool: KernelPool,
  c: bigint,
  entries: Float64Array,
  multiplicities: Float64Array,
  run: (steps: readonly Step[]) => Promise<void>,
): Promise<FieldSet> {
  const { memory } = pool
  const n = entries.length
  invariant(multiplicities.length === n, "an entry has one multiplicity")
  const address = memory.allocate(96 * n, "a lookup argument")
  const work = memory.allocate(16 * n + 128 + 20, "a lookup argument")
  const constants = work + 16 * n
  const args = constants + 96
  memory.doubles(work, n).set(entries)
  memory.doubles(work + 8 * n, n).set(multiplicities)
  ;[mod(c + shift), ...factors].forEach((value, i) => {
    const bytes = memory.bytes(constants + 32 * i, 32)
    for (let j = 0; j < 32; j++, value >>= 8n) bytes[j] = Number(value & 255n)
  })
  memory.unsigned(args, 5).set([work, work + 8 * n, n, constants, address])
  const items = Math.ceil(n / constantOf(pool, "lookupRange"))
  try {
    await run([{ kernel: "lookup", args, items, scratchBytes: constantOf(pool, "lookupScratch") }])
    return { count: 3 * n, address }
  } catch (error) {
    memory.release(address)
    throw error
  } finally {
    memory.release(work)
  }
}
