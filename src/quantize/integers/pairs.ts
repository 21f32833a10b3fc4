/**
 * Dense maps with secret weights are proven two products a row, w_1·x_1 + w_2·x_2 = (w_1 + x_2)·(w_2 + x_1) − x_1·x_2 − w_1·w_2
 * (../../circuit/plan/secret.ts). Nothing is proven of Σ w_1·w_2: it is taken from the bias, which nobody knows either, and a
 * private constant β = bias − Σ w_1·w_2 is range-checked instead. So the range of biases has to have room for whatever the
 * products of weights in their ranges come to, on either side of β.
 */
import type { LinearNode, Window } from "../../ops/program.js"

/** A node's terms as one dense map: rows, outputs, and its columns, term by term. */
export interface DenseTerms {
  readonly n: number
  readonly m: number
  readonly columns: readonly { readonly term: number; readonly column: number }[]
}

/** Undefined for a node that is anything else, or has a term that is public. */
export function denseTerms(
  { terms }: Pick<LinearNode, "terms">,
  weights: readonly (Window | undefined)[],
): DenseTerms | undefined {
  const [first] = terms
  if (first?.map.kind !== "dense" || !weights.every((window) => window !== undefined)) return undefined
  const { n, m } = first.map
  const columns: { term: number; column: number }[] = []
  for (const [term, { map }] of terms.entries()) {
    if (map.kind !== "dense" || map.n !== n || map.m !== m) return undefined
    for (let column = 0; column < map.k; column++) columns.push({ term, column })
  }
  return { n, m, columns }
}

/** The largest integer of a window. */
export const topOf = ({ lo, bits }: Window): number => lo + 2 ** bits - 1

/** What the products of weights of all pairs of columns come to, for one output: least and most. */
export function productsOfPairs(
  { columns }: DenseTerms,
  weights: readonly (Window | undefined)[],
): [least: number, most: number] {
  const range = ({ term }: DenseTerms["columns"][number]) => {
    const window = weights[term] ?? { lo: 0, bits: 0 }
    return [window.lo, topOf(window)]
  }
  let [least, most] = [0, 0]
  for (let j = 0; j + 1 < columns.length; j += 2) {
    const corners = range(columns[j]).flatMap((x) => range(columns[j + 1]).map((y) => x * y))
    least += Math.min(...corners)
    most += Math.max(...corners)
  }
  return [least, most]
}

/**
 * The window of β that leaves every bias in its own, whatever the weights are; undefined if that is less than half as wide.
 */
export function constantsBeside(bias: Window, [least, most]: readonly [number, number]): Window | undefined {
  const bits = bias.bits - 1
  const room = 2 ** bias.bits - (most - least)
  if (bits < 1 || room < 2 ** bits) return undefined
  // in the middle of what is left
  return { lo: bias.lo - least + Math.floor((room - 2 ** bits) / 2), bits }
}

/**
 * The least range of biases around a centre that leaves room for pairs, if none is further than `distance` from it; whatever
 * weights such biases belong to, their β are in its window.
 */
export function roomForPairs(
  [least, most]: readonly [number, number],
  distance: number,
  centre: number,
): Window {
  let bits = 2
  const holds = () => {
    const lo = centre - 2 ** (bits - 1)
    const constants = constantsBeside({ lo, bits }, [least, most])
    return (
      constants && constants.lo <= centre - distance - most && topOf(constants) >= centre + distance - least
    )
  }
  while (!holds()) bits++
  return { lo: centre - 2 ** (bits - 1), bits }
}
