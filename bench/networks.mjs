/**
 * The models that are measured, from the smallest to the largest. Each has a `name`, whether its `weights` are trained or random,
 * whether a `quick` run takes it, and `load`, which gives
 *
 *   file        bytes of an ONNX file with static shapes and no attributes left to defaults, for any prover
 *   samples     inputs for calibration, by name, flat
 *   unseen      other inputs, on which accuracy and agreement are measured and of which the first are proven
 *   labels      where there are any: the class of each of these; of the block one for each position but the last
 *   options     of `quantize`, if not the defaults
 *   parameters  how many weights, where the file has other numbers besides
 *
 * docs/decisions/bench.md says where weights and shapes come from.
 */
import { readFileSync } from "node:fs"
import { generator } from "./inputs.mjs"
import { digits, spread } from "./networks/digits.mjs"
import { normals, randomWeights, readWeights, sequential, toOnnx } from "./networks/layers.mjs"
import { trained } from "./networks/trained.mjs"
import { grow, treesToOnnx } from "./networks/trees.mjs"
import { explicit } from "./onnx.mjs"
import { resnet } from "./resnet.mjs"

const calibrating = 128

const images = (list) => list.map(({ pixels }) => ({ image: pixels }))

/** Digits to calibrate with, and unseen ones with their classes. */
function labelled(shrink = 1) {
  const unseen = shuffled(digits("test", shrink))
  return {
    samples: images(spread(digits("train", shrink), calibrating)),
    unseen: images(unseen),
    labels: unseen.map(({ label }) => label),
  }
}

/** Sorted by class they would all be zeros at first. */
function shuffled(list) {
  const next = generator(11)
  const keys = list.map(() => next())
  return list
    .map((x, i) => [keys[i], x])
    .sort(([a], [b]) => a - b)
    .map(([, x]) => x)
}

/** A network of the examples. */
const example = (folder) => () => ({
  file: explicit(readFileSync(new URL(`../examples/${folder}/model.onnx`, import.meta.url))),
  ...labelled(),
})

/** One that bench/networks/train.mjs has trained. */
const ours = (name) => () => {
  const { shape, steps, shrink } = trained[name]
  const layers = sequential(shape, steps)
  const bytes = readFileSync(new URL(`./networks/${name}.bin`, import.meta.url))
  return { file: toOnnx(name, layers, readWeights(layers, bytes)), ...labelled(shrink) }
}

/** Random weights; inputs are `given`, or as random. */
const random = (shape, steps, given) => () => {
  const next = generator(5)
  const layers = sequential(shape, steps)
  const file = toOnnx("random", layers, randomWeights(layers, next))
  if (given) return { file, ...given() }
  const normal = normals(next)
  const length = shape.reduce((a, b) => a * b, 1)
  // channels of a picture: values from -1 to 1
  const inputs = (count) =>
    Array.from({ length: count }, () => ({ image: Array.from({ length }, () => Math.tanh(normal())) }))
  return { file, samples: inputs(16), unseen: inputs(64) }
}

/** Convolutions 5 × 5 and maxima, then three dense layers, on pictures of 3 × 32 × 32. */
const cifar = (first, second, third, fourth) =>
  random(
    [3, 32, 32],
    [
      ["conv", first, 5],
      ["relu"],
      ["maximum"],
      ["conv", second, 5],
      ["relu"],
      ["maximum"],
      ["dense", third],
      ["relu"],
      ["dense", fourth],
      ["relu"],
      ["dense", 10],
    ],
  )

const dense = (...sizes) =>
  sizes.flatMap((size, i) => (i < sizes.length - 1 ? [["dense", size], ["relu"]] : [["dense", size]]))

function boosted() {
  const table = digits("train", 4)
  const trees = grow(
    table.map(({ pixels }) => pixels),
    table.map(({ label }) => label),
  )
  return { file: treesToOnnx(trees, table[0].pixels.length), ...labelled(4) }
}

function residual() {
  const { onnx, samples } = resnet(3, { count: 24 })
  return { file: explicit(onnx), samples: samples.slice(0, 8), unseen: samples.slice(8) }
}

export const networks = [
  { name: "784-56-10", weights: "trained", quick: true, load: example("mnist-mlp") },
  { name: "gradient-boosted trees", weights: "trained", quick: true, load: boosted },
  { name: "14_5_11_80_10_3", weights: "trained", quick: true, load: ours("14_5_11_80_10_3") },
  { name: "28_6_16_10_5", weights: "trained", quick: false, load: ours("28_6_16_10_5") },
  { name: "LeNet 28_6_16_120_84_10_5", weights: "trained", quick: true, load: example("mnist-lenet") },
  {
    name: "784-2000-60-4000-10",
    weights: "random",
    quick: false,
    load: random([784], dense(2000, 60, 4000, 10), () => {
      const { samples, unseen } = labelled()
      return { samples, unseen: unseen.slice(0, 200) }
    }),
  },
  { name: "CIFAR CNN 62k", weights: "random", quick: false, load: cifar(6, 16, 120, 84) },
  { name: "CIFAR CNN 264k", weights: "random", quick: false, load: cifar(12, 33, 251, 175) },
  {
    name: "dense 4M",
    weights: "random",
    quick: false,
    load: random([4], dense(1000, 1000, 1000, 1000, 1000, 3)),
  },
  {
    name: "transformer block",
    weights: "trained",
    quick: false,
    load: async () => (await import("./networks/block.mjs")).block(24),
  },
  { name: "ResNet-20", weights: "random", quick: false, load: residual },
]

/** Those of a run: the quick ones or all, with a text in their name. */
export const chosen = ({ quick, only }) =>
  networks.filter(({ name, quick: isQuick }) => (isQuick || !quick) && name.includes(only ?? ""))
