/**
 * Trains the convolutional networks on digits that have no weights elsewhere (examples/train.py has trained the others), and
 * writes <name>.bin beside this file. Plain loops and one thread; the same seeds give the same weights.
 *
 *   npm ci && npm run build && node bench/networks/train.mjs [NAME …]       a few minutes
 *
 * A network with another's convolutions keeps these as they are, and learns what is behind them. Every digit is turned, sheared, scaled and shifted a little each time it is seen. Adam with a cosine schedule; weights are
 * the average of the last third of the epochs, rounded to half precision, and what is printed is how these do on unseen digits.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { messageType } from "../../dist/model/onnx/schema.js"
import { generator } from "../inputs.mjs"
import { digits } from "./digits.mjs"
import { randomWeights, readWeights, sequential, weighted, writeWeights } from "./layers.mjs"
import { trained } from "./trained.mjs"

const batch = 32
const smoothing = 0.02
const size = (shape) => shape.reduce((a, b) => a * b, 1)

/** Layers with room for values, gradients and what Adam remembers; those before the place `first` are kept as they are. */
function prepare(layers, weights, first = 0) {
  const given = weights[Symbol.iterator]()
  return layers.map((layer, i) => {
    const back = i === 0 ? undefined : new Float32Array(size(layer.from))
    const values = { out: new Float32Array(size(layer.to)), back, learns: i >= first }
    if (!layer.weight) return { ...layer, ...values }
    const { weight, bias } = given.next().value
    const tensors = [weight, bias].map((w) => ({
      w,
      gradient: new Float32Array(w.length),
      mean: new Float32Array(w.length),
      square: new Float32Array(w.length),
      average: new Float64Array(w.length),
    }))
    return { ...layer, ...values, tensors }
  })
}

const forwards = {
  conv({ from: [channels, height, width], to: [filters, rows, columns], kernel, tensors, out }, x) {
    const [{ w }, { w: bias }] = tensors
    for (let f = 0; f < filters; f++) {
      const to = f * rows * columns
      out.fill(bias[f], to, to + rows * columns)
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) {
            const factor = w[((f * channels + c) * kernel + ky) * kernel + kx]
            for (let y = 0; y < rows; y++) {
              const [at, at0] = [to + y * columns, (c * height + y + ky) * width + kx]
              for (let i = 0; i < columns; i++) out[at + i] += factor * x[at0 + i]
            }
          }
    }
  },
  dense({ tensors, out }, x) {
    const [{ w }, { w: bias }] = tensors
    for (let row = 0; row < out.length; row++) {
      let sum = bias[row]
      for (let i = 0; i < x.length; i++) sum += w[row * x.length + i] * x[i]
      out[row] = sum
    }
  },
  relu({ out }, x) {
    for (let i = 0; i < x.length; i++) out[i] = Math.max(x[i], 0)
  },
  average({ from: [, height, width], out }, x) {
    const [rows, columns] = [height / 2, width / 2]
    for (let i = 0; i < out.length; i++) {
      const y = Math.floor(i / columns)
      const at = 2 * (Math.floor(y / rows) * rows * width + (y % rows) * width + (i % columns))
      out[i] = (x[at] + x[at + 1] + x[at + width] + x[at + width + 1]) / 4
    }
  },
}

/** Adds to the gradients of weights, and sets `back`, the gradient of what a layer was given, where there is one before it. */
const backwards = {
  conv({ from: [channels, height, width], to: [filters, rows, columns], kernel, tensors, back }, x, g) {
    const [{ w, gradient }, { gradient: biases }] = tensors
    back?.fill(0)
    for (let f = 0; f < filters; f++) {
      const to = f * rows * columns
      for (let i = to; i < to + rows * columns; i++) biases[f] += g[i]
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) {
            const place = ((f * channels + c) * kernel + ky) * kernel + kx
            const factor = w[place]
            let sum = 0
            for (let y = 0; y < rows; y++) {
              const [at, at0] = [to + y * columns, (c * height + y + ky) * width + kx]
              for (let i = 0; i < columns; i++) sum += g[at + i] * x[at0 + i]
              if (back) for (let i = 0; i < columns; i++) back[at0 + i] += factor * g[at + i]
            }
            gradient[place] += sum
          }
    }
  },
  dense({ tensors, back }, x, g) {
    const [{ w, gradient }, { gradient: biases }] = tensors
    back.fill(0)
    for (let row = 0; row < g.length; row++) {
      biases[row] += g[row]
      if (g[row] === 0) continue
      for (let i = 0, at = row * x.length; i < x.length; i++, at++) {
        gradient[at] += g[row] * x[i]
        back[i] += g[row] * w[at]
      }
    }
  },
  relu({ back }, x, g) {
    for (let i = 0; i < x.length; i++) back[i] = x[i] > 0 ? g[i] : 0
  },
  average({ from: [, height, width], back }, _, g) {
    const [rows, columns] = [height / 2, width / 2]
    for (let i = 0; i < g.length; i++) {
      const y = Math.floor(i / columns)
      const at = 2 * (Math.floor(y / rows) * rows * width + (y % rows) * width + (i % columns))
      back[at] = back[at + 1] = back[at + width] = back[at + width + 1] = g[i] / 4
    }
  },
}

function run(net, x) {
  let current = x
  for (const layer of net) {
    forwards[layer.kind](layer, current)
    current = layer.out
  }
  return current
}

/** One digit's share of the gradients; gives its loss. */
function learn(net, x, label) {
  const logits = run(net, x)
  const most = Math.max(...logits)
  const powers = Array.from(logits, (z) => Math.exp(z - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  let g = Float32Array.from(
    powers,
    (p, k) => p / sum - smoothing / logits.length - (k === label ? 1 - smoothing : 0),
  )
  for (let i = net.length - 1; i >= 0 && net[i].learns; i--) {
    backwards[net[i].kind](net[i], i === 0 ? x : net[i - 1].out, g)
    g = net[i].back
  }
  return -Math.log(powers[label] / sum)
}

function step(net, time, rate) {
  const [b1, b2] = [0.9, 0.999]
  const scale = (rate * Math.sqrt(1 - b2 ** time)) / (1 - b1 ** time)
  for (const { tensors = [] } of net.filter(({ learns }) => learns))
    for (const { w, gradient, mean, square } of tensors) {
      for (let i = 0; i < w.length; i++) {
        const g = gradient[i] / batch
        mean[i] = b1 * mean[i] + (1 - b1) * g
        square[i] = b2 * square[i] + (1 - b2) * g * g
        w[i] -= (scale * mean[i]) / (Math.sqrt(square[i]) + 1e-8)
      }
      gradient.fill(0)
    }
}

/** The digit seen a little differently, by two linear interpolations; outside of it there is nothing. */
function distorted(pixels, side, next) {
  const uniform = (width) => ((2 * next()) / 2 ** 32 - 1) * width
  const [angle, shear, shift] = [uniform(0.2), uniform(0.15), side / 16]
  const [sx, sy] = [1 + uniform(0.1), 1 + uniform(0.1)]
  const [cos, sin, dx, dy] = [Math.cos(angle), Math.sin(angle), uniform(shift), uniform(shift)]
  const middle = (side - 1) / 2
  const at = (y, x) => (y < 0 || x < 0 || y >= side || x >= side ? 0 : pixels[y * side + x])
  return Float32Array.from({ length: side * side }, (_, i) => {
    const [v, u] = [Math.floor(i / side) - middle, (i % side) - middle]
    const y = middle + dy + sin * u + cos * sy * v
    const x = middle + dx + cos * sx * u + (shear - sin) * v
    const [top, left] = [Math.floor(y), Math.floor(x)]
    const [fy, fx] = [y - top, x - left]
    const upper = at(top, left) * (1 - fx) + at(top, left + 1) * fx
    const lower = at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx
    return upper * (1 - fy) + lower * fy
  })
}

function accuracy(net, list) {
  const right = list.filter(({ pixels, label }) => {
    const logits = run(net, Float32Array.from(pixels))
    return logits.indexOf(Math.max(...logits)) === label
  })
  return right.length / list.length
}

/** Weights of the convolutions of an example. */
function convolutionsOf(folder) {
  const file = readFileSync(new URL(`../../examples/${folder}/model.onnx`, import.meta.url))
  const { graph } = messageType("ModelProto").decode(file)
  const values = (name) => {
    const { rawData } = graph.initializer.find((tensor) => tensor.name === name)
    return new Float32Array(Uint8Array.from(rawData).buffer)
  }
  const convs = graph.node.filter(({ opType }) => opType === "Conv")
  return convs.map(({ input: [, weight, bias] }) => ({ weight: values(weight), bias: values(bias) }))
}

function train(name, { shape, steps, shrink, convolutions, epochs, rate }) {
  const layers = sequential(shape, steps)
  const next = generator(7)
  for (let i = 0; i < 100; i++) next()
  const kept = convolutions ? convolutionsOf(convolutions) : []
  const start = [...kept, ...randomWeights(layers, next).slice(kept.length)]
  const first = convolutions ? layers.findIndex(({ kind }) => kind === "dense") : 0
  const net = prepare(layers, start, first)
  const [list, unseen] = [digits("train", shrink), digits("test", shrink)]
  const side = shape[1]
  const all = epochs * Math.ceil(list.length / batch)
  let [time, averaged] = [0, 0]
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = next() % (i + 1)
      ;[list[i], list[j]] = [list[j], list[i]]
    }
    let loss = 0
    for (let from = 0; from < list.length; from += batch) {
      for (const { pixels, label } of list.slice(from, from + batch))
        loss += learn(net, distorted(pixels, side, next), label)
      step(net, ++time, rate * (0.02 + 0.98 * 0.5 * (1 + Math.cos((Math.PI * time) / all))))
    }
    if (epoch >= Math.floor((2 * epochs) / 3)) {
      averaged++
      for (const { tensors = [] } of net)
        for (const { w, average } of tensors)
          for (let i = 0; i < w.length; i++) average[i] += (w[i] - average[i]) / averaged
    }
    process.stderr.write(
      `${name}: epoch ${epoch + 1} of ${epochs}, loss ${(loss / list.length).toFixed(4)}\n`,
    )
  }
  const means = weighted(net).map(({ tensors: [weight, bias] }) => ({
    weight: weight.average,
    bias: bias.average,
  }))
  const bytes = writeWeights(means)
  writeFileSync(new URL(`${name}.bin`, import.meta.url), bytes)
  const share = accuracy(prepare(layers, readWeights(layers, bytes)), unseen)
  console.log(`${name}: ${share.toFixed(4)} of ${unseen.length} unseen digits`)
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(trained)
for (const name of names) {
  if (!Object.hasOwn(trained, name))
    throw new Error(`no \`${name}\`; there are: ${Object.keys(trained).join(", ")}`)
  train(name, trained[name])
}
