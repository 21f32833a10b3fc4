/**
 * A causal transformer of four layers as four tools write it: constraints, times, memory, and how often the integer model
 * names the same next character as the real one, on text that neither training nor calibration has seen.
 *
 *   npm run bench -- transformer [--only torch|old|einsum|recent] [--prove]
 *
 * Without --prove nothing is set up; with it, the first habit is proven. bench/transformer/README.md says where weights and
 * text come from.
 */
import { readFileSync } from "node:fs"
import { runnerImport } from "vite"
import {
  compile,
  importOnnx,
  lower,
  openProver,
  quantizeInput,
  quantizeProgram,
  runInteger,
  setup,
  verify,
} from "../dist/index.js"
import { evaluate } from "../dist/ops/evaluate.js"

const context = `0x${"00".repeat(32)}`
const sizes = { layers: 4, width: 64, heads: 4, positions: 64, vocabulary: 65 }
const precision = 11
const proofs = 5
const alphabet = "\n !\"'(),-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const read = (name) => readFileSync(new URL(`./transformer/${name}`, import.meta.url))
const load = async (path) => (await runnerImport(new URL(path, import.meta.url).pathname)).module

/** Windows of a text, as tokens. */
const windows = (name) => {
  const text = read(name).toString("utf8")
  return Array.from({ length: Math.floor(text.length / sizes.positions) }, (_, i) => ({
    tokens: Float64Array.from(text.slice(i * sizes.positions, (i + 1) * sizes.positions), (c) =>
      alphabet.indexOf(c),
    ),
  }))
}

const largest = (logits, position) => {
  const from = position * sizes.vocabulary
  let best = 0
  for (let j = 1; j < sizes.vocabulary; j++) if (logits[from + j] > logits[from + best]) best = j
  return best
}

/** Share of positions at which both models name the same token. */
function agreement(program, model, texts) {
  let [same, all] = [0, 0]
  for (const sample of texts) {
    const real = evaluate(program, sample).get(program.outputs[0].tensor)
    const whole = runInteger(model, quantizeInput(model, sample)).get(model.outputs[0].tensor)
    for (let p = 0; p < sizes.positions; p++, all++) if (largest(real, p) === largest(whole, p)) same++
  }
  return { same, all }
}

/** Prints a line for each habit, and gives the rows of the times. @throws Error if a receipt is invalid */
export async function transformer({ only, prove }) {
  const { habits, readTransformer, transformerModel } = await load("../test/support/transformer.ts")
  const { encodeOnnx } = await load("../test/support/onnx-writer.ts")
  const given = readTransformer(sizes, read("weights.bin"))
  const [samples, unseen] = [windows("seen.txt"), windows("unseen.txt")]
  const rows = []
  for (const habit of only ? [only] : Object.keys(habits)) {
    const program = lower(importOnnx(encodeOnnx(transformerModel(given, habit))))
    const model = await quantizeProgram(program, { samples, precision })
    const { same, all } = agreement(program, model, unseen)
    let start = performance.now()
    const lap = (what) => {
      const ms = performance.now() - start
      start = performance.now()
      rows.push({ name: `${habit}: ${what}`, ms })
    }
    const circuit = await compile(model, { maxConstraints: 2 ** 21 })
    lap(`compile, ${circuit.linked.r1cs.rows} constraints, ${same} of ${all} tokens agree`)
    if (!prove) continue
    const keys = await setup(circuit, { dev: true })
    lap("setup")
    const prover = await openProver(circuit, keys.provingKey)
    lap("open")
    for (let i = 0; i < proofs; i++) {
      const receipt = await prover.prove(unseen[i], { context })
      lap("proof")
      const expected = {
        verificationKey: keys.verificationKey,
        model: circuit.model,
        context,
        allowDev: true,
      }
      if (!verify(receipt, expected)) throw new Error(`${habit}: the receipt is invalid`)
      lap(`verification, ${Math.round(process.resourceUsage().maxRSS / 1024)} MB at most so far`)
    }
    await prover.close()
    break
  }
  return rows
}
