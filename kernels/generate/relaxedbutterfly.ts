/**
 * Butterflies of the transforms on the relaxed representation; the interface is that of butterfly.ts. Limbs have
 * room for one lazy sum only, so every kind is tidied up completely.
 */
import { define, primes, range } from "./field.js"
import { Constants, load, normalization, product, store } from "./relaxed.js"

const p = primes.fr
const k = new Constants()
const count = 5
const bits = 51
const limbs = (f: (i: number) => string): string[] => range(count).map(f)

/** A scope of its own for lines that define names. */
const scope = (...lines: (readonly string[])[]): string[] => [
  "{",
  ...lines.flat().map((line) => `  ${line}`),
  "}",
]
const twiddle = limbs((i) => `let b${i} = v128.load_splat<f64>(w, ${8 * i})`)

/** (u, v) = (u + v, (v − u)·w) */
const down = [
  ...load("x", "u"),
  ...load("y", "v"),
  ...scope(
    limbs((i) => `let v${i} = f64x2.add(x${i}, y${i})`),
    normalization(p, k),
    store("u", "z"),
  ),
  ...scope(
    limbs((i) => `let a${i} = f64x2.sub(y${i}, x${i})`),
    twiddle,
    product(p, k, "v"),
    store("v", "z"),
  ),
]

/** (u, v) = (u + y, u − y), given x = u and the limbs y. */
const both = [
  ...scope(
    limbs((i) => `let v${i} = f64x2.add(x${i}, y${i})`),
    normalization(p, k),
    store("u", "z"),
  ),
  ...scope(
    limbs((i) => `let v${i} = f64x2.sub(x${i}, y${i})`),
    normalization(p, k),
    store("v", "z"),
  ),
]

/** (u, v) = (u + v·w, u − v·w) */
const up = [
  ...limbs((i) => `let y${i}: v128`),
  ...scope(
    load("a", "v"),
    twiddle,
    product(p, k, "v"),
    limbs((i) => `y${i} = z${i}`),
  ),
  ...load("x", "u"),
  ...both,
]

const ones = [...load("x", "u"), ...load("y", "v"), ...both]

export function relaxedButterfly(): string {
  const rounder = 3 * 2 ** (2 * bits)
  return [
    k.declaration(),
    ...["Lazy", "Carry", "Norm"].flatMap((kind) => [
      define(`export function down${kind}(u: usize, v: usize, w: usize): void`, down),
      define(`export function up${kind}(u: usize, v: usize, w: usize): void`, up),
    ]),
    ...["Carry", "Norm"].map((kind) => define(`export function ones${kind}(u: usize, v: usize): void`, ones)),
    define("export function raw2(z: usize, x0: f64, x1: f64): void", [
      "let x = f64x2.replace_lane(f64x2.splat(x0), 1, x1)",
      `let round = f64x2.splat(${rounder})`,
      "let high = f64x2.sub(f64x2.add(x, round), round)",
      "v128.store(z, f64x2.sub(x, high))",
      `v128.store(z, f64x2.mul(high, f64x2.splat(${2 ** -bits})), 16)`,
      ...range(count - 2).map((i) => `v128.store(z, f64x2.splat(0), ${32 + 16 * i})`),
    ]),
  ].join("\n")
}
