/**
 * Trees as sums of products. Every distinct comparison of an ensemble is one bit; a branch is reached where its parent is and the
 * bit says so, which is one product; and what leaves add is linear in who is reached: a leaf is, if its branch is and the
 * other child is not.
 */
import { sizeOf } from "../../program.js"
import type { Builder } from "../builder.js"
import type { Call } from "../call.js"
import { indexTable, numbers, unsupported } from "../shapes.js"
import { type Activation, isConstant, type Value } from "../values.js"
import { rowsOf } from "./classes.js"
import type { Branch, Ensemble, Weight } from "./ensemble.js"

/** A sum of bits: offset + Σ factor·bit; comparisons come first, and sums of several of them, that are bits, from the end. */
interface Sum {
  readonly offset: number
  readonly terms: readonly (readonly [bit: number, factor: number])[]
}

/** The distinct comparisons of an ensemble: [x > than], or [x < than]. */
class Comparisons {
  readonly #places = new Map<string, number>()
  readonly all: { readonly feature: number; readonly than: number; readonly below: boolean }[] = []
  readonly sums: Sum[] = []
  readonly #sumPlaces = new Map<string, number>()

  #bit(feature: number, than: number, below: boolean): number {
    const key = `${feature} ${than + 0} ${below}`
    const found = this.#places.get(key) ?? this.all.push({ feature, than, below }) - 1
    this.#places.set(key, found)
    return found
  }

  /** What a branch decides: a bit, or 1 − a bit. */
  decision(branch: Branch): Sum {
    const sum = this.#sum(branch)
    if (sum.terms.length < 2) return sum
    // where it is made of several it gets a bit of its own, so that its bounds are a bit's
    const key = JSON.stringify(sum)
    const found = this.#sumPlaces.get(key) ?? this.sums.push(sum) - 1
    this.#sumPlaces.set(key, found)
    return { offset: 0, terms: [[-1 - found, 1]] }
  }

  /** A branch's bit as a sum of comparisons, of NaN too, which is above every number here. */
  #sum({ feature, mode, values, missing }: Branch): Sum {
    const [value] = values
    const above = (than: number) => this.#bit(feature, than, false)
    const below = (than: number) => this.#bit(feature, than, true)
    // no number and NaN are above infinity
    const isMissing = (factor: number) => (factor ? [[above(Number.POSITIVE_INFINITY), factor] as const] : [])
    switch (mode) {
      case "LEQ":
        return { offset: 1, terms: [[above(value), -1], ...isMissing(missing ? 1 : 0)] }
      case "LT":
        return { offset: 0, terms: [[below(value), 1], ...isMissing(missing ? 1 : 0)] }
      case "GTE":
        return { offset: 1, terms: [[below(value), -1], ...isMissing(missing ? 0 : -1)] }
      case "GT":
        return { offset: 0, terms: [[above(value), 1], ...isMissing(missing ? 0 : -1)] }
      case "NEQ":
        return {
          offset: 0,
          terms: [
            [below(value), 1],
            [above(value), 1],
          ],
        }
      default: {
        // neither below nor above; of several numbers at most one is met
        const distinct = [...new Set(values.map((each) => each + 0))]
        const terms = distinct.flatMap((each) => [[below(each), -1] as const, [above(each), -1] as const])
        return { offset: distinct.length, terms: [...terms, ...isMissing(missing ? 1 : 0)] }
      }
    }
  }
}

/** A branch that is reached, and what is known of who reaches it: the place of its bit in its level, or always. */
interface Reached {
  readonly branch: Branch
  readonly place: number | undefined
}

/** An element of a level: its parent's place in the level before, and the sum that it is multiplied by. */
interface Element {
  readonly parent: number | undefined
  readonly sum: Sum
}

const opposite = ({ offset, terms }: Sum): Sum => ({
  offset: 1 - offset,
  terms: terms.map(([bit, factor]) => [bit, -factor]),
})

/** What each target gets where an element of a level is 1; level −1 is always. */
interface Gain {
  readonly level: number
  readonly place: number
  readonly weights: readonly Weight[]
  readonly sign: 1 | -1
}

/**
 * What the leaves add to each of `columns` of every row, as whole multiples of `unit`: [rows, columns]. `columnOf` says
 * which column a leaf of a tree adds to, undefined if none.
 */
export function treeSums(
  call: Call,
  x: Activation,
  { branches, roots }: Ensemble,
  columns: number,
  unit: number,
  gainOf: (weight: Weight, tree: number) => { readonly column: number; readonly value: number } | undefined,
): Activation {
  const { builder } = call
  const [rows, features] = rowsOf(x)
  const wrong = branches.find(({ feature }) => !(feature >= 0 && feature < features))
  if (wrong) unsupported(`a branch of feature ${wrong.feature} among ${features}`)
  const comparisons = new Comparisons()
  const levels: Element[][] = []
  const gains: { -readonly [K in keyof Gain]: Gain[K] }[] = []
  const trees: number[] = []
  const gain = (
    tree: number,
    level: number,
    place: number | undefined,
    weights: readonly Weight[],
    sign: 1 | -1,
  ) => {
    gains.push({ level: place === undefined ? -1 : level, place: place ?? 0, weights, sign })
    trees.push(tree)
  }
  roots.forEach((root, tree) => {
    if (typeof root !== "number") gain(tree, -1, undefined, root, 1)
    let reached: Reached[] = typeof root === "number" ? [{ branch: branches[root], place: undefined }] : []
    for (let level = 0; reached.length > 0; level++) {
      levels[level] ??= []
      const elements = levels[level]
      const next: Reached[] = []
      for (const { branch, place } of reached) {
        const { whenTrue, whenFalse } = branch
        const decision = comparisons.decision(branch)
        builder.work(8 + 4 * decision.terms.length)
        const add = (sum: Sum) => elements.push({ parent: place, sum }) - 1
        /** A leaf is reached where its branch is and the element of the other child is not. */
        const leaf = (weights: readonly Weight[], sibling: number) => {
          gain(tree, level - 1, place, weights, 1)
          gain(tree, level, sibling, weights, -1)
        }
        const [onTrue, onFalse] = [typeof whenTrue === "number", typeof whenFalse === "number"]
        if (onTrue || !onFalse) {
          const at = add(decision)
          if (typeof whenTrue === "number") next.push({ branch: branches[whenTrue], place: at })
          else gain(tree, level, at, whenTrue, 1)
          if (typeof whenFalse !== "number") leaf(whenFalse, at)
        }
        if (typeof whenFalse === "number") {
          const at = add(opposite(decision))
          next.push({ branch: branches[whenFalse], place: at })
          if (typeof whenTrue !== "number") leaf(whenTrue, at)
        }
      }
      reached = next
    }
  })
  const bits = bitsOfComparisons(builder, x, rows, features, comparisons)
  const reached: Value[] = []
  for (const elements of levels) {
    const given = elements.map(({ sum }) => sum)
    const sums = sumsOf(builder, bits, rows, comparisons, given)
    const before = reached.at(-1)
    if (!before) {
      reached.push(sums)
      continue
    }
    const width = sizeOf(before.shape) / rows
    const map = indexTable(builder, rows * elements.length, (i) => {
      const [row, at] = [Math.floor(i / elements.length), i % elements.length]
      return row * width + (elements[at].parent ?? 0)
    })
    reached.push(builder.product(builder.move([before], map, [rows, elements.length]), sums))
  }
  return gained(builder, reached, rows, columns, unit, gains, (weight, i) => gainOf(weight, trees[i]))
}

/** A bit for each comparison of each row. */
function bitsOfComparisons(
  builder: Builder,
  x: Activation,
  rows: number,
  features: number,
  { all, sums }: Comparisons,
): Value {
  const count = all.length
  if (count === 0) return x
  const halves = [false, true].map((below) => all.flatMap((each, i) => (each.below === below ? [i] : [])))
  // onnxruntime compares integers as the floats that they become
  const type = x.dtype === "float64" ? "float64" : "float32"
  const parts = halves.map((chosen, half) => {
    if (chosen.length === 0) return undefined
    const width = chosen.length
    const map = indexTable(
      builder,
      rows * width,
      (i) => Math.floor(i / width) * features + all[chosen[i % width]].feature,
    )
    const moved = builder.move([x], map, [rows, width])
    const than = numbers(builder, rows * width).map((_, i) => all[chosen[i % width]].than)
    return builder.compare(moved, than, half === 1, true, type)
  })
  const given = parts.filter((part) => part !== undefined)
  const widths = halves.map(({ length }) => length)
  const starts = [0, rows * widths[0]]
  const places = new Int32Array(count)
  for (const chosen of halves) for (const [at, i] of chosen.entries()) places[i] = at
  const map = indexTable(builder, rows * count, (i) => {
    const [row, at] = [Math.floor(i / count), i % count]
    const half = all[at].below ? 1 : 0
    return (given.length > 1 ? starts[half] : 0) + row * widths[half] + places[at]
  })
  const bits = builder.move(given, map, [rows, count])
  if (sums.length === 0) return bits
  const more = builder.step(sumsOf(builder, bits, rows, { all, sums: [] }, sums))
  const width = count + sums.length
  const both = indexTable(builder, rows * width, (i) => {
    const [row, at] = [Math.floor(i / width), i % width]
    return at < count ? row * count + at : rows * count + row * sums.length + at - count
  })
  return builder.move([bits, more], both, [rows, width])
}

/** Sums of bits for every row: each is 0 or 1. */
function sumsOf(
  builder: Builder,
  bits: Value,
  rows: number,
  { all, sums }: Pick<Comparisons, "all" | "sums">,
  elements: readonly Sum[],
): Value {
  if (isConstant(bits)) return unsupported("comparisons of constants")
  const width = elements.length
  const count = all.length + sums.length
  const perRow = elements.reduce((total, { terms }) => total + terms.length, 0)
  builder.hold(2 * rows * (perRow + width))
  const rowPtr = new Uint32Array(rows * width + 1)
  const columns = new Uint32Array(rows * perRow)
  const values = new Float64Array(rows * perRow)
  const bias = new Float64Array(rows * width)
  let at = 0
  for (let row = 0; row < rows; row++)
    elements.forEach((sum, i) => {
      for (const [bit, factor] of sum.terms) {
        columns[at] = row * count + (bit < 0 ? all.length - 1 - bit : bit)
        values[at++] = factor
      }
      rowPtr[row * width + i + 1] = at
      bias[row * width + i] = sum.offset
    })
  const map = { kind: "sparse", rowPtr, columns, values } as const
  return builder.linear([{ source: bits.tensor, map }], [rows, width], "float32", bias, true)
}

/** Σ gains, in multiples of `unit`. */
function gained(
  builder: Builder,
  reached: readonly Value[],
  rows: number,
  columns: number,
  unit: number,
  gains: readonly Gain[],
  gainOf: (weight: Weight, i: number) => { readonly column: number; readonly value: number } | undefined,
): Activation {
  const bias = numbers(builder, rows * columns)
  // per level and column: what each element adds
  const sums = reached.map(() => Array.from({ length: columns }, () => new Map<number, number>()))
  gains.forEach(({ level, place, weights, sign }, i) => {
    for (const weight of weights) {
      builder.work(4)
      const gain = gainOf(weight, i)
      if (!gain) continue
      const value = sign * Math.round(gain.value / unit)
      if (level < 0) bias[gain.column] += value
      else sums[level][gain.column].set(place, (sums[level][gain.column].get(place) ?? 0) + value)
    }
  })
  for (let i = columns; i < bias.length; i++) bias[i] = bias[i % columns]
  const terms = reached.flatMap((level, l) => {
    if (isConstant(level)) return unsupported("comparisons of constants")
    const width = sizeOf(level.shape) / rows
    const listed = sums[l].map((column) => [...column].filter(([, value]) => value !== 0))
    const perRow = listed.reduce((total, { length }) => total + length, 0)
    if (perRow === 0) return []
    builder.hold(2 * rows * (perRow + columns))
    const rowPtr = new Uint32Array(rows * columns + 1)
    const places = new Uint32Array(rows * perRow)
    const values = new Float64Array(rows * perRow)
    let at = 0
    for (let i = 0; i < rows * columns; i++) {
      for (const [place, value] of listed[i % columns]) {
        places[at] = Math.floor(i / columns) * width + place
        values[at++] = value * unit
      }
      rowPtr[i + 1] = at
    }
    return [{ source: level.tensor, map: { kind: "sparse", rowPtr, columns: places, values } as const }]
  })
  const scaled = bias.map((value) => value * unit)
  const linear = { kind: "linear", terms, bias: scaled, unit } as const
  return builder.emit(linear, [rows, columns], "float32")
}

/** Steps that fractions with small denominators are whole multiples of, so that what is equal before rounding stays so. */
const finest = 1 / 14_414_400

/** What one step of scores is worth to which each of `count` roundings adds half of one: less than what float32 loses. */
export function unitFor(count: number, reach: number): number {
  let unit = finest
  while ((count * unit) / 2 > tolerance) unit /= 2
  while (reach / unit > 2 ** 38) unit *= 2
  return unit
}

/** What all roundings may come to, if scores are not too large for that. */
const tolerance = 2e-6
