/** Functions of one variable: how they are found, and what their tables of integers say. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { FileError, InputError } from "#src/errors.js"
import type { Attribute, Graph } from "#src/model/graph.js"
import { evaluate } from "#src/ops/evaluate.js"
import { apply, type FunctionName, functionOf, functions, variable } from "#src/ops/formula.js"
import { fuse } from "#src/ops/fuse.js"
import { lower } from "#src/ops/lower.js"
import type { Program, TableNode } from "#src/ops/program.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import { type IntGraph, tableOutput } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { witnessOf } from "#src/systems/plain/witness.js"
import { ProgramBuilder, randomProgram } from "../support/programs.js"
import { Random } from "../support/random.js"

/** A graph from lines `output = Operator inputs`; numbers are constants. */
function graphOf(size: number, lines: readonly string[], attributes: Record<string, Attribute> = {}): Graph {
  const constants: Graph["constants"] = new Map(
    lines
      .flatMap((line) => line.split(" ").slice(3))
      .filter((name) => Number.isFinite(Number(name)))
      .map((name) => [name, { shape: [], data: Float64Array.of(Number(name)), dtype: "float32" }]),
  )
  const nodes = lines.map((line) => {
    const [output, , operator, ...inputs] = line.split(" ")
    return { name: `node_${output}`, operator, domain: "", inputs, outputs: [output], attributes }
  })
  const inputs = [{ name: "x", dtype: "float32" as const, shape: [size] }]
  const last = lines[lines.length - 1].split(" ")[0]
  return { name: "m", opset: 20, inputs, outputs: [last], nodes, constants }
}

const kinds = (...lines: string[]) => lower(graphOf(3, lines)).nodes.map(({ kind }) => kind)
const tablesOf = (graph: IntGraph): TableNode[] =>
  graph.nodes.flatMap((node) => (node.kind === "table" ? [node] : []))
const spread = (least: number, most: number, count: number) =>
  Array.from({ length: count }, (_, i) => least + ((most - least) * i) / (count - 1))

describe("what becomes one function", () => {
  it.each([
    ["a chain with scaling between", ["a = Tanh x", "b = Mul a 3", "c = Add b 1", "y = Exp c"]],
    ["Swish", ["s = Sigmoid x", "y = Mul x s"]],
    ["a quotient of one variable", ["e = Exp x", "o = Add e 1", "y = Div e o"]],
    ["HardSwish", ["y = HardSwish x"]],
    ["a clamp of a function", ["t = Tanh x", "y = Relu t"]],
    ["a sum of functions", ["t = Tanh x", "s = Sigmoid x", "y = Add t s"]],
    ["a function of powers", ["p = Pow x 3", "q = Add x p", "y = Tanh q"]],
  ])("%s", (_, lines) => {
    expect(kinds(...lines)).toEqual(["input", "function"])
  })

  it.each([
    ["what clamps compute", ["y = LeakyRelu x"], ["input", "clamp", "linear"]],
    ["what is linear between clamps", ["y = HardSigmoid x"], ["input", "linear", "clamp"]],
    ["absolute values", ["y = Abs x"], ["input", "clamp", "linear"]],
    ["squares", ["y = Mul x x"], ["input", "product"]],
    ["a function beside its variable", ["t = Tanh x", "y = Add t x"], ["input", "function", "linear"]],
    ["a table of a clamped tensor", ["r = Relu x", "y = Tanh r"], ["input", "clamp", "function"]],
    ["two variables", ["r = ReduceSum x", "t = Tanh r", "y = Mul t x"], undefined],
  ])("but not %s", (_, lines, expected) => {
    const found = kinds(...lines)
    if (expected) expect(found).toEqual(expected)
    else expect(found).toContain("product")
  })

  it("ends before formulas grow without bound, and computes the same", () => {
    const squares = Array.from({ length: 12 }, (_, i) => `t${i + 1} = Mul t${i} t${i}`)
    const program = lower(graphOf(3, ["t0 = Sigmoid x", ...squares, "y = Tanh t12"]))
    expect(JSON.stringify(program.nodes).length).toBeLessThan(100_000)
    const x = [-1, 0.5, 9]
    const got = evaluate(program, { x }).get(program.outputs[0].tensor) as Float64Array
    got.forEach((y, i) => {
      expect(y).toBeCloseTo(Math.tanh((1 / (1 + Math.exp(-x[i]))) ** 4096), 12)
    })
  })

  it("changes no value of random programs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (seed) => {
        const { program, samples } = randomProgram(seed)
        const fused = fuse(program)
        for (const sample of samples) {
          const [before, after] = [program, fused].map((each) => evaluate(each, sample))
          program.outputs.forEach(({ tensor }, i) => {
            const want = before.get(tensor) as Float64Array
            const got = after.get(fused.outputs[i].tensor) as Float64Array
            const limit = want.reduce((a, b) => Math.max(a, Math.abs(b)), 1)
            for (let j = 0; j < want.length; j++)
              expect(Math.abs(got[j] - want[j])).toBeLessThanOrEqual(1e-9 * limit)
          })
        }
      }),
      { numRuns: 300 },
    )
  })

  it("knows erf to double precision", () => {
    // Abramowitz and Stegun, table 7.1
    const known = [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
    ]
    for (const [x, y] of known)
      for (const sign of [1, -1]) expect(functions.erf(sign * x)).toBeCloseTo(sign * y, 14)
    expect(functions.erf(0)).toBe(0)
    expect(functions.erf(50)).toBe(1)
  })
})

/** Parameters of functions that have some, and intervals on which functions are defined and smooth. */
const parameters: Partial<Record<FunctionName, number[]>> = {
  clamp: [-1, 2],
  pow: [1.5],
  elu: [0.7],
  selu: [1.6732631921768188, 1.0507010221481323],
  celu: [0.5],
  thresholdedRelu: [0.8],
  shrink: [0.5, 0.25],
  quotient: [2.9],
  mod: [2.9],
  fmod: [2.9],
}
const domains: Partial<Record<FunctionName, [number, number]>> = {
  log: [0.05, 6],
  sqrt: [0, 6],
  reciprocal: [0.25, 6],
  pow: [0, 3],
  asin: [-1, 1],
  acos: [-1, 1],
  atanh: [-0.99, 0.99],
  acosh: [1, 5],
  tan: [-1.3, 1.3],
  probit: [0.02, 0.98],
}
const names = Object.keys(functions) as FunctionName[]

/** Input, a linear map with a factor per element unless there is none, and the function. */
function programOf(name: FunctionName, factors?: readonly number[]): Program {
  const b = new ProgramBuilder()
  let source = b.input([4])
  if (factors)
    source = b.dense(
      source,
      4,
      [0, 5, 10, 15].flatMap((at, i) => placed(at % 4, factors[i])),
    )
  return b.build(b.function(source, apply(name, variable, parameters[name])))
}
const placed = (at: number, factor: number) => Array.from({ length: 4 }, (_, i) => (i === at ? factor : 0))

describe.each(names)("the table of %s", (name) => {
  const f = functionOf(apply(name, variable, parameters[name]))
  const [least, most] = domains[name] ?? [-4, 5]
  const isLevel = /^(clamp|thresholdedRelu|sign|erf|tanh|quotient)$/.test(name)
  const samples = Array.from({ length: 16 }, (_, i) => {
    const at = spread(least, most, 64).slice(4 * i, 4 * i + 4)
    return { input0: at }
  })

  it.each([6, 10, 12])("is within half a step of the function at precision %i", async (precision) => {
    const graph = await quantizeProgram(programOf(name), { samples, precision })
    const [table, ...others] = tablesOf(graph)
    expect(others).toEqual([])
    const [input, output] = [graph.tensors[table.source], graph.tensors[table.out]]
    let within = 0
    table.values.forEach((y, i) => {
      const x = (table.lo + i) * input.scale
      if (x < least - 1e-9 || x > most + 1e-9) return
      expect(Math.abs(y * output.scale - f(x))).toBeLessThanOrEqual(output.scale * 0.5000001)
      within++
    })
    expect(within).toBeGreaterThan(2 ** (precision - 2))
    const { lo, bits } = tableOutput(table)
    expect(bits).toBeLessThanOrEqual(precision)
    expect([Math.min(...output.lo), Math.max(...output.hi)]).toEqual([lo, Math.max(...table.values)])
  })

  it("adds half a step to what the error of its input makes", async () => {
    const factors = [0.9, 1.1, 1, 0.95]
    const scaled = samples.map(({ input0 }) => ({ input0: input0.map((x, i) => x / factors[i]) }))
    const program = programOf(name, factors)
    const graph = await quantizeProgram(program, { samples: scaled })
    const [table] = tablesOf(graph)
    const { scale } = graph.tensors[table.source]
    for (const sample of scaled) {
      const integers = runInteger(graph, quantizeInput(graph, sample))
      const real = evaluate(program, sample).get(program.outputs[0].tensor) as Float64Array
      const [q, y] = [table.source, table.out].map((id) => integers.get(id) as Float64Array)
      const before = sample.input0.map((x, i) => x * factors[i])
      real.forEach((exact, i) => {
        const x = q[i] * scale
        if (!isLevel) expect(Math.abs(x - before[i])).toBeLessThanOrEqual(3 * scale + graph.tensors[0].scale)
        const reached = Number.isFinite(f(x)) ? f(x) : f(Math.min(Math.max(x, least), most))
        const error = Math.abs(y[i] * graph.tensors[table.out].scale - exact)
        const inherited = Math.abs(reached - exact)
        expect(error).toBeLessThanOrEqual(inherited + graph.tensors[table.out].scale * 0.5000001)
      })
    }
  })
})

describe("the integer table", () => {
  const sigmoid = async (reach: number, precision = 10) => {
    const program = programOf("sigmoid", [1, 0.9, 1.1, 1])
    const samples = [-1, 1].map((sign) => ({ input0: [reach, reach / 2, -reach, 0].map((x) => x * sign) }))
    return { program, samples, graph: await quantizeProgram(program, { samples, precision }) }
  }

  it("spends no entries where the function is level, and reports no loss there", async () => {
    const { program, samples, graph } = await sigmoid(1000)
    const [table] = tablesOf(graph)
    const reach = table.lo * graph.tensors[table.source].scale
    expect(reach).toBeGreaterThan(-11)
    expect(reach).toBeLessThan(-7)
    const { outputs, saturation } = await measureAccuracy(program, graph, samples)
    expect(outputs[0].maxError).toBeLessThan(0.01)
    expect(saturation).toEqual([{ tensor: "function2", node: "function_2", count: 0, share: 0 }])
  })

  it("reports what it cuts off where the function is not level", async () => {
    const { program, graph } = await sigmoid(1)
    const { saturation } = await measureAccuracy(program, graph, [{ input0: [1, 1, -1, 0.1] }])
    expect(saturation[0].count).toBe(0)
    const b = new ProgramBuilder()
    const wide = b.build(b.function(b.dense(b.input([1]), 1, [2]), apply("softplus", variable)))
    const low = await quantizeProgram(wide, {
      samples: [{ input0: [4] }, { input0: [1] }, { input0: [-0.01] }],
      calibration: { percentile: 60 },
    })
    expect((await measureAccuracy(wide, low, [{ input0: [4] }])).saturation[0].count).toBe(1)
  })

  it("reads a source of few integers as it is, and shares a requantized one", async () => {
    const b = new ProgramBuilder()
    const input = b.input([4])
    b.function(b.clamp(input), apply("tanh", variable))
    const dense = b.dense(input, 3, new Random(1).reals(12))
    b.function(dense, apply("sin", variable))
    b.function(dense, apply("cos", variable))
    const graph = await quantizeProgram(b.build(), { samples: [{ input0: [1, -1, 0.3, 0.2] }] })
    expect(graph.nodes.map(({ kind }) => kind).filter((kind) => kind === "rescale").length).toBe(2)
    const [tanh, sin, cos] = tablesOf(graph)
    expect(graph.tensors[tanh.source].scale).toBe(graph.tensors[0].scale)
    expect(sin.source).toBe(cos.source)
  })

  it("keeps integers exact", async () => {
    for (const name of ["sign", "floor", "ceil", "round"] as const) {
      const graph = await quantizeProgram(programOf(name), { samples: [{ input0: [-3, 0.5, 1, 2.5] }] })
      expect(graph.tensors[graph.outputs[0].tensor].scale).toBe(1)
      expect(tableOutput(tablesOf(graph)[0]).bits).toBeLessThanOrEqual(3)
    }
  })

  it("has room for constants and single samples", async () => {
    for (const value of [0, 0.7, -3e4, 1e-6]) {
      const samples = [{ input0: [value, value, value, value] }]
      for (const factors of [undefined, [1, 1.5, 2, 1]]) {
        const program = programOf("sigmoid", factors)
        const graph = await quantizeProgram(program, { samples })
        const { outputs } = await measureAccuracy(program, graph, samples)
        expect(outputs[0].maxError).toBeLessThan(2e-3)
      }
    }
  })

  it("has the bounds of the entries each element reaches", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 30 }), async (seed) => {
        const random = new Random(seed)
        const b = new ProgramBuilder()
        const source = b.clamp(b.dense(b.input([4]), 4, random.reals(16, 0.3)), 0, 1)
        const program = b.build(b.function(source, apply("sin", variable)))
        const graph = await quantizeProgram(program, { samples: [{ input0: random.reals(4) }], precision: 6 })
        const [table] = tablesOf(graph)
        const [from, to] = [graph.tensors[table.source], graph.tensors[table.out]]
        from.lo.forEach((lo, i) => {
          const reached = Array.from(table.values.slice(lo - table.lo, from.hi[i] - table.lo + 1))
          expect([to.lo[i], to.hi[i]]).toEqual([Math.min(...reached), Math.max(...reached)])
        })
      }),
      { numRuns: 30 },
    )
  })
})

describe("where a function is undefined", () => {
  const quantizeOn = (lines: string[], values: number[]) =>
    quantizeProgram(lower(graphOf(2, lines)), { samples: [{ x: values }] })

  it("names the node when samples go there", async () => {
    await expect(quantizeOn(["y = Log x"], [-1, 2])).rejects.toThrow(InputError)
    await expect(quantizeOn(["y = Log x"], [-1, 2])).rejects.toThrow(/node_y.*`Log`.*log\(x\) to be finite/s)
  })

  it("holds the nearest value beyond what samples showed", async () => {
    const graph = await quantizeOn(["a = Add x -0.25", "y = Log a"], [0.5, 2])
    const [{ values, lo }] = tablesOf(graph)
    const { scale } = graph.tensors[graph.outputs[0].tensor]
    expect(lo).toBe(0)
    expect(Math.abs(values[0] * scale - Math.log(0.25))).toBeLessThan(0.1)
    expect(values.every((y, i) => i === 0 || y >= values[i - 1])).toBe(true)
  })
})

describe("files and circuits", () => {
  const graphWith = async () => {
    const program = programOf("tanh", [1, 0.5, 2, 1])
    const samples = [{ input0: [1, -2, 0.5, 3] }, { input0: [-3, 2, -0.5, 0] }]
    return { graph: await quantizeProgram(program, { samples, precision: 6 }), samples }
  }

  it("come back from their bytes, which are version 2", async () => {
    const { graph } = await graphWith()
    const bytes = serialize(graph)
    expect(bytes[4]).toBe(2)
    expect(deserialize(bytes)).toEqual(graph)
    const old = Uint8Array.from(bytes)
    old[4] = 1
    expect(() => deserialize(old)).toThrow(FileError)
  })

  it("refuse tables that do not fit their source, or are too large", async () => {
    const { graph } = await graphWith()
    const altered = (change: (table: TableNode) => Partial<TableNode>) => {
      const nodes = graph.nodes.map((node) => (node.kind === "table" ? { ...node, ...change(node) } : node))
      return () => deserialize(serialize({ ...graph, nodes }))
    }
    expect(altered(() => ({}))).not.toThrow()
    expect(altered(({ values }) => ({ values: values.slice(1) }))).toThrow(/does not fit its source/)
    expect(altered(({ lo }) => ({ lo: lo + 1 }))).toThrow(/does not fit its source/)
    expect(altered(({ values }) => ({ values: new Float64Array([...values, 0]) }))).toThrow(FileError)
    expect(altered(() => ({ values: new Float64Array(0) }))).toThrow(/the table size/)
    expect(altered(({ values }) => ({ values: values.map((y, i) => (i ? y : 64)) }))).toThrow(
      /range of a table/,
    )
    expect(altered(({ out }) => ({ source: out }))).toThrow(/a source of node/)
  })

  it("accept the execution of the model and no forgery", async () => {
    const { graph, samples } = await graphWith()
    const circuit = await compile(graph, { proofSystem: "groth16" })
    for (const sample of samples) {
      const integers = runInteger(graph, quantizeInput(graph, sample))
      const witness = witnessOf(circuit, integers, `0x${"07".repeat(32)}`)
      const report = auditWitness(circuit, witness)
      expect(report.accepted).toEqual([])
      expect(report.gadgets.Table).toBe(2)
      const forged = new Map(integers)
      const { tensor } = graph.outputs[0]
      forged.set(
        tensor,
        (integers.get(tensor) as Float64Array).map((q, i) => (i === 0 ? q + 1 : q)),
      )
      expect(() => witnessOf(circuit, forged, `0x${"07".repeat(32)}`)).toThrow(/output/)
    }
  })

  it("need nothing for an element that can only be one entry", async () => {
    const b = new ProgramBuilder()
    const program = b.build(b.function(b.clamp(b.input([2])), apply("sign", variable)))
    const graph = await quantizeProgram(program, { samples: [{ input0: [1, 0.5] }] })
    expect(graph.nodes.map(({ kind }) => kind)).toEqual(["input", "table"])
    const circuit = await compile(graph)
    expect(circuit.linked.stamps.length).toBe(2)
  })
})
