/** Random ONNX models of one operator each. The key's first word is the operator. */
import { sizeOf } from "#src/ops/program.js"
import type { AttributeSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import type { Random } from "./random.js"

export const ints = (data: readonly number[]): TensorSpec => ({ shape: [data.length], data, dtype: "int64" })
export const reals = (random: Random, shape: readonly number[], scale = 1): TensorSpec => ({
  shape,
  data: random.reals(sizeOf(shape), scale),
})

/** One node on input x and initializers in the order given. */
export function single(
  operator: string,
  shape: readonly number[],
  attributes: Record<string, AttributeSpec> = {},
  initializers: Record<string, TensorSpec> = {},
  more: Partial<OnnxSpec> = {},
): OnnxSpec {
  const inputs = ["x", ...Object.keys(initializers)]
  return {
    inputs: [{ name: "x", shape }],
    outputs: ["y"],
    initializers,
    nodes: [{ operator, inputs, outputs: ["y"], attributes }],
    ...more,
  }
}

/** One node on two inputs. */
export const pair = (
  operator: string,
  x: readonly number[],
  y: readonly number[],
  attributes: Record<string, AttributeSpec> = {},
): OnnxSpec => ({
  inputs: [
    { name: "x", shape: x },
    { name: "z", shape: y },
  ],
  outputs: ["y"],
  nodes: [{ operator, inputs: ["x", "z"], outputs: ["y"], attributes }],
})

/** A shape that broadcasts to `shape`. */
export const narrower = (random: Random, shape: readonly number[]) =>
  shape.slice(random.integer(0, shape.length - 1)).map((dim) => (random.next() < 0.4 ? 1 : dim))

export const elementwise = (operator: string) => (random: Random) => {
  const shape = random.shape(1, 3)
  return random.next() < 0.5
    ? pair(operator, shape, narrower(random, shape))
    : single(operator, shape, {}, { c: reals(random, narrower(random, shape)) })
}

/** Geometry of a window that fits. */
function window(random: Random, axes: number, pooling: boolean) {
  const kernel = Array.from({ length: axes }, () => random.integer(1, 3))
  const dilations = kernel.map(() => random.integer(1, 2))
  const span = kernel.map((k, i) => (k - 1) * dilations[i] + 1)
  const size = span.map((s) => s + random.integer(0, 3))
  const pads = Array.from({ length: 2 * axes }, (_, i) =>
    random.integer(0, pooling ? Math.min(1, kernel[i % axes] - 1) : 2),
  )
  const attributes: Record<string, AttributeSpec> = {
    kernel_shape: kernel,
    strides: kernel.map(() => random.integer(1, 2)),
    dilations,
  }
  if (random.next() < 0.25) {
    attributes.auto_pad = random.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    // onnxruntime computes negative pads, and refuses, where a stride exceeds its kernel
    attributes.strides = (attributes.strides as number[]).map((stride, i) => Math.min(stride, kernel[i]))
  } else attributes.pads = pads
  return { kernel, size, attributes }
}

/** A case whose weights are inputs as well. */
const withLiveWeights =
  (make: (random: Random) => OnnxSpec) =>
  (random: Random): OnnxSpec => {
    const { initializers = {}, ...model } = make(random)
    const weights = Object.entries(initializers).map(([name, { shape }]) => ({ name, shape: [...shape] }))
    return { ...model, inputs: [...model.inputs, ...weights] }
  }

const convTranspose = (random: Random) => {
  const kernel = [random.integer(1, 3), random.integer(1, 3)]
  const strides = [random.integer(1, 2), random.integer(1, 2)]
  const attributes = {
    kernel_shape: kernel,
    strides,
    pads: kernel.concat(kernel).map((k) => random.integer(0, Math.max(0, Math.floor((k - 1) / 2)))),
  }
  const group = random.integer(1, 2)
  const shape = [random.integer(1, 2), 2, random.integer(2, 4), random.integer(2, 4)]
  return single(
    "ConvTranspose",
    shape,
    { ...attributes, group },
    {
      w: reals(random, [2, random.integer(1, 2), ...kernel]),
    },
  )
}

const conv = (axes: number) => (random: Random) => {
  const { kernel, size, attributes } = window(random, axes, false)
  const groups = random.integer(1, 2)
  const [perIn, perOut] = [random.integer(1, 2), random.integer(1, 2)]
  const initializers: Record<string, TensorSpec> = { w: reals(random, [groups * perOut, perIn, ...kernel]) }
  if (random.next() < 0.5) initializers.b = reals(random, [groups * perOut])
  // onnxruntime refuses SAME padding together with dilation
  if (attributes.auto_pad) attributes.dilations = kernel.map(() => 1)
  return single(
    "Conv",
    [random.integer(1, 2), groups * perIn, ...size],
    { ...attributes, group: groups },
    initializers,
  )
}

const pool = (operator: string, axes: number) => (random: Random) => {
  const { size, attributes } = window(random, axes, true)
  attributes.dilations = (attributes.kernel_shape as number[]).map(() => 1)
  if (random.next() < 0.3 && !attributes.auto_pad) attributes.ceil_mode = 1
  if (operator === "AveragePool") {
    delete attributes.dilations
    attributes.count_include_pad = random.integer(0, 1)
  }
  return single(operator, [1, random.integer(1, 3), ...size], attributes)
}

export const reduce = (operator: string, input: boolean) => (random: Random) => {
  const shape = random.shape(1, 4, 3)
  const axes = random
    .permutation(shape.length)
    .slice(0, random.integer(1, shape.length))
    .map((axis) => (random.next() < 0.5 ? axis : axis - shape.length))
  const keepdims = random.integer(0, 1)
  return input
    ? single(operator, shape, { keepdims }, { axes: ints(axes) })
    : single(operator, shape, { axes, keepdims })
}

const arg = (operator: string) => (random: Random) => {
  const shape = random.shape(1, 3, 4)
  const axis = random.integer(-shape.length, shape.length - 1)
  return single(operator, shape, {
    axis,
    keepdims: random.integer(0, 1),
    select_last_index: random.integer(0, 1),
  })
}

const matmulShapes = (random: Random) => {
  const [n, k, m] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 3)]
  const batch = random.shape(0, 2, 2)
  return { left: [...batch, n, k], right: [...(random.next() < 0.5 ? batch : []), k, m] }
}

/** An equation of so many operands with lengths for its letters, and the shapes that it asks for. */
function equation(random: Random, operands: number) {
  const lengths = new Map([..."abcd"].map((letter) => [letter, random.integer(1, 3)]))
  const term = () =>
    random
      .permutation(4)
      .slice(0, random.integer(1, 3))
      .map((i) => "abcd"[i])
  const terms = Array.from({ length: operands }, term)
  const all = [...new Set(terms.flat())]
  const result = random.permutation(all.length).slice(0, random.integer(0, all.length))
  const shapes = terms.map((letters) => letters.map((letter) => lengths.get(letter) as number))
  const right = result.map((i) => all[i]).join("")
  return { equation: `${terms.map((letters) => letters.join("")).join(",")}->${right}`, shapes }
}

const scatterElements =
  (operator: string, opset: number) =>
  (random: Random): OnnxSpec => {
    const [rows, columns] = [random.integer(1, 3), random.integer(3, 4)]
    const data = Array.from({ length: rows * 2 }, (_, i) =>
      i % 2 === 0 ? random.integer(0, columns - 2) : -1,
    )
    const indices: TensorSpec = { shape: [rows, 2], data, dtype: "int64" }
    return single(
      operator,
      [rows, columns],
      { axis: 1 },
      { i: indices, u: reals(random, [rows, 2]) },
      { opset },
    )
  }

export const operatorCases: Readonly<Record<string, (random: Random) => OnnxSpec>> = {
  Gemm: (random) => {
    const [n, k, m] = [random.integer(1, 3), random.integer(1, 6), random.integer(1, 4)]
    const [transA, transB] = [random.integer(0, 1), random.integer(0, 1)]
    const initializers: Record<string, TensorSpec> = { b: reals(random, transB ? [m, k] : [k, m]) }
    if (random.next() < 0.7) initializers.c = reals(random, random.pick([[m], [1, m], [n, 1], [1], [n, m]]))
    const attributes = {
      transA,
      transB,
      alpha: { float: random.pick([1, 0.5, -2]) },
      beta: { float: random.pick([1, 0.25]) },
    }
    return single("Gemm", transA ? [k, n] : [n, k], attributes, initializers)
  },
  "MatMul constant": (random) => {
    const { left, right } = matmulShapes(random)
    if (random.next() < 0.5) return single("MatMul", left, {}, { w: reals(random, right) })
    return {
      ...single("MatMul", right),
      initializers: { w: reals(random, left) },
      nodes: [{ operator: "MatMul", inputs: ["w", "x"], outputs: ["y"] }],
    }
  },
  "MatMul activations": (random) => {
    const { left, right } = matmulShapes(random)
    return pair("MatMul", left, right)
  },
  "MatMul batches": (random) => {
    const [n, k, m] = [random.integer(1, 3), random.integer(2, 3), random.integer(1, 3)]
    const batch = random.shape(1, 3, 2)
    const some = () =>
      batch.map((dim) => (random.next() < 0.4 ? 1 : dim)).slice(random.integer(0, batch.length))
    return pair("MatMul", [...some(), n, k], [...some(), k, m])
  },
  "Gemm activations": (random) => {
    const [n, k, m] = [random.integer(1, 3), random.integer(1, 4), random.integer(1, 4)]
    const [transA, transB] = [random.integer(0, 1), random.integer(0, 1)]
    return pair("Gemm", transA ? [k, n] : [n, k], transB ? [m, k] : [k, m], {
      transA,
      transB,
      alpha: { float: 0.5 },
    })
  },
  Einsum: (random) => {
    const { equation: text, shapes } = equation(random, 2)
    return pair("Einsum", shapes[0], shapes[1], { equation: text })
  },
  "Einsum constant": (random) => {
    const { equation: text, shapes } = equation(random, random.integer(1, 3))
    const [x, ...others] = shapes
    const constants = others.map((shape, i) => [`w${i}`, reals(random, shape)])
    return single("Einsum", x, { equation: text }, Object.fromEntries(constants))
  },
  "Einsum attention": (random) => {
    const [b, q, s, h, d] = [1, 2, 3, 2, 3].map((most) => random.integer(1, most))
    const text = random.pick(["bqhd,bshd->bhqs", "bqhd, bshd -> bqhs", "bqhd,bshd"])
    return pair("Einsum", [b, q, h, d], [b, s, h, d], { equation: text })
  },
  "Einsum ellipsis": (random) => {
    const [i, j, k] = [random.integer(1, 3), random.integer(1, 3), random.integer(1, 3)]
    const batch = random.shape(1, 2, 2)
    const text = random.pick(["...ij,...jk->...ik", "...ij,...jk", "...ij,...jk->ik..."])
    return pair("Einsum", [...batch, i, j], [...batch, j, k], { equation: text })
  },
  "Einsum diagonal": (random) => {
    const n = random.integer(2, 3)
    const [text, shape] = random.pick<[string, number[]]>([
      ["ii->i", [n, n]],
      ["ii", [n, n]],
      ["iji->j", [n, 2, n]],
      ["ii,ij->j", [n, n]],
    ])
    if (text.includes(",")) return pair("Einsum", shape, [n, 2], { equation: text })
    return single("Einsum", shape, { equation: text })
  },
  "Conv 1-D": conv(1),
  "Conv 2-D": conv(2),
  ConvTranspose: convTranspose,
  "Conv 1-D of live weights": withLiveWeights(conv(1)),
  "Conv 2-D of live weights": withLiveWeights(conv(2)),
  "ConvTranspose of live weights": withLiveWeights(convTranspose),
  BatchNormalization: (random) => {
    const shape = [random.integer(1, 2), random.integer(1, 3), ...random.shape(0, 2, 3)]
    const c = shape[1]
    const variance = { shape: [c], data: random.reals(c).map((v) => Math.abs(v) + 0.1) }
    return single(
      "BatchNormalization",
      shape,
      { epsilon: { float: 1e-3 } },
      { s: reals(random, [c]), b: reals(random, [c]), m: reals(random, [c]), v: variance },
    )
  },
  "MaxPool 1-D": pool("MaxPool", 1),
  "MaxPool 2-D": pool("MaxPool", 2),
  "AveragePool 1-D": pool("AveragePool", 1),
  "AveragePool 2-D": pool("AveragePool", 2),
  GlobalAveragePool: (random) => single("GlobalAveragePool", [1, 2, ...random.shape(1, 2, 4)]),
  GlobalMaxPool: (random) => single("GlobalMaxPool", [1, 2, ...random.shape(1, 2, 3)]),
  Relu: (random) => single("Relu", random.shape(1, 3)),
  LeakyRelu: (random) => single("LeakyRelu", random.shape(1, 3), { alpha: { float: random.next() } }),
  PRelu: (random) => {
    const shape = [1, random.integer(1, 3), random.integer(1, 3)]
    return single("PRelu", shape, {}, { s: reals(random, [shape[1], 1]) })
  },
  Clip: (random) =>
    single(
      "Clip",
      random.shape(1, 3),
      {},
      { lo: { shape: [], data: [random.next() - 1.5] }, hi: { shape: [], data: [random.next() * 2] } },
    ),
  HardSigmoid: (random) =>
    single("HardSigmoid", random.shape(1, 2), { alpha: { float: 0.3 }, beta: { float: 0.4 } }),
  HardSwish: (random) => single("HardSwish", random.shape(1, 2)),
  Add: elementwise("Add"),
  Sub: elementwise("Sub"),
  Mul: elementwise("Mul"),
  Max: elementwise("Max"),
  Min: elementwise("Min"),
  Sum: elementwise("Sum"),
  Mean: elementwise("Mean"),
  Div: (random) => {
    const shape = random.shape(1, 3)
    const c = narrower(random, shape)
    return single(
      "Div",
      shape,
      {},
      { c: { shape: c, data: random.reals(sizeOf(c)).map((v) => v + Math.sign(v)) } },
    )
  },
  Neg: (random) => single("Neg", random.shape(1, 3)),
  Abs: (random) => single("Abs", random.shape(1, 3)),
  Pow: (random) => single("Pow", random.shape(1, 2), {}, { n: { shape: [], data: [random.integer(1, 3)] } }),
  Identity: (random) => single("Identity", random.shape(1, 3)),
  Dropout: (random) => single("Dropout", random.shape(1, 3)),
  Cast: (random) => single("Cast", random.shape(1, 3), { to: 1 }),
  Flatten: (random) => {
    const shape = random.shape(2, 4, 3)
    return single("Flatten", shape, { axis: random.integer(-shape.length, shape.length) })
  },
  Reshape: (random) => {
    const shape = random.shape(1, 3)
    return single(
      "Reshape",
      shape,
      {},
      { s: ints(random.pick([[-1], [1, -1], [0, -1], [...shape].reverse()])) },
    )
  },
  Transpose: (random) => {
    const shape = random.shape(1, 4, 3)
    return single("Transpose", shape, random.next() < 0.3 ? {} : { perm: random.permutation(shape.length) })
  },
  Concat: (random) => {
    const shape = random.shape(1, 3, 3)
    const axis = random.integer(0, shape.length - 1)
    const other = shape.map((dim, i) => (i === axis ? random.integer(1, 3) : dim))
    if (random.next() < 0.5) return pair("Concat", shape, other, { axis: axis - shape.length })
    return single("Concat", shape, { axis }, { c: reals(random, other, 0.5) })
  },
  Slice: (random) => {
    const shape = random.shape(1, 3, 5)
    const axes = random.permutation(shape.length).slice(0, random.integer(1, shape.length))
    const steps = axes.map(() => random.pick([1, 1, 2, -1, -2]))
    const starts = axes.map((axis, i) =>
      steps[i] > 0 ? random.pick([0, -shape[axis]]) : random.pick([-1, shape[axis] + 3]),
    )
    const ends = axes.map((axis, i) =>
      steps[i] > 0 ? random.pick([shape[axis], 2 ** 40, Math.max(1, shape[axis] - 1)]) : -(2 ** 40),
    )
    return single(
      "Slice",
      shape,
      {},
      { starts: ints(starts), ends: ints(ends), axes: ints(axes), steps: ints(steps) },
    )
  },
  Split: (random) => {
    const sizes = [random.integer(1, 3), random.integer(1, 3)]
    const spec = single("Split", [2, sizes[0] + sizes[1]], { axis: -1 }, { s: ints(sizes) })
    return { ...spec, outputs: ["y", "z"], nodes: [{ ...spec.nodes[0], outputs: ["y", "z"] }] }
  },
  Squeeze: (random) => {
    const dim = random.integer(1, 3)
    return random.next() < 0.5
      ? single("Squeeze", [1, dim + 1, 1])
      : single("Squeeze", [1, dim, 1], {}, { a: ints([-1]) })
  },
  Unsqueeze: (random) => single("Unsqueeze", random.shape(1, 2), {}, { a: ints([0, -1]) }),
  Pad: (random) => {
    const shape = [random.integer(2, 4), random.integer(2, 4)]
    const mode = random.pick(["constant", "reflect", "edge"])
    const pads = ints([0, 0, 0, 0].map(() => random.integer(0, 1)))
    return single(
      "Pad",
      shape,
      { mode },
      mode === "constant" ? { p: pads, v: { shape: [], data: [random.pick([0, 0.5])] } } : { p: pads },
    )
  },
  Expand: (random) =>
    single(
      "Expand",
      [1, random.integer(1, 3)],
      {},
      { s: ints([random.integer(1, 3), random.integer(1, 2), 1]) },
    ),
  Tile: (random) =>
    single("Tile", [2, random.integer(1, 3)], {}, { r: ints([random.integer(1, 2), random.integer(1, 3)]) }),
  Gather: (random) => {
    const shape = random.shape(1, 3, 4)
    const axis = random.integer(0, shape.length - 1)
    const indices: TensorSpec = {
      shape: [2, 1],
      data: [0, -1].map((i) => (random.next() < 0.5 ? i : random.integer(0, shape[axis] - 1))),
      dtype: "int64",
    }
    return single("Gather", shape, { axis }, { i: indices })
  },
  DepthToSpace: (random) =>
    single("DepthToSpace", [1, 4 * random.integer(1, 2), 2, 3], {
      blocksize: 2,
      mode: random.pick(["DCR", "CRD"]),
    }),
  SpaceToDepth: (random) => single("SpaceToDepth", [1, random.integer(1, 2), 4, 2], { blocksize: 2 }),
  ReduceSum: reduce("ReduceSum", true),
  ReduceMean: reduce("ReduceMean", false),
  ReduceMax: reduce("ReduceMax", false),
  ReduceMin: reduce("ReduceMin", false),
  ArgMax: arg("ArgMax"),
  ArgMin: arg("ArgMin"),
  GatherElements: (random) => {
    const shape = [random.integer(1, 3), random.integer(1, 4)]
    const data = Array.from({ length: shape[0] * 2 }, () => random.integer(-shape[1], shape[1] - 1))
    return single("GatherElements", shape, { axis: 1 }, { i: { shape: [shape[0], 2], data, dtype: "int64" } })
  },
  GatherND: (random) => {
    const data = [random.integer(-2, 1), random.integer(0, 2), 1, -1]
    return single("GatherND", [2, 3, 2], {}, { i: { shape: [2, 2], data, dtype: "int64" } })
  },
  Scatter: scatterElements("Scatter", 9),
  ScatterElements: scatterElements("ScatterElements", 15),
  ScatterND: (random) =>
    single(
      "ScatterND",
      [4, 2],
      {},
      { i: { shape: [2, 1], data: [random.integer(0, 1), -1], dtype: "int64" }, u: reals(random, [2, 2]) },
    ),
  Trilu: (random) =>
    single(
      "Trilu",
      [2, 3, 4],
      { upper: random.integer(0, 1) },
      { k: { ...ints([random.integer(-2, 2)]), shape: [] } },
    ),
  Compress: (random) =>
    single(
      "Compress",
      [2, 3],
      { axis: 1 },
      { c: { shape: [3], data: [1, random.integer(0, 1), 1], dtype: "bool" } },
    ),
  ReduceL1: reduce("ReduceL1", false),
  ReduceProd: reduce("ReduceProd", false),
  ReduceLogSum: (random) => {
    const spec = reduce("ReduceLogSum", false)(random)
    const [{ inputs, ...last }] = spec.nodes
    return {
      ...spec,
      initializers: { c: { shape: [], data: [0.25] } },
      nodes: [
        { operator: "Abs", inputs, outputs: ["a"] },
        { operator: "Add", inputs: ["a", "c"], outputs: ["b"] },
        { ...last, inputs: ["b"] },
      ],
    }
  },
  ReduceSumSquare: reduce("ReduceSumSquare", false),
  Upsample: (random) => {
    const scales = { shape: [4], data: [1, 1, random.integer(1, 3), random.integer(1, 3)] }
    const mode = random.pick(["nearest", "linear"])
    return single("Upsample", [1, 2, 2, 3], { mode }, { s: scales }, { opset: 9 })
  },
  Resize: (random) => {
    const shape = [1, 1, random.integer(2, 4), random.integer(2, 4)]
    const attributes = {
      mode: random.pick(["nearest", "linear", "cubic"]),
      coordinate_transformation_mode: random.pick([
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
      ]),
    }
    const sizes = ints([1, 1, random.integer(1, 6), random.integer(1, 6)])
    const none = { shape: [0], data: [] }
    return single("Resize", shape, attributes, { roi: none, scales: none, sizes })
  },
}
