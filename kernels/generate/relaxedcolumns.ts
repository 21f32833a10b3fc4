/**
 * Field arithmetic on 5 limbs of 51 bits in float64, two elements side by side, with fused multiply-add
 * (relaxed SIMD; the engine must not carry it out unfused: see the self-test of src/prover/kernels/modules.ts).
 *
 * A pair is 5 × f64x2, least limb first. Limbs are integers; those of a normal element are balanced, at most
 * 2^50 in size, and it stands for v as v·2^255 + any multiple of p, at most p/2 in size (give or take p/2^40).
 * Lazy sums and differences are limb by limb: limbs of at most 2^51, at most p.
 *
 * A product a·b of limbs, at most 2^102, in two halves (the idea is N. Emmart's, for GPUs: "Faster modular
 * exponentiation using double precision floating point arithmetic on the GPU", 2018):
 *     h = fma(a, b, C1), C1 = 3·2^102: between 2^103 and 2^104, so a multiple of 2^51, a·b rounded to one;
 *     l = fma(a, b, C12 − h), C12 = C1 + C2, C2 = 3·2^51: C2 plus the rest, exact.
 * Bits of such a float64, as an integer, are those of its constant plus the multiple of its last place: columns
 * are sums of bits in 64-bit integers, and the constants are taken off all at once at the start.
 *
 * Reduction of columns c0 … c9, T in all: c0 … c3 are carried through to balanced t0 … t3 and replaced by
 * t_i·(2^(51(i−4)) mod p, balanced): independent of one another (Yuval's reduction), and less than 0.51p·2^51 in
 * size (`boundsOf`). One step of Montgomery takes the last limb. Its q is also chosen so that the result is
 * nearest to zero: q plus k·2^51, where k is read off the top column. For that |q|·|p_i| must stay below 2^102:
 * it is at most (|T|/2^255p + 0.51 + 0.5)·2^51, where |T|/2^255p ≤ 0.38 for two lazy factors, less for others,
 * plus 1 where something is subtracted.
 *
 * What V8 makes of it: it would compute everything constant first, three instructions each, and spill it to the
 * stack; so constants lie in memory. And it orders a block of code by depth rather than as written, which needs
 * far more registers than there are; so a jump that is never taken stands between product and reduction, and another
 * one within the product: what is live there must be complete. All together make multiplication an eighth faster.
 */
import { balancedLimbsOf, inverseMod, modulo, range } from "./field.js"

export const bits = 51
export const count = 5
export const radix = bits * count
const columns = 2 * count
export const elementBytes = 8 * count
export const pairBytes = 2 * elementBytes

const bitsOf = (x: number): bigint => new BigUint64Array(Float64Array.of(x).buffer)[0]

/** Constants of a module, in its data segment: twice each, for both lanes. */
export class Constants {
  private readonly values: bigint[] = []

  float(x: number | bigint): string {
    return this.integer(bitsOf(Number(x)))
  }

  integer(x: bigint): string {
    const value = BigInt.asUintN(64, x)
    if (!this.values.includes(value)) this.values.push(value)
    return `v128.load(CONSTANTS, ${16 * this.values.indexOf(value)})`
  }

  /** The declaration of the segment, once all code is there. */
  declaration(): string {
    const words = this.values.flatMap((value) => [`0x${value.toString(16)}`, `0x${value.toString(16)}`])
    return `const CONSTANTS: usize = memory.data<u64>([${words.join(", ")}], 16)\n`
  }
}

export const madd = (a: string, b: string, c: string): string => `f64x2.relaxed_madd(${a}, ${b}, ${c})`
export const nmadd = (a: string, b: string, c: string): string => `f64x2.relaxed_nmadd(${a}, ${b}, ${c})`

export const c1 = 3 * 2 ** 102
export const c2 = 3 * 2 ** 51
/** What a column is made positive by, so that it can be shifted; its rounding to the nearest is in it. */
const bias = (1n << 60n) + (1n << BigInt(bits - 1))
const carriedBias = 1n << BigInt(60 - bits)
export const mask = (1n << BigInt(bits)) - 1n

/** Representative of x mod p of least size, on balanced limbs. */
export const balanced = (x: bigint, p: bigint): bigint[] => {
  const y = modulo(x, p)
  return balancedLimbsOf(y > p >> 1n ? y - p : y, bits, count)
}

export const load = (name: string, pointer: string): string[] =>
  range(count).map((i) => `let ${name}${i} = v128.load(${pointer}, ${16 * i})`)
export const store = (pointer: string, name: string): string[] =>
  range(count).map((i) => `v128.store(${pointer}, ${name}${i}, ${16 * i})`)

/** Collects the code of a product with its reduction; knows what was added to which column. */
export class Columns {
  readonly lines: string[] = []
  private readonly k: Constants
  private readonly pointer: string
  private readonly constants: bigint[] = Array.from({ length: columns }, () => 0n)

  /** `pointer` names an address that is not 0. */
  constructor(k: Constants, pointer = "z") {
    this.k = k
    this.pointer = pointer
  }

  /** Adds a·b at column k. */
  product(k: number, a: string, b: string): void {
    this.lines.push(
      `h = ${madd(a, b, "C1")}`,
      `c${k} = i64x2.add(c${k}, ${madd(a, b, "f64x2.sub(C12, h)")})`,
      `c${k + 1} = i64x2.add(c${k + 1}, h)`,
    )
    this.constants[k] += bitsOf(c2)
    this.constants[k + 1] += bitsOf(c1)
  }

  /** Subtracts limbs s0 … s4, at most 2^51 each, from the columns of the result. */
  subtract(s: string): void {
    for (const i of range(count)) {
      this.lines.push(`c${count + i} = i64x2.sub(c${count + i}, f64x2.add(${s}${i}, C2))`)
      this.constants[count + i] -= bitsOf(c2)
    }
  }

  /** Carries column k on; its balanced low part becomes `name`. */
  carry(k: number, name: string): void {
    this.lines.push(`c${k + 1} = i64x2.add(c${k + 1}, i64x2.shr_u(c${k}, ${bits}))`)
    this.low(k, name)
    this.constants[k] -= bias
    this.constants[k + 1] += carriedBias
  }

  /** The balanced low part of column k. */
  low(k: number, name: string): void {
    this.lines.push(`let ${name} = f64x2.sub(v128.or(v128.and(c${k}, MASK), EXPONENT), HALF)`)
  }

  /** All lines, the columns' constants first. */
  finish(): string[] {
    const { k } = this
    this.constants[columns - 1] -= bitsOf(c2)
    return [
      `const C1 = ${k.float(c1)}`,
      `const C2 = ${k.float(c2)}`,
      `const C12 = ${k.float(c1 + c2)}`,
      `const MASK = ${k.integer(mask)}`,
      // 2^52, and the number that makes a limb of 51 bits, or'ed to it, balanced
      `const EXPONENT = ${k.float(2 ** 52)}`,
      `const HALF = ${k.float(2 ** 52 + 2 ** 50)}`,
      "let h: v128",
      ...this.constants.map((constant, i) => `let c${i} = ${k.integer(-constant)}`),
      ...this.lines,
    ]
  }

  /** Columns are complete so far: a jump that is never taken, for no pair lies at address 0. */
  private barrier(): void {
    const overwritten = range(columns).map((i) => `c${i} = h`)
    this.lines.push(
      `if (${this.pointer} == 0) {`,
      `  h = v128.load(${this.pointer})`,
      `  ${overwritten.join("; ")}`,
      "}",
    )
  }

  /** The step that takes column 4; the result is in columns 5 … 9. */
  private montgomery(p: bigint): void {
    const { k } = this
    const four = count - 1
    const inverse = BigInt.asIntN(bits, -inverseMod(p, 1n << BigInt(bits)))
    const pLimbs = balancedLimbsOf(p, bits, count)
    const top = Number(p) / 2 ** (bits * four)
    this.low(four, "low")
    this.lines.push(
      // q = low·(−1/p) mod 2^51, balanced
      `h = ${madd("low", k.float(inverse), "C1")}`,
      `let q = ${madd("low", k.float(inverse), "f64x2.sub(C1, h)")}`,
      // k: T/2^51 + q·p/2^51 in units of p, rounded; q less k·2^51 makes the result that much smaller
      `let k = ${madd(
        `f64x2.sub(c${columns - 1}, C2)`,
        k.float(1 / top),
        `f64x2.mul(q, ${k.float(2 ** -bits)})`,
      )}`,
      "k = f64x2.sub(f64x2.add(k, C2), C2)",
      `q = ${nmadd("k", k.float(2 ** bits), "q")}`,
    )
    for (const i of range(count)) this.product(four + i, "q", k.float(pLimbs[i]))
    // the top column was read as a number, so what the last product added to it comes off only here
    this.constants[columns - 1] -= bitsOf(c1)
    this.lines.push(`c${columns - 1} = i64x2.sub(c${columns - 1}, ${k.integer(bitsOf(c1))})`)
    // divisible by 2^51 now
    this.lines.push(`c${count} = i64x2.add(c${count}, i64x2.shr_u(c${four}, ${bits}))`)
    this.constants[four] -= bias
    this.constants[count] += carriedBias
  }

  /** From the columns to limbs z0 … z4. */
  reduce(p: bigint): void {
    this.barrier()
    const folded = count - 1
    for (let i = 0; i < folded; i++) this.carry(i, `t${i}`)
    const rho = range(folded).map((i) => balanced(inverseMod(1n << BigInt(bits * (folded - i)), p), p))
    for (let i = 0; i < folded; i++) {
      for (const j of range(count)) this.product(folded + j, `t${i}`, this.k.float(rho[i][j]))
    }
    this.montgomery(p)
    for (let i = 0; i < count - 1; i++) this.carry(count + i, `z${i}`)
    this.lines.push(`let z${count - 1} = f64x2.sub(c${columns - 1}, C2)`)
  }

  multiply(a: (i: number) => string, b: (i: number) => string): void {
    for (const i of range(count)) {
      for (const j of range(count)) this.product(i + j, a(i), b(j))
      if (i === count >> 1) this.barrier()
    }
  }

  square(): void {
    for (const i of range(count)) this.lines.push(`let d${i} = f64x2.add(a${i}, a${i})`)
    for (const i of range(count)) {
      this.product(2 * i, `a${i}`, `a${i}`)
      for (let j = i + 1; j < count; j++) this.product(i + j, `d${i}`, `a${j}`)
    }
  }
}

/** Lines from limbs a and b (and s, to be subtracted) to limbs z; `pointer` is an address that is not 0. */
export function product(p: bigint, k: Constants, pointer = "z", subtracted = false): string[] {
  const work = new Columns(k, pointer)
  work.multiply(
    (i) => `a${i}`,
    (i) => `b${i}`,
  )
  if (subtracted) work.subtract("s")
  work.reduce(p)
  return work.finish()
}
