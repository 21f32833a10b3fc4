/**
 * Networks of one layer after the other: convolutions without padding, pools of 2 × 2, dense layers and ReLU; their sizes,
 * random weights, weights of a file, and the ONNX file. Attributes that have a default are written out and the batch is one,
 * so that other provers take the very same file.
 */
import { OnnxFile } from "../onnx.mjs"

/**
 * Layers with their sizes. `shape`: [channels, height, width] or [length]; steps: ["conv", channels, kernel], ["dense", size],
 * ["relu"], ["average"], ["maximum"]. A layer has { kind, from, to } and, if it has weights, the shapes of `weight` and `bias`.
 */
export function sequential(shape, steps) {
  let from = shape
  return steps.map(([kind, size, kernel]) => {
    const flat = from.reduce((a, b) => a * b, 1)
    const [channels, height, width] = from
    const layer = { kind, from }
    if (kind === "conv") {
      layer.to = [size, height - kernel + 1, width - kernel + 1]
      Object.assign(layer, { kernel, weight: [size, channels, kernel, kernel], bias: [size] })
    } else if (kind === "dense") Object.assign(layer, { to: [size], weight: [size, flat], bias: [size] })
    else if (kind === "relu") layer.to = from
    else layer.to = [channels, height / 2, width / 2]
    if (layer.to.some((d) => !Number.isInteger(d) || d < 1)) throw new Error(`${kind} of ${from}: no size`)
    from = layer.to
    return layer
  })
}

const count = (shape) => shape.reduce((a, b) => a * b, 1)

export const weighted = (layers) => layers.filter(({ weight }) => weight)

/** How many weights and biases there are. */
export const parameters = (layers) =>
  weighted(layers).reduce((sum, { weight, bias }) => sum + count(weight) + count(bias), 0)

/** Normal numbers of standard deviation 1, by Box and Muller. */
export function normals(next) {
  const uniform = () => next() / 2 ** 32
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

/** Random weights { weight, bias } of each layer that has some, such that activations keep their size (He). */
export function randomWeights(layers, next) {
  const normal = normals(next)
  return weighted(layers).map(({ weight, bias }) => {
    const gain = Math.sqrt(2 / count(weight.slice(1)))
    return {
      weight: Float32Array.from({ length: count(weight) }, () => gain * normal()),
      bias: Float32Array.from({ length: count(bias) }, () => 0.1 * normal()),
    }
  })
}

/** Weights of a file of half-precision numbers, layer by layer, weights before biases. */
export function readWeights(layers, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.byteLength !== 2 * parameters(layers))
    throw new Error(`${bytes.byteLength} bytes of weights, not ${2 * parameters(layers)}`)
  let at = 0
  const take = (shape) =>
    Float32Array.from({ length: count(shape) }, () => {
      at += 2
      return fromHalf(view.getUint16(at - 2, true))
    })
  return weighted(layers).map(({ weight, bias }) => ({ weight: take(weight), bias: take(bias) }))
}

/** The bytes that `readWeights` takes; numbers are rounded to half precision. */
export function writeWeights(weights) {
  const numbers = weights.flatMap(({ weight, bias }) => [...weight, ...bias])
  const bytes = new Uint8Array(2 * numbers.length)
  const view = new DataView(bytes.buffer)
  for (const [i, x] of numbers.entries()) view.setUint16(2 * i, toHalf(x), true)
  return bytes
}

/** A number of IEEE 754 binary16, which is finite. */
function fromHalf(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023]
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25)
  return bits >> 15 ? -size : size
}

/** Its bits: the nearest number's, below 65,504. */
function toHalf(x) {
  const sign = x < 0 ? 1 << 15 : 0
  const size = Math.abs(x)
  if (!(size < 65504)) throw new Error(`${x} is too large for half precision`)
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24)
  const exponent = Math.floor(Math.log2(size))
  // a fraction that rounds up to 1024 carries into the exponent, as it should
  return sign | (((exponent + 15) << 10) + Math.round(size * 2 ** (10 - exponent)) - 1024)
}

const pools = { average: "AveragePool", maximum: "MaxPool" }

/** The ONNX file of layers with weights; `name` of the graph. */
export function toOnnx(name, layers, weights) {
  const [first, last] = [layers[0], layers[layers.length - 1]]
  const file = new OnnxFile(name, { name: "image", shape: [1, ...first.from] })
  const given = weights[Symbol.iterator]()
  let current = "image"
  for (const [i, layer] of layers.entries()) {
    const { kind, from, kernel } = layer
    const out = layer === last ? "logits" : `${kind}${i}`
    const window = (size, stride) => ({
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: [0, 0, 0, 0],
    })
    if (kind === "relu") current = file.add("Relu", [current], {}, out)
    else if (Object.hasOwn(pools, kind))
      current = file.add(pools[kind], [current], { ...window(2, 2), ceil_mode: 0 }, out)
    else {
      const { weight, bias } = given.next().value
      const inputs = [
        file.floats(`${out}.weight`, layer.weight, weight),
        file.floats(`${out}.bias`, layer.bias, bias),
      ]
      if (kind === "conv") {
        const attributes = { ...window(kernel, 1), dilations: [1, 1], group: 1 }
        current = file.add("Conv", [current, ...inputs], attributes, out)
      } else {
        if (from.length > 1) current = file.add("Flatten", [current], { axis: 1 }, `flat${i}`)
        current = file.add("Gemm", [current, ...inputs], { transB: 1 }, out)
      }
    }
  }
  return file.encode([{ name: current, shape: [1, ...last.to] }])
}
