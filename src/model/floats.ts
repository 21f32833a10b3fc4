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
