/**
 * The two prime fields of the curve bn254 (EIP-196): q of the coordinates, r of the scalars.
 * Integers of a model live in the scalar field as x mod r; a value is read back as the representative
 * of least absolute value.
 */
export const q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n
export const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n

/** Montgomery form, in which files keep points and the kernels all field elements: x·radix mod p stands for x. */
export const radix = 1n << 256n

/** Canonical representative in [0, p). */
export const mod = (x: bigint, p: bigint = r): bigint => {
  const y = x % p
  return y < 0n ? y + p : y
}

/** Signed representative in (-r/2, r/2]. */
export const signed = (x: bigint): bigint => (x > r >> 1n ? x - r : x)

/** base^exponent mod p. */
export function power(base: bigint, exponent: bigint, p: bigint = r): bigint {
  let result = 1n
  let b = mod(base, p)
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = (result * b) % p
    b = (b * b) % p
  }
  return result
}

/** Inverse mod p by the extended Euclidean algorithm; throws RangeError on zero. */
export function inverse(x: bigint, p: bigint = r): bigint {
  let [a, b, u, v] = [mod(x, p), p, 1n, 0n]
  if (a === 0n) throw new RangeError("zero has no inverse")
  while (a !== 1n) {
    const t = b / a
    ;[a, b, u, v] = [b - t * a, a, v - t * u, u]
  }
  return mod(u, p)
}

/** Inverts every element in place with one inversion (Montgomery's trick); zeros stay zero. */
export function inverseAll(xs: bigint[], p: bigint = r): void {
  const prefix = new Array<bigint>(xs.length)
  let product = 1n
  for (let i = 0; i < xs.length; i++) {
    prefix[i] = product
    if (xs[i] !== 0n) product = (product * xs[i]) % p
  }
  let inv = inverse(product, p)
  for (let i = xs.length - 1; i >= 0; i--) {
    if (xs[i] === 0n) continue
    const x = xs[i]
    xs[i] = (inv * prefix[i]) % p
    inv = (inv * x) % p
  }
}
