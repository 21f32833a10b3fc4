/**
 * How scalars are cut into windows for a multi-scalar multiplication: W windows of c bits, signed digits (see
 * kernels/assembly/digits.ts). The choice is the one with the fewest additions of points.
 */
import { invariant } from "../../../errors.js"
import { r } from "../../../field.js"

/** A digit, from −2^15 to 2^15 − 1, has 16 bits. */
const maximumBits = 16
const minimumBits = 2
/** What the running sums and doublings of a window cost, in affine additions in a batch. */
const additionsPerWindow = 100

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
    if (candidate.count * cost(c, points) < best.count * cost(best.bits, points)) best = candidate
  }
  return best
}

/** What it takes, in additions, to look after a bucket, and after its sum where it has one: measured, 13 to 16 bits. */
const additionsPerBucket = 0.2
const additionsPerSum = 0.3

/**
 * Half the range of scalars that are never negative, if subtracting it saves additions that are worth a word, else 0.
 * The differences go from minus that to one less than that, which are digits of one bit less.
 */
export function centreOf(points: number, largest: bigint): bigint {
  if (largest < 2n || largest >= 2n ** 32n) return 0n
  let centre = 1n
  while (2n * centre <= largest) centre *= 2n
  const additions = ({ bits, count }: Windows): number => count * cost(bits, points)
  const [before, after] = [largest, centre - 1n].map((most) => additions(chooseWindows(points, most)))
  return before - after > points / 16 ? centre : 0n
}

/** Additions: a bucket that k of `points` random digits meet takes k − 1, and two more, in a row and in a column. */
const cost = (bits: number, points: number): number => {
  const buckets = 2 ** (bits - 1)
  const met = buckets * (1 - Math.exp(-points / buckets))
  return points + (1 + additionsPerSum) * met + additionsPerBucket * buckets + additionsPerWindow
}

/** Windows of scalars of any size, by their bits. */
const fullWindows = new Map<number, Windows>()

/**
 * The fewest windows of `bits` bits that hold `largest` and −`largest`; the last is not shifted and has 2^(c−1)
 * buckets, too.
 */
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
    if ((largest + offset) >> last <= (bits === maximumBits ? half - 1n : half))
      return { bits, count, offset }
    offset += half << last
  }
}

/** Layers of multiples: layer k is 2^(bits·k) times layer 0, for k < count. */
export interface Layers {
  readonly bits: number
  readonly count: number
}

/** Additions where windows share the buckets of `sets`. */
const layeredCost = ({ bits, count }: Windows, sets: number, points: number): number =>
  sets * cost(bits, (count * points) / sets)

/** Windows whose number in a layer is `bits` divided by theirs, so that those of all layers share buckets. */
const fitting = (layers: Layers): Windows[] =>
  Array.from({ length: maximumBits - 1 }, (_, i) => windowsOf(i + minimumBits, r - 1n)).filter(
    ({ bits, count }) => layers.bits % bits === 0 && count <= (layers.bits / bits) * layers.count,
  )

/** More bits than layers are ever apart: windows of a scalar, the last one not full. */
const mostLayerBits = 288

/** Whether a multiplication can use layers. */
export const areLayers = (layers: Layers): boolean =>
  layers.bits > 0 && layers.bits <= mostLayerBits && fitting(layers).length > 0

/** The windows with which a multiplication by points in layers takes the fewest additions. */
export function layeredWindows(points: number, layers: Layers): Windows {
  invariant(areLayers(layers), "layers reach beyond a scalar")
  const additions = (windows: Windows): number => layeredCost(windows, layers.bits / windows.bits, points)
  return fitting(layers).reduce((best, next) => (additions(next) < additions(best) ? next : best))
}

/** The layers, that many, with which a multiplication takes the fewest additions. */
export function bestLayers(points: number, count: number): Layers {
  const choices = Array.from({ length: maximumBits - 4 }, (_, i) => windowsOf(i + 5, r - 1n)).map(
    (windows) => {
      const sets = Math.ceil(windows.count / count)
      return { bits: windows.bits * sets, additions: layeredCost(windows, sets, points) }
    },
  )
  const { bits } = choices.reduce((best, next) => (next.additions < best.additions ? next : best))
  return { bits, count }
}
