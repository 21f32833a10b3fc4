/**
 * Affine arithmetic with bigint on every curve y² = x³ + b over F_q (g1) and F_q² (g2), b whatever the point says, and
 * points that a hostile key may hold.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { mod, q, r } from "#src/field.js"
import { bytesOf } from "./kernels.js"
import { Random } from "./random.js"

export type Group = "g1" | "g2"
/** x and y, or x0, x1, y0, y1; null is infinity. */
export type Point = readonly bigint[] | null
/** c0, or c0 and c1 for c0 + c1·u. */
type Element = readonly bigint[]

const { Fp, Fp2 } = bn254.fields
const two = ([c0, c1]: Element) => ({ c0, c1 })
const of = ({ c0, c1 }: { c0: bigint; c1: bigint }): Element => [c0, c1]
type Operation = (a: Element, b: Element) => Element
const fields: Record<Group, Record<"add" | "sub" | "mul", Operation> & { inv(a: Element): Element }> = {
  g1: {
    add: ([a], [b]) => [Fp.add(a, b)],
    sub: ([a], [b]) => [Fp.sub(a, b)],
    mul: ([a], [b]) => [Fp.mul(a, b)],
    inv: ([a]) => [Fp.inv(a)],
  },
  g2: {
    add: (a, b) => of(Fp2.add(two(a), two(b))),
    sub: (a, b) => of(Fp2.sub(two(a), two(b))),
    mul: (a, b) => of(Fp2.mul(two(a), two(b))),
    inv: (a) => of(Fp2.inv(two(a))),
  },
}
const isZero = (a: Element): boolean => a.every((c) => c === 0n)
const halves = (point: readonly bigint[]): [Element, Element] => {
  const half = point.length / 2
  return [point.slice(0, half), point.slice(half)]
}

export function add(group: Group, p: Point, s: Point): Point {
  if (p === null) return s
  if (s === null) return p
  const f = fields[group]
  const [[x1, y1], [x2, y2]] = [halves(p), halves(s)]
  let slope: Element
  if (isZero(f.sub(x1, x2))) {
    if (isZero(f.add(y1, y2))) return null
    const square = f.mul(x1, x1)
    slope = f.mul(f.add(f.add(square, square), square), f.inv(f.add(y1, y2)))
  } else slope = f.mul(f.sub(y2, y1), f.inv(f.sub(x2, x1)))
  const x3 = f.sub(f.sub(f.mul(slope, slope), x1), x2)
  return [...x3, ...f.sub(f.mul(slope, f.sub(x1, x3)), y1)]
}

export function times(group: Group, point: Point, k: bigint): Point {
  if (k < 0n) return times(group, negated(point), -k)
  let sum: Point = null
  for (let power = point; k > 0n; k >>= 1n, power = add(group, power, power)) {
    if (k & 1n) sum = add(group, sum, power)
  }
  return sum
}

export const negated = (point: Point): Point => {
  if (point === null) return null
  const [x, y] = halves(point)
  return [...x, ...y.map((c) => mod(-c, q))]
}

/** Points as a file has them: Montgomery form; nothing is reduced that is given as `raw`. */
export function fileOf(group: Group, points: readonly Point[], raw = false): Uint8Array {
  const size = group === "g1" ? 64 : 128
  const bytes = new Uint8Array(size * points.length)
  points.forEach((point, i) => {
    point?.forEach((c, k) => {
      bytes.set(bytesOf(raw ? c : (c << 256n) % q), size * i + 32 * k)
    })
  })
  return bytes
}

const random = new Random(77)
export const anyBelow = (limit: bigint): bigint => random.bits(9) % limit
const element = (group: Group): Element => (group === "g1" ? [anyBelow(q)] : [anyBelow(q), anyBelow(q)])
const zero = (group: Group): Element => (group === "g1" ? [0n] : [0n, 0n])

/** Whether it is on the curve of its group; infinity is. */
export function isOnCurve(group: Group, point: Point): boolean {
  if (point === null) return true
  const f = fields[group]
  const [x, y] = halves(point)
  const b = group === "g1" ? [3n] : of(bn254.G2.Point.CURVE().b)
  return isZero(f.sub(f.mul(y, y), f.add(f.mul(x, f.mul(x, x)), b)))
}

export const generator = (group: Group): Point => {
  if (group === "g1") return [1n, 2n]
  const { x, y } = bn254.G2.Point.BASE
  return [x.c0, x.c1, y.c0, y.c1]
}

/** On no curve that matters. */
export const anywhere = (group: Group): Point => [...element(group), ...element(group)]
/** Of order two on its curve. */
export const ofOrderTwo = (group: Group): Point => [...element(group), ...zero(group)]
/** Of order three on its curve. */
export const ofOrderThree = (group: Group): Point => [...zero(group), ...element(group)]

/** A square root in F_q², or undefined. */
function root(a: Element): Element | undefined {
  try {
    return of(Fp2.sqrt(two(a)))
  } catch {
    return undefined
  }
}

/** A point of the twist in no subgroup of interest: its order is a multiple of the cofactor's primes. */
export function ofTwist(): Point {
  const f = fields.g2
  for (;;) {
    const x = element("g2")
    const y = root(f.add(f.mul(x, f.mul(x, x)), of(bn254.G2.Point.CURVE().b)))
    if (y) return [...x, ...y]
  }
}

/** Of the least prime order that the twist has besides r. */
export function ofSmallOrder(): Point {
  const prime = 10069n
  const cofactor = 2n * q - r
  if (cofactor % prime !== 0n) throw new Error("not a factor of the cofactor")
  for (;;) {
    const point = times("g2", ofTwist(), (r * cofactor) / prime)
    if (point !== null) return point
  }
}

/** Twice it is of order two: y² = x³ − 1 at x = 1 + √3, which lies in F_q² only. */
export function ofOrderFour(): Point {
  const f = fields.g2
  const x = f.add([1n, 0n], root([3n, 0n]) as Element)
  const y = root(f.sub(f.mul(x, f.mul(x, x)), [1n, 0n]))
  if (!y) throw new Error("no point of order four")
  return [...x, ...y]
}

/** A point of order two, and another one of the same curve. */
export function withOrderTwo(group: Group): [Point, Point] {
  const f = fields[group]
  for (;;) {
    const x0 = element(group)
    const x = element(group)
    const square = f.sub(f.mul(x, f.mul(x, x)), f.mul(x0, f.mul(x0, x0)))
    let y: Element | undefined
    try {
      y = group === "g1" ? [Fp.sqrt(square[0])] : root(square)
    } catch {
      y = undefined
    }
    if (y)
      return [
        [...x0, ...zero(group)],
        [...x, ...y],
      ]
  }
}

/** Points with canonical coordinates that no honest key has, among some that it has. */
export function hostilePoints(group: Group, count: number): Point[] {
  pools[group] ??= makePool(group)
  const all = pools[group]
  return Array.from({ length: count }, (_, i) => all[i] ?? random.pick(all))
}

const pools: Partial<Record<Group, readonly Point[]>> = {}

function makePool(group: Group): Point[] {
  const g = generator(group)
  const some = anywhere(group) as readonly bigint[]
  const [x, y] = halves(some)
  const edge = (c: bigint) => x.map(() => c)
  const least: Point[] = [
    g,
    null,
    negated(g),
    some,
    negated(some),
    [...x, ...element(group)],
    [...element(group), ...y],
    ofOrderTwo(group),
    ofOrderThree(group),
    [...edge(q - 1n), ...edge(q - 1n)],
    [...edge(1n), ...edge(0n)],
    [...edge(0n), ...edge(1n)],
    ...withOrderTwo(group),
    ...(group === "g2" ? [ofTwist(), ofSmallOrder(), ofOrderFour(), ofTwist()] : []),
  ]
  return [...least, ...Array.from({ length: 24 }, () => anywhere(group))]
}
