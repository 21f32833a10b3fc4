/**
 * Field elements of a lookup argument: for entries t with multiplicities m and a challenge c, all differences
 * c − t, their inverses (one inversion for a range, Montgomery's trick) and m/(c − t), as canonical integers.
 */
import { mul2, norm2, pairBytes, read2, sub2, write2 } from "./fr"
import { inverseScratch, invert2, prepareInverse } from "./fr/inverse"

/** Entries of an item, an even number. */
export const lookupRange: u32 = 256

const pairs: usize = <usize>lookupRange >> 1

/** Written by the engine. */
@unmanaged
class Lookup {
  /** Doubles: t, integers of less than 2^53 in size, and m, from 0 on. */
  entries: usize
  multiplicities: usize
  count: u32
  /** 32 bytes: c + 2^53, 2^−256 and 2^512, canonical. */
  constants: usize
  /** 32 bytes each, canonical: c − t, then as many inverses, then m/(c − t). */
  out: usize
}

export const lookupScratch: usize = inverseScratch + 2 * pairs * pairBytes + 6 * pairBytes + 128

/** Range `item`. Where a difference is zero, the inverses of its range and lane are undefined. */
export function lookup(item: u32, args: usize, scratch: usize): void {
  const job = changetype<Lookup>(args)
  prepareInverse(scratch)
  const differences = (scratch + inverseScratch + 15) & ~15
  const prefixes = differences + pairs * pairBytes
  const challenge = prefixes + pairs * pairBytes
  const down = challenge + pairBytes
  const up = down + pairBytes
  const running = up + pairBytes
  const temporary = running + pairBytes
  const bytes = temporary + pairBytes
  memory.fill(bytes, 0, 64)
  read2(challenge, job.constants, job.constants)
  // an integer v is read as v·2^−256; so the inverse, to be written as one, lacks a factor of 2^−512
  read2(down, job.constants + 32, job.constants + 32)
  read2(up, job.constants + 64, job.constants + 64)
  const from = item * lookupRange
  const count = min(lookupRange, job.count - from)
  const used = (count + 1) >> 1
  const shift: i64 = 1 << 53
  for (let i: u32 = 0; i < used; i++) {
    const first = from + 2 * i
    const second = min(first + 1, job.count - 1)
    store<i64>(bytes, <i64>load<f64>(job.entries + (<usize>first << 3)) + shift)
    store<i64>(bytes + 32, <i64>load<f64>(job.entries + (<usize>second << 3)) + shift)
    const difference = differences + <usize>i * pairBytes
    read2(temporary, bytes, bytes + 32)
    sub2(difference, challenge, temporary)
    const prefix = prefixes + <usize>i * pairBytes
    if (i == 0) norm2(prefix, difference)
    else mul2(prefix, prefix - pairBytes, difference)
  }
  invert2(running, prefixes + <usize>(used - 1) * pairBytes)
  const size = <usize>job.count << 5
  for (let i = <i32>used - 1; i >= 0; i--) {
    const first = from + 2 * i
    const second = min(first + 1, job.count - 1)
    const to0 = job.out + (<usize>first << 5)
    const to1 = job.out + (<usize>second << 5)
    const difference = differences + <usize>i * pairBytes
    const inverse = prefixes + <usize>i * pairBytes
    if (i > 0) mul2(inverse, running, inverse - pairBytes)
    else norm2(inverse, running)
    mul2(running, running, difference)
    write2(to0, to1, difference)
    mul2(inverse, inverse, down)
    write2(to0 + size, to1 + size, inverse)
    store<u64>(bytes, <u64>load<f64>(job.multiplicities + (<usize>first << 3)))
    store<u64>(bytes + 32, <u64>load<f64>(job.multiplicities + (<usize>second << 3)))
    read2(temporary, bytes, bytes + 32)
    mul2(temporary, temporary, up)
    mul2(temporary, temporary, inverse)
    write2(to0 + 2 * size, to1 + 2 * size, temporary)
  }
}
