/** Integers of a model as elements without a multiplication: what x stands for is x itself, not x·2^radix. */
import { define, range } from "./field.js"

/** 9 × i32 limbs of 29 bits: the sign fills the limbs above. */
export const scalarRaw = (): string =>
  [
    define("function raw(z: usize, x: f64): void", [
      "let v = <i64>x",
      ...range(8).map((i) => `store<i32>(z, <i32>(v >> ${Math.min(29 * i, 63)}) & ${2 ** 29 - 1}, ${4 * i})`),
      "store<i32>(z, <i32>(v >> 63), 32)",
    ]),
    define("export function raw2(z: usize, x0: f64, x1: f64): void", ["raw(z, x0)", "raw(z + 36, x1)"]),
  ].join("\n")
