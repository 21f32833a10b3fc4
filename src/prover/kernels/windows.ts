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

/** Windows of scalars of any size, by their bits. */
const fullWindows = new Map<number, Windows>()

/** The fewest windows of `bits` bits that hold `largest`; the last is not shifted and has 2^(c−1) buckets, too. */
export function windowsOf(bits: number, largest: bigint): Windows {
  if (largest !== r - 1n) return findWindows(bits, largest)
  const known = fullWindows.get(bits) ?? findWindows(bits, largest)
  fullWindows.set(bits, known)
  return known
}

function findWindows(bits: number, largest: bigint): Windows {
  const [c, half] = [BigInt(bits), 1n << BigInt(bits - 1)]
  let offset = 0n
  for (let count = 1; ; count++) {
    const last = c * BigInt(count - 1)
    if ((largest + offset) >> last <= half) return { bits, count, offset }
    offset += half << last
  }
}

/** Layers of multiples: layer k is 2^(bits·k) times layer 0, for k < count. */
export interface Layers {
  readonly bits: number
  readonly count: number
}

/** Windows whose number in a layer is `bits` divided by theirs, so that those of all layers share buckets. */
export function layeredWindows(points: number, layers: Layers): Windows {
  const fitting = Array.from({ length: maximumBits - 1 }, (_, i) =>
    windowsOf(i + minimumBits, r - 1n),
  ).filter(({ bits, count }) => layers.bits % bits === 0 && count <= (layers.bits / bits) * layers.count)
  invariant(fitting.length > 0, "layers reach beyond a scalar")
  const additions = ({ bits, count }: Windows): number => count * points + (layers.bits / bits) * 2 ** bits
  return fitting.reduce((best, next) => (additions(next) < additions(best) ? next : best))
}

/** The layers, that many, with which a multiplication takes the fewest additions. */
export function bestLayers(points: number, count: number): Layers {
  const choices = Array.from({ length: maximumBits - 4 }, (_, i) => windowsOf(i + 5, r - 1n)).map(
    (windows) => {
      const sets = Math.ceil(windows.count / count)
      return { bits: windows.bits * sets, additions: windows.count * points + sets * 2 ** windows.bits }
    },
  )
  const { bits } = choices.reduce((best, next) => (next.additions < best.additions ? next : best))
  return { bits, count }
}
