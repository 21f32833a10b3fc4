/**
 * What an operator's lowering takes less than ONNX says: data beside the lowering, from which
 * docs/OPERATORS.md is made (bench/operators.mjs) and every line of which a test has refused.
 */
import type { Lowering } from "./call.js"

export type Limit =
  /** An input that must be known while compiling. */
  | { readonly kind: "constant"; readonly input: number; readonly name: string }
  /** An input that must depend on the model's input. */
  | { readonly kind: "activation"; readonly input: number; readonly name: string }
  /** All inputs must be known while compiling. */
  | { readonly kind: "constants" }
  /** Integer activations are refused, because the result would be rounded. */
  | { readonly kind: "real" }
  /** Activations of 8 and 16 bits are refused where the result could wrap around. */
  | { readonly kind: "wide" }
  /** Anything else, in words. */
  | { readonly kind: "other"; readonly text: string }

export interface Operator {
  readonly lower: Lowering
  readonly limits: readonly Limit[]
}

export type Operators = Readonly<Record<string, Operator>>

export const operator = (lower: Lowering, ...limits: Limit[]): Operator => ({ lower, limits })

/** The named input must be a constant. */
export const constantInput = (input: number, name: string): Limit => ({ kind: "constant", input, name })
export const activationInput = (input: number, name: string): Limit => ({ kind: "activation", input, name })
export const constantsOnly: Limit = { kind: "constants" }
export const realOnly: Limit = { kind: "real" }
export const wideOnly: Limit = { kind: "wide" }
export const other = (text: string): Limit => ({ kind: "other", text })

/** A limit in words. */
export function describeLimit(limit: Limit): string {
  switch (limit.kind) {
    case "constant":
      return `\`${limit.name}\` (input ${limit.input}) is a constant`
    case "activation":
      return `\`${limit.name}\` (input ${limit.input}) is no constant`
    case "constants":
      return "of constants alone"
    case "real":
      return "no integer activations"
    case "wide":
      return "activations of 8 or 16 bits where no result can wrap around"
    case "other":
      return limit.text
  }
}
