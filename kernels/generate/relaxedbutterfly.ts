/**
 * Butterflies of the transforms on the relaxed representation; the interface is that of butterfly.ts. Limbs have
 * room for the sum of two lazy sums, and products for the difference of two: so sums of the kind *lazy* are left
 * as they are, and *carry* and *norm*, which come after every lazy one, are tidied up completely.
 */
import { define, primes, range } from "./field.js"
import { normalization } from "./relaxed.js"
import { Constants, load, product, store } from "./relaxedcolumns.js"

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

type Kind = "Lazy" | "Tidy"

/** Stores the limbs that `term` gives at `pointer`. */
const sum = (kind: Kind, pointer: string, term: (i: number) => string): string[] =>
  kind === "Lazy"
    ? scope(
        limbs((i) => `let z${i} = ${term(i)}`),
        store(pointer, "z"),
      )
    : scope(
        limbs((i) => `let v${i} = ${term(i)}`),
        normalization(p, k),
        store(pointer, "z"),
      )

/** (u, v) = (u + v, (v − u)·w) */
const down = (kind: Kind): string[] => [
  ...load("x", "u"),
  ...load("y", "v"),
  ...sum(kind, "u", (i) => `f64x2.add(x${i}, y${i})`),
  ...scope(
    limbs((i) => `let a${i} = f64x2.sub(y${i}, x${i})`),
    twiddle,
    product(p, k, "v"),
    store("v", "z"),
  ),
]

/** (u, v) = (u + y, u − y), given x = u and the limbs y. */
const both = (kind: Kind): string[] => [
  ...sum(kind, "u", (i) => `f64x2.add(x${i}, y${i})`),
  ...sum(kind, "v", (i) => `f64x2.sub(x${i}, y${i})`),
]

/** (u, v) = (u + v·w, u − v·w) */
const up = (kind: Kind): string[] => [
  ...limbs((i) => `let y${i}: v128`),
  ...scope(
    load("a", "v"),
    twiddle,
    product(p, k, "v"),
    limbs((i) => `y${i} = z${i}`),
  ),
  ...load("x", "u"),
  ...both(kind),
]

const ones = [...load("x", "u"), ...load("y", "v"), ...both("Tidy")]

export function relaxedButterfly(): string {
  const rounder = 3 * 2 ** (2 * bits)
  const functions = [
    ...["Lazy", "Carry", "Norm"].flatMap((kind) => [
      define(
        `export function down${kind}(u: usize, v: usize, w: usize): void`,
        down(kind === "Lazy" ? kind : "Tidy"),
      ),
      define(
        `export function up${kind}(u: usize, v: usize, w: usize): void`,
        up(kind === "Lazy" ? kind : "Tidy"),
      ),
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
  ]
  return [k.declaration(), ...functions].join("\n")
}
