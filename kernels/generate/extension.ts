/**
 * Multiplication in F_q² = F_q[u]/(u² + 1). An element is its real part, then its imaginary part; a pair is a
 * pair of each. One factor may be lazy. `temporary`: four pairs. Names: real parts a and b, imaginary parts e and
 * f. There is no such function with a subtraction, nor for squares: all of them together would not fit into the
 * processor's cache of decoded instructions, which costs more than they save.
 */
import { define, primes, range } from "./field.js"
import { Columns, Constants, count, load, pairBytes, store } from "./relaxedcolumns.js"

const p = primes.fq
const head = "extensionMul2(z: usize, x: usize, y: usize, temporary: usize): void"

/** Relaxed: both products of a component are summed before they are reduced. */
export function relaxedExtension(): string {
  const k = new Constants()
  const im = pairBytes
  const limbs = (f: (i: number) => string): string[] => range(count).map(f)
  const operands = [
    ...load("a", "x"),
    ...load("e", `x + ${im}`),
    ...load("b", "y"),
    ...load("f", `y + ${im}`),
  ]
  /** A scope in which the sum of `products` of named limbs becomes the limbs z. */
  const component = (products: readonly [string, string][], ...more: readonly string[]): string[] => {
    const columns = new Columns(k)
    for (const [left, right] of products) {
      columns.multiply(
        (i) => `${left}${i}`,
        (i) => `${right}${i}`,
      )
    }
    columns.reduce(p)
    return [...operands, ...more, ...columns.finish()]
  }
  const real = component(
    [
      ["a", "b"],
      ["e", "n"],
    ],
    ...limbs((i) => `let n${i} = f64x2.neg(f${i})`),
  )
  const imaginary = component([
    ["a", "f"],
    ["e", "b"],
  ])
  const multiply = define(`export function ${head}`, [
    // stored at the end only: the result may lie where an operand does
    ...limbs((i) => `let r${i}: v128`),
    ...["{", ...real, ...limbs((i) => `r${i} = z${i}`), "}"],
    ...["{", ...imaginary, ...store(`z + ${im}`, "z"), "}"],
    ...store("z", "r"),
  ])
  return [k.declaration(), multiply].join("\n")
}

/** Scalar: columns have no room for two products, so each is reduced by itself. */
export const scalarExtension = (): string => `
import { add2, mul2, pairBytes, sub2 } from "./fq"

${define(`export function ${head}`, [
  "const b = temporary + pairBytes",
  "const c = b + pairBytes",
  "const d = c + pairBytes",
  "mul2(temporary, x, y)",
  "mul2(b, x + pairBytes, y + pairBytes)",
  "mul2(c, x, y + pairBytes)",
  "mul2(d, x + pairBytes, y)",
  "sub2(z, temporary, b)",
  "add2(z + pairBytes, c, d)",
])}`
