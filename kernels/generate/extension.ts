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

/**
 * Scalar: columns have no room for two products, so each is reduced by itself, and three of them do:
 * (a + e)(b + f) = ab + ef + the imaginary part.
 */
export const scalarExtension = (): string => `
import { add2, mul2, mulSub2, pairBytes, sub2, sumLazy2 } from "./fq"

${define(`export function ${head}`, [
  "const t = temporary + pairBytes",
  "const u = t + pairBytes",
  "const w = u + pairBytes",
  // normal, for a product has room for one lazy factor only
  "add2(temporary, x, x + pairBytes)",
  "add2(t, y, y + pairBytes)",
  "mul2(u, x, y)",
  "mul2(w, x + pairBytes, y + pairBytes)",
  "sub2(z, u, w)",
  "sumLazy2(u, u, w)",
  "mulSub2(z + pairBytes, temporary, t, u)",
])}`
