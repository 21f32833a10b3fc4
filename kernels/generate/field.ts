/**
 * What both representations of a field have in common: the constants of a prime and the interface that the
 * generated module must offer. The interface works on *pairs* of field elements, because a relaxed-SIMD
 * multiplication computes two products side by side; the scalar one simply does the work twice.
 */

/** The two prime fields of bn254 (EIP-196). */
export const primes = {
  fq: 21888242871839275222246405745257275088696311157297823662689037894645226208583n,
  fr: 21888242871839275222246405745257275088548364400416034343698204186575808495617n,
} as const
export type FieldName = keyof typeof primes

/** Integers of a file are v·2^256 mod p (Montgomery form), 32 bytes little endian. */
export const fileBits = 256

export const modulo = (x: bigint, p: bigint): bigint => ((x % p) + p) % p

/** Inverse of x mod m by the extended Euclidean algorithm. */
export function inverseMod(x: bigint, m: bigint): bigint {
  let [a, b, u, v] = [modulo(x, m), m, 1n, 0n]
  while (b > 0n) {
    const t = a / b
    ;[a, b, u, v] = [b, a - t * b, v, u - t * v]
  }
  if (a !== 1n) throw new RangeError("not invertible")
  return modulo(u, m)
}

/** Digits of x ≥ 0 to the base 2^bits, least first; the last one takes all that is left. */
export function limbsOf(x: bigint, bits: number, count: number): bigint[] {
  const limbs: bigint[] = []
  for (let i = 0; i < count - 1; i++) {
    limbs.push(x & ((1n << BigInt(bits)) - 1n))
    x >>= BigInt(bits)
  }
  limbs.push(x)
  return limbs
}

/** The same with digits in [−2^(bits−1), 2^(bits−1)); x may be negative. */
export function balancedLimbsOf(x: bigint, bits: number, count: number): bigint[] {
  const limbs: bigint[] = []
  for (let i = 0; i < count - 1; i++) {
    const digit = BigInt.asIntN(bits, x)
    limbs.push(digit)
    x = (x - digit) >> BigInt(bits)
  }
  limbs.push(x)
  return limbs
}

/** Integers below n. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** An AssemblyScript function of the given lines. */
export const define = (head: string, lines: readonly string[]): string =>
  `${head} {\n${lines.map((line) => `  ${line}\n`).join("")}}\n`

/** The prime on 9 limbs of 30 bits and its inverse mod 2^30, for inversions; whether 32 bytes are below the prime. */
export function modulusFunctions(p: bigint): string {
  const stores = limbsOf(p, 30, 9).map((limb, i) => `store<i32>(z, ${limb}, ${4 * i})`)
  const [last, ...words] = limbsOf(p, 64, 4)
    .map((limb, i) => ({ word: `load<u64>(from, ${8 * i})`, limb }))
    .map(({ word, limb }) => [`${word} != ${limb}`, `${word} < ${limb}`] as const)
  const lines = words.toReversed().map(([differs, below]) => `if (${differs}) return ${below}`)
  return [
    // the highest word nearly always decides
    define("export function isCanonical(from: usize): bool", [...lines, `return ${last[1]}`]),
    `export const inverse30: i32 = ${inverseMod(p, 1n << 30n)}\n`,
    define("export function modulus30(z: usize): void", stores),
  ].join("\n")
}
