/** Points of G1 and G2 in the memory of a pool, in the form of the kernels. */
import { bn254 } from "@noble/curves/bn254.js"
import { invariant } from "../../errors.js"
import { inverse, mod, q } from "../../field.js"
import type { KernelPool, Step } from "./pool.js"

export type Group = "g1" | "g2"

/** Bytes of an affine point in a file: coordinates in Montgomery form, little endian; all zero is infinity. */
export const fileBytes: Readonly<Record<Group, number>> = { g1: 64, g2: 128 }

/** Affine coordinates: x, y in G1; x0, x1, y0, y1 in G2, where x = x0 + x1·u; null is infinity. */
export type Affine = readonly bigint[] | null

/**
 * Multiples of the m points from number `from` on: point `from + k·m + i` is 2^(bits·k) times point `from + i`,
 * for k < layers.
 */
export interface Multiples {
  readonly from: number
  readonly bits: number
  readonly layers: number
}

/** The points `from` … `from + count − 1` of a set are used by address; a set is released as a whole. */
export interface PointSet {
  readonly group: Group
  /** Points, multiples included. */
  readonly count: number
  /** Address of the first point. */
  readonly address: number
  /** Address of one bit for each point, set at infinity; 0 if no point is. */
  readonly infinite: number
}

/** Value of a constant that the module exports. */
export const constantOf = (pool: KernelPool, name: string): number => {
  const constant = pool.exports[name] as unknown as WebAssembly.Global<"i32"> | undefined
  invariant(constant, `the module has no constant ${name}`)
  return constant.value
}

/** Points that an item converts; bits of different items must not share a byte. */
const rangeLength = 4096

/** Converts points of a file, and adds multiples of them; the bytes are not kept. */
export async function loadPoints(
  pool: KernelPool,
  group: Group,
  bytes: Uint8Array,
  multiples?: Multiples,
): Promise<PointSet> {
  const given = bytes.length / fileBytes[group]
  invariant(Number.isInteger(given), `points of ${group} take ${fileBytes[group]} bytes each`)
  const layer = given - (multiples?.from ?? given)
  invariant(layer >= 0, "there is a point to begin with")
  const count = given + layer * ((multiples?.layers ?? 1) - 1)
  const { memory } = pool
  const pointBytes = constantOf(pool, `${group}PointBytes`)
  const address = memory.allocate(count * pointBytes, "points of a key")
  const flagBytes = Math.ceil(count / 8)
  const infinite = memory.allocate(flagBytes, "points of a key")
  const source = memory.allocate(bytes.length, "points of a file")
  const args = memory.allocate(128, "points of a key")
  memory.bytes(source, bytes.length).set(bytes)
  memory.bytes(infinite, flagBytes).fill(0)
  // the struct of kernels/assembly/curve/files.ts, after it the number of infinities; then that of multiples.ts
  const words = 6
  const multiplesAt = args + 64
  memory.unsigned(args, words + 1).set([source, address, given, infinite, args + 4 * words, rangeLength, 0])
  const steps = [readStep(pool, group, args, given)]
  if (multiples && layer > 0) {
    const first = address + multiples.from * pointBytes
    memory.unsigned(multiplesAt, 4).set([first, layer, multiples.layers, multiples.bits])
    steps.push({ ...multiplesStep(pool, group, multiplesAt, layer), after: [0] })
  }
  let infinities = 0
  try {
    await pool.run(steps)
    infinities = memory.unsigned(args, words + 1)[words]
  } catch (error) {
    memory.release(address)
    memory.release(infinite)
    throw error
  } finally {
    memory.release(source)
    memory.release(args)
  }
  if (infinities === 0) memory.release(infinite)
  else if (multiples) {
    const flags = memory.bytes(infinite, flagBytes)
    for (let i = given; i < count; i++) {
      const base = i - layer
      if ((flags[base >> 3] >> (base & 7)) & 1) flags[i >> 3] |= 1 << (i & 7)
    }
  }
  return { group, count, address, infinite: infinities === 0 ? 0 : infinite }
}

const readStep = (pool: KernelPool, group: Group, args: number, count: number): Step => ({
  kernel: `${group}ReadPoints`,
  args,
  items: Math.ceil(count / rangeLength),
  scratchBytes: constantOf(pool, `${group}ReadScratch`),
})

const multiplesStep = (pool: KernelPool, group: Group, args: number, count: number): Step => ({
  kernel: `${group}Multiples`,
  args,
  items: Math.ceil(count / constantOf(pool, "multiplesRange")),
  scratchBytes: constantOf(pool, `${group}MultiplesScratch`),
})

export function releasePoints(pool: KernelPool, points: PointSet): void {
  pool.memory.release(points.address)
  if (points.infinite !== 0) pool.memory.release(points.infinite)
}

const fromMontgomery = inverse(1n << 256n, q)

/** A point of a file as integers. */
export function affineOf(bytes: Uint8Array): Affine {
  const coordinates: bigint[] = []
  for (let at = 0; at < bytes.length; at += 32) {
    let x = 0n
    for (let i = 31; i >= 0; i--) x = (x << 8n) | BigInt(bytes[at + i])
    coordinates.push(mod(x * fromMontgomery, q))
  }
  return coordinates.every((x) => x === 0n) ? null : coordinates
}

/** Sum of points. */
export function addPoints(group: Group, points: readonly Affine[]): Affine {
  const finite = points.filter((point) => point !== null)
  if (finite.length < 2) return finite[0] ?? null
  if (group === "g1") {
    const { Point } = bn254.G1
    const sum = finite.reduce((acc, [x, y]) => acc.add(Point.fromAffine({ x, y })), Point.ZERO)
    if (sum.is0()) return null
    const { x, y } = sum.toAffine()
    return [x, y]
  }
  const { Point } = bn254.G2
  const sum = finite.reduce(
    (acc, [x0, x1, y0, y1]) => acc.add(Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })),
    Point.ZERO,
  )
  if (sum.is0()) return null
  const { x, y } = sum.toAffine()
  return [x.c0, x.c1, y.c0, y.c1]
}
