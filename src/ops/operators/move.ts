/** Operators that only move data: each computes an index map once, for constants and activations alike. */
import { sizeOf } from "../program.js"
import {
  axisOf,
  broadcast,
  broadcastShape,
  type Call,
  constant,
  isConstant,
  type Lowering,
  mapOf,
  stridesOf,
  unsupported,
  type Value,
} from "./builder.js"

/** The same elements under another shape. */
const reshaped = (value: Value, shape: readonly number[]): Value => {
  if (sizeOf(shape) !== sizeOf(value.shape)) unsupported(`cannot reshape [${value.shape}] to [${shape}]`)
  return { ...value, shape }
}

const identity: Lowering = (call) => [call.input(0)]

const dropout: Lowering = (call) => {
  if (call.inputs[2] && call.constantInput(2, "training_mode").constant[0] !== 0)
    unsupported("training_mode is on")
  const x = call.input(0)
  return [x, constant(x.shape, new Float64Array(sizeOf(x.shape)).fill(1), true)]
}

const reshape: Lowering = (call) => {
  const x = call.input(0)
  const target = call.integers(1, "shape") ?? unsupported("no shape is given")
  const shape = target.map((dim, i) =>
    dim === 0 && call.number("allowzero", 0) === 0
      ? (x.shape[i] ?? unsupported("0 copies a dimension that is not there"))
      : dim,
  )
  const open = shape.indexOf(-1)
  if (open >= 0) {
    const rest = shape.reduce((product, dim, i) => (i === open ? product : product * dim), 1)
    shape[open] = rest === 0 ? 0 : sizeOf(x.shape) / rest
  }
  return [reshaped(x, shape)]
}

const flatten: Lowering = (call) => {
  const x = call.input(0)
  const axis = call.number("axis", 1)
  const at = axis < 0 ? axis + x.shape.length : axis
  return [reshaped(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))])]
}

const squeeze: Lowering = (call) => {
  const x = call.input(0)
  const axes = call.integers(1, "axes")?.map((axis) => axisOf(axis, x.shape.length))
  for (const axis of axes ?? []) if (x.shape[axis] !== 1) unsupported(`axis ${axis} of [${x.shape}] is not 1`)
  return [
    reshaped(
      x,
      x.shape.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    ),
  ]
}

const unsqueeze: Lowering = (call) => {
  const x = call.input(0)
  const given = call.integers(1, "axes") ?? unsupported("no axes are given")
  const rank = x.shape.length + given.length
  const axes = given.map((axis) => axisOf(axis, rank))
  let next = 0
  return [
    reshaped(
      x,
      Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : x.shape[next++])),
    ),
  ]
}

/** out position → source position by a permutation of axes. */
export function transposed(call: Pick<Call, "builder">, x: Value, permutation: readonly number[]): Value {
  const strides = stridesOf(x.shape)
  const shape = permutation.map((axis) => x.shape[axis])
  const map = mapOf(shape, (position) =>
    permutation.reduce((at, axis, i) => at + position[i] * strides[axis], 0),
  )
  return call.builder.move([x], map, shape)
}

const transpose: Lowering = (call) => {
  const x = call.input(0)
  const permutation = call.list("perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i)
  if ([...permutation].sort((a, b) => a - b).some((axis, i) => axis !== i))
    unsupported(`perm [${permutation}] is no permutation`)
  return [transposed(call, x, permutation)]
}

const concat: Lowering = (call) => {
  const values = call.inputs.map((_, i) => call.input(i))
  const axis = axisOf(call.number("axis", call.opset < 4 ? 1 : Number.NaN), values[0].shape.length)
  const shape = [...values[0].shape]
  shape[axis] = values.reduce((sum, value) => sum + value.shape[axis], 0)
  if (values.some((value) => value.shape.some((dim, i) => i !== axis && dim !== shape[i])))
    unsupported("shapes of the parts do not fit")
  const starts: number[] = []
  let [flat, along] = [0, 0]
  const owner: number[] = []
  const first: number[] = []
  values.forEach((value, i) => {
    starts.push(flat)
    flat += sizeOf(value.shape)
    for (let j = 0; j < value.shape[axis]; j++) {
      owner.push(i)
      first.push(along)
    }
    along += value.shape[axis]
  })
  const strides = values.map((value) => stridesOf(value.shape))
  const map = mapOf(shape, (position) => {
    const i = owner[position[axis]]
    return position.reduce((at, p, a) => at + (a === axis ? p - first[p] : p) * strides[i][a], starts[i])
  })
  return [call.builder.move(values, map, shape)]
}

/** Elements start, start + step, … per axis. */
function sliced(
  call: Call,
  x: Value,
  start: readonly number[],
  step: readonly number[],
  shape: readonly number[],
): Value {
  const strides = stridesOf(x.shape)
  const map = mapOf(shape, (position) =>
    position.reduce((at, p, axis) => at + (start[axis] + p * step[axis]) * strides[axis], 0),
  )
  return call.builder.move([x], map, shape)
}

const slice: Lowering = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  const starts = call.integers(1, "starts") ?? unsupported("no starts are given")
  const ends = call.integers(2, "ends") ?? unsupported("no ends are given")
  const axes = call.integers(3, "axes") ?? starts.map((_, i) => i)
  const steps = call.integers(4, "steps") ?? starts.map(() => 1)
  const start = new Array<number>(rank).fill(0)
  const step = new Array<number>(rank).fill(1)
  const shape = [...x.shape]
  axes.forEach((given, i) => {
    const axis = axisOf(given, rank)
    const dim = x.shape[axis]
    if (steps[i] === 0) unsupported("a step of 0")
    const clamp = (value: number, lo: number, hi: number) =>
      Math.min(Math.max(value < 0 ? value + dim : value, lo), hi)
    const forward = steps[i] > 0
    start[axis] = clamp(starts[i], 0, forward ? dim : dim - 1)
    const end = forward ? clamp(ends[i], 0, dim) : clamp(ends[i], -1, dim - 1)
    step[axis] = steps[i]
    shape[axis] = Math.max(0, Math.ceil((end - start[axis]) / steps[i]))
  })
  return [sliced(call, x, start, step, shape)]
}

const split: Lowering = (call) => {
  const x = call.input(0)
  const axis = axisOf(call.number("axis", 0), x.shape.length)
  const dim = x.shape[axis]
  const parts = call.node.outputs.length
  const even = Math.ceil(dim / parts)
  const sizes =
    call.integers(1, "split") ?? Array.from({ length: parts }, (_, i) => Math.min(even, dim - i * even))
  if (sizes.reduce((a, b) => a + b, 0) !== dim || sizes.length !== parts)
    unsupported(`parts [${sizes}] do not add up to ${dim}`)
  let at = 0
  return sizes.map((size) => {
    const start = x.shape.map((_, i) => (i === axis ? at : 0))
    at += size
    return sliced(
      call,
      x,
      start,
      x.shape.map(() => 1),
      x.shape.map((d, i) => (i === axis ? size : d)),
    )
  })
}

const pad: Lowering = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  const pads = call.integers(1, call.opset < 2 ? "paddings" : "pads") ?? unsupported("no pads are given")
  const fill = call.inputs[2] ? call.constantInput(2, "constant_value").constant[0] : call.number("value", 0)
  const axes = (call.inputs[3] ? [...call.constantInput(3, "axes").constant] : x.shape.map((_, i) => i)).map(
    (axis) => axisOf(axis, rank),
  )
  const mode = call.text("mode", "constant")
  if (!["constant", "reflect", "edge", "wrap"].includes(mode)) unsupported(`attribute \`mode\` = \`${mode}\``)
  const before = new Array<number>(rank).fill(0)
  const shape = [...x.shape]
  axes.forEach((axis, i) => {
    before[axis] = pads[i]
    shape[axis] += pads[i] + pads[i + axes.length]
  })
  if (shape.some((dim) => dim < 0)) unsupported("pads remove more than there is")
  const strides = stridesOf(x.shape)
  const source = (p: number, dim: number): number => {
    if (p >= 0 && p < dim) return p
    if (mode === "edge") return p < 0 ? 0 : dim - 1
    if (mode === "wrap") return ((p % dim) + dim) % dim
    if (mode === "constant" || dim === 0) return -1
    const period = Math.max(1, 2 * (dim - 1))
    const folded = ((p % period) + period) % period
    return folded < dim ? folded : period - folded
  }
  const map = mapOf(shape, (position) => {
    let at = 0
    for (let axis = 0; axis < rank; axis++) {
      const p = source(position[axis] - before[axis], x.shape[axis])
      if (p < 0) return -1
      at += p * strides[axis]
    }
    return at
  })
  return [call.builder.move([x], map, shape, fill)]
}

const expand: Lowering = (call) => {
  const x = call.input(0)
  const target = call.integers(1, "shape") ?? unsupported("no shape is given")
  return [broadcast(call.builder, x, broadcastShape(x.shape, target))]
}

const tile: Lowering = (call) => {
  const x = call.input(0)
  const repeats = call.integers(1, "repeats") ?? unsupported("no repeats are given")
  const strides = stridesOf(x.shape)
  const shape = x.shape.map((dim, i) => dim * repeats[i])
  const map = mapOf(shape, (position) => position.reduce((at, p, i) => at + (p % x.shape[i]) * strides[i], 0))
  return [call.builder.move([x], map, shape)]
}

const gather: Lowering = (call) => {
  const x = call.input(0)
  const indices = call.constantInput(1, "indices")
  const axis = axisOf(call.number("axis", 0), x.shape.length)
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  const strides = stridesOf(x.shape)
  const inner = stridesOf(indices.shape)
  const rank = indices.shape.length
  const map = mapOf(shape, (position) => {
    let which = 0
    for (let i = 0; i < rank; i++) which += position[axis + i] * inner[i]
    const index =
      indices.constant[which] < 0 ? indices.constant[which] + x.shape[axis] : indices.constant[which]
    if (!(index >= 0 && index < x.shape[axis]))
      unsupported(`index ${indices.constant[which]} is out of range`)
    return x.shape.reduce(
      (at, _, a) => at + (a === axis ? index : position[a < axis ? a : a + rank - 1]) * strides[a],
      0,
    )
  })
  return [call.builder.move([x], map, shape)]
}

const depthToSpace: Lowering = (call) => {
  const x = call.input(0)
  const block = call.number("blocksize", 0)
  const [n, c, h, w] = x.shape
  if (x.shape.length !== 4 || block < 1 || c % (block * block) !== 0)
    unsupported(`blocksize ${block} does not fit [${x.shape}]`)
  const depth = c / (block * block)
  const dcr = call.text("mode", "DCR") === "DCR"
  const split6 = { ...x, shape: dcr ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w] }
  const moved = transposed(call, split6, dcr ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3])
  return [reshaped(moved, [n, depth, h * block, w * block])]
}

const spaceToDepth: Lowering = (call) => {
  const x = call.input(0)
  const block = call.number("blocksize", 0)
  const [n, c, h, w] = x.shape
  if (x.shape.length !== 4 || block < 1 || h % block !== 0 || w % block !== 0)
    unsupported(`blocksize ${block} does not fit [${x.shape}]`)
  const moved = transposed(
    call,
    { ...x, shape: [n, c, h / block, block, w / block, block] },
    [0, 3, 5, 1, 2, 4],
  )
  return [reshaped(moved, [n, c * block * block, h / block, w / block])]
}

const cast: Lowering = (call) => {
  const x = call.input(0)
  const to = call.number("to", 1)
  // TensorProto.DataType: 1 float, 10 float16, 11 double, 16 bfloat16; 9 bool; the rest are integers or text
  const real = [1, 10, 11, 16].includes(to)
  if (isConstant(x)) {
    if (real) return [constant(x.shape, x.constant, false)]
    return [
      constant(
        x.shape,
        x.constant.map((v) => (to === 9 ? (v !== 0 ? 1 : 0) : Math.trunc(v))),
        true,
      ),
    ]
  }
  if (real || (x.integral && to !== 9)) return [{ ...x, integral: !real }]
  return unsupported(`rounding an activation (cast to type ${to})`)
}

const shapeOf: Lowering = (call) => {
  const { shape } = call.input(0)
  const bound = (value: number) =>
    Math.min(Math.max(value < 0 ? value + shape.length : value, 0), shape.length)
  const part = shape.slice(bound(call.number("start", 0)), bound(call.number("end", shape.length)))
  return [constant([part.length], part, true)]
}

export const movement: Readonly<Record<string, Lowering>> = {
  Identity: identity,
  Dropout: dropout,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  Gather: gather,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Cast: cast,
  Shape: shapeOf,
  Size: (call) => [constant([], [sizeOf(call.input(0).shape)], true)],
}
