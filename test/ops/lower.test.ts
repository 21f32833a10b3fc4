/** What lowering refuses and how it says so; peepholes and linear maps against their definitions. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import type { Attribute, Graph, Tensor } from "#src/model/graph.js"
import { evaluate } from "#src/ops/evaluate.js"
import { applyMap, sparseRows } from "#src/ops/linearmap.js"
import { lower } from "#src/ops/lower.js"
import type { LinearMap } from "#src/ops/program.js"
import { Random } from "../support/random.js"

const tensor = (shape: number[], data: number[], dtype: Tensor["dtype"] = "float32"): Tensor => ({
  shape,
  data: Float64Array.from(data),
  dtype,
})

type Line = readonly [
  operator: string,
  inputs: string[],
  output: string,
  attributes?: Record<string, Attribute>,
]

const graphOf = (
  shape: number[],
  lines: readonly Line[],
  constants: Record<string, Tensor> = {},
  more: Partial<Graph> = {},
): Graph => ({
  name: "m",
  opset: 17,
  inputs: [{ name: "x", dtype: "float32", shape }],
  outputs: [lines[lines.length - 1][2]],
  nodes: lines.map(([operator, inputs, output, attributes = {}], i) => ({
    name: `n${i}`,
    operator,
    domain: operator.includes(".") ? operator.slice(0, operator.lastIndexOf(".")) : "",
    inputs,
    outputs: [output],
    attributes,
  })),
  constants: new Map(Object.entries(constants)),
  ...more,
})

const problemsOf = (graph: Graph): readonly string[] => {
  try {
    lower(graph)
  } catch (error) {
    if (error instanceof ModelError) return error.problems
    throw error
  }
  return []
}

const kinds = (graph: Graph): string[] => lower(graph).nodes.map(({ kind }) => kind)

describe("refusals", () => {
  it("names every problem once, and not what follows from one", () => {
    const graph = graphOf(
      [2, 3],
      [
        ["Multinomial", ["x"], "a"],
        ["Relu", ["a"], "b"],
        ["Reshape", ["x", "s"], "c"],
        ["Concat", ["b", "c"], "d", { axis: 0 }],
        ["com.example.Fast", ["x"], "e"],
      ],
      { s: tensor([1], [5], "int64") },
      { outputs: ["d", "e"] },
    )
    expect(problemsOf(graph)).toEqual([
      "node `n0`, operator `Multinomial` (#0): the operator is not supported",
      "node `n2`, operator `Reshape` (#2): shape [2, 3] cannot become [5]",
      "node `n4`, operator `com.example.com.example.Fast` (#4): the operator is not supported",
    ])
  })

  const w = tensor([2, 3], [1, 2, 3, 4, 5, 6])
  const cases: [string, RegExp, Graph][] = [
    ["an unknown attribute", /`speed` = `3`/, graphOf([2], [["Relu", ["x"], "y", { speed: 3 }]])],
    [
      "a bad choice",
      /`auto_pad` = `HALF`/,
      graphOf([1, 1, 4], [["MaxPool", ["x"], "y", { kernel_shape: [2], auto_pad: "HALF" }]]),
    ],
    [
      "inner dimensions",
      /inner dimensions of \[2, 3\] and \[2, 3\] differ/,
      graphOf([2, 3], [["MatMul", ["x", "w"], "y"]], { w }),
    ],
    ["broadcasting", /do not broadcast/, graphOf([2, 2], [["Add", ["x", "w"], "y"]], { w })],
    ["an input too many", /input 2 is one too many/, graphOf([2, 3], [["Add", ["x", "w", "w"], "y"]], { w })],
    ["a missing input", /input 1 is missing/, graphOf([2, 3], [["Add", ["x"], "y"]])],
    ["an axis", /axis 5 is out of range/, graphOf([2], [["Concat", ["x"], "y", { axis: 5 }]])],
    ["zero divisors", /division by zero/, graphOf([2], [["Div", ["x", "z"], "y"]], { z: tensor([1], [0]) })],
    ["a constant output", /does not depend on any input/, graphOf([2], [["Neg", ["w"], "y"]], { w })],
    [
      "a shape beyond all integers",
      /too large/,
      graphOf([2], [["Expand", ["x", "s"], "y"]], { s: tensor([3], [2 ** 40, 2 ** 40, 2], "int64") }),
    ],
    [
      "NaN of constants",
      /not a number/,
      graphOf(
        [2],
        [
          ["Log", ["n"], "l"],
          ["Add", ["x", "l"], "y"],
        ],
        { n: tensor([1], [-1]) },
      ),
    ],
    [
      "infinite weights",
      /not a finite/,
      graphOf(
        [2],
        [
          ["Log", ["n"], "l"],
          ["Mul", ["x", "l"], "y"],
        ],
        { n: tensor([1], [0]) },
      ),
    ],
    [
      "training mode",
      /training_mode/,
      graphOf([1, 1], [["BatchNormalization", ["x", "o", "o", "o", "o"], "y", { training_mode: 1 }]], {
        o: tensor([1], [1]),
      }),
    ],
  ]
  for (const [what, message, graph] of cases)
    it(what, () => {
      const problems = problemsOf(graph)
      expect(problems.length).toBe(1)
      expect(problems[0]).toMatch(message)
    })

  it("refuses wrapping and truncating arithmetic on integer inputs", () => {
    const integers = (dtype: Tensor["dtype"], line: Line) =>
      problemsOf(
        graphOf([2], [line], { c: tensor([1], [2], dtype) }, { inputs: [{ name: "x", dtype, shape: [2] }] }),
      )
    expect(integers("uint8", ["Add", ["x", "c"], "y"])[0]).toMatch(/wraps around/)
    expect(integers("int64", ["Div", ["x", "x"], "y"])[0]).toMatch(/rounds/)
    expect(integers("int64", ["Cast", ["x"], "y", { to: 3 }])[0]).toMatch(/wraps/)
    expect(integers("int64", ["Add", ["x", "c"], "y"])).toEqual([])
  })
})

describe("peepholes", () => {
  const w = tensor([3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 10])
  const v = tensor([3], [2, -1, 3])
  it("folds scales and shifts on both sides of a matrix", () => {
    const graph = graphOf(
      [1, 3],
      [
        ["Mul", ["x", "v"], "a"],
        ["Add", ["a", "v"], "b"],
        ["MatMul", ["b", "w"], "c"],
        ["Mul", ["c", "v"], "d"],
        ["Sub", ["d", "v"], "y"],
      ],
      { w, v },
    )
    expect(kinds(graph)).toEqual(["input", "linear"])
    const [input, linear] = lower(graph).nodes
    expect(input.kind === "input" && linear.kind === "linear" && linear.terms[0].map.kind).toBe("dense")
    // ((1,1,1)·v + v)·w = (4, −2, 6)·w = (38, 46, 60), times v minus v
    expect(Array.from(evaluate(lower(graph), { x: [1, 1, 1] }).get(1) ?? [])).toEqual([74, -45, 177])
  })
  it("merges a residual sum, but not a tensor that others read", () => {
    const sum: Line[] = [
      ["MatMul", ["x", "w"], "a"],
      ["MatMul", ["x", "w"], "b"],
      ["Add", ["a", "b"], "y"],
    ]
    expect(kinds(graphOf([1, 3], sum, { w }))).toEqual(["input", "linear"])
    expect(kinds(graphOf([1, 3], sum, { w }, { outputs: ["a", "y"] }))).toEqual(["input", "linear", "linear"])
  })
  it("composes movements and clamps, and drops what nothing reads", () => {
    const lines: Line[] = [
      ["Transpose", ["x"], "a"],
      ["Transpose", ["a"], "b"],
      ["Relu", ["b"], "c"],
      ["Clip", ["c", "", "six"], "d"],
      ["Exp", ["six"], "e"],
      ["Neg", ["x"], "dead"],
      ["Identity", ["d"], "y"],
    ]
    const program = lower(graphOf([2, 3], lines, { six: tensor([], [6]) }))
    expect(program.nodes.map(({ kind }) => kind)).toEqual(["input", "clamp"])
    expect(program.nodes[1]).toMatchObject({ lo: 0, hi: 6 })
  })
  it("keeps the shape and place of every output", () => {
    const lines: Line[] = [
      ["Relu", ["x"], "a"],
      ["Flatten", ["a"], "b", { axis: 0 }],
      ["Transpose", ["a"], "c"],
      ["Transpose", ["c"], "d"],
    ]
    const program = lower(graphOf([2, 3], lines, {}, { outputs: ["x", "a", "b", "d"] }))
    const shapes = program.outputs.map(({ tensor: id }) => program.tensors[id].shape)
    expect(shapes).toEqual([
      [2, 3],
      [2, 3],
      [1, 6],
      [2, 3],
    ])
    const values = evaluate(program, { x: [1, -1, 2, -2, 3, -3] })
    expect(program.outputs.map(({ tensor: id }) => Array.from(values.get(id) ?? []))).toEqual([
      [1, -1, 2, -2, 3, -3],
      ...new Array(3).fill([1, 0, 2, 0, 3, 0]),
    ])
  })
})

describe("linear maps", () => {
  it("applied = expanded to sparse rows, exactly on integers", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        const random = new Random(seed)
        const integers = (count: number) => Float64Array.from({ length: count }, () => random.integer(-3, 3))
        const axes = random.integer(1, 3)
        const list = (lo: number, hi: number) => Array.from({ length: axes }, () => random.integer(lo, hi))
        const [kernel, strides, dilations, padsBegin, inSize] = [
          list(1, 3),
          list(1, 2),
          list(1, 2),
          list(0, 2),
          list(1, 5),
        ]
        const [n, groups] = [random.integer(1, 2), random.integer(1, 2)]
        const [inChannels, outChannels] = [groups * random.integer(1, 2), groups * random.integer(1, 2)]
        const area = (size: readonly number[]) => size.reduce((a, b) => a * b, 1)
        const outSize = list(1, 4)
        const weight = integers((outChannels * inChannels * area(kernel)) / groups)
        const conv = {
          kind: "conv",
          weight,
          n,
          groups,
          inChannels,
          outChannels,
          inSize,
          kernel,
          outSize,
          strides,
          padsBegin,
          dilations,
        } as const
        const [k, m] = [random.integer(1, 5), random.integer(1, 5)]
        const dense = { kind: "dense", weight: integers(k * m), n, k, m } as const
        const sizes: [LinearMap, number, number][] = [
          [conv, n * inChannels * area(inSize), n * outChannels * area(outSize)],
          [dense, n * k, n * m],
        ]
        for (const [map, from, to] of sizes) {
          const x = integers(from)
          const direct = new Float64Array(to)
          applyMap(map, x, direct)
          const viaRows = new Float64Array(to)
          applyMap({ kind: "sparse", ...sparseRows(map) }, x, viaRows)
          expect(direct.map((v) => v + 0)).toEqual(viaRows.map((v) => v + 0))
        }
      }),
      { numRuns: 200 },
    )
  })
})
