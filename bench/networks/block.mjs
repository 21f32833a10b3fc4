/**
 * A transformer block with trained weights: the last of the four of bench/transformer (attention of four heads over 64 tokens of
 * width 64, then two dense maps with a GELU between), and behind it the last normalization and the map to 65 characters, so that
 * what it says can be right or wrong. Its input is the stream that the three blocks before it make of a text, in floats.
 */
import { readFileSync } from "node:fs"
import { runnerImport } from "vite"
import { importOnnx, lower } from "../../dist/index.js"
import { evaluate } from "../../dist/ops/evaluate.js"

const sizes = { layers: 4, width: 64, heads: 4, positions: 64, vocabulary: 65 }
const alphabet = "\n !\"'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const read = (name) => readFileSync(new URL(`../transformer/${name}`, import.meta.url))
const load = async (path) => (await runnerImport(new URL(path, import.meta.url).pathname)).module

/** { file, parameters, samples, unseen, labels }: 8 windows of text to calibrate, `count` others; a label for each position but the last. */
export async function block(count) {
  const { readTransformer, transformerModel } = await load("../../test/support/transformer.ts")
  const { encodeOnnx } = await load("../../test/support/onnx-writer.ts")
  const given = readTransformer(sizes, read("weights.bin"))
  const last = sizes.layers - 1
  const before = lower(importOnnx(encodeOnnx(transformerModel(given, "torch", { to: last }))))
  const windows = (name, most) => {
    const text = read(name).toString("utf8")
    return Array.from({ length: most }, (_, i) => {
      const tokens = Array.from(text.slice(i * sizes.positions, (i + 1) * sizes.positions), (c) =>
        alphabet.indexOf(c),
      )
      return { tokens, stream: Array.from(evaluate(before, { tokens }).get(before.outputs[0].tensor)) }
    })
  }
  const unseen = windows("unseen.txt", count)
  // of the last layer, and of what is behind it; the file has a mask besides
  const own = Object.entries(given.weights).filter(([name]) => /^(3|norm|head)(\.|$)/.test(name))
  return {
    parameters: own.reduce((sum, [, { data }]) => sum + data.length, 0),
    file: encodeOnnx(transformerModel(given, "torch", { from: last })),
    samples: windows("seen.txt", 8).map(({ stream }) => ({ stream })),
    unseen: unseen.map(({ stream }) => ({ stream })),
    labels: unseen.map(({ tokens }) => tokens.slice(1)),
    options: { precision: 11 },
  }
}
