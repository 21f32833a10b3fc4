/**
 * The narrow waist: every supported operator lowers to these primitives, first over the reals (Program),
 * then, after quantization, over the integers (IntGraph in ../quantize/integers/intgraph.ts). Tensors are flat,
 * row-major. All index maps and linear maps are explicit, so nothing behind this file knows about layouts.
 *
 * Letters: N rows (batch), K inner, M columns (outputs), C channels, G groups.
 */
import { invariant } from "../errors.js"
import type { Labels } from "../statement/labels.js"
import { type Ranks, rounded } from "../statement/ranks.js"
import type { Formula } from "./formula.js"

export type TensorId = number

/** Which node of the model a primitive came from; for reports and error messages only. */
export interface Origin {
  readonly name: string
  readonly operator: string
}

/** A linear map with constant weights. Integer programs use the same shapes with integer-valued doubles. */
export type LinearMap =
  /** y[n,m] = Σ_k x[n,k]·weight[m,k]; x [N,K], weight [M,K], y [N,M]. */
  | {
      readonly kind: "dense"
      readonly weight: Float64Array
      readonly n: number
      readonly k: number
      readonly m: number
    }
  /**
   * Convolution over any number of spatial axes; x [N,Cin,...inSize], weight [Cout,Cin/G,...kernel],
   * y [N,Cout,...outSize]; positions outside the input contribute nothing.
   */
  | {
      readonly kind: "conv"
      readonly weight: Float64Array
      readonly n: number
      readonly groups: number
      readonly inChannels: number
      readonly outChannels: number
      readonly inSize: readonly number[]
      readonly kernel: readonly number[]
      readonly outSize: readonly number[]
      readonly strides: readonly number[]
      readonly padsBegin: readonly number[]
      readonly dilations: readonly number[]
    }
  /** Any other map in compressed sparse rows: y[i] = Σ_{rowPtr[i] ≤ j < rowPtr[i+1]} values[j]·x[columns[j]]. */
  | {
      readonly kind: "sparse"
      readonly rowPtr: Uint32Array
      readonly columns: Uint32Array
      readonly values: Float64Array
    }

export interface InputNode {
  readonly kind: "input"
  readonly out: TensorId
  readonly name: string
  readonly origin: Origin
}

/** Data movement: out[i] = concat(sources)[map[i]], or `fill` where map[i] is −1. */
export interface IndexNode {
  readonly kind: "index"
  readonly out: TensorId
  readonly sources: readonly TensorId[]
  readonly map: Int32Array
  readonly fill: number
  readonly origin: Origin
}

/** Integers in [lo, lo + 2^bits). */
export interface Window {
  readonly lo: number
  readonly bits: number
}

/**
 * What a linear node keeps to itself: its integers are known to their owner alone, and everybody knows the ranges that a
 * proof shows them to be in. In a graph without its secrets the arrays of weights are empty, and a secret bias is absent.
 */
export interface Secret {
  /** For each term the range of its weights; undefined where they are public. */
  readonly weights: readonly (Window | undefined)[]
  /** The range of biases, of which there are `count`: element i has the one at floor(i / inner) mod count. Absent: public. */
  readonly bias?: Window & { readonly count: number; readonly inner: number }
  /** The tensor of the program that was quantized, of whose map these are the integers. */
  readonly of: TensorId
}

/** out = Σ_t map_t(source_t) + bias; bias has one value per output element, or is absent. */
export interface LinearNode {
  readonly kind: "linear"
  readonly out: TensorId
  readonly terms: readonly { readonly source: TensorId; readonly map: LinearMap }[]
  readonly bias?: Float64Array
  /**
   * What one of its integers is worth, where the lowering knows: the bias is a multiple of it, and so is each weight times what
   * an integer of its source is worth.
   */
  readonly unit?: number
  /** Integer programs only. */
  readonly secret?: Secret
  /** The same elementwise as floats compute it, if comparisons may look through it; the map is diagonal then. */
  readonly floats?: FloatSteps
  readonly origin: Origin
}

/**
 * What a program of floats makes of each element: round((round(x) − offset)·factor), where factors are positive and every step is
 * rounded to `type`, the result to float32. `imputes` if it makes a number of a missing value.
 */
export interface FloatSteps {
  readonly type: Ranks["type"]
  readonly offset: Float64Array
  readonly factor: Float64Array
  readonly imputes: boolean
}

/** out[i] = max over j < window of source[map[i·window + j]]; −1 entries are padding; at least one is not. */
export interface MaxNode {
  readonly kind: "max"
  readonly out: TensorId
  readonly source: TensorId
  readonly window: number
  readonly map: Int32Array
  readonly origin: Origin
}

/** out[i] = the position j in its window of the largest source[map[i·window + j]]; ties: lowest j, or highest with `last`. */
export interface ArgmaxNode {
  readonly kind: "argmax"
  readonly out: TensorId
  readonly source: TensorId
  readonly window: number
  readonly map: Int32Array
  readonly last: boolean
  readonly origin: Origin
}

/**
 * Rows of a constant table: out[i, j] = values[(source[i] − lo)·width + j]. In real programs lo is 0, an index below counts
 * from the end, and one that is out of range picks zeros; in integer programs the table has one row for every integer from
 * the least to the largest that any element of its source can be, neither more nor fewer.
 */
export interface RowsNode {
  readonly kind: "rows"
  readonly out: TensorId
  readonly source: TensorId
  readonly lo: number
  readonly width: number
  readonly values: Float64Array
  readonly origin: Origin
}

/** Rows of its table. */
export const depthOf = ({ values, width }: Pick<RowsNode, "values" | "width">): number =>
  values.length / width

/**
 * The `count` largest elements of each window, largest first, or where in the window they stand, [windows, count]; of
 * equal elements the one at the lower position comes first. Windows have no padding. Real programs only.
 */
export interface TopNode {
  readonly kind: "top"
  readonly out: TensorId
  readonly source: TensorId
  readonly window: number
  readonly map: Int32Array
  readonly count: number
  readonly gives: "values" | "positions"
  readonly origin: Origin
}

/** What stands for minus infinity in a program: constants as far from zero are masks of a softmax, and nothing else. */
export const minusInfinity = -(2 ** 100)

/** out[i] = left[i]·right[i]; same element count (broadcasts are index nodes before it). */
export interface ProductNode {
  readonly kind: "product"
  readonly out: TensorId
  readonly left: TensorId
  readonly right: TensorId
  readonly origin: Origin
}

/**
 * Products of matrices: out[b,i,j] = Σ_{l < k} left[b,i,l]·right[b,l,j]; left [batch, m, k], right [batch, k, n], both
 * dense (transposes, broadcasts and diagonals are index nodes before it).
 */
export interface ContractionNode {
  readonly kind: "contraction"
  readonly out: TensorId
  readonly left: TensorId
  readonly right: TensorId
  readonly batch: number
  readonly m: number
  readonly k: number
  readonly n: number
  readonly origin: Origin
}

/** Products that a contraction adds up. */
export const productsIn = ({ batch, m, k, n }: Pick<ContractionNode, "batch" | "m" | "k" | "n">): number =>
  batch * m * k * n

/** out = min(max(source, lo), hi); either bound may be infinite. ReLU is [0, ∞). Real programs only. */
export interface ClampNode {
  readonly kind: "clamp"
  readonly out: TensorId
  readonly source: TensorId
  readonly lo: number
  readonly hi: number
  readonly origin: Origin
}

/** out = min(max(source rounded to the nearest integer, lo), hi), halves to the even one; lo and hi are integers. Real programs only. */
export interface RoundNode {
  readonly kind: "round"
  readonly out: TensorId
  readonly source: TensorId
  readonly lo: number
  readonly hi: number
  readonly origin: Origin
}

/** out[i] = 1 if source[i] > 0, else 0. Real programs only. */
export interface StepNode {
  readonly kind: "step"
  readonly out: TensorId
  readonly source: TensorId
  readonly origin: Origin
}

/**
 * out[i] = 1 if source[i] > than[i], or, `below`, if source[i] < than[i]; else 0. Numbers are compared in the float type,
 * and NaN, a missing value, is above all others. Real programs only.
 */
export interface CompareNode {
  readonly kind: "compare"
  readonly out: TensorId
  readonly source: TensorId
  readonly than: Float64Array
  readonly below: boolean
  readonly type: Ranks["type"]
  /** Whether the model means what this does of a missing value. */
  readonly missing: boolean
  /** Where the source holds ranks: the least of which each number is at least what it is compared with, or above it. */
  readonly ranks?: Float64Array
  readonly origin: Origin
}

/** What a comparison makes of a number that element i of its source is. */
export function compared(
  { than, below, type }: Pick<CompareNode, "than" | "below" | "type">,
  x: number,
  i: number,
): number {
  const given = rounded(x, type)
  return (below ? given < than[i] : Number.isNaN(given) || given > than[i]) ? 1 : 0
}

/** out[i] = formula(source[i]). Real programs only. */
export interface FunctionNode {
  readonly kind: "function"
  readonly out: TensorId
  readonly source: TensorId
  readonly formula: Formula
  readonly origin: Origin
}

/** out[i] = numerator[i] / denominator[i], both of the same element count. Real programs only. */
export interface DivideNode {
  readonly kind: "divide"
  readonly out: TensorId
  readonly numerator: TensorId
  readonly denominator: TensorId
  readonly origin: Origin
}

/** out[i] = √source[i]. Real programs only. */
export interface RootNode {
  readonly kind: "root"
  readonly out: TensorId
  readonly source: TensorId
  readonly origin: Origin
}

/**
 * out = exp(source) / Σ exp(source) over each `window` elements in a row: what becomes of scores that are known exactly, to
 * some millionths (../quantize/probabilities.ts). Real programs only.
 */
export interface SoftmaxNode {
  readonly kind: "softmax"
  readonly out: TensorId
  readonly source: TensorId
  readonly window: number
  readonly origin: Origin
}

/** out = clamp(floor(source / 2^shift), lo, lo + 2^bits − 1). Integer programs only. */
export interface RescaleNode {
  readonly kind: "rescale"
  readonly out: TensorId
  readonly source: TensorId
  readonly shift: number
  readonly lo: number
  readonly bits: number
  readonly origin: Origin
}

/**
 * out[i] = values[source[i] − lo]. The table has one entry for every integer from the least to the largest
 * that any element of its source can be, neither more nor fewer. Integer programs only.
 */
export interface TableNode {
  readonly kind: "table"
  readonly out: TensorId
  readonly source: TensorId
  readonly lo: number
  readonly values: Float64Array
  readonly origin: Origin
}

/**
 * Of each window of keys the `count` largest, largest first, and then for each of its positions 1 if its key is one of them,
 * else 0: [windows, count + window]. No two keys of a window can be equal (`keysDiffer`). Integer programs only.
 */
export interface SortNode {
  readonly kind: "sort"
  readonly out: TensorId
  readonly source: TensorId
  readonly window: number
  readonly map: Int32Array
  readonly count: number
  readonly origin: Origin
}

/** Low bits of a key that say which position of a window it is of: the least s with 2^s ≥ window. */
export function tieBits(window: number): number {
  let s = 0
  while (2 ** s < window) s++
  return s
}

/**
 * Whether it can be seen that no two keys of a window are ever equal: a linear node makes them, whose weights are multiples
 * of 2^s and whose biases differ in their last s bits.
 */
export function keysDiffer({ source, window, map }: SortNode, made: IntNode | undefined): boolean {
  const unit = 2 ** tieBits(window)
  if (made?.kind !== "linear" || made.out !== source || !made.bias || made.secret) return false
  for (const { map: of } of made.terms)
    if (!(of.kind === "sparse" ? of.values : of.weight).every((weight) => weight % unit === 0)) return false
  for (let first = 0; first < map.length; first += window) {
    const found = new Set<number>()
    for (let j = first; j < first + window; j++) found.add((((made.bias[map[j]] % unit) + unit) % unit) + 0)
    if (found.size !== window) return false
  }
  return true
}

/**
 * out[i] = numerator[i] / denominator[i], rounded to the nearest integer, ties towards +∞; no denominator can be less
 * than 1. Integer programs only.
 */
export interface QuotientNode {
  readonly kind: "quotient"
  readonly out: TensorId
  readonly numerator: TensorId
  readonly denominator: TensorId
  readonly origin: Origin
}

/** out[i] = floor(√source[i]); no element of the source can be negative. Integer programs only. */
export interface IsqrtNode {
  readonly kind: "isqrt"
  readonly out: TensorId
  readonly source: TensorId
  readonly origin: Origin
}

/**
 * out[i] = values[floor((maximum[owner[i]] − source[i]) / 2^shift)], where a max node makes `maximum` of windows of the
 * same source, and owner[i] is one with element i: what a function of the distance from a maximum gives. There is exactly
 * one value for every number that the quotient can be, from 0 on. Integer programs only.
 */
export interface BelowNode {
  readonly kind: "below"
  readonly out: TensorId
  readonly source: TensorId
  readonly maximum: TensorId
  readonly owner: Int32Array
  readonly shift: number
  readonly values: Float64Array
  readonly origin: Origin
}

export type CommonNode =
  | InputNode
  | IndexNode
  | LinearNode
  | MaxNode
  | ArgmaxNode
  | ProductNode
  | ContractionNode
  | RowsNode
export type RealNode =
  | CommonNode
  | TopNode
  | ClampNode
  | RoundNode
  | StepNode
  | CompareNode
  | FunctionNode
  | DivideNode
  | RootNode
  | SoftmaxNode
export type IntNode = CommonNode | RescaleNode | TableNode | QuotientNode | IsqrtNode | BelowNode | SortNode

export interface TensorInfo {
  /** The model's name of the tensor, or one derived from its node. */
  readonly name: string
  readonly shape: readonly number[]
  /** A number that tensors have in common which the same node makes in each step of something unrolled. */
  readonly family?: number
}

export interface InputGrid {
  readonly scale: number
  readonly lo: number
  readonly bits: number
}

export interface ProgramInput {
  readonly name: string
  readonly tensor: TensorId
  /** What its element type admits, if that is less than real numbers. */
  readonly whole?: "bits" | "integers"
  /** The integers that the model itself makes of it: value = scale·q, q in [lo, lo + 2^bits). */
  readonly grid?: InputGrid
  /** Whether it is a table of features, whose columns have ranges of their own. */
  readonly columns?: boolean
  /** How its numbers become integers, if the program does no more than compare them with constants. */
  readonly ranks?: Ranks
}

export interface ProgramOutput {
  readonly name: string
  readonly tensor: TensorId
  readonly labels?: Labels
}

/** A lowered model over the reals. Nodes are in topological order; tensors[id] describes tensor `id`. */
export interface Program {
  readonly name: string
  /** Numbers that the model's file holds: what may be made of it is measured by that (../budget.ts). */
  readonly held?: number
  /** What becomes of the same model with other weights, if these are to be private (twins.ts). */
  readonly twins?: readonly Program[]
  readonly tensors: readonly TensorInfo[]
  readonly nodes: readonly RealNode[]
  readonly inputs: readonly ProgramInput[]
  readonly outputs: readonly ProgramOutput[]
}

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/**
 * What a stage does with a node: a row for every kind. A kind that joins a union does not compile before each table
 * over that union has its row.
 */
export type PerKind<Node extends { readonly kind: string }, Rest extends readonly unknown[], Result> = {
  readonly [K in Node["kind"]]: (node: Extract<Node, { readonly kind: K }>, ...rest: Rest) => Result
}

/** The row of a node's kind, applied to the node. */
export function perKind<Node extends { readonly kind: string }, Rest extends readonly unknown[], Result>(
  table: PerKind<Node, Rest, Result>,
  node: Node,
  ...rest: Rest
): Result {
  // a row takes the nodes of its own kind alone, which no type says of a row that is looked up
  const row = table[node.kind as Node["kind"]] as ((node: Node, ...rest: Rest) => Result) | undefined
  invariant(row, `no row for nodes of kind ${node.kind}`)
  return row(node, ...rest)
}
