/**
 * The module of a field with 5 limbs of 51 bits in float64: see relaxedcolumns.ts for the representation and the
 * bounds.
 */
import {
  balancedLimbsOf,
  define,
  type FieldName,
  fileBits,
  inverseMod,
  modulusFunctions,
  primes,
  range,
} from "./field.js"
import {
  balanced,
  bits,
  Columns,
  Constants,
  c1,
  c2,
  count,
  elementBytes,
  load,
  madd,
  mask,
  nmadd,
  pairBytes,
  product,
  radix,
  store,
} from "./relaxedcolumns.js"

function square(p: bigint, k: Constants, pointer = "z", subtracted = false): string[] {
  const work = new Columns(k, pointer)
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
    all("gatherDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void", [
      ...range(count).flatMap((i) => [
        `let a${i} = ${lanes("l0", "l1", i)}`,
        `v128.store(z, a${i}, ${16 * i})`,
        `v128.store(d, f64x2.sub(${lanes("r0", "r1", i)}, a${i}), ${16 * i})`,
      ]),
    ]),
    all("gatherSignedDifference2(z: usize, d: usize, l0: usize, l1: usize, r0: usize, r1: usize): void", [
      ...["l", "r"].flatMap((side) => [
        `let ${side}Signs = i64x2.replace_lane(i64x2.splat(<u64>${side}0 << 63), 1, <u64>${side}1 << 63)`,
        ...[0, 1].map((lane) => `${side}${lane} &= ~1`),
      ]),
      ...range(count).flatMap((i) => [
        `let a${i} = v128.xor(${lanes("l0", "l1", i)}, lSigns)`,
        `v128.store(z, a${i}, ${16 * i})`,
        `v128.store(d, f64x2.sub(v128.xor(${lanes("r0", "r1", i)}, rSigns), a${i}), ${16 * i})`,
      ]),
    ]),
    all(
      "sqrSubScatter2(to0: usize, to1: usize, e: usize, x: usize, y: usize, d: usize): void",
      load("a", "x"),
      load("b", "y"),
      range(count).map((i) => `let s${i} = f64x2.add(f64x2.add(b${i}, b${i}), v128.load(d, ${16 * i}))`),
      square(p, k, "x", true),
      scatter("z"),
      range(count).map((i) => `v128.store(e, f64x2.sub(v128.load(y, ${16 * i}), z${i}), ${16 * i})`),
    ),
    all("doubleAdd2(z: usize, x: usize, y: usize): void", ab, [
      ...range(count).map((i) => `v128.store(z, f64x2.add(f64x2.add(a${i}, a${i}), b${i}), ${16 * i})`),
    ]),
    all("scatter2(to0: usize, to1: usize, x: usize): void", load("a", "x"), scatter("a")),
    all(
      "mulSubScatter2(to0: usize, to1: usize, x: usize, y: usize, s: usize): void",
      ab,
      load("s", "s"),
      product(p, k, "x", true),
      scatter("z"),
    ),
  ]
  return [k.declaration(), ...functions].join("\n")
}

/** Limbs `name` to the elements at to0 and to1. */
const scatter = (name: string): string[] =>
  range(count).flatMap((i) => [
    `v128.store_lane<f64>(to0, ${name}${i}, 0, ${8 * i})`,
    `v128.store_lane<f64>(to1, ${name}${i}, 1, ${8 * i})`,
  ])

/** Limb i of the elements at two addresses. */
const lanes = (p0: string, p1: string, i: number): string =>
  `v128.load_lane<f64>(${p1}, v128.load_zero<f64>(${p0}, ${8 * i}), 1, ${8 * i})`

const gather = (change: (limb: string) => string): string[] =>
  range(count).map((i) => `v128.store(z, ${change(lanes("x0", "x1", i))}, ${16 * i})`)
