/** Differences of points, as files have them. */
import type { Group, KernelEngine } from "../prover/kernels/engine.js"
import { fileBytes } from "../prover/kernels/points/points.js"

/** Points that are in the kernels at the same time. */
const block = 2 ** 16

interface DifferenceOptions {
  /** What errors call point i of both, one behind the other. */
  readonly nameOf?: ((i: number) => string) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Points of a list less those of another.
 * @throws FileError for one that is no point; the reason of an abort; what KernelPool.run throws
 */
export async function differenceOf(
  engine: KernelEngine,
  group: Group,
  one: Uint8Array,
  other: Uint8Array,
  { nameOf = (i) => `point ${i} of a difference`, signal }: DifferenceOptions = {},
): Promise<Uint8Array> {
  const size = fileBytes[group]
  const count = one.length / size
  const result = new Uint8Array(one.length)
  for (let from = 0; from < count; from += block) {
    signal?.throwIfAborted()
    const own = Math.min(block, count - from)
    const range = [from * size, (from + own) * size] as const
    const both = new Uint8Array(2 * own * size)
    both.set(one.subarray(...range))
    both.set(other.subarray(...range), own * size)
    const numberOf = (i: number) => (i < own ? from + i : count + from + i - own)
    const set = await engine.points(group, both, { nameOf: (i) => nameOf(numberOf(i)) })
    const numbers = Uint32Array.from({ length: 2 * own }, (_, i) => i % own)
    const negative = new Uint8Array(2 * own).fill(1, own)
    const sums = await engine
      .sums(set, { group: numbers, negative }, own, { signal })
      .finally(() => engine.free(set))
    result.set(await engine.bytes(sums).finally(() => engine.free(sums)), range[0])
  }
  return result
}
