/**
 * One family of networks, from 2^12 constraints to 2^20: convolutions 3 × 3 with ReLU on square images of one channel, the
 * mean of each channel, and a dense layer. Weights are random and keep activations in range, so that no class means
 * anything; what a proof takes does not depend on it.
 */
import { messageType } from "../../dist/model/onnx/schema.js"
import { generator } from "../inputs.mjs"

/** For each power of two the image's side, channels and convolutions of the largest network with no more constraints. */
export const sizes = {
  12: { side: 8, channels: 4, depth: 2 },
  13: { side: 13, channels: 4, depth: 2 },
  14: { side: 13, channels: 4, depth: 4 },
  15: { side: 15, channels: 8, depth: 4 },
  16: { side: 22, channels: 8, depth: 4 },
  17: { side: 34, channels: 8, depth: 4 },
  18: { side: 35, channels: 16, depth: 4 },
  19: { side: 36, channels: 16, depth: 8 },
  20: { side: 51, channels: 16, depth: 8 },
}

const float = 1

/** The ONNX file of such a network, and inputs for it. */
export function convolutions({ side, channels, depth }, { seed = 7, count = 4 } = {}) {
  const next = generator(seed)
  const uniform = () => next() / 2 ** 32
  // Box and Muller; the logarithm's argument is never 0
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const [node, initializer] = [[], []]
  const weights = (name, dims, deviation) => {
    const count = dims.reduce((product, size) => product * size)
    initializer.push({
      name,
      dims,
      dataType: float,
      floatData: Array.from({ length: count }, () => normal() * deviation),
    })
    return name
  }
  const operator = (opType, input, output, attribute = []) => {
    node.push({ opType, name: output, input, output: [output], attribute })
    return output
  }
  const pads = [{ name: "pads", type: 7, ints: [1, 1, 1, 1] }]
  let tensor = "image"
  for (let i = 0, from = 1; i < depth; i++, from = channels) {
    const kernel = weights(`kernel${i}`, [channels, from, 3, 3], Math.sqrt(2 / (9 * from)))
    tensor = operator("Relu", [operator("Conv", [tensor, kernel], `conv${i}`, pads)], `relu${i}`)
  }
  const mean = operator("Flatten", [operator("GlobalAveragePool", [tensor], "mean")], "flat")
  operator("Gemm", [mean, weights("dense", [channels, 10], 0.25)], "logits")
  const shape = { dim: [1, 1, side, side].map((dimValue) => ({ dimValue })) }
  const type = messageType("ModelProto")
  const graph = {
    name: `convolutions-${side}-${channels}-${depth}`,
    node,
    initializer,
    input: [{ name: "image", type: { tensorType: { elemType: float, shape } } }],
    output: [{ name: "logits" }],
  }
  const message = { irVersion: 8, opsetImport: [{ domain: "", version: 15 }], graph }
  const samples = Array.from({ length: count }, () => ({
    image: Array.from({ length: side * side }, () => 2 * uniform() - 1),
  }))
  return { onnx: type.encode(type.fromObject(message)).finish(), samples }
}
