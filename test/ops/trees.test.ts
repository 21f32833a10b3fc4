/** Trees are exact: whatever numbers a model is given, every comparison comes out as in onnxruntime. */
import fc from "fast-check"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { amount } from "../support/amount.js"
import { type AttributeSpec, encodeOnnx, type OnnxSpec } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"
import {
  boosted,
  clouds,
  type Leaf,
  mlModel,
  modes,
  randomTree,
  type Tree,
  treeAttributes,
} from "../support/trees.js"

const features = 4
/** Thresholds that are hard to tell from their neighbours, or from zero. */
const thresholds = [0, 0.1, -0.1, 1 / 3, 1e-40, -1e-40, 3.4e38, -2, 16777216].map(Math.fround)

const neighbour = (x: number, by: number): number => {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, x)
  view.setInt32(0, view.getInt32(0) + by)
  return view.getFloat32(0)
}

/** Numbers at thresholds, beside them, between them, and beyond all. */
const hard = (random: Random): number => {
  const t = random.pick(thresholds)
  return random.pick([
    t,
    -t,
    neighbour(t, 1),
    neighbour(t, -1),
    t + (neighbour(t, 1) - t) / 2, // a double that rounds to either
    random.reals(1, 3)[0],
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ])
}

const whole = (random: Random): number =>
  random.pick([0, 1, -2, -3, 16777216, 16777217, random.integer(-5, 5)])

type Outputs = Readonly<Record<string, readonly (number | string)[]>>

async function onnxruntime(bytes: Uint8Array, spec: OnnxSpec, x: readonly number[]): Promise<Outputs> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const [{ name, shape, dtype }] = spec.inputs
  const data =
    dtype === "double"
      ? Float64Array.from(x)
      : dtype === "int64"
        ? BigInt64Array.from(x, BigInt)
        : Float32Array.from(x)
  const type = dtype === "double" ? "float64" : dtype === "int64" ? "int64" : "float32"
  const results = await session.run({ [name]: new Tensor(type, data as Float32Array, shape as number[]) })
  await session.release()
  return Object.fromEntries(
    spec.outputs.map((output) => [
      output,
      Array.from(results[output].data as Iterable<number | bigint | string>, (each) =>
        typeof each === "bigint" ? Number(each) : each,
      ),
    ]),
  )
}

/** What an integer model says, labels by name. */
function said(graph: IntGraph, x: readonly number[]): Outputs {
  const run = runInteger(graph, quantizeInput(graph, { x: Float64Array.from(x) }))
  return Object.fromEntries(
    graph.outputs.map(({ name, tensor, labels }) => {
      const integers = run.get(tensor) as Float64Array
      const { scale } = graph.tensors[tensor]
      return [name, Array.from(integers, (q) => (labels?.of === "values" ? labels.names[q] : q * scale))]
    }),
  )
}

function expectSame(got: Outputs, want: Outputs, within = 1e-5): void {
  for (const [name, values] of Object.entries(want))
    values.forEach((value, i) => {
      const found = got[name][i]
      if (name === "y" || typeof value === "string") expect(found, `${name}[${i}]`).toBe(value)
      else
        expect(
          Math.abs(Number(found) - value),
          `${name}[${i}] is ${found}, not ${value}`,
        ).toBeLessThanOrEqual(within * Math.max(1, Math.abs(value)))
    })
}

/** Quantizes a model of which ranks are all that is known of x, and compares it on hard inputs. */
async function compare(
  spec: OnnxSpec,
  random: Random,
  some: (random: Random) => number = hard,
): Promise<void> {
  const bytes = encodeOnnx(spec)
  const program = lower(importOnnx(bytes))
  const size = (spec.inputs[0].shape as number[]).reduce((a, b) => a * b, 1)
  const sample = () => Array.from({ length: size }, () => some(random))
  const inputs = Array.from({ length: 4 }, sample)
  const graph = await quantizeProgram(program, { samples: [{ x: Float64Array.from(inputs[0]) }] })
  expect(graph.inputs[0].ranks).toBeDefined()
  for (const x of inputs) {
    const want = await onnxruntime(bytes, spec, x)
    expectSame(said(graph, x), want)
    const values = evaluate(program, { x: Float64Array.from(x) })
    for (const { name, tensor, labels } of program.outputs)
      if (!labels || labels.of === "columns")
        expectSame({ [name]: Array.from(values.get(tensor) as Float64Array) }, { [name]: want[name] })
  }
}

const trials = (runs: number, check: (random: Random) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => check(new Random(seed))),
    { numRuns: amount(runs, 4 * runs) },
  )

/** Weights that float32 adds without rounding, so that nothing is decided by it. */
const weight = (random: Random): number => random.integer(-64, 64) / 32

describe("as onnxruntime, on numbers at and beside every threshold", () => {
  it("regressors: every mode, missing values, aggregates, base values", async () => {
    await trials(25, async (random) => {
      const targets = random.integer(1, 3)
      const aggregate = random.pick(["SUM", "AVERAGE", "MIN", "MAX"])
      const leaf = (): Leaf =>
        Array.from({ length: targets }, (_, target) => ({ target, value: weight(random) }))
      const trees = Array.from({ length: random.integer(1, 4) }, () =>
        randomTree(random, 4, features, thresholds, leaf),
      )
      const attributes: Record<string, AttributeSpec> = {
        ...treeAttributes(trees, "target", random),
        n_targets: targets,
        aggregate_function: aggregate,
        ...(random.next() < 0.5 && {
          base_values: { floats: Array.from({ length: targets }, () => weight(random)) },
        }),
        post_transform: targets === 1 ? "NONE" : random.pick(["NONE", "SOFTMAX", "LOGISTIC"]),
      }
      const withMissing = (some: Random) => (some.next() < 0.15 ? Number.NaN : hard(some))
      await compare(
        mlModel("TreeEnsembleRegressor", 2, features, ["scores"], attributes),
        random,
        withMissing,
      )
    })
  })

  it("classifiers: two classes by one score or two, and several", async () => {
    await trials(25, async (random) => {
      const count = random.integer(2, 4)
      const isOne = count === 2 && random.next() < 0.6
      const sign = random.next() < 0.5 ? (x: number) => Math.abs(x) : (x: number) => x
      // distinct scores: float32 and integers agree on the largest
      const leaf = (): Leaf =>
        Array.from({ length: isOne ? 1 : count }, (_, target) => ({
          target,
          value: sign(weight(random)) + target / 4096,
        }))
      const trees = Array.from({ length: random.integer(1, 3) }, () =>
        randomTree(random, 3, features, thresholds, leaf),
      )
      const names = random.next() < 0.5
      const attributes: Record<string, AttributeSpec> = {
        ...treeAttributes(trees, "class", random),
        ...(names
          ? { classlabels_strings: { texts: ["cat", "dog", "cow", "eel"].slice(0, count) } }
          : { classlabels_int64s: [7, -3, 5, 11].slice(0, count) }),
        post_transform: random.pick(["NONE", "SOFTMAX", "LOGISTIC"]),
        ...(count > 2 &&
          random.next() < 0.5 && { base_values: { floats: [0.5, 0.25, -0.5, 1].slice(0, count) } }),
      }
      await compare(mlModel("TreeEnsembleClassifier", 2, features, ["y", "scores"], attributes), random)
    })
  })

  it("trees of opset 5: sets, leaves of their own, doubles", async () => {
    await trials(12, async (random) => {
      const isDouble = random.next() < 0.5
      const dtype = isDouble ? "double" : "float"
      const values = isDouble ? thresholds.map((t) => t + 1e-12) : thresholds
      // a node: feature, mode 0 to 6, split; two leaves each; one root each
      const nodes = Array.from({ length: 4 }, () => ({
        mode: random.integer(0, 6),
        split: random.pick(values),
      }))
      const sets = nodes.flatMap(({ mode }) =>
        mode === 6
          ? [random.pick([-2, 16777216]), random.pick([-0, 0]), random.integer(-2, 2), Number.NaN]
          : [],
      )
      const ones = nodes.map(() => 1)
      const attributes: Record<string, AttributeSpec> = {
        tree_roots: nodes.map((_, i) => i),
        n_targets: 1,
        nodes_featureids: nodes.map(() => random.integer(0, features - 1)),
        nodes_modes: { tensor: { shape: [4], data: nodes.map(({ mode }) => mode), dtype: "uint8" } },
        nodes_splits: { tensor: { shape: [4], data: nodes.map(({ split }) => split), dtype } },
        nodes_truenodeids: nodes.map((_, i) => 2 * i),
        nodes_trueleafs: ones,
        nodes_falsenodeids: nodes.map((_, i) => 2 * i + 1),
        nodes_falseleafs: ones,
        leaf_targetids: nodes.flatMap(() => [0, 0]),
        leaf_weights: { tensor: { shape: [8], data: nodes.flatMap((_, i) => [2 ** i, 0]), dtype } },
        ...(sets.length > 0 && {
          membership_values: { tensor: { shape: [sets.length], data: sets, dtype } },
        }),
      }
      const spec = mlModel("TreeEnsemble", 2, features, ["scores"], attributes, {
        mlOpset: 5,
        opset: 21,
        dtype,
      })
      // onnxruntime drops fractions before it looks in a set; ONNX does not
      await compare(spec, random, sets.length > 0 ? whole : hard)
    })
  })

  it("integers, and features that are scaled before they are compared", async () => {
    await trials(8, async (random) => {
      const leaf = (): Leaf => [{ target: 0, value: weight(random) }]
      const trees = [randomTree(random, 4, features, thresholds, leaf)]
      const attributes = { ...treeAttributes(trees, "target", random), n_targets: 1 }
      const two = { ...treeAttributes(trees, "class", random), classlabels_int64s: [0, 1] }
      const integers = mlModel("TreeEnsembleClassifier", 2, features, ["y", "scores"], two, {
        dtype: "int64",
      })
      await compare(integers, random, whole)
      const scaled: OnnxSpec = {
        ...mlModel("TreeEnsembleRegressor", 2, features, ["scores"], attributes),
        nodes: [
          {
            operator: "Scaler",
            domain: "ai.onnx.ml",
            inputs: ["x"],
            outputs: ["z"],
            attributes: {
              offset: { floats: random.reals(features, 3) },
              scale: { floats: random.reals(features, 3).map((x) => Math.abs(x) + 0.01) },
            },
          },
          {
            operator: "TreeEnsembleRegressor",
            domain: "ai.onnx.ml",
            inputs: ["z"],
            outputs: ["scores"],
            attributes,
          },
        ],
      }
      const { offset, scale } = scaled.nodes[0].attributes as Record<string, { floats: number[] }>
      let at = 0
      // what is scaled to thresholds and their neighbours, as near as floats come
      const before = (some: Random) => {
        const i = at++ % features
        const x = Math.fround(
          random.pick(thresholds) / Math.fround(scale.floats[i]) + Math.fround(offset.floats[i]),
        )
        return neighbour(Number.isFinite(x) && x !== 0 ? x : 1, some.integer(-2, 2))
      }
      await compare(scaled, random, before)
    })
  })
})

describe("boosted trees on their own data", () => {
  it("every row: the class, and the probabilities within 1e-5", async () => {
    const random = new Random(5)
    const [rows, columns, classes] = [300, 3, 3]
    const data = clouds(random, rows, columns, classes)
    const trees = boosted(data, classes, 8, 4)
    const attributes: Record<string, AttributeSpec> = {
      ...treeAttributes(trees, "class", random),
      classlabels_strings: { texts: ["low", "middle", "high"] },
      post_transform: "SOFTMAX",
    }
    const of = (count: number) =>
      mlModel("TreeEnsembleClassifier", count, columns, ["y", "scores"], attributes)
    const want = await onnxruntime(encodeOnnx(of(rows)), of(rows), data.x.flat())
    const program = lower(importOnnx(encodeOnnx(of(1))))
    const samples = data.x.slice(0, 20).map((x) => ({ x }))
    const graph = await quantizeProgram(program, { samples })
    data.x.forEach((x, row) => {
      const one = {
        y: [want.y[row]],
        scores: want.scores.slice(row * classes, (row + 1) * classes),
      }
      expectSame(said(graph, x), one)
    })
    // the classes are not all one, and the trees have learnt something
    const right = want.y.filter((name, i) => name === ["low", "middle", "high"][data.y[i]])
    expect(right.length).toBeGreaterThan(0.8 * rows)
    expect(new Set(want.y).size).toBe(classes)
  })

  it("the probabilities stay within 1e-5 at every precision, and with scores far apart", async () => {
    const random = new Random(6)
    for (const [precision, size] of [
      [6, 1],
      [10, 8],
      [14, 300],
    ] as const) {
      const leaf = (): Leaf =>
        Array.from({ length: 3 }, (_, target) => ({ target, value: random.reals(1, size)[0] }))
      const trees = Array.from({ length: 6 }, () => randomTree(random, 3, features, thresholds, leaf))
      const spec = mlModel("TreeEnsembleClassifier", 1, features, ["y", "scores"], {
        ...treeAttributes(trees, "class", random),
        classlabels_int64s: [0, 1, 2],
        post_transform: "SOFTMAX",
      })
      const bytes = encodeOnnx(spec)
      const samples = [{ x: random.reals(features) }]
      const graph = await quantizeProgram(lower(importOnnx(bytes)), { samples, precision })
      for (let i = 0; i < 10; i++) {
        const x = Array.from({ length: features }, () => hard(random))
        expectSame(said(graph, x), await onnxruntime(bytes, spec, x))
      }
    }
  })
})

describe("files that are no trees are refused", () => {
  const random = new Random(1)
  const stump: Tree = {
    feature: 0,
    mode: "LEQ",
    value: 0.5,
    missing: false,
    whenTrue: { leaf: [{ target: 0, value: 1 }] },
    whenFalse: { leaf: [{ target: 0, value: 2 }] },
  }
  const attributes = treeAttributes([stump, stump], "target", random)
  const refusal = (change: Record<string, AttributeSpec>): string => {
    try {
      lower(
        importOnnx(
          encodeOnnx(
            mlModel("TreeEnsembleRegressor", 1, 1, ["scores"], { ...attributes, n_targets: 1, ...change }),
          ),
        ),
      )
      return ""
    } catch (error) {
      expect(error).toBeInstanceOf(ModelError)
      return (error as ModelError).message
    }
  }
  const ids = attributes.nodes_nodeids as readonly number[]

  it.each<[string, Record<string, AttributeSpec>, RegExp]>([
    ["a circle", { nodes_truenodeids: ids.map((_, i) => ids[3 * Math.floor(i / 3)]) }, /reached twice/],
    ["shared children", { nodes_falsenodeids: attributes.nodes_truenodeids }, /^$/],
    ["a child that is not there", { nodes_truenodeids: ids.map(() => 2 ** 40) }, /has no node 1099511627776/],
    ["a node twice", { nodes_nodeids: ids.map(() => 0) }, /is there twice/],
    ["a feature out of range", { nodes_featureids: ids.map(() => 1) }, /feature 1 among 1/],
    ["a negative feature", { nodes_featureids: ids.map(() => -1) }, /feature -1 among 1/],
    ["a gigantic feature", { nodes_featureids: ids.map(() => 2 ** 52) }, /among 1/],
    ["lists of other lengths", { nodes_values: { floats: [1] } }, /has not 6 values/],
    ["an unknown mode", { nodes_modes: { texts: ids.map(() => "BRANCH_XOR") } }, /mode `BRANCH_XOR`/],
    ["a target out of range", { target_ids: ids.slice(2).map(() => 5) }, /target 5 among 1/],
    ["no targets", { n_targets: 0 }, /`n_targets` = `0`/],
    ["gigantic numbers of targets", { n_targets: 2 ** 40 }, /`n_targets`/],
    ["weights of no node", { target_nodeids: ids.slice(2).map(() => 77) }, /not there/],
    ["a comparison with NaN", { nodes_values: { floats: ids.map(() => Number.NaN) } }, /compares with NaN/],
    ["a weight that is no number", { target_weights: { floats: [Number.NaN, 1, 1, 1] } }, /NaN|finite/],
  ])("%s", (_, change, message) => {
    expect(refusal(change)).toMatch(message)
  })

  it("a tree that is too deep", () => {
    let tree: Tree = { leaf: [{ target: 0, value: 1 }] }
    for (let i = 0; i < 600; i++) tree = { ...stump, whenTrue: tree } as Tree
    expect(refusal(treeAttributes([tree], "target", random))).toMatch(/deeper than/)
  })
})

it("inputs that are read otherwise as well are no ranks", async () => {
  const random = new Random(2)
  const tree = randomTree(random, 2, 2, [0.5], () => [{ target: 0, value: 1 }], [...modes])
  const spec = mlModel(
    "TreeEnsembleRegressor",
    1,
    2,
    ["scores", "z"],
    treeAttributes([tree], "target", random),
  )
  const both: OnnxSpec = {
    ...spec,
    nodes: [
      { ...spec.nodes[0], outputs: ["scores"] },
      { operator: "Neg", inputs: ["x"], outputs: ["z"] },
    ],
  }
  expect(lower(importOnnx(encodeOnnx(both))).inputs[0].ranks).toBeUndefined()
})
