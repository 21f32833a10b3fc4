/**
 * Tables of features. Every integer of an input has one scale, but the columns of a table have ranges of their own: a scale for
 * sums of hundreds leaves nothing of a density between 0.99 and 1.01. So the input of such a model has as many bits as its
 * narrowest column asks for, and each column is brought to the same window first,
 *
 *     n_i = M_i·(x_i − C_i)        out_i = clamp(n_i / 2^shift)        x_i ≈ out_i·step_i + centre_i
 *
 * in integers, with whole M_i and C_i, so that nothing but the w bits of the window is lost. What undoes it is linear, and goes
 * into the weights that read it. Beyond the window, which is twice as wide as what the samples showed, columns saturate.
 */
import type { Budget } from "../budget.js"
import { fuse } from "../ops/fuse.js"
import {
  type ClampNode,
  type InputGrid,
  type InputNode,
  type LinearNode,
  type Program,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import { withSources } from "../ops/traversal.js"
import type { Range, Sample } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import type { ScaledTerm } from "./scales.js"

/** Widest input, and widest product with a multiplier. */
const most = { bits: 32, product: 46 } as const

/** Bits of the narrowest column's window in the integers of the input. */
const finest = 13

/** Share of the window that the samples fill, and by how much the whole input may exceed them. */
const filled = 0.5
const headroom = 1.5

/** How far the ranges of columns must be apart for windows of their own to pay. */
const leastRatio = 8

/** What is known of one column. */
interface Column {
  readonly least: number
  readonly most: number
}

/** The program with windows for the columns of its tables, and grids of their inputs that are fine enough. */
export function withColumns(program: Program, samples: readonly Sample[], budget: Budget): Program {
  const grids = new Map<TensorId, InputGrid>()
  const tensors: TensorInfo[] = [...program.tensors]
  const replaced = new Map<TensorId, TensorId>()
  const nodes = program.nodes.flatMap((given): RealNode[] => {
    const node = withSources(given, (id) => replaced.get(id) ?? id)
    const input = program.inputs.find(({ tensor }) => tensor === given.out)
    const isTable = input?.columns && !input.ranks && !input.grid && samples.length > 1
    if (given.kind !== "input" || !input || !isTable) return [node]
    const columns = columnsOf(samples, input.name)
    budget.elements(12 * columns.length, input.name)
    const spans = columns.map(({ least, most }) => most - least).filter((span) => span > 0)
    const reach = columns.reduce((far, { least, most }) => Math.max(far, -least, most), 0)
    const narrowest = spans.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    if (spans.length === 0 || reach < leastRatio * narrowest) return [node]
    const isWhole = samples.every((sample) =>
      Array.prototype.every.call(sample[input.name], Number.isInteger),
    )
    const grid = gridFor(columns, reach, isWhole ? 1 : narrowest / 2 ** finest)
    grids.set(given.out, grid)
    const made = windows(given, columns, grid, tensors)
    replaced.set(given.out, made[made.length - 1].out)
    return [node, ...made]
  })
  if (grids.size === 0) return program
  const inputs = program.inputs.map((input) => {
    const grid = grids.get(input.tensor)
    return grid ? { ...input, grid } : input
  })
  return fuse({ ...program, tensors, nodes, inputs }, budget)
}

/** What the samples showed of each element of an input. */
function columnsOf(samples: readonly Sample[], name: string): Column[] {
  return Array.from(samples[0][name], (_, i) => ({
    least: samples.reduce((a, sample) => Math.min(a, sample[name][i]), Number.POSITIVE_INFINITY),
    most: samples.reduce((a, sample) => Math.max(a, sample[name][i]), Number.NEGATIVE_INFINITY),
  }))
}

function gridFor(columns: readonly Column[], reach: number, wanted: number): InputGrid {
  const isSigned = columns.some(({ least }) => least < 0)
  const bitsAt = (scale: number) =>
    Math.max(1, Math.ceil(Math.log2((headroom * reach) / scale + 1)) + (isSigned ? 1 : 0))
  const scale = bitsAt(wanted) <= most.bits ? wanted : (headroom * reach) / 2 ** (most.bits - 2)
  const bits = bitsAt(scale)
  return { scale, lo: isSigned ? -(2 ** (bits - 1)) : 0, bits }
}

/** The columns in windows of one size, and back: a linear node, a clamp, and a linear node that readers take in. */
function windows(
  { out, origin }: InputNode,
  columns: readonly Column[],
  { scale, bits }: InputGrid,
  tensors: TensorInfo[],
): [LinearNode, ClampNode, LinearNode] {
  const { name, shape } = tensors[out]
  const add = (suffix: string) => tensors.push({ name: `${name}:${suffix}`, shape }) - 1
  const centres = columns.map(({ least, most }) => Math.round((least + most) / 2 / scale))
  // a column that showed one number alone is taken to be as wide as that is far from zero
  const halves = columns.map(({ least, most }) =>
    Math.max(1, (most > least ? most - least : Math.abs(most)) / 2 / scale),
  )
  const power = Math.ceil(Math.log2(halves.reduce((a, b) => Math.max(a, b)))) + 4
  const largest = 2 ** (most.product - bits)
  const factors = halves.map((half) =>
    Math.max(1, Math.min(largest, Math.floor((filled * 2 ** power) / half))),
  )
  const unit = 2 ** -power
  const [wide, narrow, back] = [add("centred"), add("window"), add("columns")]
  return [
    {
      kind: "linear",
      out: wide,
      terms: [{ source: out, map: diagonalMap(Float64Array.from(factors, (m) => (m * unit) / scale)) }],
      bias: Float64Array.from(factors, (m, i) => -m * centres[i] * unit + 0),
      unit,
      origin,
    },
    { kind: "clamp", out: narrow, source: wide, lo: -1, hi: 1, origin },
    {
      kind: "linear",
      out: back,
      terms: [{ source: narrow, map: diagonalMap(Float64Array.from(factors, (m) => scale / (m * unit))) }],
      bias: Float64Array.from(centres, (c) => c * scale),
      origin,
    },
  ]
}

/** Whether a clamp is the window of columns. */
export const isWindow = ({ lo, hi }: ClampNode, { unit }: LinearNode): boolean =>
  unit !== undefined && lo === -1 && hi === 1

/** The window in w bits, of integers whose scale is a power of two: nothing but its lowest bits is lost. */
export function addWindow(
  builder: IntBuilder,
  { bias, unit: scale = 1, origin }: LinearNode,
  terms: readonly ScaledTerm[],
  { info, range }: { readonly info: TensorInfo; readonly range: Range },
): TensorId {
  const { precision: bits } = builder
  const shift = Math.max(1, Math.round(-Math.log2(scale)) - (bits - 1))
  const rounding = 2 ** (shift - 1)
  const { node, bounds } = builder.draft({ terms, bias, scale, rounding }, origin, sizeOf(info.shape))
  const source = builder.add(node, { ...info, name: `${info.name}:acc` }, scale, range, bounds)
  const lo = -(2 ** (bits - 1))
  return builder.add({ kind: "rescale", source, shift, lo, bits, origin }, info, scale * 2 ** shift, range)
}
