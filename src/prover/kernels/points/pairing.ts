/** Products of pairings on the thread that calls: kernels/assembly/pairing.ts. */
import { bn254 } from "@noble/curves/bn254.js"
import { invariant } from "../../../errors.js"
import { inverse, mod, q } from "../../../field.js"
import type { KernelPool } from "../pool.js"
import { type Affine, constantOf } from "./points.js"

/** A point of G1 and one of the twist; the pairing of infinity is one. */
export interface PointPair {
  readonly one: Affine
  readonly two: Affine
}

const radix = 1n << 256n
/** Digits of 6x + 2 for x = 4965661367192848881, none of two neighbours not zero, the highest first. */
const digits = signedDigits(6n * 4965661367192848881n + 2n)

function signedDigits(value: bigint): Int8Array {
  const found: number[] = []
  for (let rest = value; rest > 0n; rest >>= 1n) {
    const digit = rest & 1n ? 2 - Number(rest & 3n) : 0
    rest -= BigInt(digit)
    found.push(digit)
  }
  return Int8Array.from(found.reverse())
}

/** ξ^(i(q − 1)/6) for i from 1 to 5, as coordinates. */
const frobenius = (() => {
  let known: bigint[] | undefined
  return (): readonly bigint[] => {
    if (known === undefined) {
      const { Fp2 } = bn254.fields
      const first = Fp2.pow(Fp2.create({ c0: 9n, c1: 1n }), (q - 1n) / 6n)
      let power = Fp2.ONE
      known = Array.from({ length: 5 }, () => {
        power = Fp2.mul(power, first)
        return [power.c0, power.c1]
      }).flat()
    }
    return known
  }
})()

const generator = [
  bn254.G2.Point.BASE.x.c0,
  bn254.G2.Point.BASE.x.c1,
  bn254.G2.Point.BASE.y.c0,
  bn254.G2.Point.BASE.y.c1,
]

/** Whether a finite point is on the curve, or on the twist. */
function isOnCurve(point: readonly bigint[]): boolean {
  if (point.length === 2) return mod(point[1] ** 2n - point[0] ** 3n - 3n, q) === 0n
  const { Fp2 } = bn254.fields
  const [x, y] = [Fp2.create({ c0: point[0], c1: point[1] }), Fp2.create({ c0: point[2], c1: point[3] })]
  return Fp2.eql(Fp2.sqr(y), Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b))
}

/**
 * Whether the product of some pairings is one. A point that is off its curve, or of the twist but outside the subgroup
 * of order r, makes it false.
 */
export function pairingsAreOne(
  { memory, exports }: Pick<KernelPool, "memory" | "exports">,
  pairs: readonly PointPair[],
): boolean {
  const pool = { exports } as KernelPool
  const finite = pairs.filter(({ one, two }) => one !== null && two !== null)
  const count = Math.ceil(finite.length / 2)
  if (count === 0) return true
  if (!finite.every(({ one, two }) => isOnCurve(one as bigint[]) && isOnCurve(two as bigint[]))) return false
  invariant(count <= constantOf(pool, "pairingLimit"), "a product has at most eight pairings")
  // what the kernel takes of G1; y is never zero there
  const inverses = inverse(
    finite.reduce((all, { one }) => (all * (one as bigint[])[1]) % q, 1n),
    q,
  )
  const words: bigint[] = finite.flatMap(({ one, two }, i) => {
    const others = finite.reduce(
      (all, pair, j) => (i === j ? all : (all * (pair.one as bigint[])[1]) % q),
      inverses,
    )
    const [x] = one as bigint[]
    return [mod(x * others, q), others, ...(two as bigint[])]
  })
  if (finite.length % 2 === 1) words.push(0n, 0n, ...generator)
  const sizes = [
    32 * words.length,
    32 * frobenius().length,
    Math.ceil(digits.length / 8) * 8,
    8 * (count + 1),
    64,
    constantOf(pool, "pairingScratch"),
  ]
  const at = memory.allocate(
    sizes.reduce((sum, size) => sum + size, 0),
    "a product of pairings",
  )
  const places = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, at))
  const [points, constants, digitsAt, result, args, scratch] = places
  try {
    write(memory.bytes(points, sizes[0]), words)
    write(memory.bytes(constants, sizes[1]), frobenius())
    memory.bytes(digitsAt, digits.length).set(new Uint8Array(digits.buffer))
    memory.unsigned(args, 6).set([count, points, constants, digitsAt, digits.length, result])
    exports.pairing(0, args, scratch)
    const [isOne, ...inSubgroup] = memory.unsigned(result, count + 1)
    return isOne === 1 && inSubgroup.every((lanes) => lanes === 3)
  } finally {
    memory.release(at)
  }
}

/** Coordinates in Montgomery form, 32 bytes each. */
function write(bytes: Uint8Array, values: readonly bigint[]): void {
  values.forEach((value, i) => {
    let rest = mod(value * radix, q)
    for (let j = 0; j < 32; j++, rest >>= 8n) bytes[32 * i + j] = Number(rest & 255n)
  })
}
