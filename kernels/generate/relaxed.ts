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
 * far more registers than there are; so a jump that is never taken stands between product and reduction: what is
 * live there must be complete. Both together make multiplication a tenth faster.
 */
import {
  balancedLimbsOf,
  define,
  type FieldName,
  fileBits,
  inverseMod,
  modulo,
  modulusFunctions,
  primes,
  range,
} from "./field.js"

const bits = 51
const count = 5
const radix = bits * count
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

const madd = (a: string, b: string, c: string): string => `f64x2.relaxed_madd(${a}, ${b}, ${c})`
const nmadd = (a: string, b: string, c: string): string => `f64x2.relaxed_nmadd(${a}, ${b}, ${c})`

const c1 = 3 * 2 ** 102
const c2 = 3 * 2 ** 51
/** What a column is made positive by, so that it can be shifted; its rounding to the nearest is in it. */
const bias = (1n << 60n) + (1n << BigInt(bits - 1))
const carriedBias = 1n << BigInt(60 - bits)
const mask = (1n << BigInt(bits)) - 1n

/** Representative of x mod p of least size, on balanced limbs. */
const balanced = (x: bigint, p: bigint): bigint[] => {
  const y = modulo(x, p)
  return balancedLimbsOf(y > p >> 1n ? y - p : y, bits, count)
}

export const load = (name: string, pointer: string): string[] =>
  range(count).map((i) => `let ${name}${i} = v128.load(${pointer}, ${16 * i})`)
export const store = (pointer: string, name: string): string[] =>
  range(count).map((i) => `v128.store(${pointer}, ${name}${i}, ${16 * i})`)

/** Collects the code of a product with its reduction; knows what was added to which column. */
class Columns {
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
    for (const i of range(count)) for (const j of range(count)) this.product(i + j, a(i), b(j))
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

function square(p: bigint, k: Constants, subtracted = false): string[] {
  const work = new Columns(k)
  work.square()
  if (subtracted) work.subtract("s")
  work.reduce(p)
  return work.finish()
}

function constantProduct(p: bigint, k: Constants, constant: bigint): string[] {
  const work = new Columns(k)
  const limbs = balanced(constant, p)
  work.multiply(
    (i) => `a${i}`,
    (j) => k.float(limbs[j]),
  )
  work.reduce(p)
  return work.finish()
}

/** From limbs v0 … v4, sums of at most four normal ones, to limbs z0 … z4 of the same value. */
export function normalization(p: bigint, k: Constants): string[] {
  const pLimbs = balancedLimbsOf(p, bits, count)
  const top = Number(p) / 2 ** (bits * (count - 1))
  const lines = [
    `const ONE = ${k.float(c2)}`,
    // adding and subtracting it rounds to multiples of 2^51
    `const ROUND = ${k.float(c1)}`,
    `let k = f64x2.sub(f64x2.add(f64x2.mul(v${count - 1}, ${k.float(1 / top)}), ONE), ONE)`,
    "let carry: v128",
  ]
  for (const i of range(count)) {
    lines.push(`let z${i} = ${nmadd("k", k.float(pLimbs[i]), `v${i}`)}`)
    if (i > 0) lines.push(`z${i} = ${madd("carry", k.float(2 ** -bits), `z${i}`)}`)
    if (i < count - 1) {
      lines.push(`carry = f64x2.sub(f64x2.add(z${i}, ROUND), ROUND)`, `z${i} = f64x2.sub(z${i}, carry)`)
    }
  }
  return lines
}

/** The canonical limbs y0 … y4 (i64) of `factor` times lane `lane` of the pair x, at most 1.1p in size. */
function canonicalization(p: bigint, factor: number): string[] {
  const pLimbs = range(count).map((i) => (p >> BigInt(bits * i)) & mask)
  const lines = range(count).map((i) => `let y${i} = <i64>(load<f64>(x + 8 * lane, ${16 * i}) * ${factor}.0)`)
  // twice up and once down
  for (const sign of [0n, 1n, 1n, -1n, 0n]) {
    if (sign !== 0n) {
      const name = sign > 0n ? "" : "~"
      if (sign < 0n) {
        // at least p? then less p
        lines.push(...range(count).map((i) => `let w${i} = y${i} - ${pLimbs[i]}`))
        lines.push(...range(count - 1).flatMap((i) => [`w${i + 1} += w${i} >> ${bits}`, `w${i} &= ${mask}`]))
        lines.push(`let keep = ${name}(w${count - 1} >> 63)`)
        lines.push(...range(count).map((i) => `y${i} = (w${i} & keep) | (y${i} & ~keep)`))
        continue
      }
      lines.push(`if (y${count - 1} < 0) {`, ...range(count).map((i) => `  y${i} += ${pLimbs[i]}`), "}")
    }
    lines.push(...range(count - 1).flatMap((i) => [`y${i + 1} += y${i} >> ${bits}`, `y${i} &= ${mask}`]))
  }
  return lines
}

/** Limbs y0 … y4 of an integer below 2^256 as four 64-bit words. */
const pack = (to: string): string[] =>
  range(4).map((word) => {
    const terms: string[] = []
    for (const i of range(count)) {
      const shift = bits * i - 64 * word
      if (shift > -bits && shift < 64) terms.push(shift < 0 ? `(y${i} >>> ${-shift})` : `(y${i} << ${shift})`)
    }
    return `store<u64>(${to}, ${terms.join(" | ")}, ${8 * word})`
  })

/** 32 bytes at `from`, an integer below 2^256, as limbs of lane `lane` of z; the last one has 52 bits. */
const unpack = (): string[] =>
  range(count).map((i) => {
    const byte = Math.min((bits * i) >> 3, 24)
    const shift = bits * i - 8 * byte
    const limb = `(load<u64>(from, ${byte}) >>> ${shift})${i < count - 1 ? ` & ${mask}` : ""}`
    return `store<f64>(z + 8 * lane, <f64>(${limb}), ${16 * i})`
  })

/** What the comment at the top says about sizes, or an error. */
function checkBounds(p: bigint): void {
  const rho = range(count - 1).map((i) => {
    const x = inverseMod(1n << BigInt(bits * (count - 1 - i)), p)
    return Number(x > p >> 1n ? x - p : x) / Number(p)
  })
  const folded = rho.reduce((sum, x) => sum + Math.abs(x), 0) / 2
  const largest = Math.max(...balancedLimbsOf(p, bits, count).map((x) => Math.abs(Number(x)) / 2 ** 50))
  const product = Number(p) / 2 ** radix
  if (!(folded < 0.51) || !((product + folded + 1.5) * largest < 2))
    throw new RangeError("bounds do not hold")
}

/** The module of one field. */
export function relaxedField(name: FieldName): string {
  const p = primes[name]
  checkBounds(p)
  const k = new Constants()
  const one = balanced(1n << BigInt(radix), p)
  // 2^512 makes up for reading bytes twice in the wrong form (see assembly/field/inverse.ts)
  const squared = balanced(1n << BigInt(radix + 2 * fileBits), p)
  const constants = (limbs: readonly bigint[]) =>
    limbs.map((limb, i) => `v128.store(z, f64x2.splat(${limb}.0), ${16 * i})`)
  const limbwise = (op: string) => range(count).map((i) => `let z${i} = f64x2.${op}(a${i}, b${i})`)
  const values = (op: string) => limbwise(op).map((line) => line.replace("let z", "let v"))
  const three = "z: usize, x: usize, y: usize"
  const ab = [...load("a", "x"), ...load("b", "y")]
  const all = (head: string, ...lines: (readonly string[])[]) =>
    define(`export function ${head}`, lines.flat())
  const functions = [
    `export const elementBytes: usize = ${elementBytes}\nexport const pairBytes: usize = ${pairBytes}\n`,
    modulusFunctions(p),
    all(`mul2(${three}): void`, ab, product(p, k), store("z", "z")),
    all("sqr2(z: usize, x: usize): void", load("a", "x"), square(p, k), store("z", "z")),
    all(`mulSub2(${three}, s: usize): void`, ab, load("s", "s"), product(p, k, "z", true), store("z", "z")),
    all(
      "sqrSub2(z: usize, x: usize, s: usize): void",
      load("a", "x"),
      load("s", "s"),
      square(p, k, true),
      store("z", "z"),
    ),
    all(`add2(${three}): void`, ab, values("add"), normalization(p, k), store("z", "z")),
    all(`sub2(${three}): void`, ab, values("sub"), normalization(p, k), store("z", "z")),
    all(`sumLazy2(${three}): void`, ab, limbwise("add"), store("z", "z")),
    all(`difLazy2(${three}): void`, ab, limbwise("sub"), store("z", "z")),
    all("norm2(z: usize, x: usize): void", load("v", "x"), normalization(p, k), store("z", "z")),
    all("one2(z: usize): void", constants(one)),
    all("fileSquared2(z: usize): void", constants(squared)),
    define("function readLane(z: usize, from: usize, lane: usize): void", unpack()),
    all(
      "read2(z: usize, from0: usize, from1: usize): void",
      ["readLane(z, from0, 0)", "readLane(z, from1, 1)"],
      load("a", "z"),
      constantProduct(p, k, 1n << BigInt(2 * radix - fileBits)),
      store("z", "z"),
    ),
    define("function writeLane(to: usize, x: usize, lane: usize): void", [
      // 2^256 is twice the radix
      ...canonicalization(p, 2 ** (fileBits - radix)),
      ...pack("to"),
    ]),
    all("write2(to0: usize, to1: usize, x: usize): void", ["writeLane(to0, x, 0)", "writeLane(to1, x, 1)"]),
    define("function isZero(x: usize, lane: usize): bool", [
      ...canonicalization(p, 1),
      `return (${range(count)
        .map((i) => `y${i}`)
        .join(" | ")}) == 0`,
    ]),
    all("zeroes2(x: usize): u32", ["return <u32>isZero(x, 0) | (<u32>isZero(x, 1) << 1)"]),
    all(
      "gather2(z: usize, x0: usize, x1: usize): void",
      gather((limb) => limb),
    ),
    all(
      "gatherSigned2(z: usize, x0: usize, x1: usize, sign0: usize, sign1: usize): void",
      ["let signs = i64x2.replace_lane(i64x2.splat(<u64>sign0 << 63), 1, <u64>sign1 << 63)"],
      gather((limb) => `v128.xor(${limb}, signs)`),
    ),
    all(
      "scatter2(z0: usize, z1: usize, x: usize): void",
      range(count).flatMap((i) => [
        `let a${i} = v128.load(x, ${16 * i})`,
        `v128.store_lane<f64>(z0, a${i}, 0, ${8 * i})`,
        `v128.store_lane<f64>(z1, a${i}, 1, ${8 * i})`,
      ]),
    ),
  ]
  return [k.declaration(), ...functions].join("\n")
}

const gather = (change: (limb: string) => string): string[] =>
  range(count).map((i) => {
    const limb = `v128.load_lane<f64>(x1, v128.load_zero<f64>(x0, ${8 * i}), 1, ${8 * i})`
    return `v128.store(z, ${change(limb)}, ${16 * i})`
  })
