/**
 * How scalars are cut into windows for a multi-scalar multiplication: W windows of c bits, signed digits (see
 * kernels/assembly/digits.ts). The choice is the one with the fewest additions of points.
 */
import { invariant } from "../../errors.js"
import { r } from "../../field.js"

/** A digit and its sign must fit into 16 bits. */
const maximumBits = 15
const minimumBits = 2
/** What the running sums and doublings of a window cost, in affine additions in a batch. */
const additionsPerWindow = 40

export interface Windows {
  /** c */
  readonly bits: number
  /** W */
  readonly count: number
  /** H, what is added to a scalar so that its digits are signed. */
  readonly offset: bigint
}

/** Windows for `points` scalars of size at most `largest`; `bits` may be given for tests. */
export function chooseWindows(points: number, largest: bigint, bits?: number): Windows {
  invariant(largest >= 0n && largest < r, "scalars are below r")
  if (bits !== undefined) return windowsOf(bits, largest)
  let best = windowsOf(minimumBits, largest)
  for (let c = minimumBits + 1; c <= maximumBits; c++) {
    const candidate = windowsOf(c, largest)
    if (cost(candidate, points) < cost(best, points)) best = candidate
  }
  return best
}

/** Additions: one for every point, two for every bucket. */
const cost = ({ bits, count }: Windows, points: number): number =>
  count * (points + 2 ** bits + 4 * 2 ** (bits / 2) + additionsPerWindow)

/** The fewest windows of `bits` bits that hold `largest`; the last is not shifted and has 2^(c−1) buckets, too. */
export function windowsOf(bits: number, largest: bigint): Windows {
  const [c, half] = [BigInt(bits), 1n << BigInt(bits - 1)]
  let offset = 0n
  for (let count = 1; ; count++) {
    const last = c * BigInt(count - 1)
    if ((largest + offset) >> last <= half) return { bits, count, offset }
    offset += half << last
  }
}

/** Windows for points that come with a multiple for each: one set of buckets serves them all. */
export function multipleWindows(points: number): Windows {
  const largest = r - 1n
  const choices = Array.from({ length: maximumBits - 7 }, (_, i) => windowsOf(i + 8, largest))
  const additions = ({ bits, count }: Windows): number => count * points + 2 ** bits
  return choices.reduce((best, next) => (additions(next) < additions(best) ? next : best))
}
