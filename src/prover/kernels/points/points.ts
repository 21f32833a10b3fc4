/** Points of G1 and G2 in the memory of a pool, in the form of the kernels. */
import { bn254 } from "@noble/curves/bn254.js"
import { readField } from "../../../circuit/formats/container.js"
import type { ByteSource } from "../../../circuit/formats/source.js"
import { FileError, invariant } from "../../../errors.js"
import { inverse, mod, q, radix } from "../../../field.js"
import { Blocks } from "../blocks.js"
import type { KernelPool } from "../pool.js"
import type { Step } from "../program.js"
import { noFields } from "../structs.js"

export type Group = "g1" | "g2"

/** Bytes of an affine point in a file: coordinates in Montgomery form, little endian; all zero is infinity. */
export const fileBytes: Readonly<Record<Group, number>> = { g1: 64, g2: 128 }

/** What a point of a file is called in an error: where it stands. */
export type NameOf = (point: number) => string

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

export interface LoadOptions {
  readonly multiples?: Multiples | undefined
  readonly nameOf?: NameOf | undefined
}

/** Points that an item converts; bits of different items must not share a byte. */
const rangeLength = 4096
/** Points that are converted at a time: as many are copied or read meanwhile. */
const blockLength = 2 ** 16

/**
 * Converts points of a file, and adds multiples of them; the bytes are not kept. Whether points are on the curve is
 * not looked at. Those of a source are read block by block, so all of them are never outside of the kernels.
 * @throws FileError for a coordinate that is not below q, or a point that has no multiples because it is in no group;
 * what reading throws
 */
export async function loadPoints(
  pool: KernelPool,
  group: Group,
  bytes: Uint8Array | ByteSource,
  { multiples, nameOf = (point) => `point ${point}` }: LoadOptions = {},
): Promise<PointSet> {
  const size = fileBytes[group]
  const given = (bytes instanceof Uint8Array ? bytes.length : bytes.size) / size
  invariant(Number.isInteger(given), `points of ${group} take ${size} bytes each`)
  const { from: first, layers, bits } = multiples ?? { from: given, layers: 1, bits: 0 }
  const layer = given - first
  invariant(layer >= 0, "there is a point to begin with")
  const count = given + layer * (layers - 1)
  const what = "points of a key"
  const kept = new Blocks(pool.memory, what)
  const lent = new Blocks(pool.memory, what)
  const flagBytes = Math.ceil(count / 8)
  try {
    const address = kept.allocate(count * pool.constant(`${group}PointBytes`))
    const infinite = kept.allocate(flagBytes)
    pool.memory.bytes(infinite, flagBytes).fill(0)
    const hasInfinite = await convertPoints(pool, group, bytes, { address, infinite }, lent, nameOf)
    if (layer > 0) {
      const adding = lent.struct("Multiples")
      const points = address + first * pool.constant(`${group}PointBytes`)
      adding.write({ points, count: layer, layers, bits, refused: 0 })
      await pool.run([multiplesStep(pool, group, adding.at, layer)])
      const noMultiple = adding.get("refused")
      if (noMultiple !== 0) throw inNoGroup(group, nameOf(first + noMultiple - 1))
    }
    if (hasInfinite && multiples)
      markMultiples(pool.memory.bytes(infinite, flagBytes), { given, count, layer })
    if (!hasInfinite) kept.free(infinite)
    return { group, count, address, infinite: hasInfinite ? infinite : 0 }
  } catch (error) {
    kept.release()
    throw error
  } finally {
    lent.release()
  }
}

/** Converts points block by block. @returns whether some are at infinity */
async function convertPoints(
  pool: KernelPool,
  group: Group,
  bytes: Uint8Array | ByteSource,
  { address, infinite }: Pick<PointSet, "address" | "infinite">,
  lent: Blocks,
  nameOf: NameOf,
): Promise<boolean> {
  const size = fileBytes[group]
  const given = (bytes instanceof Uint8Array ? bytes.length : bytes.size) / size
  const { memory } = pool
  const most = Math.min(blockLength, given)
  const sources = [lent.allocate(size * most), lent.allocate(given > most ? size * most : 0)]
  const infinities = lent.allocate(4)
  memory.unsigned(infinities, 1)[0] = 0
  const reading = lent.struct("FilePoints")
  /** Puts a block where the next one is to be converted. */
  const place = (from: number, source: number): Uint8Array | Promise<Uint8Array> => {
    const length = size * Math.min(most, given - from)
    const put = (block: Uint8Array) => {
      memory.bytes(source, length).set(block)
      return block
    }
    if (bytes instanceof Uint8Array) return put(bytes.subarray(size * from, size * from + length))
    return bytes.read(size * from, length).then(put)
  }
  let next = place(0, sources[0])
  for (let from = 0, turn = 0; from < given; from += most, turn = 1 - turn) {
    const block = next instanceof Uint8Array ? next : await next
    const count = block.length / size
    reading.write({
      from: sources[turn],
      to: address + from * pool.constant(`${group}PointBytes`),
      count,
      infinite: infinite + from / 8,
      infinities,
      rangeLength,
      refused: 0,
    })
    const done = pool.run([readStep(pool, group, reading.at, count)])
    if (from + most < given) next = place(from + most, sources[1 - turn])
    // whatever was begun has ended before memory is given back
    const ended = await Promise.allSettled([done, next])
    for (const end of ended) if (end.status === "rejected") throw end.reason
    if (reading.get("refused") !== 0) throw largeCoordinate(group, block, (i) => nameOf(from + i))
  }
  return memory.unsigned(infinities, 1)[0] > 0
}

/** A multiple is infinity where the point is, which stands a layer before it. */
function markMultiples(
  flags: Uint8Array,
  { given, count, layer }: Readonly<Record<"given" | "count" | "layer", number>>,
): void {
  for (let i = given; i < count; i++) {
    const base = i - layer
    if ((flags[base >> 3] >> (base & 7)) & 1) flags[i >> 3] |= 1 << (i & 7)
  }
}

const readStep = (pool: KernelPool, group: Group, args: number, count: number): Step => ({
  kernel: `${group}ReadPoints`,
  args,
  items: Math.ceil(count / rangeLength),
  scratchBytes: pool.constant(`${group}FileScratch`),
})

const multiplesStep = (pool: KernelPool, group: Group, args: number, count: number): Step => ({
  kernel: `${group}Multiples`,
  args,
  items: Math.ceil(count / pool.constant("multiplesRange")),
  scratchBytes: pool.constant(`${group}MultiplesScratch`),
})

/** Points of a set as a file has them: Montgomery form, 64 (G1) or 128 (G2) bytes; zero is infinity. */
export async function writePoints(
  pool: KernelPool,
  { group, address, count }: Pick<PointSet, "group" | "address" | "count">,
): Promise<Uint8Array<ArrayBuffer>> {
  const lent = new Blocks(pool.memory, "points of a file")
  const bytes = count * fileBytes[group]
  try {
    const to = lent.allocate(bytes)
    const writing = lent.struct("FilePoints")
    writing.write({ ...noFields("FilePoints"), from: address, to, count, rangeLength })
    await pool.run([{ ...readStep(pool, group, writing.at, count), kernel: `${group}WritePoints` }])
    return pool.memory.bytes(to, bytes).slice()
  } finally {
    lent.release()
  }
}

export function releasePoints(pool: KernelPool, points: PointSet): void {
  pool.memory.release(points.address)
  if (points.infinite !== 0) pool.memory.release(points.infinite)
}

const fix = "The file is damaged, or somebody made it so: make the key again"

/** What is wrong with points of which one has a coordinate that is not below q. */
function largeCoordinate(group: Group, bytes: Uint8Array, nameOf: NameOf): FileError {
  const values = integersOf(bytes)
  const i = values.findIndex((value) => value >= q)
  return new FileError({
    what: "coordinate of a point",
    where: nameOf(Math.floor((32 * i) / fileBytes[group])),
    expected: `less than ${q}`,
    given: `${values[i]}`,
    fix,
  })
}

const inNoGroup = (group: Group, where: string): FileError =>
  new FileError({ what: `is no point of ${group.toUpperCase()}: a multiple of it has y = 0`, where, fix })

/** Integers of 32 bytes, little endian. */
export function integersOf(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 32 }, (_, i) => readField(view, 32 * i))
}

const fromMontgomery = inverse(radix, q)

/** A point of a file as integers. */
export function affineOf(bytes: Uint8Array): Affine {
  const coordinates = integersOf(bytes).map((x) => mod(x * fromMontgomery, q))
  return coordinates.every((x) => x === 0n) ? null : coordinates
}

/**
 * The result of a multiplication. Off the curve it cannot be what points on it add up to, and further arithmetic on it
 * means nothing.
 * @throws FileError if it is
 */
export function productOf(group: Group, bytes: Uint8Array): Affine {
  const point = affineOf(bytes)
  if (point === null || isOnCurve(group, point)) return point
  throw new FileError({
    what: `of its points in ${group.toUpperCase()} some are not on the curve`,
    where: "proving key",
    fix,
  })
}

/** Whether a finite point is on the curve, or on the twist. */
export function isOnCurve(group: Group, [x0, x1, y0, y1]: readonly bigint[]): boolean {
  if (group === "g1") return mod(x1 * x1 - (x0 * x0 * x0 + 3n), q) === 0n
  const { Fp, CURVE } = bn254.G2.Point
  const [x, y] = [Fp.create({ c0: x0, c1: x1 }), Fp.create({ c0: y0, c1: y1 })]
  return Fp.eql(Fp.sqr(y), Fp.add(Fp.mul(Fp.sqr(x), x), CURVE().b))
}

/** Sum of points of the curve. */
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
