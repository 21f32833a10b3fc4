/**
 * Real functions of one variable as data: what a `function` node of a program applies to every element.
 * Formulas are composed by tabulate.ts and become tables of integers in quantization; nothing behind that
 * knows them. They are trees that share branches, never closures, so a program can be shown and compared.
 */
import { invariant } from "../errors.js"

/** Γ-free erf by Kummer's series 2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(1·3·…·(2n+1)): all terms of one sign (DLMF 7.6.2). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let [term, sum] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** The normal quantile √2·erf⁻¹(2x − 1) as onnxruntime has it, by the approximation of Winitzki (2008). */
function probit(x: number): number {
  const y = 2 * x - 1
  const logarithm = Math.log((1 - y) * (1 + y))
  const half = 2 / (Math.PI * 0.147) + logarithm / 2
  const squared = -half + Math.sqrt(half * half - logarithm / 0.147)
  return Math.SQRT2 * (y < 0 ? -1 : 1) * Math.sqrt(squared)
}

/** The nearest integer, of two the even one. */
export const roundHalfEven = (x: number) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x))

/**
 * The functions a formula may apply, by name; parameters follow the variable. Where a function is undefined
 * it gives NaN or an infinity. Definitions: the ONNX operators of the same names.
 */
export const functions = {
  clamp: (x: number, lo: number, hi: number) => Math.min(Math.max(x, lo), hi),
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  reciprocal: (x: number) => 1 / x,
  pow: (x: number, exponent: number) => x ** exponent,
  erf,
  probit,
  softplus: (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x: number) => x / (1 + Math.abs(x)),
  elu: (x: number, alpha: number) => (x < 0 ? alpha * Math.expm1(x) : x),
  selu: (x: number, alpha: number, gamma: number) => gamma * (x < 0 ? alpha * Math.expm1(x) : x),
  celu: (x: number, alpha: number) => (x < 0 ? alpha * Math.expm1(x / alpha) : x),
  thresholdedRelu: (x: number, alpha: number) => (x > alpha ? x : 0),
  shrink: (x: number, lambda: number, bias: number) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0),
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  trunc: Math.trunc,
  /** x / divisor without its fraction, as integers divide */
  quotient: (x: number, divisor: number) => Math.trunc(x / divisor),
  /** the remainder with the sign of the divisor, as Python has it */
  mod: (x: number, divisor: number) => x - divisor * Math.floor(x / divisor),
  /** the remainder with the sign of x, as C has it */
  fmod: (x: number, divisor: number) => x % divisor,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
} as const satisfies Record<string, (x: number, ...parameters: never[]) => number>

export type FunctionName = keyof typeof functions

/** A function of the variable x. */
export type Formula =
  | { readonly kind: "x" }
  /** Σ factor·of + offset */
  | {
      readonly kind: "sum"
      readonly terms: readonly { readonly factor: number; readonly of: Formula }[]
      readonly offset: number
    }
  | { readonly kind: "product"; readonly left: Formula; readonly right: Formula }
  | {
      readonly kind: "apply"
      readonly name: FunctionName
      readonly parameters: readonly number[]
      readonly of: Formula
    }

export const variable: Formula = { kind: "x" }

/** name(of; parameters) */
export const apply = (name: FunctionName, of: Formula, parameters: readonly number[] = []): Formula => ({
  kind: "apply",
  name,
  parameters,
  of,
})

/** The formulas directly below one. */
const below = (formula: Formula): readonly Formula[] => {
  switch (formula.kind) {
    case "x":
      return []
    case "sum":
      return formula.terms.map(({ of }) => of)
    case "product":
      return [formula.left, formula.right]
    case "apply":
      return [formula.of]
  }
}

/** The formula with `inner` in place of the variable. */
export function substitute(formula: Formula, inner: Formula): Formula {
  switch (formula.kind) {
    case "x":
      return inner
    case "sum":
      return {
        ...formula,
        terms: formula.terms.map(({ factor, of }) => ({ factor, of: substitute(of, inner) })),
      }
    case "product":
      return { ...formula, left: substitute(formula.left, inner), right: substitute(formula.right, inner) }
    case "apply":
      return { ...formula, of: substitute(formula.of, inner) }
  }
}

/** What a formula written out consists of: nodes that are not the variable, variables, names of functions. */
export function partsOf(formula: Formula) {
  const found = { others: 0, variables: 0, names: new Set<FunctionName>() }
  const visit = (part: Formula): void => {
    if (part.kind === "x") found.variables++
    else found.others++
    if (part.kind === "apply") found.names.add(part.name)
    for (const inner of below(part)) visit(inner)
  }
  visit(formula)
  return found
}

/** The formula as a function of doubles. */
export function functionOf(formula: Formula): (x: number) => number {
  switch (formula.kind) {
    case "x":
      return (x) => x
    case "sum": {
      const terms = formula.terms.map(({ factor, of }) => ({ factor, f: functionOf(of) }))
      return (x) => terms.reduce((sum, { factor, f }) => sum + factor * f(x), formula.offset)
    }
    case "product": {
      const [left, right] = [functionOf(formula.left), functionOf(formula.right)]
      return (x) => left(x) * right(x)
    }
    case "apply": {
      const { parameters } = formula
      const f: (x: number, ...rest: number[]) => number = functions[formula.name]
      invariant(f && f.length === parameters.length + 1, `\`${formula.name}\` has other parameters`)
      const of = functionOf(formula.of)
      return (x) => f(of(x), ...parameters)
    }
  }
}

/** The formula as text, for messages. */
export function showFormula(formula: Formula): string {
  switch (formula.kind) {
    case "x":
      return "x"
    case "sum": {
      const terms = formula.terms.map(
        ({ factor, of }) => (factor === 1 ? "" : `${factor}·`) + showFormula(of),
      )
      return `(${[...terms, ...(formula.offset === 0 ? [] : [String(formula.offset)])].join(" + ")})`
    }
    case "product":
      return `${showFormula(formula.left)}·${showFormula(formula.right)}`
    case "apply":
      return `${formula.name}(${[showFormula(formula.of), ...formula.parameters].join(", ")})`
  }
}
