/** Random ONNX models of functions of one variable: alone, on a domain, and written out as formulas. */
import type { AttributeSpec, OnnxSpec } from "./onnx-writer.js"
import { reals, single } from "./operator-cases.js"
import type { Random } from "./random.js"

type Case = (random: Random) => OnnxSpec
type Step = readonly [operator: string, ...constants: (number | readonly number[])[]]

const plain =
  (operator: string, attributes: Record<string, AttributeSpec> = {}, opset = 15): Case =>
  (random) =>
    single(operator, random.shape(1, 2), attributes, {}, { opset })

/** Nodes one after another; further inputs of a node are constants. */
function chain(shape: readonly number[], steps: readonly Step[], more: Partial<OnnxSpec> = {}): OnnxSpec {
  const initializers: Record<string, { shape: number[]; data: number[] }> = {}
  const nodes = steps.map(([operator, ...constants], i) => {
    const names = constants.map((value, j) => {
      const name = `c${i}_${j}`
      initializers[name] = { shape: [], data: typeof value === "number" ? [value] : [...value] }
      return name
    })
    const inputs = [i === 0 ? "x" : `t${i - 1}`, ...names]
    return { operator, inputs, outputs: [i === steps.length - 1 ? "y" : `t${i}`] }
  })
  return { inputs: [{ name: "x", shape }], outputs: ["y"], initializers, nodes, ...more }
}

/** The operator on an input brought to where it is defined. */
const on =
  (operator: Step, ...before: Step[]): Case =>
  (random) =>
    chain(random.shape(1, 2), [...before, operator])

const positive: Step[] = [["Abs"], ["Add", 0.25]]
const unit: Step[] = [["Mul", 0.45]]

/** The same nodes in the domain of onnxruntime's own operators. */
const microsoft = (spec: OnnxSpec): OnnxSpec => ({
  ...spec,
  nodes: spec.nodes.map((node) => ({ ...node, domain: "com.microsoft" })),
})

/** A formula over several readers of x: each line is `output = operator inputs`; numbers are constants. */
const written =
  (...lines: readonly string[]): Case =>
  (random) => {
    const initializers: Record<string, { shape: number[]; data: number[] }> = {}
    const nodes = lines.map((line) => {
      const [output, , operator, ...inputs] = line.split(" ")
      for (const name of inputs)
        if (Number.isFinite(Number(name))) initializers[name] = { shape: [], data: [Number(name)] }
      return { operator, inputs, outputs: [output] }
    })
    return { inputs: [{ name: "x", shape: random.shape(1, 2) }], outputs: ["y"], initializers, nodes }
  }

export const functionCases: Readonly<Record<string, Case>> = {
  Sigmoid: plain("Sigmoid"),
  Tanh: plain("Tanh"),
  Exp: plain("Exp"),
  Log: on(["Log"], ...positive),
  Sqrt: on(["Sqrt"], ["Abs"]),
  Reciprocal: on(["Reciprocal"], ...positive),
  Erf: plain("Erf"),
  Softplus: plain("Softplus"),
  Softsign: plain("Softsign"),
  Elu: (random) => plain("Elu", { alpha: { float: random.pick([1, 0.5]) } })(random),
  Selu: plain("Selu"),
  "Selu parameters": plain("Selu", { alpha: { float: 2 }, gamma: { float: 0.5 } }),
  Celu: (random) => plain("Celu", { alpha: { float: random.pick([1, 0.5]) } })(random),
  ThresholdedRelu: plain("ThresholdedRelu", { alpha: { float: 0.75 } }),
  Shrink: plain("Shrink", { lambd: { float: 0.75 }, bias: { float: 0.25 } }),
  Mish: plain("Mish", {}, 18),
  "Gelu exact": plain("Gelu", {}, 20),
  "Gelu tanh": plain("Gelu", { approximate: "tanh" }, 20),
  "Gelu of onnxruntime": (random) =>
    microsoft(single(random.pick(["Gelu", "QuickGelu", "FastGelu"]), random.shape(1, 2))),
  "Gelu with bias": (random) => {
    const shape = [2, random.integer(1, 3)]
    const bias = { b: reals(random, [shape[1]]) }
    return microsoft(single(random.pick(["BiasGelu", "FastGelu"]), shape, {}, bias))
  },
  Sign: plain("Sign"),
  Floor: plain("Floor"),
  Ceil: plain("Ceil"),
  Round: plain("Round"),
  Sin: plain("Sin"),
  Cos: plain("Cos"),
  Tan: on(["Tan"], ...unit),
  Asin: on(["Asin"], ...unit),
  Acos: on(["Acos"], ...unit),
  Atan: plain("Atan"),
  Sinh: plain("Sinh"),
  Cosh: plain("Cosh"),
  Asinh: plain("Asinh"),
  Acosh: on(["Acosh"], ["Abs"], ["Add", 1]),
  Atanh: on(["Atanh"], ...unit),
  "Pow fractional": on(["Pow", 1.5], ["Abs"]),
  "Pow negative": on(["Pow", -2], ...positive),
  "Pow high": on(["Pow", 7]),
  "Div by activations": (random) => {
    const shape = random.shape(1, 2)
    const initializers = { c: reals(random, shape), half: { shape: [], data: [0.5] } }
    return {
      inputs: [
        { name: "x", shape },
        { name: "z", shape },
      ],
      outputs: ["y"],
      initializers,
      nodes: [
        { operator: "Abs", inputs: ["z"], outputs: ["a"] },
        { operator: "Add", inputs: ["a", "half"], outputs: ["b"] },
        { operator: "Div", inputs: [random.pick(["x", "c"]), "b"], outputs: ["y"] },
      ],
    }
  },
  "Swish written out": written("s = Sigmoid x", "y = Mul x s"),
  "Swish as a quotient": written("n = Neg x", "e = Exp n", "d = Add e 1", "y = Div x d"),
  "Gelu written out": written(
    "a = Div x 1.4142135",
    "e = Erf a",
    "f = Add e 1",
    "g = Mul x f",
    "y = Mul g 0.5",
  ),
  "Gelu by powers": written(
    "p = Pow x 3",
    "q = Mul p 0.044715",
    "r = Add x q",
    "s = Mul r 0.7978846",
    "t = Tanh s",
    "u = Add t 1",
    "h = Mul x 0.5",
    "y = Mul h u",
  ),
  "Mish written out": written("e = Exp x", "o = Add e 1", "l = Log o", "t = Tanh l", "y = Mul x t"),
  "Softsign written out": written("a = Abs x", "o = Add a 1", "y = Div x o"),
  "Chain of functions": written("a = Tanh x", "b = Mul a 3", "c = Exp b", "d = Add c 1", "y = Log d"),
  "Sum of functions": written("a = Tanh x", "b = Sigmoid x", "y = Sub a b"),
}
