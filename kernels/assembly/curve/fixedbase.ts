/**
 * Multiples of one point: W tables of 2^(c−1) entries, entry d of table w being d·2^(cw) times the point, and
 * for each scalar the sum of an entry of every table. Sums and tables are made by the tree of additions, with
 * signed digits as in digits.ts.
 *
 * Steps: tableBases (one item), tableFill (windows); then multiplyBase (ranges of scalars).
 */
import { addOffset } from "../digits"
import {
  elementBytes,
  fileBytes,
  gather2,
  invert2,
  mul2,
  one2,
  pairBytes,
  read2,
  scatter2,
  write2,
} from "./coordinate"
import { doublePoints2, projectivePairBytes, projectiveScratch } from "./projective"
import { isInfinity, pointBytes, treeEntry, treeFinish, treeGroup, treeScratch, treeStart, treeWipe } from "./tree"

/** Scalars of an item. */
export const baseRange: u32 = 512

/** Written by the engine. */
@unmanaged
class FixedBase {
  /** The point, as in a file. */
  point: usize
  /** c and W. */
  bits: u32
  windows: u32
  /** Entries of every table but the last, 2^(c−1), and of the last. */
  entries: u32
  lastEntries: u32
  /** points [W][entries]: entry d of a table at d − 1 */
  tables: usize
  /** H as four 64-bit words (digits.ts). */
  offset: usize
  /** Scalars, 32 bytes each, little endian; how many; where the multiples go, as in a file. */
  scalars: usize
  count: u32
  out: usize
  /** Set to 1 if a scalar is not below r: it counts as zero. */
  refused: u32
}

export const baseScratch: usize =
  treeScratch + <usize>baseRange * pointBytes + 2 * projectivePairBytes + projectiveScratch + 64

@inline
function tableOf(base: FixedBase, w: u32): usize {
  return base.tables + <usize>(w * base.entries) * pointBytes
}

/** Entry 1 of every table, by doubling. */
export function tableBases(_item: u32, args: usize, scratch: usize): void {
  const base = changetype<FixedBase>(args)
  treeStart(scratch)
  const point = scratch + treeScratch
  const inner = point + projectivePairBytes
  const inverse = inner
  const affine = inner + pairBytes
  // both coordinates side by side, then each in both lanes
  read2(affine, base.point, base.point + fileBytes)
  const first = tableOf(base, 0)
  scatter2(first, first + elementBytes, affine)
  gather2(point, first, first)
  gather2(point + pairBytes, first + elementBytes, first + elementBytes)
  one2(point + 2 * pairBytes)
  for (let w: u32 = 1; w < base.windows; w++) {
    doublePoints2(point, base.bits, inner)
    const entry = tableOf(base, w)
    invert2(inverse, point + 2 * pairBytes)
    mul2(affine, point, inverse)
    scatter2(entry, entry, affine)
    mul2(affine, point + pairBytes, inverse)
    scatter2(entry + elementBytes, entry + elementBytes, affine)
  }
}

/** The other entries of table `item`: what is there, once more with its last entry added. */
export function tableFill(item: u32, args: usize, scratch: usize): void {
  const base = changetype<FixedBase>(args)
  const table = tableOf(base, item)
  const entries = item == base.windows - 1 ? base.lastEntries : base.entries
  treeStart(scratch)
  for (let filled: u32 = 1; filled < entries; filled *= 2) {
    const last = table + <usize>(filled - 1) * pointBytes
    const more = min(filled, entries - filled)
    for (let i: u32 = 0; i < more; i++) {
      treeEntry(last)
      treeEntry(table + <usize>i * pointBytes)
      treeGroup(table + <usize>(filled + i) * pointBytes)
    }
    treeFinish()
  }
}

/** The multiples for range `item` of scalars. */
export function multiplyBase(item: u32, args: usize, scratch: usize): void {
  const base = changetype<FixedBase>(args)
  const from = item * baseRange
  const to = min(from + baseRange, base.count)
  const sums = scratch + treeScratch
  const words = sums + <usize>baseRange * pointBytes
  const last = base.windows - 1
  const half: i32 = 1 << (base.bits - 1)
  const mask: u32 = (1 << base.bits) - 1
  treeStart(scratch)
  store<u64>(words, 0, 32)
  for (let i = from; i < to; i++) {
    if (!addOffset(words, base.scalars + (<usize>i << 5), base.offset)) base.refused = 1
    let bit: u32 = 0
    let table = base.tables - pointBytes
    for (let w: u32 = 0; w <= last; w++) {
      const window = <i32>(<u32>(load<u64>(words + (bit >> 3)) >> (bit & 7)) & mask)
      const digit = w < last ? window - half : window
      // no address beyond the table, whatever the windows were chosen for
      if (w == last && <u32>digit > base.lastEntries) unreachable()
      if (digit != 0) treeEntry((table + <usize>abs(digit) * pointBytes) | <usize>(digit < 0))
      bit += base.bits
      table += <usize>base.entries * pointBytes
    }
    treeGroup(sums + <usize>(i - from) * pointBytes)
  }
  treeFinish()
  const pair = words
  let sum = sums
  for (let i = from; i < to; i++) {
    const out = base.out + <usize>i * 2 * fileBytes
    if (isInfinity(sum)) memory.fill(out, 0, 2 * fileBytes)
    else {
      gather2(pair, sum, sum + elementBytes)
      write2(out, out + fileBytes, pair)
    }
    sum += pointBytes
  }
  // addresses of entries tell the digits of a secret
  treeWipe()
  memory.fill(words, 0, 40)
}
