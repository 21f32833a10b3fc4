/**
 * Field arithmetic on 9 limbs of 29 bits with 64-bit integer multiplication: runs on every engine.
 *
 * An element is 9 × i32, least limb first; all but the last lie in [0, 2^29), the last one carries the sign.
 * It stands for v as v·2^261 + any multiple of p. Range of a normal element: (−2p, 11p); lazy sums and
 * differences are limb by limb, without carries.
 *
 * Multiplication: columns of the product by one Karatsuba step (5 + 4 limbs). Then the low 8 limbs t_i are
 * replaced by t_i·(2^(29(i−8)) mod p), all of them independent of one another (Yuval's reduction), and the
 * ninth goes by a Montgomery step, so that the result is T/2^261 + less than 9.1p. With |T| ≤ 22.6p·13.6p that
 * is in the range above: p/2^261 < 0.006. Columns stay below 9·2^59 + 9·2^58 + 2^35 < 2^63 in size, if at most
 * one factor is a lazy sum; intermediate sums of Karatsuba may wrap around, their differences do not.
 */
import {
  define,
  type FieldName,
  fileBits,
  inverseMod,
  limbsOf,
  modulusFunctions,
  primes,
  range,
} from "./field.js"

const bits = 29
const count = 9
const radix = bits * count
const mask = 2 ** bits - 1
const low = 5
export const elementBytes = 4 * count
const columns = 2 * count - 1

const sum = (terms: readonly string[]): string => terms.join(" + ")
export const load = (name: string, pointer: string): string[] =>
  range(count).map((i) => `let ${name}${i} = <i64>load<i32>(${pointer}, ${4 * i})`)

/** Columns c0 … c16 of the product of a0 … a8 and b0 … b8. */
export function product(): string[] {
  const lines: string[] = []
  const columnsOf = (name: string, a: readonly string[], b: readonly string[]): number => {
    const length = a.length + b.length - 1
    for (let k = 0; k < length; k++) {
      const terms = range(a.length).filter((i) => k - i >= 0 && k - i < b.length)
      lines.push(`let ${name}${k} = ${sum(terms.map((i) => `${a[i]} * ${b[k - i]}`))}`)
    }
    return length
  }
  const part = (name: string, from: number, to: number) => range(to - from).map((i) => `${name}${from + i}`)
  for (const name of ["a", "b"]) {
    for (let i = 0; i < count - low; i++) lines.push(`let s${name}${i} = ${name}${i} + ${name}${low + i}`)
    lines.push(`let s${name}${low - 1} = ${name}${low - 1}`)
  }
  const lowLength = columnsOf("l", part("a", 0, low), part("b", 0, low))
  const highLength = columnsOf("h", part("a", low, count), part("b", low, count))
  columnsOf("m", part("sa", 0, low), part("sb", 0, low))
  for (let k = 0; k < columns; k++) {
    const terms: string[] = []
    if (k < lowLength) terms.push(`l${k}`)
    if (k >= 2 * low) terms.push(`h${k - 2 * low}`)
    const j = k - low
    if (j >= 0 && j < lowLength) terms.push(`m${j} - l${j}${j < highLength ? ` - h${j}` : ""}`)
    lines.push(`let c${k} = ${sum(terms)}`)
  }
  return lines
}

/** Columns of a square. */
function square(): string[] {
  const lines = range(count).map((i) => `let d${i} = a${i} << 1`)
  for (let k = 0; k < columns; k++) {
    const terms: string[] = []
    for (let i = Math.max(0, k - count + 1); 2 * i <= k; i++) {
      terms.push(2 * i === k ? `a${i} * a${i}` : `d${i} * a${k - i}`)
    }
    lines.push(`let c${k} = ${sum(terms)}`)
  }
  return lines
}

/** Columns of the product with a constant. */
function constantProduct(constant: bigint): string[] {
  const b = limbsOf(constant, bits, count)
  return range(columns).map((k) => {
    const terms = range(count).filter((i) => k - i >= 0 && k - i < count && b[k - i] !== 0n)
    return `let c${k} = ${sum(terms.map((i) => `a${i} * ${b[k - i]}`)) || "<i64>0"}`
  })
}

/**
 * From the columns to z: the limbs z0 … z8, as i64. With `subtracted`, expressions for limbs that are subtracted, the
 * result is also brought near [0, p) as by `normalization`, all with the same carries.
 */
export function reduction(p: bigint, subtracted?: (i: number) => string): string[] {
  const lines: string[] = []
  const folded = count - 1
  for (let i = 0; i < folded; i++) lines.push(`let t${i} = c${i} & ${mask}`, `c${i + 1} += c${i} >> ${bits}`)
  const rho = range(folded).map((i) => limbsOf(inverseMod(1n << BigInt(bits * (folded - i)), p), bits, count))
  for (let j = 0; j < count; j++) {
    lines.push(`c${folded + j} += ${sum(range(folded).map((i) => `t${i} * ${rho[i][j]}`))}`)
  }
  const pLimbs = limbsOf(p, bits, count)
  const negativeInverse = (1n << BigInt(bits)) - inverseMod(p, 1n << BigInt(bits))
  lines.push(`let q = (c${folded} * ${negativeInverse}) & ${mask}`)
  lines.push(`let carry = (c${folded} + q * ${pLimbs[0]}) >> ${bits}`)
  let less: (i: number) => string = () => ""
  if (subtracted) {
    // carries from below change the top limb by less than 2^7 of its units
    const last = count - 1
    const top = `((c${folded + last} + q * ${pLimbs[last]}) >> ${bits}) - (${subtracted(last)})`
    lines.push(`let k = (${top}) * ${quotientFactor(p)} >> ${quotientShift}`)
    less = (i) => ` - (${subtracted(i)}) - k * ${pLimbs[i]}`
  }
  for (let j = 1; j < count; j++) {
    const i = j - 1
    lines.push(
      `carry += c${folded + j} + q * ${pLimbs[j]}${less(i)}`,
      `let z${i} = carry & ${mask}`,
      `carry >>= ${bits}`,
    )
  }
  lines.push(`let z${count - 1} = carry${less(count - 1)}`)
  return lines
}

const store = (): string[] => range(count).map((i) => `store<i32>(z, <i32>z${i}, ${4 * i})`)

/** floor(v / p) from the top limb alone: p is more than 2^21 of its units, v at most 2^28. */
const quotientShift = 40
const quotientFactor = (p: bigint): bigint => (1n << BigInt(bits * (count - 1) + quotientShift)) / p

/** Value limbs v0 … v8 (i64, any sign) less the multiple of p that brings it into [−p/2^20, p + p/2^20). */
export function normalization(p: bigint): string[] {
  const pLimbs = limbsOf(p, bits, count)
  const lines = [`let k = (v${count - 1} * ${quotientFactor(p)}) >> ${quotientShift}`, "let carry: i64 = 0"]
  for (let i = 0; i < count - 1; i++) {
    lines.push(`carry += v${i} - k * ${pLimbs[i]}`, `let z${i} = carry & ${mask}`, `carry >>= ${bits}`)
  }
  lines.push(`let z${count - 1} = carry + v${count - 1} - k * ${pLimbs[count - 1]}`)
  return lines
}

/** Canonical limbs of z0 … z8, which is within p/2^20 of [0, p): once up and once down, by masks. */
function canonicalization(p: bigint): string[] {
  const pLimbs = limbsOf(p, bits, count)
  const lines: string[] = []
  const step = (from: string, to: string, choose: string) => {
    lines.push(`let mask${to} = ${choose}`, `let carry${to}: i64 = 0`)
    for (let i = 0; i < count; i++) {
      lines.push(`carry${to} += ${from}${i} + (mask${to} & ${pLimbs[i]})`)
      lines.push(`let ${to}${i} = ${i < count - 1 ? `carry${to} & ${mask}` : `carry${to}`}`)
      lines.push(`carry${to} >>= ${bits}`)
    }
  }
  step("z", "u", `z${count - 1} >> 63`)
  // less p, then p again if that was too much
  lines.push("let borrow: i64 = 0")
  for (let i = 0; i < count; i++) {
    lines.push(
      `borrow += u${i} - ${pLimbs[i]}`,
      `let w${i} = ${i < count - 1 ? `borrow & ${mask}` : "borrow"}`,
    )
    lines.push(`borrow >>= ${bits}`)
  }
  step("w", "y", `w${count - 1} >> 63`)
  return lines
}

/** 32 bytes at `from`, an integer below 2^256, as limbs a0 … a8. */
function unpack(from: string): string[] {
  return range(count).map((i) => {
    const bit = bits * i
    // an unaligned word that holds the limb; the last one ends with the bytes
    const byte = Math.min(bit >> 3, 24)
    const shift = bit - 8 * byte
    return `let a${i} = (load<u64>(${from}, ${byte}) >>> ${shift}) & ${mask}`
  })
}

/** Limbs y0 … y8 of an integer below 2^256 as four 64-bit words. */
function pack(to: string): string[] {
  return range(4).map((word) => {
    const terms: string[] = []
    for (let i = 0; i < count; i++) {
      const shift = bits * i - 64 * word
      if (shift > -bits && shift < 64) terms.push(shift < 0 ? `(y${i} >>> ${-shift})` : `(y${i} << ${shift})`)
    }
    return `store<u64>(${to}, ${terms.join(" | ")}, ${8 * word})`
  })
}

/** The module of one field. */
export function scalarField(name: FieldName): string {
  const p = primes[name]
  const one = (1n << BigInt(radix)) % p
  const toInternal = (1n << BigInt(2 * radix - fileBits)) % p
  const toFile = (1n << BigInt(fileBits)) % p
  const both = (op: string, operands: string): string =>
    define(`export function ${op}2(z: usize, ${operands.replaceAll(/(\w)/g, "$1: usize")}): void`, [
      `${op}(z, ${operands})`,
      `${op}(z + ${elementBytes}, ${operands.replaceAll(/(\w)/g, `$1 + ${elementBytes}`)})`,
    ])
  const sumOf = (sign: string) => range(count).map((i) => `let v${i} = a${i} ${sign} b${i}`)
  const limbwise = (sign: string) =>
    range(count).map((i) => `store<i32>(z, load<i32>(x, ${4 * i}) ${sign} load<i32>(y, ${4 * i}), ${4 * i})`)
  const three = "z: usize, x: usize, y: usize"
  const two = "z: usize, x: usize"
  return [
    `export const elementBytes: usize = ${elementBytes}\nexport const pairBytes: usize = ${2 * elementBytes}\n`,
    define(`function mul(${three}): void`, [
      ...load("a", "x"),
      ...load("b", "y"),
      ...product(),
      ...reduction(p),
      ...store(),
    ]),
    define(`function sqr(${two}): void`, [...load("a", "x"), ...square(), ...reduction(p), ...store()]),
    define(`function add(${three}): void`, [
      ...load("a", "x"),
      ...load("b", "y"),
      ...sumOf("+"),
      ...normalization(p),
      ...store(),
    ]),
    define(`function sub(${three}): void`, [
      ...load("a", "x"),
      ...load("b", "y"),
      ...sumOf("-"),
      ...normalization(p),
      ...store(),
    ]),
    define(`function sumLazy(${three}): void`, limbwise("+")),
    define(`function difLazy(${three}): void`, limbwise("-")),
    define(`function norm(${two}): void`, [...load("v", "x"), ...normalization(p), ...store()]),
    define("function sqrSub(z: usize, e: usize, x: usize, y: usize, d: usize): void", [
      ...load("a", "x"),
      ...square(),
      ...load("b", "y"),
      ...reduction(p, (i) => `b${i} + b${i} + <i64>load<i32>(d, ${4 * i})`),
      ...store(),
      ...range(count).map((i) => `store<i32>(e, <i32>(b${i} - z${i}), ${4 * i})`),
    ]),
    define("function mulSub(z: usize, x: usize, y: usize, s: usize): void", [
      ...load("a", "x"),
      ...load("b", "y"),
      ...product(),
      ...reduction(p, (i) => `<i64>load<i32>(s, ${4 * i})`),
      ...store(),
    ]),
    define("function gatherDifference(z: usize, d: usize, l: usize, r: usize): void", [
      ...range(count).flatMap((i) => [
        `let a${i} = load<i32>(l, ${4 * i})`,
        `store<i32>(z, a${i}, ${4 * i})`,
        `store<i32>(d, load<i32>(r, ${4 * i}) - a${i}, ${4 * i})`,
      ]),
    ]),
    define("function gatherSignedDifference(z: usize, d: usize, l: usize, r: usize): void", [
      "const lSign = -(<i32>(l & 1))",
      "const rSign = -(<i32>(r & 1))",
      "l &= ~1",
      "r &= ~1",
      ...range(count).flatMap((i) => [
        `let a${i} = (load<i32>(l, ${4 * i}) ^ lSign) - lSign`,
        `store<i32>(z, a${i}, ${4 * i})`,
        `store<i32>(d, (load<i32>(r, ${4 * i}) ^ rSign) - rSign - a${i}, ${4 * i})`,
      ]),
    ]),
    define("function doubleAdd(z: usize, x: usize, y: usize): void", [
      ...range(count).map(
        (i) => `store<i32>(z, (load<i32>(x, ${4 * i}) << 1) + load<i32>(y, ${4 * i}), ${4 * i})`,
      ),
    ]),
    both("doubleAdd", "x, y"),
    both("mul", "x, y"),
    both("sqr", "x"),
    both("add", "x, y"),
    both("sub", "x, y"),
    both("sumLazy", "x, y"),
    both("difLazy", "x, y"),
    both("norm", "x"),
    define("function read(z: usize, from: usize): void", [
      ...unpack("from"),
      ...constantProduct(toInternal),
      ...reduction(p),
      ...store(),
    ]),
    define("function write(to: usize, x: usize): void", [
      ...load("a", "x"),
      ...constantProduct(toFile),
      ...reduction(p).map((line) => line.replaceAll(/\bz(\d)/g, "v$1").replaceAll("carry", "over")),
      ...normalization(p),
      ...canonicalization(p),
      ...pack("to"),
    ]),
    define("function isZero(x: usize): bool", [
      ...load("v", "x"),
      ...normalization(p),
      ...canonicalization(p),
      `return (${range(count)
        .map((i) => `y${i}`)
        .join(" | ")}) == 0`,
    ]),
    define("function copy(z: usize, x: usize): void", [
      ...range(count >> 1).map((i) => `store<u64>(z, load<u64>(x, ${8 * i}), ${8 * i})`),
      `store<i32>(z, load<i32>(x, ${4 * count - 4}), ${4 * count - 4})`,
    ]),
    define("function copySigned(z: usize, x: usize, negative: i32): void", [
      // −x limb by limb: as lazy as a difference
      ...range(count).map((i) => `store<i32>(z, (load<i32>(x, ${4 * i}) ^ negative) - negative, ${4 * i})`),
    ]),
    constants(p),
    define("function setOne(z: usize): void", [
      ...limbsOf(one, bits, count).map((limb, i) => `store<i32>(z, ${limb}, ${4 * i})`),
    ]),
  ]
    .join("\n")
    .concat(pairFunctions())
}

/** What the inversion needs to know; 2^512 makes up for reading bytes twice in the wrong form. */
function constants(p: bigint): string {
  const squared = (1n << BigInt(radix + 2 * fileBits)) % p
  const stores = (value: bigint, width: number, at: number) =>
    limbsOf(value, width, 9).map((limb, i) => `store<i32>(z, ${limb}, ${at + 4 * i})`)
  return [
    modulusFunctions(p),
    define("export function fileSquared2(z: usize): void", [
      ...stores(squared, bits, 0),
      ...stores(squared, bits, elementBytes),
    ]),
  ].join("\n")
}

/** Pairs as two elements one after the other. */
function pairFunctions(): string {
  const e = elementBytes
  return `
export function read2(z: usize, from0: usize, from1: usize): void {
  read(z, from0)
  read(z + ${e}, from1)
}

export function write2(to0: usize, to1: usize, x: usize): void {
  write(to0, x)
  write(to1, x + ${e})
}

export function gather2(z: usize, x0: usize, x1: usize): void {
  copy(z, x0)
  copy(z + ${e}, x1)
}

export function gatherSigned2(z: usize, x0: usize, x1: usize, sign0: usize, sign1: usize): void {
  copySigned(z, x0, -(<i32>(sign0 & 1)))
  copySigned(z + ${e}, x1, -(<i32>(sign1 & 1)))
}

export function mulSub2(z: usize, x: usize, y: usize, s: usize): void {
  mulSub(z, x, y, s)
  mulSub(z + ${e}, x + ${e}, y + ${e}, s + ${e})
}

export function mulSubScatter2(z0: usize, z1: usize, x: usize, y: usize, s: usize): void {
  mulSub(z0, x, y, s)
  mulSub(z1, x + ${e}, y + ${e}, s + ${e})
}

export function sqrSubScatter2(z0: usize, z1: usize, e: usize, x: usize, y: usize, d: usize): void {
  sqrSub(z0, e, x, y, d)
  sqrSub(z1, e + ${e}, x + ${e}, y + ${e}, d + ${e})
}

export function gatherDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void {
  gatherDifference(z, d, l0, r0)
  gatherDifference(z + ${e}, d + ${e}, l1, r1)
}

export function gatherSignedDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void {
  gatherSignedDifference(z, d, l0, r0)
  gatherSignedDifference(z + ${e}, d + ${e}, l1, r1)
}

export function scatter2(z0: usize, z1: usize, x: usize): void {
  copy(z0, x)
  copy(z1, x + ${e})
}

export function one2(z: usize): void {
  setOne(z)
  setOne(z + ${e})
}

export function zeroes2(x: usize): u32 {
  return <u32>isZero(x) | (<u32>isZero(x + ${e}) << 1)
}
`
}
