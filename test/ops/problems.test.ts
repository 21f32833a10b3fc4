/** Why not: every problem of a model at once, by operator and reason, each with what would help. */
import { describe, expect, it } from "vitest"
import { ModelError, type ProblemGroup } from "#src/errors.js"
import { cutGraph } from "#src/model/cut.js"
import type { Graph } from "#src/model/graph.js"
import { messageType } from "#src/model/onnx/schema.js"
import { importOnnx } from "#src/ops/import.js"
import { lower } from "#src/ops/lower.js"
import { remedyFor } from "#src/ops/remedies.js"
import { encodeOnnx, type OnnxSpec } from "../support/onnx-writer.js"

const refusal = (run: () => unknown): ModelError => {
  try {
    run()
  } catch (error) {
    if (error instanceof ModelError) return error
    throw error
  }
  throw new Error("was not refused")
}

type Nodes = OnnxSpec["nodes"]
const spec = (nodes: Nodes, more: Partial<OnnxSpec> = {}): OnnxSpec => ({
  inputs: [{ name: "x", shape: [1, 4] }],
  outputs: [nodes[nodes.length - 1].outputs[0]],
  nodes,
  ...more,
})
const refused = (nodes: Nodes, more: Partial<OnnxSpec> = {}): ModelError =>
  refusal(() => lower(importOnnx(encodeOnnx(spec(nodes, more)))))

/** A thousand nodes, of which 700 are refused for three reasons. */
function manyNodes(): Nodes {
  return Array.from({ length: 1000 }, (_, i) => {
    const [inputs, outputs, name] = [["x"], [`y${i}`], `/block.${i}/op`]
    if (i % 10 < 3) return { operator: "Relu", inputs, outputs, name }
    if (i % 10 < 8) return { operator: "NonMaxSuppression", inputs, outputs, name }
    if (i % 10 < 9) return { operator: "Reshape", inputs: ["x", `s${i}`], outputs, name }
    return { operator: "Relu", inputs, outputs, name, attributes: { speed: 3 } }
  })
}
const shapes = Object.fromEntries(
  Array.from({ length: 1000 }, (_, i) => [`s${i}`, { shape: [1], data: [5 + i], dtype: "int64" as const }]),
)

describe("problems of a thousand nodes", () => {
  const error = refused(manyNodes(), { initializers: shapes })

  it("are grouped by operator and reason, whatever numbers the reasons have, and counted", () => {
    const counts = error.groups.map(({ operator, count }) => [operator, count])
    expect(counts).toEqual([
      ["NonMaxSuppression", 500],
      ["Reshape", 100],
      ["Relu", 100],
    ])
    expect(error.groups[1].reason).toBe("shape [1, 4] cannot become [13]")
    expect(error.groups[0].nodes.slice(0, 2)).toEqual(["/block.3/op", "/block.4/op"])
  })

  it("are a message that can be read", () => {
    const lines = error.message.split("\n")
    expect(lines).toHaveLength(4)
    expect(lines[0]).toBe("model `test`: the model cannot be proven, 700 problems:")
    expect(lines[1]).toMatch(
      /^ {2}operator `NonMaxSuppression` ×500: the operator is not supported; first: `\/block.3\/op`, `\/block.4\/op`/,
    )
  })

  it("are all there for whoever wants them", () => {
    expect(error.problems).toHaveLength(700)
    expect(error.problems[0]).toBe(
      "node `/block.3/op`, operator `NonMaxSuppression` (#3): the operator is not supported",
    )
    expect(error.groups[0].nodes).toHaveLength(500)
  })

  it("say what would help with each", () => {
    for (const { help } of error.groups) expect(help).toMatch(/^[A-Z].{20,}[^.]$/)
    expect(error.groups[0].help).toMatch(/comes after the model.*`outputs`/)
  })
})

describe("problems of different kinds", () => {
  it("are together: operators, attributes, types, shapes and constants", () => {
    const error = refused(
      [
        { operator: "Multinomial", inputs: ["x"], outputs: ["a"], name: "draw" },
        { operator: "Relu", inputs: ["x"], outputs: ["b"], attributes: { speed: 3 } },
        { operator: "Div", inputs: ["k", "k"], outputs: ["c"] },
        { operator: "MatMul", inputs: ["x", "x"], outputs: ["d"] },
        { operator: "Reshape", inputs: ["x", "k"], outputs: ["e"] },
        { operator: "Fast", domain: "com.microsoft", inputs: ["x"], outputs: ["f"] },
        { operator: "Relu", inputs: ["a"], outputs: ["y"] },
      ],
      {
        inputs: [
          { name: "x", shape: [1, 4] },
          { name: "k", shape: [2], dtype: "int64" },
        ],
      },
    )
    const help = (operator: string) => error.groups.find((group) => group.operator === operator)?.help
    expect(error.groups).toHaveLength(6)
    expect(help("Multinomial")).toMatch(/random/)
    expect(help("Relu")).toMatch(/opset/)
    expect(help("Div")).toMatch(/Cast to float/)
    expect(help("MatMul")).toMatch(/`dimensions`/)
    expect(help("Reshape")).toMatch(/simplify/)
    expect(help("com.microsoft.Fast")).toMatch(/before that optimizes it/)
    expect(error.message).toMatch(/1 more node reads what these give and could not be checked/)
  })

  it("of one operator stay apart where the reasons do", () => {
    const error = refused([
      { operator: "Relu", inputs: ["x"], outputs: ["a"], attributes: { speed: 3 } },
      { operator: "Relu", inputs: ["x"], outputs: ["b"], attributes: { colour: 3 } },
    ])
    expect(error.groups.map(({ count }) => count)).toEqual([1, 1])
  })

  it("include operators of subgraphs, of either branch and nested, once each", () => {
    const branch = (operator: string, inner?: Nodes[number]) => ({
      graph: {
        inputs: [],
        outputs: ["o"],
        nodes: [
          { operator, name: `in ${operator}`, inputs: ["x"], outputs: ["o"] },
          ...(inner ? [inner] : []),
        ],
      },
    })
    const choice = (then: string, otherwise: string, inner?: Nodes[number]): Nodes[number] => ({
      operator: "If",
      name: `${then} or ${otherwise}`,
      inputs: ["c"],
      outputs: [`${then}${otherwise}`],
      attributes: { then_branch: branch(then, inner), else_branch: branch(otherwise) },
    })
    const error = refused(
      [
        choice("Relu", "Fancy", choice("Odd", "Neg")),
        { operator: "Neg", inputs: ["ReluFancy"], outputs: ["y"] },
      ],
      {
        inputs: [
          { name: "x", shape: [1, 4] },
          { name: "c", shape: [1], dtype: "bool" },
        ],
      },
    )
    const names = error.groups.map(({ operator }) => operator)
    expect(names).toEqual(expect.arrayContaining(["Fancy", "Odd"]))
    expect(names.filter((name) => name === "Fancy")).toHaveLength(1)
    expect(names).not.toContain("Relu")
    expect(error.problems.join("\n")).toMatch(
      /`in Odd`, operator `Odd` \(#0\) in a subgraph of `Odd or Neg` in a subgraph of `Relu or Fancy`/,
    )
  })

  it("of a file that cannot be read include its operators, those of nested graphs too", () => {
    const type = messageType("ModelProto")
    const bytes = encodeOnnx(
      spec([
        { operator: "If", inputs: ["x"], outputs: ["a"], name: "choice" },
        { operator: "Relu", inputs: ["a"], outputs: ["b"] },
        { operator: "Fancy", inputs: ["nowhere"], outputs: ["y"], name: "tail" },
      ]),
    )
    const message = type.toObject(type.decode(bytes))
    message.graph.node[0].attribute = [
      {
        name: "then_branch",
        type: 5,
        g: { name: "t", node: [{ opType: "Inner", name: "i", output: ["o"] }] },
      },
    ]
    const damaged = type.encode(type.fromObject(message)).finish()
    const error = refusal(() => importOnnx(damaged))
    expect(error.problems.join("\n")).toMatch(/input 0 `nowhere` is produced by nothing/)
    const operators = error.groups.flatMap(({ operator, reason }) =>
      /not supported/.test(reason) ? [operator] : [],
    )
    expect(operators).toEqual(expect.arrayContaining(["Inner", "Fancy"]))
    expect(operators).not.toContain("Relu")
    expect(error.problems.join("\n")).toMatch(/`i` \(Inner, number 0\) in node `choice` \(If, number 0\)/)
  })
})

describe("what would help", () => {
  it.each([
    ["the exponent (input 1) depends on the model's input", /constant/],
    ["arithmetic on `int8` activations wraps around; cast them to float first", /float/],
    ["attribute `x` = `1` is not supported", /opset/],
    ["shapes [1, 2] and [3] do not broadcast", /dimensions/],
    ["a tensor of shape [9] is too large", /smaller/],
    ["division by zero", /weights/],
  ])("with: %s", (reason, help) => {
    expect(remedyFor(reason)).toMatch(help)
  })
})

describe("a model that ends earlier", () => {
  const tail: Nodes = [
    { operator: "Relu", inputs: ["x"], outputs: ["a"], name: "first" },
    { operator: "Neg", inputs: ["a"], outputs: ["b"] },
    { operator: "Abs", inputs: ["b"], outputs: ["c"] },
    { operator: "Add", inputs: ["c", "z"], outputs: ["d"] },
    { operator: "NonMaxSuppression", inputs: ["d"], outputs: ["e"], name: "boxes" },
    { operator: "Fancy", domain: "com.own", inputs: ["e"], outputs: ["y"] },
  ]
  const inputs = [
    { name: "x", shape: [1, 4] },
    { name: "z", shape: [1, 4] },
  ]
  // without a version for its domain the tail cannot even be read
  const bytes = encodeOnnx(spec(tail, { inputs }))

  it("is what the refusal proposes", () => {
    const versions: Nodes = tail.map((node) => ({ ...node, domain: "" }))
    expect(refused(versions, { inputs }).message).toMatch(
      /4 of 6 nodes can be proven: option `outputs` with `d` ends the model there/,
    )
  })

  it("is read without the rest", () => {
    expect(refusal(() => importOnnx(bytes)).message).toMatch(/com.own/)
    const graph = importOnnx(bytes, { outputs: ["d"] })
    expect(graph.nodes.map(({ operator }) => operator)).toEqual(["Relu", "Neg", "Abs", "Add"])
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x", "z"])
    expect(lower(graph).outputs.map(({ name }) => name)).toEqual(["d"])
  })

  it("keeps no input that nothing needs, and may have several ends", () => {
    const graph = importOnnx(bytes, { outputs: ["c", "a"] })
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x"])
    expect(graph.outputs).toEqual(["c", "a"])
    expect(graph.nodes).toHaveLength(3)
  })

  it("must end at tensors that there are", () => {
    const message = (outputs: string[]) => refusal(() => importOnnx(bytes, { outputs })).message
    expect(message(["first"])).toMatch(/no tensor `first`; that node gives `a`/)
    expect(message(["/long/D"])).toMatch(/no tensor `\/long\/D`; there are `d`/)
    expect(message([])).toMatch(/names no tensor/)
  })

  it("is the same cut after it was read", () => {
    const graph: Graph = importOnnx(bytes, { outputs: ["d"] })
    expect(cutGraph(graph, ["b"])).toEqual(importOnnx(bytes, { outputs: ["b"] }))
    expect(refusal(() => cutGraph(graph, ["nothing"])).problems).toHaveLength(1)
  })
})

it("groups are cut where they are endless", () => {
  const problems = Array.from({ length: 100_000 }, (_, i) => ({
    node: `n${i}`,
    operator: i % 2 ? `O${i}` : "Same",
    reason: "no",
  }))
  const { groups, message, problems: lines } = new ModelError({ what: "refused:" }, problems)
  const same = groups.find(({ operator }) => operator === "Same") as ProblemGroup
  expect([same.count, same.nodes.length, lines.length]).toEqual([50_000, 1000, 1001])
  expect(message.split("\n")).toHaveLength(42)
})
