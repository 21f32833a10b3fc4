/** Floats of 16 bits, which files keep and JavaScript has no type for. */

/** IEEE 754 half precision from its 16 bits. */
export function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24)
}

const word = new DataView(new ArrayBuffer(4))
/** The upper half of an IEEE 754 single. */
export const bfloat16 = (bits: number): number => {
  word.setUint32(0, (bits & 0xffff) << 16)
  return word.getFloat32(0)
}

const double = new DataView(new ArrayBuffer(8))

/**
 * The number after x in the order of a float type, in which NaN follows +∞; of a number that is none of the type, the
 * first one above it.
 */
export function numberAfter(x: number, type: "float32" | "float64"): number {
  if (Number.isNaN(x) || x === Number.POSITIVE_INFINITY) return Number.NaN
  if (type === "float32") {
    const near = Math.fround(x)
    if (near > x) return near + 0
    word.setFloat32(0, near + 0)
    const bits = word.getInt32(0)
    // the bits of negative numbers fall towards zero, of which there is one
    word.setInt32(0, bits >= 0 ? bits + 1 : bits - 1)
    return word.getFloat32(0) + 0
  }
  double.setFloat64(0, x + 0)
  const bits = double.getBigInt64(0)
  double.setBigInt64(0, bits >= 0n ? bits + 1n : bits - 1n)
  return double.getFloat64(0) + 0
}

/** The number before x in the order of a float type; of −∞ that itself. */
export const numberBefore = (x: number, type: "float32" | "float64"): number =>
  Number.isNaN(x) ? Number.POSITIVE_INFINITY : x === Number.NEGATIVE_INFINITY ? x : -numberAfter(-x, type) + 0

/** Numbers that `leastNumber` looks at, at most. */
export const stepsOfSearch = 64

/**
 * The least number of a type, from −∞ to +∞, of which something is true that is true of all above it as well; NaN if it is of
 * none.
 */
export function leastNumber(type: "float32" | "float64", isTrue: (x: number) => boolean): number {
  if (!isTrue(Number.POSITIVE_INFINITY)) return Number.NaN
  if (isTrue(Number.NEGATIVE_INFINITY)) return Number.NEGATIVE_INFINITY
  const bits = type === "float32" ? 32n : 64n
  // numbers in their order: the bits of negative ones fall
  const numberAt = (place: bigint): number => {
    const size = BigInt.asIntN(64, place < 0n ? -place : place)
    if (type === "float32") word.setInt32(0, Number(size))
    else double.setBigInt64(0, size)
    const magnitude = type === "float32" ? word.getFloat32(0) : double.getFloat64(0)
    return place < 0n ? -magnitude : magnitude
  }
  const top = bits === 32n ? 0x7f800000n : 0x7ff0000000000000n
  let [below, from] = [-top, top]
  while (from - below > 1n) {
    const middle = (from + below) >> 1n
    if (isTrue(numberAt(middle))) from = middle
    else below = middle
  }
  return numberAt(from) + 0
}
