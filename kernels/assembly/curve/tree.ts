/**
 * Sums of groups of points: the engine of all multi-scalar multiplications.
 *
 * Entries (addresses of affine points, bit 0: subtract) come in a stream, group after group; the sum of each
 * group is written to the address given at its end. Entries are collected into a tile; in rounds, neighbours
 * within a group are added pairwise, all additions of a round with one inversion (Montgomery's trick) and two of
 * them at a time, one in each lane. What few additions are left after some rounds would not be worth an inversion:
 * the partial sums of groups that are not complete become the first entries of the next tile.
 *
 * An affine addition takes 5 multiplications and a squaring: with d = x2 − x1, λ = (y2 − y1)/d,
 * x3 = λ² − x1 − x2 = λ² − 2·x1 − d, y3 = λ(x1 − x3) − y1. A zero d (P ± P) makes the product of the batch zero;
 * only then is the batch looked at addition by addition: d ← y1 + y2 and λ = 3·x1²/d for a doubling, and no point at
 * all for P − P. No point of bn254 (G1 or G2) has y = 0: both groups of the curve have odd order. Points of a hostile
 * key may be on no curve, or on several: y1 + y2 may then be zero, which counts as P − P, or neither 0 nor 2·y1. So a
 * batch has an inverse whatever is in it, and an addition that makes no sense spoils no other.
 *
 * The point at infinity is stored as zero bytes, which (0, 0), not being on the curve, leaves free; it is never an
 * entry, and a sum that comes out as infinity is taken off the list of entries.
 */
import {
  add2,
  coordinateScratch,
  elementBytes,
  gather2,
  gatherDifference2,
  gatherSigned2,
  gatherSignedDifference2,
  invert2,
  mul2,
  mulSubScatter2,
  norm2,
  one2,
  pairBytes,
  prepareCoordinate,
  scatter2,
  sqr2,
  sqrSubScatter2,
  zeroes2,
} from "./coordinate"

export const pointBytes: usize = 2 * elementBytes

/** Entries of a tile. */
const tile: i32 = 2048
/** Lane pairs of a batch. */
const half: i32 = tile >> 2
/** Additions that are worth an inversion while more entries are to come. */
const leastPairs: i32 = 64
/** Partial sums that a tile hands on: at most three for each addition that was left, and one of the open group. */
const mostCarried: i32 = 3 * leastPairs + 1
/** Temporary pairs. */
const temporaries: usize = 9

/** Slots for results, at most one less than entries, and one of an addition that fills a lane. */
const slotsBytes: usize = (<usize>tile + 2) * pointBytes
const carriedBytes: usize = <usize>mostCarried * pointBytes
/** Bytes of a list of addresses; there are entries, pairs (two each), group sizes and outputs. */
const listBytes: usize = 4 * (<usize>tile + 4)
const lists: usize = 4
/** For each lane pair: prefix product, d and x1; kinds. */
const batchBytes: usize = 3 * <usize>half * pairBytes
export const treeScratch: usize =
  coordinateScratch +
  temporaries * pairBytes +
  slotsBytes +
  2 * carriedBytes +
  lists * listBytes +
  batchBytes +
  <usize>tile +
  256

let temporary: usize = 0
let slots: usize = 0
/** Where partial sums of the last tile lie, and where those of this one go. */
let carriedFrom: usize = 0
let carriedTo: usize = 0
let entries: usize = 0
let pairs: usize = 0
let sizes: usize = 0
let outputs: usize = 0
let batch: usize = 0
let kinds: usize = 0

/** Entries, complete groups and used slots of the tile; entries of the open group. */
let entryCount: i32 = 0
let groupCount: i32 = 0
let slotCount: i32 = 0
let open: i32 = 0

/** What a pair is, once its d turned out to be zero. */
const doubling: u8 = 1
const nothing: u8 = 2

/** Offsets within the numbers of a lane pair. */
const differenceAt: usize = pairBytes
const firstAt: usize = 2 * pairBytes
const stride: usize = 3 * pairBytes

/** Starts a stream; `scratch`: treeScratch bytes. */
export function treeStart(scratch: usize): void {
  prepareCoordinate(scratch)
  temporary = scratch + coordinateScratch
  batch = temporary + temporaries * pairBytes
  slots = batch + batchBytes
  carriedFrom = slots + slotsBytes
  carriedTo = carriedFrom + carriedBytes
  entries = carriedTo + carriedBytes
  pairs = entries + listBytes
  sizes = pairs + listBytes
  outputs = sizes + listBytes
  kinds = outputs + listBytes
  entryCount = 0
  groupCount = 0
  open = 0
}

/** Adds a point to the open group. */
export function treeEntry(entry: usize): void {
  if (entryCount == tile) run(false)
  store<u32>(entries + (<usize>entryCount << 2), <u32>entry)
  entryCount++
  open++
}

/** Ends the group: its sum goes to `out`, at the latest at treeFinish. */
export function treeGroup(out: usize): void {
  const at = <usize>groupCount << 2
  store<u32>(sizes + at, open)
  store<u32>(outputs + at, <u32>out)
  groupCount++
  open = 0
  if (groupCount == tile) run(false)
}

/** Writes what is left. */
export function treeFinish(): void {
  run(true)
}

/** Forgets the addresses of entries, which may tell a secret. */
export function treeWipe(): void {
  memory.fill(entries, 0, lists * listBytes)
}

/** Whether the point is the one at infinity. */
export function isInfinity(point: usize): bool {
  for (let i: usize = 0; i < pointBytes; i += 8) if (load<u64>(point + i) != 0) return false
  return true
}

/** z ← ±the point at x. */
function copySigned(z: usize, x: usize): void {
  const sign = x & 1
  x -= sign
  for (let i: usize = 0; i < pointBytes; i += 8) store<u64>(z + i, load<u64>(x + i))
  if (!sign) return
  const y = z + elementBytes
  gatherSigned2(temporary, y, y, 1, 1)
  norm2(temporary, temporary)
  scatter2(y, carriedTo + carriedBytes - pointBytes, temporary)
}

/** Sums the groups of the tile as far as that is worth it, or to the end; complete groups are written. */
function run(last: bool): void {
  const groups = groupCount + 1
  store<u32>(sizes + (<usize>groupCount << 2), open)
  touch()
  slotCount = 0
  let left = 0
  for (let i = 0; i < groups; i++) left += load<u32>(sizes + (<usize>i << 2)) >> 1
  while (left >= (last ? 1 : leastPairs)) left = round(groups, left)
  let at = entries
  let carriedGroups = 0
  entryCount = 0
  for (let i = 0; i < groups; i++) {
    const size = load<u32>(sizes + (<usize>i << 2))
    const out = <usize>load<u32>(outputs + (<usize>i << 2))
    if (size > 1 || i == groupCount) {
      const to = <usize>carriedGroups << 2
      store<u32>(sizes + to, size)
      store<u32>(outputs + to, <u32>out)
      carriedGroups++
      for (let j: u32 = 0; j < size; j++) carry(load<u32>(at + (<usize>j << 2)))
    } else if (size == 0) {
      memory.fill(out, 0, pointBytes)
    } else {
      copySigned(out, load<u32>(at))
    }
    at += <usize>size << 2
  }
  // the last one is open
  groupCount = carriedGroups - 1
  open = load<u32>(sizes + (<usize>groupCount << 2))
  const from = carriedFrom
  carriedFrom = carriedTo
  carriedTo = from
}

/** Makes the sum at `entry` an entry of the next tile; what it lies in may be overwritten there. */
function carry(entry: usize): void {
  const to = carriedTo + <usize>entryCount * pointBytes
  copySigned(to, entry)
  store<u32>(entries + (<usize>entryCount << 2), <u32>to)
  entryCount++
}

/** Loads what the first round needs, independently of one another, so that misses overlap. */
function touch(): void {
  let any: u32 = 0
  for (let i = 0; i < entryCount; i++) {
    const point = <usize>(load<u32>(entries + (<usize>i << 2)) & ~1)
    any |= load<u32>(point) | load<u32>(point + pointBytes - 8)
  }
  // so that the loads are not optimized away
  store<u32>(temporary, any)
}

/** One round over all groups, `count` additions; returns how many the next one has. */
function round(groups: i32, count: i32): i32 {
  let from = entries
  let to = entries
  let pair = pairs
  let slot = slots + <usize>slotCount * pointBytes
  let next = 0
  for (let i = 0; i < groups; i++) {
    const sizeAt = sizes + (<usize>i << 2)
    const size = load<u32>(sizeAt)
    for (let j = size >> 1; j > 0; j--) {
      store<u64>(pair, load<u64>(from))
      store<u32>(to, <u32>slot)
      slot += pointBytes
      pair += 8
      from += 8
      to += 4
    }
    if (size & 1) {
      store<u32>(to, load<u32>(from))
      from += 4
      to += 4
    }
    const kept = (size + 1) >> 1
    store<u32>(sizeAt, kept)
    next += kept >> 1
  }
  const special = addBatch(count)
  slotCount += count
  return special ? dropEmpty(groups) : next
}

/** Takes sums that came out as infinity off the list; returns how many additions there are then. */
function dropEmpty(groups: i32): i32 {
  let from = entries
  let to = entries
  let next = 0
  for (let i = 0; i < groups; i++) {
    const sizeAt = sizes + (<usize>i << 2)
    let kept: u32 = 0
    for (let j = load<u32>(sizeAt); j > 0; j--) {
      const entry = load<u32>(from)
      from += 4
      if (isInfinity(<usize>(entry & ~1))) continue
      store<u32>(to, entry)
      to += 4
      kept++
    }
    store<u32>(sizeAt, kept)
    next += kept >> 1
  }
  return next
}

/** The sums of all pairs, one after the other into the slots; whether there was a special one among them. */
function addBatch(additions: i32): bool {
  // an addition to fill the last lane: the same one once more
  const end = pairs + (<usize>additions << 3)
  if (additions & 1) store<u64>(end, load<u64>(end - 8))
  const count = (additions + 1) >> 1
  let at = batch
  for (let i = 0; i < count; i++) {
    gatherFirst(i, at + firstAt, at + differenceAt)
    if (i == 0) norm2(at, at + differenceAt)
    else mul2(at, at - stride, at + differenceAt)
    at += stride
  }
  const special = zeroes2(at - stride) != 0
  if (special) replaceZeros(count)
  const running = temporary + 8 * pairBytes
  invert2(running, at - stride)
  for (let i = count - 1; i >= 0; i--) addPair(i, running, special)
  return special
}

/** x1 and x2 − x1 of lane pair i. */
@inline
function gatherFirst(i: i32, x1: usize, difference: usize): void {
  const pair = pairs + (<usize>i << 4)
  const l0 = <usize>load<u32>(pair) & ~1
  const r0 = <usize>load<u32>(pair, 4) & ~1
  const l1 = <usize>load<u32>(pair, 8) & ~1
  const r1 = <usize>load<u32>(pair, 12) & ~1
  gatherDifference2(x1, difference, l0, l1, r0, r1)
}

/** Second half of the additions of lane pair i, given the inverse of the product of d_0 … d_i. */
function addPair(i: i32, running: usize, special: bool): void {
  const y1 = temporary
  const y = temporary + pairBytes
  const slope = temporary + 2 * pairBytes
  const e = temporary + 3 * pairBytes
  const at = batch + <usize>i * stride
  const pair = pairs + (<usize>i << 4)
  const x1 = at + firstAt
  let difference = at + differenceAt
  if (i > 0) {
    mul2(slope, running, at - stride)
    mul2(running, running, difference)
  } else {
    memory.copy(slope, running, pairBytes)
  }
  gatherSignedDifference2(
    y1,
    y,
    <usize>load<u32>(pair) + elementBytes,
    <usize>load<u32>(pair, 8) + elementBytes,
    <usize>load<u32>(pair, 4) + elementBytes,
    <usize>load<u32>(pair, 12) + elementBytes,
  )
  const kind: u32 = special ? load<u16>(kinds + (<usize>i << 1)) : 0
  if (kind != 0) difference = prepareSpecial(i, kind, y, x1)
  mul2(slope, slope, y)
  const z0 = slots + <usize>(slotCount + 2 * i) * pointBytes
  const z1 = z0 + pointBytes
  sqrSubScatter2(z0, z1, e, slope, x1, difference)
  mulSubScatter2(z0 + elementBytes, z1 + elementBytes, slope, e, y1)
  if (<u8>kind == nothing) memory.fill(z0, 0, pointBytes)
  if (<u8>(kind >> 8) == nothing) memory.fill(z1, 0, pointBytes)
}

/** Replaces the zeros among the differences by what is to be inverted there, and the prefix products. */
function replaceZeros(count: i32): void {
  const y1 = temporary
  const y2 = temporary + pairBytes
  const ones = temporary + 2 * pairBytes
  for (let i = 0; i < count; i++) {
    const prefix = batch + <usize>i * stride
    const difference = prefix + differenceAt
    const zeros = zeroes2(difference)
    store<u16>(kinds + (<usize>i << 1), 0)
    if (zeros != 0) {
      const pair = pairs + (<usize>i << 4)
      const l0 = <usize>load<u32>(pair)
      const r0 = <usize>load<u32>(pair, 4)
      const l1 = <usize>load<u32>(pair, 8)
      const r1 = <usize>load<u32>(pair, 12)
      gatherSigned2(y1, (l0 & ~1) + elementBytes, (l1 & ~1) + elementBytes, l0, l1)
      gatherSigned2(y2, (r0 & ~1) + elementBytes, (r1 & ~1) + elementBytes, r0, r1)
      // y1 + y2: 2·y1 for a doubling, 0 if nothing is left
      norm2(y1, y1)
      norm2(y2, y2)
      add2(y1, y1, y2)
      const empty = zeroes2(y1)
      norm2(difference, difference)
      one2(ones)
      for (let lane: u32 = 0; lane < 2; lane++) {
        if (!((zeros >> lane) & 1)) continue
        const isEmpty = ((empty >> lane) & 1) == 1
        store<u8>(kinds + (<usize>i << 1) + lane, isEmpty ? nothing : doubling)
        replaceLane(difference, isEmpty ? ones : y1, lane)
      }
    }
    if (i == 0) norm2(prefix, difference)
    else mul2(prefix, prefix - stride, difference)
  }
}

/** z ← z with one lane taken from x. */
function replaceLane(z: usize, x: usize, lane: u32): void {
  const other = temporary + 6 * pairBytes
  const lanes = other + pairBytes
  scatter2(other, other + elementBytes, z)
  scatter2(lanes, lanes + elementBytes, x)
  if (lane == 0) gather2(z, lanes, other + elementBytes)
  else gather2(z, other, lanes + elementBytes)
}

/**
 * Where a point is doubled: its slope's numerator, 3·x1². Returns x2 − x1 as it was before something else took its
 * place to be inverted; a normal element of the same value would not do, for 2·x1 + d must not be larger than x1 + x2.
 */
function prepareSpecial(i: i32, kind: u32, numerator: usize, x1: usize): usize {
  const square = temporary + 4 * pairBytes
  const difference = temporary + 5 * pairBytes
  sqr2(square, x1)
  add2(difference, square, square)
  add2(square, difference, square)
  norm2(numerator, numerator)
  for (let lane: u32 = 0; lane < 2; lane++) {
    if (<u8>(kind >> (8 * lane)) == doubling) replaceLane(numerator, square, lane)
  }
  gatherFirst(i, x1, difference)
  return difference
}
