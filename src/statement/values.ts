/** The numbers behind the integers of a statement: real value ≈ scale · integer, by the key's layout alone. */
import { checkArgument, checkThing, kindOf } from "../arguments.js"
import { InputError, UsageError } from "../errors.js"
import type { Labels } from "./labels.js"
import {
  type InputLayout,
  type Layout,
  type OutputLayout,
  publicInputs,
  publicOutputs,
  type TensorLayout,
} from "./layout.js"
import { edgeNumber, type RanksLayout } from "./ranks.js"
import { type Statement, shapeProblem, shownValues } from "./statement.js"

/** A tensor that a statement shows. */
export interface RealTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** What an integer step is worth. */
  readonly scale: number
  /** Row-major, as in the statement. */
  readonly integers: readonly string[]
  /** scale · integer, row-major; of ranks the least number of each, which stands for all up to the next edge. */
  readonly values: Float64Array
  /** What its integers or its columns are called, of an output that has names. */
  readonly labels?: Labels
  /** The least number of the next rank, for each element of an input whose integers are ranks; +∞ behind the last. */
  readonly below?: Float64Array
}

/** The fraction that a finite double is exactly; the denominator is a power of two. */
export function exactFraction(x: number): { readonly numerator: bigint; readonly denominator: bigint } {
  let [whole, doublings] = [x, 0]
  for (; !Number.isInteger(whole); doublings++) whole *= 2 // exact
  return { numerator: BigInt(whole), denominator: 2n ** BigInt(doublings) }
}

/**
 * Real values scale · q of one tensor, of a layout or of an integer model; the integers may be a statement's.
 * @throws UsageError for arguments of another kind; InputError for what is no integer
 */
export function dequantize(
  tensor: Pick<TensorLayout, "scale">,
  integers: ArrayLike<number | string | bigint>,
): Float64Array {
  checkArgument(tensor?.scale > 0, "tensor", "a tensor of a layout, with its scale", tensor)
  const isList = typeof integers === "object" && typeof integers?.length === "number"
  checkArgument(isList, "integers", "a list of integers", integers)
  return Float64Array.from(integers, (given: unknown, i) => {
    const isNumber = typeof given === "number" || typeof given === "bigint"
    const integer = isNumber || /^-?[0-9]+$/.test(`${given}`) ? Number(given) : Number.NaN
    if (!Number.isSafeInteger(integer))
      throw new InputError({
        what: "no integer that a double holds exactly",
        where: `integers[${i}]`,
        given: kindOf(given),
      })
    return integer * tensor.scale
  })
}

/** Between which numbers each of some ranks lies: from the edge that it begins with up to the next. */
function rankedValues({ edges }: RanksLayout, integers: readonly string[]) {
  const edgeAt = (i: number, at: number): number | undefined => {
    const edge = edges[i][at]
    return edge === undefined ? undefined : edgeNumber(edge)
  }
  return {
    values: Float64Array.from(integers, (rank, i) => edgeAt(i, Number(rank) - 1) ?? Number.NEGATIVE_INFINITY),
    below: Float64Array.from(integers, (rank, i) => edgeAt(i, Number(rank)) ?? Number.POSITIVE_INFINITY),
  }
}

/**
 * What a statement shows, in real numbers and in the layout's order; what is hidden or committed to is not among
 * it. It says nothing about whether the statement is true: verify the receipt first.
 * @throws UsageError when the statement does not fit the layout
 */
export function realValues(
  statement: Statement,
  layout: Layout,
): { readonly inputs: readonly RealTensor[]; readonly outputs: readonly RealTensor[] } {
  checkThing("statement", statement, "statement")
  checkThing("layout", layout, "layout")
  const problem = shapeProblem(statement, layout)
  if (problem !== null) throw new UsageError({ what: problem })
  const read = (claim: Statement["input"], tensors: readonly TensorLayout[]): RealTensor[] =>
    tensors.map((tensor) => {
      const { name, shape, scale } = tensor
      const integers = shownValues(claim)[name]
      const { ranks } = tensor as InputLayout
      if (ranks) return { name, shape, scale, integers, ...rankedValues(ranks, integers) }
      const { labels } = tensor as OutputLayout
      const values = dequantize(tensor, integers)
      return { name, shape, scale, integers, values, ...(labels && { labels }) }
    })
  return {
    inputs: read(statement.input, publicInputs(layout)),
    outputs: read(statement.output, publicOutputs(layout)),
  }
}
