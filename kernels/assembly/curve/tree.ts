/**
 * Sums of groups of points: the engine of all multi-scalar multiplications.
 *
 * Entries (addresses of affine points, bit 0: subtract) come in a stream, group after group; the sum of each
 * group is written to the address given at its end. Entries are collected into a tile; in rounds, neighbours
 * within a group are added pairwise, all additions of a round with one inversion (Montgomery's trick) and two of
 * them at a time, one in each lane. A group that does not fit into a tile leaves its partial sum as the first
 * entry of the next.
 *
 * An affine addition takes 5 multiplications and a squaring: with d = x2 − x1, λ = (y2 − y1)/d,
 * x3 = λ² − x1 − x2, y3 = λ(x1 − x3) − y1. A zero d (P ± P) makes the product of the batch zero; only then is
 * the batch looked at addition by addition: d ← 2·y1 and λ = 3·x1²/d for a doubling, and no point at all for
 * P − P. No point of bn254 (G1 or G2) has y = 0: both groups of the curve have odd order.
 *
 * The point at infinity is stored as zero bytes, which (0, 0), not being on the curve, leaves free; as an entry
 * it is skipped, and in lists of addresses it is 0.
 */
import {
  add2,
  coordinateScratch,
  difLazy2,
  elementBytes,
  gather2,
  gatherSigned2,
  invert2,
  mul2,
  mulSub2,
  norm2,
  one2,
  pairBytes,
  prepareCoordinate,
  scatter2,
  sqr2,
  sqrSub2,
  sumLazy2,
  zeroes2,
} from "./coordinate"

export const pointBytes: usize = 2 * elementBytes

/** Entries of a tile. */
const tile: i32 = 2048
/** Lane pairs of a batch. */
const half: i32 = tile >> 2
/** Temporary pairs. */
const temporaries: usize = 10

/** Slots for results, at most one less than entries; one for padding, one for what a tile hands on. */
const slotsBytes: usize = (<usize>tile + 2) * pointBytes
/** Four lists of addresses, one of group sizes, one of outputs; a prefix product and a d for each lane pair; kinds. */
const listsBytes: usize = 6 * 4 * (<usize>tile + 2)
const prefixBytes: usize = <usize>half * pairBytes
export const treeScratch: usize =
  coordinateScratch + temporaries * pairBytes + slotsBytes + listsBytes + 2 * prefixBytes + <usize>tile + 256

let temporary: usize = 0
let slots: usize = 0
let padding: usize = 0
let handedOn: usize = 0
let entries: usize = 0
let left: usize = 0
let right: usize = 0
let target: usize = 0
let sizes: usize = 0
let outputs: usize = 0
let prefixes: usize = 0
let differences: usize = 0
let kinds: usize = 0

/** Entries, complete groups and used slots of the tile; entries of the open group. */
let entryCount: i32 = 0
let groupCount: i32 = 0
let slotCount: i32 = 0
let open: i32 = 0

/** What a pair is, once its d turned out to be zero. */
const ordinary: u8 = 0
const doubling: u8 = 1
const nothing: u8 = 2

/** Starts a stream; `scratch`: treeScratch bytes. */
export function treeStart(scratch: usize): void {
  prepareCoordinate(scratch)
  temporary = scratch + coordinateScratch
  slots = temporary + temporaries * pairBytes
  padding = slots + <usize>tile * pointBytes
  handedOn = padding + pointBytes
  prefixes = handedOn + pointBytes
  differences = prefixes + prefixBytes
  const list: usize = 4 * (<usize>tile + 2)
  entries = differences + prefixBytes
  left = entries + list
  right = left + list
  target = right + list
  sizes = target + list
  outputs = sizes + list
  kinds = outputs + list
  entryCount = 0
  groupCount = 0
  open = 0
}

/** Adds a point to the open group. */
export function treeEntry(entry: usize): void {
  if (entryCount == tile) {
    const entriesOfOpen = open
    run(true)
    if (entriesOfOpen > 0) handOn()
  }
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
  run(false)
}

/** Forgets the addresses of entries, which may tell a secret. */
export function treeWipe(): void {
  memory.fill(entries, 0, listsBytes)
}

/** Whether the point is the one at infinity. */
export function isInfinity(point: usize): bool {
  let any: u32 = 0
  for (let i: usize = 0; i < pointBytes; i += 4) any |= load<u32>(point + i)
  return any == 0
}

/** The sum of the open group, at entries[0] after a run, becomes the first entry of the next tile. */
function handOn(): void {
  const sum = <usize>load<u32>(entries)
  if (sum == 0) return
  // it may lie in a slot that the next tile uses, or not be a slot at all
  copySigned(handedOn, sum, sum)
  store<u32>(entries, <u32>handedOn)
  entryCount = 1
  open = 1
}

/** z ← ±the point at x. */
function copySigned(z: usize, x: usize, sign: usize): void {
  x &= ~1
  for (let i: usize = 0; i < pointBytes; i += 8) store<u64>(z + i, load<u64>(x + i))
  if (!(sign & 1)) return
  const y = z + elementBytes
  gatherSigned2(temporary, y, y, 1, 1)
  norm2(temporary, temporary)
  scatter2(y, padding, temporary)
}

/**
 * Sums all groups of the tile and writes them. With `keep`, the open group takes part and its sum stays as
 * entries[0] (or 0).
 */
function run(keep: bool): void {
  let groups = groupCount
  if (keep && open > 0) {
    store<u32>(sizes + (<usize>groups << 2), open)
    groups++
  }
  touch()
  slotCount = 0
  while (round(groups)) {}
  let at = entries
  for (let i = 0; i < groupCount; i++) {
    const out = <usize>load<u32>(outputs + (<usize>i << 2))
    let sum: usize = 0
    if (load<u32>(sizes + (<usize>i << 2)) != 0) {
      sum = load<u32>(at)
      at += 4
    }
    if (sum == 0) memory.fill(out, 0, pointBytes)
    else copySigned(out, sum, sum)
  }
  if (keep && open > 0) {
    const size = load<u32>(sizes + (<usize>groupCount << 2))
    store<u32>(entries, size == 0 ? 0 : load<u32>(at))
  }
  entryCount = 0
  groupCount = 0
  open = 0
}

/** Loads what the first round needs, independently of one another, so that misses overlap. */
function touch(): void {
  let any: u32 = 0
  for (let i = 0; i < entryCount; i++) {
    const point = <usize>(load<u32>(entries + (<usize>i << 2)) & ~1)
    any |= load<u32>(point) | load<u32>(point + pointBytes - 8)
  }
  // so that the loads are not optimized away
  store<u32>(padding, any)
}

/** One round over all groups; false if there was nothing to add. */
function round(groups: i32): bool {
  let from = entries
  let to = entries
  let pairs = 0
  for (let i = 0; i < groups; i++) {
    const sizeAt = sizes + (<usize>i << 2)
    const size = load<u32>(sizeAt)
    let waiting: u32 = 0
    let kept: u32 = 0
    for (let j: u32 = 0; j < size; j++) {
      const entry = load<u32>(from)
      from += 4
      // a sum that came out as infinity
      if (entry == 0) continue
      if (waiting == 0) {
        waiting = entry
        continue
      }
      const at = <usize>pairs << 2
      const slot = <u32>(slots + <usize>slotCount * pointBytes)
      store<u32>(left + at, waiting)
      store<u32>(right + at, entry)
      store<u32>(target + at, <u32>to)
      store<u32>(to, slot)
      slotCount++
      pairs++
      to += 4
      kept++
      waiting = 0
    }
    if (waiting != 0) {
      store<u32>(to, waiting)
      to += 4
      kept++
    }
    store<u32>(sizeAt, kept)
  }
  if (pairs == 0) return false
  addBatch(pairs)
  return true
}

@inline
function listed(list: usize, i: i32): usize {
  return <usize>load<u32>(list + (<usize>i << 2))
}

/** The sums left[i] ± right[i] of all pairs, each into the slot that target[i] names. */
function addBatch(pairs: i32): void {
  if (pairs & 1) {
    // an addition to fill the last lane: the same one once more
    const at = <usize>pairs << 2
    store<u32>(left + at, load<u32>(left + at - 4))
    store<u32>(right + at, load<u32>(right + at - 4))
    store<u32>(target + at, load<u32>(target + at - 4))
  }
  const count = (pairs + 1) >> 1
  const x1 = temporary
  const x2 = temporary + pairBytes
  let prefix = prefixes
  let difference = differences
  for (let i = 0; i < count; i++) {
    const at = <usize>i << 3
    gather2(x1, <usize>load<u32>(left + at) & ~1, <usize>load<u32>(left + at, 4) & ~1)
    gather2(x2, <usize>load<u32>(right + at) & ~1, <usize>load<u32>(right + at, 4) & ~1)
    difLazy2(difference, x2, x1)
    if (i == 0) norm2(prefix, difference)
    else mul2(prefix, prefix - pairBytes, difference)
    prefix += pairBytes
    difference += pairBytes
  }
  const special = zeroes2(prefix - pairBytes) != 0
  if (special) replaceZeros(count)
  const running = temporary + 9 * pairBytes
  invert2(running, prefix - pairBytes)
  for (let i = count - 1; i >= 0; i--) addPair(i, running, special)
}

/** Second half of the additions of lane pair i, given the inverse of the product of d_0 … d_i. */
function addPair(i: i32, running: usize, special: bool): void {
  const x1 = temporary
  const x2 = temporary + pairBytes
  const y1 = temporary + 2 * pairBytes
  const y2 = temporary + 3 * pairBytes
  const slope = temporary + 4 * pairBytes
  const sum = temporary + 5 * pairBytes
  const at = <usize>i << 3
  const difference = differences + <usize>i * pairBytes
  const l0 = <usize>load<u32>(left + at)
  const l1 = <usize>load<u32>(left + at, 4)
  const r0 = <usize>load<u32>(right + at)
  const r1 = <usize>load<u32>(right + at, 4)
  if (i > 0) {
    mul2(slope, running, prefixes + <usize>(i - 1) * pairBytes)
    mul2(running, running, difference)
  } else {
    memory.copy(slope, running, pairBytes)
  }
  gatherSigned2(y1, (l0 & ~1) + elementBytes, (l1 & ~1) + elementBytes, l0, l1)
  gatherSigned2(y2, (r0 & ~1) + elementBytes, (r1 & ~1) + elementBytes, r0, r1)
  gather2(x1, l0 & ~1, l1 & ~1)
  gather2(x2, r0 & ~1, r1 & ~1)
  difLazy2(y2, y2, y1)
  if (special) replaceNumerators(i, y2, x1)
  mul2(slope, slope, y2)
  sumLazy2(sum, x1, x2)
  sqrSub2(x2, slope, sum)
  difLazy2(x1, x1, x2)
  mulSub2(y2, slope, x1, y1)
  const t0 = <usize>load<u32>(target + at)
  const t1 = <usize>load<u32>(target + at, 4)
  let z0 = <usize>load<u32>(t0)
  let z1 = t1 == t0 ? padding : <usize>load<u32>(t1)
  if (special) {
    const kind = <usize>i << 1
    if (load<u8>(kinds + kind) == nothing) {
      z0 = padding
      store<u32>(t0, 0)
    }
    if (load<u8>(kinds + kind, 1) == nothing) {
      z1 = padding
      store<u32>(t1, 0)
    }
  }
  scatter2(z0, z1, x2)
  scatter2(z0 + elementBytes, z1 + elementBytes, y2)
}

/** Replaces the zeros among the differences by what is to be inverted there, and the prefix products. */
function replaceZeros(count: i32): void {
  const y1 = temporary + 2 * pairBytes
  const y2 = temporary + 3 * pairBytes
  const lanes = temporary + 6 * pairBytes
  const ones = temporary + 7 * pairBytes
  for (let i = 0; i < count; i++) {
    const difference = differences + <usize>i * pairBytes
    const prefix = prefixes + <usize>i * pairBytes
    const zeros = zeroes2(difference)
    store<u16>(kinds + (<usize>i << 1), 0)
    if (zeros != 0) {
      const at = <usize>i << 3
      const l0 = <usize>load<u32>(left + at)
      const l1 = <usize>load<u32>(left + at, 4)
      const r0 = <usize>load<u32>(right + at)
      const r1 = <usize>load<u32>(right + at, 4)
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
        replaceLane(difference, isEmpty ? ones : y1, lane, lanes)
      }
    }
    if (i == 0) norm2(prefix, difference)
    else mul2(prefix, prefix - pairBytes, difference)
  }
}

/** z ← z with one lane taken from x. */
function replaceLane(z: usize, x: usize, lane: u32, lanes: usize): void {
  const other = lanes + pairBytes * 2
  scatter2(other, other + elementBytes, z)
  scatter2(lanes, lanes + elementBytes, x)
  if (lane == 0) gather2(z, lanes, other + elementBytes)
  else gather2(z, other, lanes + elementBytes)
}

/** Numerators of slopes: 3·x1² where a point is doubled. */
function replaceNumerators(i: i32, numerator: usize, x1: usize): void {
  const square = temporary + 7 * pairBytes
  const lanes = temporary + 6 * pairBytes
  const kind = kinds + (<usize>i << 1)
  if (load<u16>(kind) == 0) return
  sqr2(square, x1)
  add2(square + pairBytes, square, square)
  add2(square, square + pairBytes, square)
  norm2(numerator, numerator)
  for (let lane: u32 = 0; lane < 2; lane++) {
    if (load<u8>(kind + lane) == doubling) replaceLane(numerator, square, lane, lanes)
  }
}
