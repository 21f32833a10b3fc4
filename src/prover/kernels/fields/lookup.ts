/** Field elements of a lookup argument, made on a pool (kernels/assembly/lookup.ts). */
import { invariant } from "../../../errors.js"
import { inverse, mod, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import type { Step } from "../program.js"

const shift = 1n << 53n
/** What the kernel needs besides c: 2^−256 and 2^512. */
const factors = [inverse(radix), mod(radix * radix)]

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
  const what = "a lookup argument"
  const out = memory.allocate(96 * n, what)
  const lent = new Blocks(memory, what)
  try {
    const job = lent.struct("Lookup")
    const values = {
      entries: lent.allocate(8 * n),
      multiplicities: lent.allocate(8 * n),
      count: n,
      constants: lent.allocate(96),
      out,
    }
    job.write(values)
    memory.doubles(values.entries, n).set(entries)
    memory.doubles(values.multiplicities, n).set(multiplicities)
    memory.writeIntegers(values.constants, [mod(c + shift), ...factors])
    const items = Math.ceil(n / pool.constant("lookupRange"))
    await run([{ kernel: "lookup", args: job.at, items, scratchBytes: pool.constant("lookupScratch") }])
    return { count: 3 * n, address: out }
  } catch (error) {
    memory.release(out)
    throw error
  } finally {
    lent.release()
  }
}
