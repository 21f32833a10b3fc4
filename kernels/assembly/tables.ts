/** Tables of the transforms (see transform.ts), made once for every size. */
import { elementBytes, gather2, mul2, norm2, pairBytes, read2, scatter2 } from "./fr"

@unmanaged class TransformTables {
  vectors: usize
  leaf: usize
  /** Powers that one item computes. */
  chunk: usize
  twiddles: usize
  /** Of a base, in Montgomery form, from the power 0 to N: for twiddles those of ω, where their table has them. */
  powers: usize
  scale: usize
  /** 32-byte residues in Montgomery form: the base to the power i · chunk for every item i, to begin with. */
  starts: usize
  /** Pairs: the base, and (κ, κη), η² the base: the scale of coefficients with index 0 and 1. */
  constants: usize
}

/** Powers of the base from 0 to N. Items: (N + 1) / chunk, rounded up. */
export function tablePowers(item: usize, args: usize, scratch: usize): void {
  const tables = changetype<TransformTables>(args)
  const from = item * tables.chunk
  const end = min(from + tables.chunk, tables.vectors + 1)
  const start = tables.starts + item * 32
  read2(scratch, start, start)
  for (let i = from; i < end; i++) {
    // butterflies need them small
    norm2(scratch, scratch)
    scatter2(tables.powers + i * elementBytes, scratch + pairBytes, scratch)
    mul2(scratch, scratch, tables.constants)
  }
}

/** The tables of the smaller half-sizes: every second, fourth … power. Items: log2(N / m). */
export function tableHalves(item: usize, args: usize, scratch: usize): void {
  const tables = changetype<TransformTables>(args)
  const half = tables.leaf << item
  const stride = tables.vectors / half
  const to = tables.twiddles + (half - tables.leaf) * elementBytes
  for (let i: usize = 0; i < half; i++) {
    memory.copy(to + i * elementBytes, tables.powers + i * stride * elementBytes, elementBytes)
  }
}

/** κ·η^j for the coefficients j of every vector. Items: N / chunk, rounded up. */
export function tableScale(item: usize, args: usize, scratch: usize): void {
  const tables = changetype<TransformTables>(args)
  const from = item * tables.chunk
  const end = min(from + tables.chunk, tables.vectors)
  const pair = tables.constants + pairBytes
  for (let p = from; p < end; p++) {
    // the power of the even coefficient 2j is that of the base to j
    let index: usize = 0
    let weight: usize = 1
    let rest = p
    for (let half = tables.vectors >> 1; half >= tables.leaf; half >>= 1) {
      if (rest >= half) {
        rest -= half
        index += weight
      }
      weight <<= 1
    }
    const power = tables.powers + (index + weight * rest) * elementBytes
    gather2(scratch, power, power)
    mul2(tables.scale + p * pairBytes, scratch, pair)
  }
}

@unmanaged class Elements {
  /** 32 bytes each, canonical integers. */
  from: usize
  /** Elements that stand for the same residues without a factor. */
  to: usize
  count: usize
  chunk: usize
  /** Pair: 2^256, without a factor. */
  factor: usize
}

/** Integers as elements, for the table of large values. Items: count / chunk, rounded up. */
export function tableElements(item: usize, args: usize, scratch: usize): void {
  const reading = changetype<Elements>(args)
  const end = min((item + 1) * reading.chunk, reading.count)
  for (let i = item * reading.chunk; i < end; i += 2) {
    const j = min(i + 1, reading.count - 1)
    read2(scratch, reading.from + i * 32, reading.from + j * 32)
    mul2(scratch, scratch, reading.factor)
    scatter2(reading.to + i * elementBytes, reading.to + j * elementBytes, scratch)
  }
}
