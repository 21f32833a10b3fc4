/**
 * Signed digits of scalars, for all windows at once.
 *
 * Digits of c bits, W windows. The offset H = the sum of 2^(c−1)·2^(cw) over all windows but the last is added
 * to a scalar once; digit w is then window w of the sum, less 2^(c−1) in all but the last. So half as many
 * buckets suffice, no carry runs between windows, and the last window, which is not shifted, must itself be at
 * most 2^(c−1): whoever chooses c and W sees to that.
 */

import { isCanonical } from "./fr"

/** A multi-scalar multiplication; written by the engine. All fields are 32 bits; lengths in elements. */
@unmanaged
export class Multiplication {
  /** Affine points in the form of the kernels, and how many. */
  points: usize
  count: u32
  /** 32 bytes little endian each, or doubles; both canonical. */
  scalars: usize
  /** Whether they are doubles. */
  small: u32
  /** Bit i % 8 of byte i / 8: point i is infinity. 0 if none is. */
  infinite: usize
  /** c and W. */
  bits: u32
  windows: u32
  /** H as five 64-bit words. */
  offset: usize
  /** Points that an item of `digits` takes. */
  rangeLength: u32
  /** u16 [W][count]: 2·|digit| − (digit < 0), so that digits from −2^15 to 2^15 − 1 fit; see bucketOf and signOf */
  digits: usize
  /** u32 [W][count]: entries of the tree, ordered by bucket. */
  sorted: usize
  /** u32 [W][2^(c−1) + 2]: where bucket d starts; the last one: the end. */
  starts: usize
  /** points [W][2^(c−1) + 1]: sums of the buckets; number 0 is unused. */
  buckets: usize
  /** Parts that the sorted list of a window is cut into. */
  parts: u32
  /** points [W][parts]: the share of a part in the bucket that an earlier one began; 0 if there are no parts. */
  heads: usize
  /** projective points [W] */
  sums: usize
  /** The result, affine, as in a file. */
  result: usize
  /** points [ranges][W][2^(c−1) + 1]: sums of the buckets of each range (curve/ranges.ts), or 0. */
  partials: usize
  /**
   * Points come with that many multiples: layer k, `count` points further on each, is 2^(cSk) times layer 0. Windows
   * S·k + s, for all k, share the buckets of set s: their digits follow one another, as the layers do. What is left of
   * S·layers beyond the windows are zeros. 1 if there are no multiples; S is W then.
   */
  layers: u32
  /** Parts that the sums of rows and columns of a window are cut into, and where they go: points [W][folds]. */
  foldParts: u32
  folds: usize
  /** What is subtracted from every small scalar; the product is that of the differences. */
  centre: u32
  /** S: sets of buckets that windows share. */
  sets: u32
  /** Set to 1 if a full scalar is not below r: it counts as zero, and the product is worth nothing. */
  refused: u32
}

/** Buckets of a window: 2^(c−1). */
@inline
export function bucketCount(job: Multiplication): u32 {
  return 1 << (job.bits - 1)
}

/** |digit|, which is the number of its bucket. */
@inline
export function bucketOf(code: u32): u32 {
  return (code + 1) >> 1
}

/** 1 if the digit is negative; zero is not. */
@inline
export function signOf(code: u32): u32 {
  return code & 1
}

/**
 * The largest absolute value of small scalars, or minus that if one of them is negative; infinity if one of them is
 * no integer.
 */
export function largest(scalars: usize, count: u32): f64 {
  // rounds below 2^51, in half the time of an instruction that rounds
  const magic: f64 = 6755399441055744
  let most: u64 = 0
  let rest: u64 = 0
  let signs: u64 = 0
  let whole = true
  const end = scalars + (<usize>count << 3)
  for (let at = scalars; at < end; at += 8) {
    const value = load<f64>(at)
    // ±0 for an integer
    rest |= reinterpret<u64>(value + magic - magic - value) << 1
    // sizes of doubles are in the order of their bits
    const size = reinterpret<u64>(value) << 1
    if (size > most) most = size
    signs |= reinterpret<u64>(value)
  }
  const size = reinterpret<f64>(most >> 1)
  if (size < 2251799813685248) whole = rest == 0
  else for (let at = scalars; at < end; at += 8) whole = whole && nearest(load<f64>(at)) == load<f64>(at)
  if (!whole) return Infinity
  return <i64>signs < 0 ? -size : size
}

/** Scalars whose digits are made together, window by window, so that what is written lies side by side. */
const block: u32 = 64
/** Bytes of scalar + H, and as many of zeros after the last one. */
const wordsBytes: usize = 32

/** The digits of range number `item`. Working memory: the sums and zeros; less than 4 KiB. */
export function digits(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  memory.fill(scratch, 0, (<usize>block + 1) * wordsBytes)
  for (let first = from; first < to; first += block) {
    const length = min(block, to - first)
    const small = job.small != 0
    if (small) shiftSmall(job, first, length, scratch)
    else shiftFull(job, first, length, scratch)
    let bit: u32 = 0
    const sets = job.sets
    for (let w: u32 = 0; w < sets * job.layers; w++) {
      const row = (w % sets) * job.layers + w / sets
      const out = job.digits + ((<usize>row * job.count + first) << 1)
      if (w >= job.windows) {
        memory.fill(out, 0, <usize>length << 1)
        continue
      }
      const last = w == job.windows - 1
      if (small) splitSmall(scratch, length, bit, job.bits, last, out)
      else split(scratch, length, bit, job.bits, last, out)
      bit += job.bits
    }
    if (job.infinite != 0) leaveOut(job, first, length, sets * job.layers)
  }
}

/** Scalar − centre + H, 8 bytes each, of any sign; H is below 2^62 there. */
function shiftSmall(job: Multiplication, first: u32, length: u32, words: usize): void {
  const offset = load<i64>(job.offset) - <i64>job.centre
  for (let i: u32 = 0; i < length; i++) {
    store<i64>(words + (<usize>i << 3), <i64>load<f64>(job.scalars + (<usize>(first + i) << 3)) + offset)
  }
}

function shiftFull(job: Multiplication, first: u32, length: u32, words: usize): void {
  for (let i: u32 = 0; i < length; i++) {
    const known = addOffset(words + <usize>i * wordsBytes, job.scalars + (<usize>(first + i) << 5), job.offset)
    if (!known) job.refused = 1
  }
}

/**
 * words ← scalar + H, 256 bits, and true; H and false, as for zero, if the scalar is not below r. Windows are chosen so
 * that those below r have their buckets; with them the sum is below 2^256, since H < 2^255 − 2^254.
 */
@inline
export function addOffset(words: usize, scalar: usize, offset: usize): bool {
  if (!isCanonical(scalar)) {
    memory.copy(words, offset, 32)
    return false
  }
  let carry: u64 = 0
  for (let word: usize = 0; word < 32; word += 8) {
    const a = load<u64>(scalar + word)
    const sum = a + load<u64>(offset + word)
    const total = sum + carry
    carry = <u64>(sum < a) | <u64>(total < sum)
    store<u64>(words + word, total)
  }
  return true
}

/**
 * Digits of one window of small scalars. The last window has the sign of the sum. It is at least minus what the
 * largest scalar's is: 2H is at least the last window's unit, if H is not 0.
 */
function splitSmall(words: usize, length: u32, bit: u32, bits: u32, last: bool, out: usize): void {
  const half: i32 = last ? 0 : 1 << (bits - 1)
  const mask: u32 = last ? 0xffffffff : (1 << bits) - 1
  let largest: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const window = <u32>(load<i64>(words + (<usize>i << 3)) >> <i64>bit) & mask
    largest = max(largest, storeDigit(out, i, <i32>window - half))
  }
  checkCodes(largest, bits)
}

/** Returns its code. */
@inline
function storeDigit(out: usize, i: u32, digit: i32): u32 {
  const negative = <u32>digit >> 31
  const code = (<u32>abs(digit) << 1) - negative
  store<u16>(out + (<usize>i << 1), <u16>code)
  return code
}

/**
 * A digit's code becomes the address of its bucket, so no larger one leaves here, whatever the windows were chosen for.
 * Those of windows below the last have no more bits than that; the last one has what is left.
 */
@inline
function checkCodes(largest: u32, bits: u32): void {
  if (largest > min<u32>(0xffff, 1 << bits)) unreachable()
}

/** Digits of one window. A window at the end of a sum reads into what follows, but not that many bits of it. */
function split(words: usize, length: u32, bit: u32, bits: u32, last: bool, out: usize): void {
  const half: i32 = last ? 0 : 1 << (bits - 1)
  const mask: u32 = last ? (1 << min(31, 256 - bit)) - 1 : (1 << bits) - 1
  words += bit >> 3
  const shift = <u64>(bit & 7)
  let largest: u32 = 0
  for (let i: u32 = 0; i < length; i++) {
    const window = <u32>(load<u64>(words + <usize>i * wordsBytes) >> shift) & mask
    largest = max(largest, storeDigit(out, i, <i32>window - half))
  }
  checkCodes(largest, bits)
}

/** Points at infinity get the digit 0 everywhere. */
function leaveOut(job: Multiplication, first: u32, length: u32, rows: u32): void {
  for (let i = first; i < first + length; i++) {
    if (!((load<u8>(job.infinite + (i >> 3)) >> (<u8>i & 7)) & 1)) continue
    for (let w: u32 = 0; w < rows; w++) store<u16>(job.digits + ((<usize>w * job.count + i) << 1), 0)
  }
}
