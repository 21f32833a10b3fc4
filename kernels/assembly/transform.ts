/**
 * Number-theoretic transforms over the scalar field, for sizes n = 2N, N = 2^k·m, m = 1, 3 or 9.
 *
 * Layout: N vectors of two elements. In the domain, lane l of vector p is the value at ω^(p + N·l). The first
 * stage of the inverse transform mixes the lanes: afterwards lane l holds the part of the polynomial whose
 * coefficients have index ≡ l mod 2, and both lanes go through the same transform of size N with the same
 * twiddles, by decimation in frequency, so that nothing is permuted. At the end vector p, whose binary digits
 * above the leaf t < m are b₀ b₁ …, b₀ most significant, holds coefficients l + 2·(b₀ + 2·b₁ + … + 2^k·t). The
 * forward transform is the mirror image.
 *
 * Twiddles: for every half-size h = m, 2m, …, N the powers ω_{2h}^i, i < h, from element h − m on, in Montgomery
 * form, and ω_{2N}^N after the last. The inverse transform reads them backwards: ω_{2h}^−i = −ω_{2h}^(h−i).
 *
 * Elements carry a scale of their own. Integers enter without a multiplication, as residues that are not in
 * Montgomery form; the factor that is missing is put right where coefficients are multiplied by powers of η.
 */
import { downCarry, downLazy, downNorm, onesCarry, onesNorm, raw2, upCarry, upLazy, upNorm } from "./butterfly"
import { leaves } from "./leaves"
import { add2, difLazy2, elementBytes, gather2, mul2, norm2, pairBytes, scatter2, sub2, write2 } from "./fr"

/** What the steps of a job have in common. */
@unmanaged class Transform {
  /** N and m. */
  vectors: usize
  leaf: usize
  /** Blocks that are transformed within the cache, of every polynomial. */
  blocks: usize
  /** Items that a pass over one polynomial is cut into. */
  chunks: usize
  twiddles: usize
  /** Pairs: ω_3, ω_9, ω_9^2, ω_9^4, then what turns a result into the integer it stands for. */
  constants: usize
  /** Pairs: the power of η of every coefficient, times the missing scale. */
  scale: usize
  /** Elements that values of at least 2^53 stand for: 2^53 + 2·index. */
  table: usize
  /** Canonical results, 32 bytes each. */
  out: usize
  /** The one or two polynomials that are transformed together. */
  source0: usize
  source1: usize
  data0: usize
  data1: usize
  /** Elements in the table. */
  tableCount: usize
}

/** A pass over all vectors with one half-size. */
@unmanaged class TransformPass {
  job: Transform
  half: usize
  /** Stages before this one, of its direction. */
  stage: usize
}

/** How far sums of a stage are tidied up (see generate/butterfly.ts). */
const enum Kind {
  lazy,
  carry,
  norm,
}

@inline function kindDown(stage: usize): Kind {
  return stage % 4 == 3 ? Kind.norm : stage & 1 ? Kind.carry : Kind.lazy
}

@inline function kindUp(stage: usize): Kind {
  return stage % 8 == 7 ? Kind.norm : stage & 1 ? Kind.carry : Kind.lazy
}

@inline function sourceOf(job: Transform, polynomial: usize): usize {
  return polynomial == 0 ? job.source0 : job.source1
}

@inline function dataOf(job: Transform, polynomial: usize): usize {
  return polynomial == 0 ? job.data0 : job.data1
}

@inline function chunkStart(length: usize, chunk: usize, chunks: usize): usize {
  return <usize>((<u64>length * chunk) / chunks)
}

@inline function isSmall(x: f64): bool {
  return abs(x) < 9007199254740992
}

/** The element of the table that a large number stands for; a trap if there is none. */
function elementOf(job: Transform, x: f64): usize {
  const index = (x - 9007199254740992) * 0.5
  if (index >= <f64>job.tableCount) unreachable()
  return job.table + <usize>index * elementBytes
}

/**
 * z = the elements that two numbers stand for; `temp` has room for two elements. What stands for none counts as zero:
 * NaN, where a sum of no execution was too large, and what is below −2^53.
 */
@inline function enter2(z: usize, x0: f64, x1: f64, job: Transform, temp: usize): void {
  const small0 = isSmall(x0)
  const small1 = isSmall(x1)
  if (small0 && small1) {
    raw2(z, x0, x1)
    return
  }
  const element0 = x0 >= 9007199254740992 ? elementOf(job, x0) : temp
  const element1 = x1 >= 9007199254740992 ? elementOf(job, x1) : temp + elementBytes
  raw2(z, small0 ? x0 : 0, small1 ? x1 : 0)
  scatter2(temp, temp + elementBytes, z)
  gather2(z, element0, element1)
}

/** Reads the values of the polynomials and does the stage that mixes lanes. Items: polynomials · chunks. */
export function transformEnter(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Transform>(args)
  const polynomial = item / job.chunks
  const chunk = item % job.chunks
  const n = job.vectors
  const source = sourceOf(job, polynomial)
  const data = dataOf(job, polynomial)
  const mixing = job.twiddles + (n - job.leaf) * elementBytes
  const couples = (n + 1) >> 1
  const end = chunkStart(couples, chunk + 1, job.chunks)
  const u = scratch
  const v = u + pairBytes
  const w = v + pairBytes
  const s = w + pairBytes
  const temp = s + pairBytes
  for (let c = chunkStart(couples, chunk, job.chunks); c < end; c++) {
    const i = c * 2
    // a single vector is its own partner
    const j = min(i + 1, n - 1)
    enter2(u, load<f64>(source + i * 8), load<f64>(source + j * 8), job, temp)
    enter2(v, load<f64>(source + (i + n) * 8), load<f64>(source + (j + n) * 8), job, temp)
    gather2(w, mixing + (n - i) * elementBytes, mixing + (n - j) * elementBytes)
    add2(s, u, v)
    difLazy2(u, v, u)
    mul2(v, u, w)
    transpose(data + i * pairBytes, data + j * pairBytes, s, v, temp)
  }
}

/** (z0, z1) = ((x0, y0), (x1, y1)); `temp` has room for four elements. */
@inline function transpose(z0: usize, z1: usize, x: usize, y: usize, temp: usize): void {
  const temp1 = temp + elementBytes
  const temp2 = temp1 + elementBytes
  const temp3 = temp2 + elementBytes
  scatter2(temp, temp1, x)
  scatter2(temp2, temp3, y)
  gather2(z0, temp, temp2)
  gather2(z1, temp1, temp3)
}

/** One stage of the inverse transform over all vectors. Items: polynomials · chunks. */
export function transformDown(item: usize, args: usize, scratch: usize): void {
  stageOver(item, changetype<TransformPass>(args), true)
}

/** The same of the forward transform. */
export function transformUp(item: usize, args: usize, scratch: usize): void {
  stageOver(item, changetype<TransformPass>(args), false)
}

/** What is true of both directions is written once; `down`, a constant, is gone when a function has been inlined. */
@inline function stageOver(item: usize, pass: TransformPass, down: bool): void {
  const job = pass.job
  const data = dataOf(job, item / job.chunks)
  const chunk = item % job.chunks
  const half = pass.half
  const end = chunkStart(job.vectors >> 1, chunk + 1, job.chunks)
  const twiddles = job.twiddles + (half - job.leaf) * elementBytes
  let at = chunkStart(job.vectors >> 1, chunk, job.chunks)
  while (at < end) {
    const i = at % half
    const length = min(half - i, end - at)
    const block = data + (at - i) * 2 * pairBytes
    if (down) downRange(block, half, twiddles, i, i + length, kindDown(pass.stage))
    else upRange(block, half, twiddles, i, i + length, kindUp(pass.stage))
    at += length
  }
}

/** Butterflies from … end − 1 of the block at x. */
function downRange(x: usize, half: usize, twiddles: usize, from: usize, end: usize, kind: Kind): void {
  butterflies(x, half, twiddles, from, end, kind, true)
}

function upRange(x: usize, half: usize, twiddles: usize, from: usize, end: usize, kind: Kind): void {
  butterflies(x, half, twiddles, from, end, kind, false)
}

@inline
function butterflies(x: usize, half: usize, twiddles: usize, from: usize, end: usize, kind: Kind, down: bool): void {
  const distance = half * pairBytes
  let u = x + from * pairBytes
  let i = from
  if (i == 0) {
    if (kind == Kind.norm) onesNorm(u, u + distance)
    else onesCarry(u, u + distance)
    u += pairBytes
    i++
  }
  let w = twiddles + (down ? half - i : i) * elementBytes
  for (; i < end; i++) {
    if (down) {
      if (kind == Kind.lazy) downLazy(u, u + distance, w)
      else if (kind == Kind.carry) downCarry(u, u + distance, w)
      else downNorm(u, u + distance, w)
    } else {
      if (kind == Kind.lazy) upLazy(u, u + distance, w)
      else if (kind == Kind.carry) upCarry(u, u + distance, w)
      else upNorm(u, u + distance, w)
    }
    u += pairBytes
    if (down) w -= elementBytes
    else w += elementBytes
  }
}

/** Vectors that are transformed stage by stage; longer runs are halved first, so that halves stay in the cache. */
const cached: usize = 512

function downBlock(x: usize, length: usize, leaf: usize, twiddles: usize, stage: usize): void {
  if (length > cached && length > leaf) {
    const half = length >> 1
    downRange(x, half, twiddles + (half - leaf) * elementBytes, 0, half, kindDown(stage))
    downBlock(x, half, leaf, twiddles, stage + 1)
    downBlock(x + half * pairBytes, half, leaf, twiddles, stage + 1)
    return
  }
  const end = x + length * pairBytes
  for (let half = length >> 1; half >= leaf; half >>= 1) {
    const table = twiddles + (half - leaf) * elementBytes
    const kind = kindDown(stage++)
    for (let block = x; block < end; block += half * 2 * pairBytes) downRange(block, half, table, 0, half, kind)
  }
}

/** @returns the number of stages done */
function upBlock(x: usize, length: usize, leaf: usize, twiddles: usize): usize {
  let stage: usize = 0
  if (length > cached && length > leaf) {
    const half = length >> 1
    stage = upBlock(x, half, leaf, twiddles)
    upBlock(x + half * pairBytes, half, leaf, twiddles)
    upRange(x, half, twiddles + (half - leaf) * elementBytes, 0, half, kindUp(stage))
    return stage + 1
  }
  const end = x + length * pairBytes
  for (let half = leaf; half < length; half <<= 1) {
    const table = twiddles + (half - leaf) * elementBytes
    const kind = kindUp(stage++)
    for (let block = x; block < end; block += half * 2 * pairBytes) upRange(block, half, table, 0, half, kind)
  }
  return stage
}

/** Inverse transforms of one block after the stages that reach beyond it. Items: polynomials · blocks. */
export function transformBlocksDown(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Transform>(args)
  const length = job.vectors / job.blocks
  const x = dataOf(job, item / job.blocks) + (item % job.blocks) * length * pairBytes
  downBlock(x, length, job.leaf, job.twiddles, ctz(job.blocks))
  leaves(x, length, job.leaf, job.constants, true, scratch)
}

export function transformBlocksUp(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Transform>(args)
  const length = job.vectors / job.blocks
  const x = dataOf(job, item / job.blocks) + (item % job.blocks) * length * pairBytes
  leaves(x, length, job.leaf, job.constants, false, scratch)
  upBlock(x, length, job.leaf, job.twiddles)
}

/** Of one block: the end of the inverse transform, the powers of η, the beginning of the forward transform. */
export function transformBlocks(item: usize, args: usize, scratch: usize): void {
  transformBlocksDown(item, args, scratch)
  scaledUp(item, args, scratch)
}

function scaledUp(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Transform>(args)
  const length = job.vectors / job.blocks
  const first = (item % job.blocks) * length * pairBytes
  const x = dataOf(job, item / job.blocks) + first
  const scale = job.scale + first
  for (let at: usize = 0; at < length * pairBytes; at += pairBytes) mul2(x + at, x + at, scale + at)
  transformBlocksUp(item, args, scratch)
}

/**
 * A domain of two cosets (src/circuit/link/domain.ts): from coefficients on ⟨ω₁⟩ and g⟨ω₂⟩ to those on η⟨ω₁⟩ and
 * gη₂⟨ω₂⟩, with as many blocks of one as of the other. Coefficient k of the second is met by k + j·n₂, j < n₁/n₂, of the
 * first, all of them in the same group of neighbouring vectors (see above).
 */
@unmanaged class TransformCosets {
  first: Transform
  second: Transform
  /** Vectors of a group of each. */
  firstGroup: usize
  secondGroup: usize
  /** n₁/n₂ */
  ratio: usize
  /** For each vector of a group of the second, those of the group of the first that meet it, by j: u32. */
  order: usize
  /** Pairs: G^j. */
  weights: usize
  /** Pairs: n₁/n₂ · g^−k for the coefficients k of the second, whose transform is n₂ times too large. */
  middle: usize
  /** Pair: 1 + i. */
  turn: usize
}

/** As transformBlocks, of a block of each coset. */
export function transformCosets(item: usize, args: usize, scratch: usize): void {
  const job = changetype<TransformCosets>(args)
  const first = changetype<usize>(job.first)
  const second = changetype<usize>(job.second)
  transformBlocksDown(item, first, scratch)
  transformBlocksDown(item, second, scratch)
  exchange(item, job, scratch)
  scaledUp(item, first, scratch)
  scaledUp(item, second, scratch)
}

/**
 * With a and m the coefficients on ⟨ω₁⟩ and g⟨ω₂⟩, and E and O the sums of G^j·a[k + j·n₂] over even and over odd j, the
 * polynomial is a + (X^n₁ − 1)·q, q = (m − E − O)/(i − 1). So on η⟨ω₁⟩ it is a − 2q, where −2/(i − 1) = 1 + i, and on
 * gη₂⟨ω₂⟩ it is E − O + (i − 1)·q = m − 2·O.
 */
function exchange(item: usize, job: TransformCosets, scratch: usize): void {
  const blocks = job.first.blocks
  const block = item % blocks
  const length = job.second.vectors / blocks
  const x = dataOf(job.first, item / blocks) + block * (job.first.vectors / blocks) * pairBytes
  const y = dataOf(job.second, item / blocks) + block * length * pairBytes
  const middle = job.middle + block * length * pairBytes
  const even = scratch
  const odd = even + pairBytes
  const rest = odd + pairBytes
  const term = rest + pairBytes
  let group = x
  for (let p: usize = 0; p < length; p += job.secondGroup, group += job.firstGroup * pairBytes) {
    let order = job.order
    for (let t: usize = 0; t < job.secondGroup; t++, order += job.ratio * 4) {
      const lowest = group + load<u32>(order) * pairBytes
      norm2(even, lowest)
      mul2(odd, group + load<u32>(order, 4) * pairBytes, job.weights + pairBytes)
      for (let j: usize = 2; j < job.ratio; j++) {
        mul2(term, group + load<u32>(order + j * 4) * pairBytes, job.weights + j * pairBytes)
        if (j & 1) add2(odd, odd, term)
        else add2(even, even, term)
      }
      const at = (p + t) * pairBytes
      mul2(rest, y + at, middle + at)
      sub2(rest, rest, odd)
      sub2(y + at, rest, odd)
      sub2(rest, rest, even)
      mul2(term, rest, job.turn)
      add2(lowest, lowest, term)
    }
  }
}

/** z = values i and j of both lanes' transforms: lane 0 + ω^i · lane 1 in `low`, the difference in `high`. */
@inline function leave2(low: usize, high: usize, data: usize, i: usize, j: usize, w: usize, temp: usize): void {
  transpose(low, high, data + i * pairBytes, data + j * pairBytes, temp)
  mul2(temp, high, w)
  sub2(high, low, temp)
  add2(low, low, temp)
}

/** The stage that joins the lanes, then a·b as canonical integers. Items: chunks. */
export function transformQuotient(item: usize, args: usize, scratch: usize): void {
  const job = changetype<Transform>(args)
  const n = job.vectors
  const mixing = job.twiddles + (n - job.leaf) * elementBytes
  const toInteger = job.constants + 4 * pairBytes
  const couples = (n + 1) >> 1
  const end = chunkStart(couples, item + 1, job.chunks)
  const low0 = scratch
  const high0 = low0 + pairBytes
  const low1 = high0 + pairBytes
  const high1 = low1 + pairBytes
  const w = high1 + pairBytes
  const temp = w + pairBytes
  for (let c = chunkStart(couples, item, job.chunks); c < end; c++) {
    const i = c * 2
    const j = min(i + 1, n - 1)
    gather2(w, mixing + i * elementBytes, mixing + j * elementBytes)
    leave2(low0, high0, job.data0, i, j, w, temp)
    leave2(low1, high1, job.data1, i, j, w, temp)
    mul2(low0, low0, low1)
    mul2(high0, high0, high1)
    mul2(low0, low0, toInteger)
    mul2(high0, high0, toInteger)
    const out = job.out + i * 32
    const step = (j - i) * 32
    write2(out, out + step, low0)
    write2(out + n * 32, out + n * 32 + step, high0)
  }
}
