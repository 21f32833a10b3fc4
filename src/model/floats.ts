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
