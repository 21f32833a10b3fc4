/**
 * Residual networks for CIFAR-sized images (3 stages of 16, 32 and 64 channels, shortcuts without weights, batch
 * normalizations folded) of any depth, with random weights that keep activations in range; and what each stage of the whole
 * way takes, of one of these or of a model that is given.
 *
 *   node bench/resnet.mjs --blocks N --onnx FILE --samples FILE     writes the model, and samples for calibration
 *   node bench/resnet.mjs --blocks N | --model FILE.onnx            measures; the reference beside a model has its inputs
 *     [--until compile|setup|open|prove]
 *
 * 3 blocks a stage are ResNet-20, 9 are ResNet-56.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { messageType } from "../dist/model/onnx/schema.js"
import { generator } from "./inputs.mjs"

const float = 1
const int64 = 7

/** The file of a network with `blocks` residual blocks in each stage, and `count` inputs for it. */
export function resnet(blocks, { seed = 1, count = 4 } = {}) {
  const next = generator(seed)
  const uniform = () => next() / 2 ** 32
  // Box and Muller; the logarithm's argument is never 0
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const [node, initializer] = [[], []]
  const operator = (opType, input, output, attribute = []) =>
    node.push({ opType, name: output, input, output: [output], attribute })
  const floats = (name, dims, floatData) => initializer.push({ name, dims, dataType: float, floatData })
  const ints = (name, int64Data) =>
    initializer.push({ name, dims: [int64Data.length], dataType: int64, int64Data })
  const list = (name, ...values) => ({ name, type: 7, ints: values })

  let [tensor, channels, size] = ["input", 3, 32]
  /** A convolution 3 × 3; `gain`: of the standard deviation. */
  const conv = (name, input, outChannels, stride, gain) => {
    const fan = 9 * (name === "first" ? 3 : channels)
    const weights = Array.from({ length: outChannels * fan }, () => normal() * gain * Math.sqrt(2 / fan))
    floats(`${name}.weight`, [outChannels, fan / 9, 3, 3], weights)
    floats(
      `${name}.bias`,
      [outChannels],
      Array.from({ length: outChannels }, () => 0.1 * normal()),
    )
    operator("Conv", [input, `${name}.weight`, `${name}.bias`], name, [
      list("kernel_shape", 3, 3),
      list("pads", 1, 1, 1, 1),
      list("strides", stride, stride),
    ])
    channels = outChannels
    return name
  }
  const relu = (input) => {
    operator("Relu", [input], `${input}.relu`)
    return `${input}.relu`
  }
  tensor = relu(conv("first", tensor, 16, 1, 1))
  // so that the sum of all blocks grows as little as one of them
  const gain = 1 / Math.sqrt(3 * blocks)
  for (const [stage, width] of [16, 32, 64].entries()) {
    for (let block = 0; block < blocks; block++) {
      const name = `stage${stage + 1}.${block}`
      const stride = stage > 0 && block === 0 ? 2 : 1
      let shortcut = tensor
      if (stride === 2) {
        const more = width - channels
        ints(`${name}.starts`, [0, 0])
        ints(`${name}.ends`, [size, size])
        ints(`${name}.axes`, [2, 3])
        ints(`${name}.steps`, [2, 2])
        ints(`${name}.pads`, [0, more / 2, 0, 0, 0, more / 2, 0, 0])
        operator(
          "Slice",
          [tensor, ...["starts", "ends", "axes", "steps"].map((part) => `${name}.${part}`)],
          `${name}.slice`,
        )
        shortcut = `${name}.shortcut`
        operator("Pad", [`${name}.slice`, `${name}.pads`], shortcut)
        size /= 2
      }
      const inner = relu(conv(`${name}.conv1`, tensor, width, stride, 1))
      const outer = conv(`${name}.conv2`, inner, width, 1, gain)
      operator("Add", [outer, shortcut], name)
      tensor = relu(name)
    }
  }
  operator("GlobalAveragePool", [tensor], "pool")
  operator("Flatten", ["pool"], "flat")
  floats(
    "dense.weight",
    [10, 64],
    Array.from({ length: 640 }, () => normal() / 8),
  )
  floats("dense.bias", [10], new Array(10).fill(0))
  operator("Gemm", ["flat", "dense.weight", "dense.bias"], "logits", [{ name: "transB", type: 2, i: 1 }])
  const shape = { dim: [1, 3, 32, 32].map((dimValue) => ({ dimValue })) }
  const graph = {
    name: `resnet${6 * blocks + 2}`,
    node,
    initializer,
    input: [{ name: "input", type: { tensorType: { elemType: float, shape } } }],
    output: [{ name: "logits" }],
  }
  const type = messageType("ModelProto")
  const message = { irVersion: 8, opsetImport: [{ domain: "", version: 15 }], graph }
  const onnx = type.encode(type.fromObject(message)).finish()
  const samples = Array.from({ length: count }, () => ({
    input: Array.from({ length: 3 * 32 * 32 }, () => 2 * uniform() - 1),
  }))
  return { onnx, samples }
}

/** What each stage takes: seconds by the clock and of the processors, and megabytes at most so far. */
export async function measure(onnx, samples, { until = "prove", maxConstraints = 2 ** 22 } = {}) {
  const api = await import("../dist/index.js")
  const rows = []
  const timed = async (name, work) => {
    const [start, before] = [performance.now(), process.cpuUsage()]
    const result = await work()
    const { user, system } = process.cpuUsage(before)
    const [seconds, processor] = [(performance.now() - start) / 1000, (user + system) / 1e6]
    const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1024)
    rows.push({ name, seconds, processor, peakMegabytes })
    return result
  }
  const stages = ["compile", "setup", "open", "prove"]
  const goesOn = (stage) => stages.indexOf(stage) <= stages.indexOf(until)
  const graph = await timed("quantize", async () => {
    const program = api.lower(api.importOnnx(onnx, { file: "model.onnx" }))
    const integers = await api.quantizeProgram(program, { samples })
    await api.measureAccuracy(program, integers, samples)
    return integers
  })
  const circuit = await timed("compile", () => api.compile(graph, { maxConstraints }))
  const { constraints, nonzeros, domain } = api.describeCircuit(circuit)
  const result = { constraints, nonzeros, domain, stages: rows }
  if (!goesOn("setup")) return result
  const keys = await timed("setup", () => api.setup(circuit, { dev: true }))
  if (!goesOn("open")) return result
  const prover = await timed("open", () => api.openProver(circuit, keys.provingKey))
  try {
    if (goesOn("prove")) {
      for (let i = 0; i < 3; i++) {
        const context = `0x${"11".repeat(32)}`
        const receipt = await timed("prove", () => prover.prove(samples[0], { context }))
        const { verificationKey } = keys
        if (!api.verify(receipt, { verificationKey, model: circuit.model, context, allowDev: true }))
          throw new Error("the receipt is invalid")
      }
    }
  } finally {
    await prover.close()
  }
  return result
}

/** Inputs that are recorded beside a model. */
function recorded(model) {
  const { inputs } = JSON.parse(readFileSync(model.replace(/onnx$/, "ref.json"), "utf8"))
  return [Object.fromEntries(inputs.map(({ name, data }) => [name, data.map(Number)]))]
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { values } = parseArgs({
    options: {
      blocks: { type: "string", default: "9" },
      model: { type: "string" },
      onnx: { type: "string" },
      samples: { type: "string" },
      until: { type: "string", default: "prove" },
    },
  })
  const { model } = values
  const given = model
    ? { onnx: readFileSync(model), samples: recorded(model) }
    : resnet(Number(values.blocks))
  if (values.onnx) writeFileSync(values.onnx, given.onnx)
  if (values.samples) writeFileSync(values.samples, JSON.stringify(given.samples))
  if (!values.onnx && !values.samples)
    console.log(JSON.stringify(await measure(given.onnx, given.samples, { until: values.until }), null, 2))
}
