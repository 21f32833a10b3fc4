/** Random ONNX models of comparisons, logic, choices and indices that the model is given. */
import { sizeOf } from "#src/ops/program.js"
import type { AttributeSpec, InputSpec, OnnxSpec, TensorSpec } from "./onnx-writer.js"
import { elementwise, ints, narrower, pair, reals, single } from "./operator-cases.js"
import type { Random } from "./random.js"

/** An input of integers. */
const whole = (name: string, shape: readonly number[], least: number, most: number): InputSpec => ({
  name,
  shape,
  dtype: "int64",
  within: [least, most],
})
const bits = (name: string, shape: readonly number[]): InputSpec => ({ name, shape, dtype: "bool" })

/** One node on the given inputs and initializers, in this order. */
const node = (
  operator: string,
  inputs: readonly InputSpec[],
  attributes: Record<string, AttributeSpec> = {},
  initializers: Record<string, TensorSpec> = {},
  more: Partial<OnnxSpec> = {},
): OnnxSpec => ({
  inputs,
  outputs: ["y"],
  initializers,
  nodes: [
    {
      operator,
      inputs: [...inputs.map(({ name }) => name), ...Object.keys(initializers)],
      outputs: ["y"],
      attributes,
    },
  ],
  ...more,
})

/** Of integers, of which some are equal, or of reals. */
const comparison = (operator: string) => (random: Random) => {
  const shape = random.shape(1, 3, 3)
  if (random.next() < 0.5) return elementwise(operator)(random)
  return node(operator, [whole("x", shape, -2, 2), whole("z", narrower(random, shape), -2, 2)])
}
const connective = (operator: string) => (random: Random) => {
  const shape = random.shape(1, 3, 3)
  return node(operator, [bits("x", shape), bits("z", narrower(random, shape))])
}
/** Updates of two elements a row at indices that the model gets, of which none is there twice. */
const scatterLive = (random: Random, operator: string, reduction: string) => {
  const columns = random.integer(2, 4)
  const inputs = [
    { name: "x", shape: [2, columns] },
    whole("i", [2, 1], -columns, columns - 1),
    { name: "u", shape: [2, 1] },
  ]
  return node(
    operator,
    inputs,
    reduction === "none" ? { axis: 1 } : { axis: 1, reduction },
    {},
    { opset: 16 },
  )
}

export const logicCases: Readonly<Record<string, (random: Random) => OnnxSpec>> = {
  "Cast to integers": (random) => single("Cast", random.shape(1, 2), { to: 7 }),
  "Cast to bits": (random) => node("Cast", [whole("x", random.shape(1, 2), -1, 1)], { to: 9 }),
  Greater: comparison("Greater"),
  GreaterOrEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessOrEqual: comparison("LessOrEqual"),
  Equal: comparison("Equal"),
  "Equal bits": connective("Equal"),
  And: connective("And"),
  Or: connective("Or"),
  Xor: connective("Xor"),
  Not: (random) => node("Not", [bits("x", random.shape(1, 3))]),
  "Where live": (random) => {
    const shape = random.shape(1, 3, 3)
    return node("Where", [
      bits("c", narrower(random, shape)),
      { name: "x", shape },
      { name: "z", shape: narrower(random, shape) },
    ])
  },
  "Where constant": (random) => {
    const shape = random.shape(1, 3, 3)
    const data = Array.from({ length: sizeOf(shape) }, () => random.integer(0, 1))
    return {
      ...node(
        "Where",
        [
          { name: "x", shape },
          { name: "z", shape },
        ],
        {},
        { c: { shape, data, dtype: "bool" } },
      ),
      nodes: [{ operator: "Where", inputs: ["c", "x", "z"], outputs: ["y"] }],
    }
  },
  "Clip live": (random) =>
    node("Clip", [
      { name: "x", shape: random.shape(1, 3) },
      { name: "lo", shape: [] },
      { name: "hi", shape: [] },
    ]),
  "PRelu live": (random) => {
    const shape = [1, random.integer(1, 3), random.integer(1, 3)]
    return pair("PRelu", shape, [shape[1], 1])
  },
  Mod: (random) => {
    const n = { shape: [], data: [random.pick([2, 3, -3])], dtype: "int64" as const }
    return node("Mod", [whole("x", random.shape(1, 2), -9, 9)], { fmod: random.integer(0, 1) }, { n })
  },
  "Div integers": (random) =>
    node(
      "Div",
      [whole("x", random.shape(1, 2), -50, 50)],
      {},
      { n: { shape: [], data: [7], dtype: "int64" } },
    ),
  CumSum: (random) => {
    const shape = random.shape(1, 3, 3)
    const axis = { shape: [], data: [random.integer(0, shape.length - 1)], dtype: "int64" as const }
    const attributes = { exclusive: random.integer(0, 1), reverse: random.integer(0, 1) }
    return single("CumSum", shape, attributes, { axis })
  },
  OneHot: (random) => {
    const depth = random.integer(1, 4)
    const shape = random.shape(1, 2, 3)
    return node(
      "OneHot",
      [whole("x", shape, -depth - 1, depth)],
      { axis: random.integer(-1, shape.length) },
      { d: { ...ints([depth]), shape: [] }, v: { shape: [2], data: [-0.5, 2] } },
    )
  },
  "Gather live": (random) => {
    const shape = random.shape(1, 3, 3)
    const axis = random.integer(0, shape.length - 1)
    const dim = shape[axis]
    return node("Gather", [{ name: "x", shape }, whole("i", [2], -dim, dim - 1)], { axis })
  },
  "Gather embedding": (random) => {
    const [rows, columns] = [random.integer(1, 5), random.integer(1, 3)]
    return {
      inputs: [whole("i", random.shape(1, 2, 2), 0, rows - 1)],
      outputs: ["y"],
      initializers: { w: reals(random, [rows, columns]) },
      nodes: [{ operator: "Gather", inputs: ["w", "i"], outputs: ["y"] }],
    }
  },
  "GatherElements live": (random) => {
    const shape = [random.integer(1, 3), random.integer(1, 4)]
    return node(
      "GatherElements",
      [{ name: "x", shape }, whole("i", [shape[0], 2], -shape[1], shape[1] - 1)],
      {
        axis: 1,
      },
    )
  },
  "GatherND live": () => node("GatherND", [{ name: "x", shape: [2, 2, 2] }, whole("i", [3, 2], -2, 1)]),
  "ScatterElements live": (random) => scatterLive(random, "ScatterElements", "none"),
  "ScatterElements added": (random) => scatterLive(random, "ScatterElements", "add"),
  "ScatterElements reduced": (random) =>
    single(
      "ScatterElements",
      [2, 3],
      { axis: 1, reduction: random.pick(["add", "mul", "max", "min"]) },
      {
        i: { shape: [2, 3], data: Array.from({ length: 6 }, () => random.integer(-3, 2)), dtype: "int64" },
        u: reals(random, [2, 3]),
      },
      { opset: 18 },
    ),
  "ScatterND live": () =>
    node("ScatterND", [
      { name: "x", shape: [3, 2] },
      whole("i", [1, 1], -3, 2),
      { name: "u", shape: [1, 2] },
    ]),
}
