/**
 * Butterflies of the transforms on the scalar representation, fused so that operands are read and written once;
 * w is one element, for both lanes. And integers of a model as elements without a multiplication: what such an
 * element stands for is x itself, not x·2^radix.
 *
 * Sums are tidied up only as far as the stages that follow need it. Three kinds: *lazy*, limb by limb, twice as
 * large as before; *carry*, limbs below 2^29 again; *norm*, and the value in [0, p] again, give or take p/2^11.
 * Limbs of a factor may be of size 2^30, and a factor of size 300p if the other one is a table's, at most 1.001p
 * (see scalar.ts), so:
 *   down  products are in (−2p, 11p) and sums double: lazy, carry, lazy, norm, … have sums of at most 88p before
 *         a norm and 176p within, and differences of at most 176p;
 *   up    sums grow by 11p a stage: lazy, carry, lazy, carry, … with a norm after every eighth.
 * The butterflies without multiplication carry at least: their difference has either sign.
 */
import { define, primes, range } from "./field.js"
import { elementBytes, load, normalization, product, reduction } from "./scalar.js"

const p = primes.fr
const count = 9
const bits = 29
const mask = 2 ** bits - 1
type Kind = "Lazy" | "Carry" | "Norm"

/** Limbs result0 … result8 of the sum whose limbs are `terms`. */
function tidy(kind: Kind, result: string, terms: (i: number) => string): string[] {
  if (kind === "Lazy") return range(count).map((i) => `let ${result}${i} = ${terms(i)}`)
  if (kind === "Carry") {
    const lines = [`let ${result}carry: i64 = 0`]
    for (let i = 0; i < count - 1; i++) {
      lines.push(`${result}carry += ${terms(i)}`, `let ${result}${i} = ${result}carry & ${mask}`)
      lines.push(`${result}carry >>= ${bits}`)
    }
    return [...lines, `let ${result}${count - 1} = ${terms(count - 1)} + ${result}carry`]
  }
  const renamed = normalization(p).map((line) =>
    line
      .replaceAll(/\bz(\d)/g, `${result}$1`)
      .replaceAll(/\bv(\d)/g, `${result}v$1`)
      .replaceAll(/\b(carry|k)\b/g, `${result}$1`),
  )
  return [...range(count).map((i) => `let ${result}v${i} = ${terms(i)}`), ...renamed]
}

const store = (pointer: string, name: string): string[] =>
  range(count).map((i) => `store<i32>(${pointer}, <i32>${name}${i}, ${4 * i})`)

/** Both lanes, one after the other. */
function both(name: string, operands: readonly string[], lines: readonly string[]): string {
  const parameters = operands.map((x) => `${x}: usize`).join(", ")
  const call = (at: number) => operands.map((x) => (x === "w" || at === 0 ? x : `${x} + ${at}`)).join(", ")
  return [
    define(`function ${name}1(${parameters}): void`, lines),
    define(
      `export function ${name}(${parameters}): void`,
      [0, elementBytes].map((at) => `${name}1(${call(at)})`),
    ),
  ].join("\n")
}

/** (u, v) = (u + v, (v − u)·w) */
const down = (kind: Kind): string =>
  both(
    `down${kind}`,
    ["u", "v", "w"],
    [
      ...load("x", "u"),
      ...load("y", "v"),
      ...tidy(kind, "s", (i) => `x${i} + y${i}`),
      ...store("u", "s"),
      ...range(count).map((i) => `let a${i} = y${i} - x${i}`),
      ...load("b", "w"),
      ...product(),
      ...reduction(p),
      ...store("v", "z"),
    ],
  )

/** (u, v) = (u + v·w, u − v·w) */
const up = (kind: Kind): string =>
  both(
    `up${kind}`,
    ["u", "v", "w"],
    [
      ...load("a", "v"),
      ...load("b", "w"),
      ...product(),
      ...reduction(p),
      ...load("x", "u"),
      ...tidy(kind, "s", (i) => `x${i} + z${i}`),
      ...store("u", "s"),
      ...tidy(kind, "d", (i) => `x${i} - z${i}`),
      ...store("v", "d"),
    ],
  )

/** (u, v) = (u + v, u − v) */
const ones = (kind: Kind): string =>
  both(
    `ones${kind}`,
    ["u", "v"],
    [
      ...load("x", "u"),
      ...load("y", "v"),
      ...tidy(kind, "s", (i) => `x${i} + y${i}`),
      ...store("u", "s"),
      ...tidy(kind, "d", (i) => `x${i} - y${i}`),
      ...store("v", "d"),
    ],
  )

export const scalarButterfly = (): string =>
  [
    ...(["Lazy", "Carry", "Norm"] as const).flatMap((kind) => [down(kind), up(kind)]),
    ...(["Carry", "Norm"] as const).map(ones),
    define("function raw(z: usize, x: f64): void", [
      "let v = <i64>x",
      ...range(count - 1).map(
        (i) => `store<i32>(z, <i32>(v >> ${Math.min(bits * i, 63)}) & ${mask}, ${4 * i})`,
      ),
      "store<i32>(z, <i32>(v >> 63), 32)",
    ]),
    define("export function raw2(z: usize, x0: f64, x1: f64): void", [
      "raw(z, x0)",
      `raw(z + ${elementBytes}, x1)`,
    ]),
  ].join("\n")
