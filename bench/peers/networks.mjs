/** The models that are compared. */
import { readFileSync } from "node:fs"
import { importOnnx, parseInput, parseSamples } from "../../dist/index.js"

const examples = { "784-56-10": "mnist-mlp", LeNet: "mnist-lenet" }

function example(name, folder) {
  const read = (file) => readFileSync(new URL(`../../examples/${folder}/${file}`, import.meta.url))
  const onnx = read("model.onnx")
  const { inputs } = importOnnx(onnx)
  const { samples } = parseSamples(read("samples.json"), "samples.json", inputs)
  return { name, onnx, samples, input: parseInput(JSON.parse(read("input.json").toString()), inputs) }
}

/** Networks as prepared.mjs takes them: those with `only` in their names, or both examples; of a quick run the smaller. */
export async function networksFor({ quick, only }) {
  const names = Object.keys(examples).filter((name) =>
    only ? name.includes(only) : !quick || name === "784-56-10",
  )
  return names.map((name) => example(name, examples[name]))
}
