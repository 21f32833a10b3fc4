/**
 * Rows of a constant table in integers. Values get w bits, or stay what they are if they are integers of as many. An index is
 * an integer of scale 1, from 0 on where an input of the model is the index itself. The table gets a row for each integer that
 * an index can be: those of the model, again for indices that count from the end, and zeros for what is out of range. An
 * index that could be far out of range is brought near it first.
 */
import {
  depthOf,
  type Program,
  type ProgramInput,
  type RowsNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull } from "./integers/bounds.js"
import { roundHalfUp } from "./integers/intgraph.js"

const bitsFor = (most: number): number => {
  let bits = 1
  while (2 ** bits <= most) bits++
  return bits
}

/** Least depth of the tables that an input is an index of, by input. */
export function indexDepths({ nodes }: Program): ReadonlyMap<TensorId, number> {
  const made = new Map(nodes.map((node) => [node.out, node]))
  const depths = new Map<TensorId, number>()
  const visit = (id: TensorId, depth: number): void => {
    const node = made.get(id)
    if (node?.kind === "index") for (const source of node.sources) visit(source, depth)
    if (node?.kind === "input") depths.set(id, Math.min(depth, depths.get(id) ?? depth))
  }
  for (const node of nodes) if (node.kind === "rows") visit(node.source, depthOf(node))
  return depths
}

/** Grid of an input that is an index from 0 to depth − 1, if the samples are. */
export function indexGrid(depth: number | undefined, input: ProgramInput | undefined, { min, max }: Range) {
  const isIndex = depth !== undefined && input?.whole === "integers" && input.grid === undefined
  return isIndex && min >= 0 && max < depth ? { scale: 1, lo: 0, bits: bitsFor(depth - 1) } : undefined
}

/** Adds rows of a table. Throws ModelError for integers beyond 52 bits. */
export function addRows(
  builder: IntBuilder,
  node: RowsNode,
  given: TensorId,
  info: TensorInfo,
  range: Range,
): TensorId {
  const { width, values, origin } = node
  const depth = depthOf(node)
  const source = near(builder, whole(builder, given, node), node)
  const { scale, integers } = quantized(values, builder.precision)
  const [lo, most] = hull(builder.tensors[source])
  const table = new Float64Array((most - lo + 1) * width)
  for (let index = lo; index <= most; index++) {
    const row = index < 0 ? index + depth : index
    if (row >= 0 && row < depth)
      table.set(integers.subarray(row * width, (row + 1) * width), (index - lo) * width)
  }
  return builder.add({ kind: "rows", source, lo, width, values: table, origin }, info, scale, range)
}

/** Values in w bits. */
function quantized(values: Float64Array, precision: number) {
  const [least, most] = values.reduce(([lo, hi], x) => [Math.min(lo, x), Math.max(hi, x)], [0, 0])
  const isWhole = most - least < 2 ** precision && values.every(Number.isInteger)
  const scale = isWhole || most === least ? 1 : (most - least) / (2 ** precision - 1)
  return { scale, integers: values.map((x) => roundHalfUp(x / scale)) }
}

/** An index with scale 1. */
function whole(builder: IntBuilder, given: TensorId, { origin }: RowsNode): TensorId {
  const { scale, name, shape } = builder.tensors[given]
  if (scale === 1) return given
  const least = Math.floor(hull(builder.tensors[given])[0] * scale)
  const target = { wanted: 1, lo: () => least, fixed: true }
  return builder.rescale(given, target, { name: `${name}:whole`, shape }, builder.range(given), origin)
}

/** An index that is near the table's rows, and no other one than before if it names a row. */
function near(builder: IntBuilder, given: TensorId, node: RowsNode): TensorId {
  const [least, most] = hull(builder.tensors[given])
  const depth = depthOf(node)
  const reach = 2 ** bitsFor(depth)
  const lo = least < 0 ? -reach : 0
  if (least >= lo && most < reach) return given
  const { name, shape } = builder.tensors[given]
  const { origin } = node
  const twice = diagonalMap(new Float64Array(sizeOf(shape)).fill(2))
  const doubled = builder.add(
    { kind: "linear", terms: [{ source: given, map: twice }], origin },
    { name: `${name}:doubled`, shape },
    0.5,
    builder.range(given),
  )
  const bits = bitsFor(reach - lo - 1)
  return builder.add(
    { kind: "rescale", source: doubled, shift: 1, lo, bits, origin },
    { name: `${name}:near`, shape },
    1,
    builder.range(given),
  )
}
