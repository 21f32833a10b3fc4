/**
 * Signed digits of scalars, for all windows at once.
 *
 * Digits of c bits, W windows. The offset H = the sum of 2^(c−1)·2^(cw) over all windows but the last is added
 * to a scalar once; digit w is then window w of the sum, less 2^(c−1) in all but the last. So half as many
 * buckets suffice, no carry runs between windows, and the last window, which is not shifted, must itself be at
 * most 2^(c−1): whoever chooses c and W sees to that.
 */

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
  /** u16 [W][count]: 2·|digit| + (digit < 0) */
  digits: usize
  /** u32 [W][count]: entries of the tree, ordered by bucket. */
  sorted: usize
  /** u32 [W][2^(c−1) + 2]: where bucket d starts; the last one: the end. */
  starts: usize
  /** points [W][2^(c−1) + 1]: sums of the buckets; number 0 is unused. */
  buckets: usize
  /** Parts that the sorted list of a window is cut into. */
  parts: u32
  /** points [W][parts]: the share of a part in the bucket that an earlier one began. */
  heads: usize
  /** projective points [W] */
  sums: usize
  /** The result, affine, as in a file. */
  result: usize
}

/** The digits of range number `item`. */
export function digits(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Multiplication>(args)
  const from = item * job.rangeLength
  const to = min(from + job.rangeLength, job.count)
  const words = scratch
  for (let word: usize = 0; word < 48; word += 8) store<u64>(words + word, 0)
  for (let i = from; i < to; i++) {
    if (job.infinite != 0 && (load<u8>(job.infinite + (i >> 3)) >> (<u8>i & 7)) & 1) {
      for (let w: u32 = 0; w < job.windows; w++) storeDigit(job, w, i, 0, 0)
      continue
    }
    let sign: u32 = 0
    if (job.small) {
      const value = <i64>load<f64>(job.scalars + (<usize>i << 3))
      sign = value < 0 ? 1 : 0
      store<u64>(words, <u64>(value < 0 ? -value : value) + load<u64>(job.offset))
    } else {
      addOffset(words, job.scalars + (<usize>i << 5), job.offset)
    }
    split(job, words, i, sign)
  }
}

/** words ← scalar + H, 256 bits: the sum is below 2^256, since H < 2^255 − 2^254 and scalars are below 2^254. */
@inline
export function addOffset(words: usize, scalar: usize, offset: usize): void {
  let carry: u64 = 0
  for (let word: usize = 0; word < 32; word += 8) {
    const a = load<u64>(scalar + word)
    const sum = a + load<u64>(offset + word)
    const total = sum + carry
    carry = <u64>(sum < a) | <u64>(total < sum)
    store<u64>(words + word, total)
  }
}

@inline
function split(job: Multiplication, words: usize, i: u32, sign: u32): void {
  const bits = job.bits
  const half: i32 = 1 << (bits - 1)
  const mask: u32 = (1 << bits) - 1
  const last = job.windows - 1
  let bit: u32 = 0
  for (let w: u32 = 0; w < last; w++) {
    const window = <u32>(load<u64>(words + (bit >> 3)) >> (bit & 7)) & mask
    const digit = <i32>window - half
    storeDigit(job, w, i, digit, sign)
    bit += bits
  }
  storeDigit(job, last, i, <i32>(load<u64>(words + (bit >> 3)) >> (bit & 7)) & <i32>mask, sign)
}

@inline
function storeDigit(job: Multiplication, w: u32, i: u32, digit: i32, sign: u32): void {
  const size = <u32>abs(digit)
  const code = (size << 1) | (size == 0 ? 0 : sign ^ <u32>(digit < 0))
  store<u16>(job.digits + ((<usize>w * job.count + i) << 1), <u16>code)
}
