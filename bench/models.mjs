/**
 * Takes every model of a folder the whole way (route.mjs) and compares the proven integers with the float
 * reference beside the model.
 *
 *   npm run models -- [FOLDER] [--only TEXT] [--max-constraints N] [--json]
 *
 * Layout of FOLDER: any tree of `<name>.onnx` with `<name>.ref.json`, or `network.onnx` with
 * `ref_output.json`: { inputs, outputs: [{ name, dtype, shape, data }] }. What lies under `refuse/` must be
 * refused; `onnx-node/` and `onnx-ml/` (operator tests) are those of upstream.mjs.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { parseArgs } from "node:util"
import * as api from "../dist/index.js"
import { takeThrough, whyNot } from "./route.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    json: { type: "boolean" },
    "max-constraints": { type: "string", default: "3000000" },
  },
})
const folder = positionals[0] ?? new URL("../../shared/models", import.meta.url).pathname
const maxConstraints = Number(values["max-constraints"])

const files = (path) =>
  readdirSync(path).flatMap((name) => {
    const full = join(path, name)
    return statSync(full).isDirectory() ? files(full) : name.endsWith(".onnx") ? [full] : []
  })

/** Inputs and float outputs recorded beside a model; those of a ZipMap are its numbers, in order. */
function reference(file) {
  const beside =
    basename(file) === "network.onnx"
      ? join(dirname(file), "ref_output.json")
      : file.replace(/onnx$/, "ref.json")
  if (!existsSync(beside)) return undefined
  // Python writes infinities that JSON does not have
  const text = readFileSync(beside, "utf8").replace(/-?(Infinity|NaN)\b/g, "null")
  const { inputs, outputs } = JSON.parse(text)
  const numbers = (map) => Array.from(map.matchAll(/: ([-+.\de]+)/g), ([, x]) => Number(x))
  return {
    inputs,
    outputs: outputs.map(({ name, data, seq }) => ({ name, data: data ?? numbers(seq ?? "") })),
  }
}

function importModel(file, inputs = []) {
  const dimensions = Object.fromEntries(
    inputs.flatMap(({ name, shape }) => shape.map((size, axis) => [`${name}:${axis}`, size])),
  )
  return api.importOnnx(readFileSync(file), { file: basename(file), dimensions })
}

async function outcomeOf(file, isToBeRefused) {
  const known = reference(file)
  if (isToBeRefused) {
    const problem = refusalOf(() => api.lower(importModel(file, known?.inputs)))
    if (!problem) return { status: "ACCEPTED", reason: "should have been refused" }
    return problem instanceof api.ModelError ? { ...whyNot(problem), status: "refused" } : whyNot(problem)
  }
  if (!known) return { status: "no reference" }
  try {
    const inputs = Object.fromEntries(known.inputs.map(({ name, data }) => [name, data.map(Number)]))
    const model = importModel(file, known.inputs)
    return await takeThrough(model, { inputs, outputs: known.outputs, maxConstraints })
  } catch (error) {
    return whyNot(error)
  }
}

function refusalOf(work) {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}

const seconds = (x) => (x === undefined ? "" : x.toFixed(x < 10 ? 2 : 1)).padStart(8)
if (!values.json)
  console.log(
    `${"status".padEnd(12)} ${"model".padEnd(64)} ${"rows".padStart(9)} ${"error".padStart(8)} ${["compile", "setup", "prove", "verify"].map((name) => name.padStart(8)).join("")}`,
  )
const rows = []
for (const file of files(folder).sort()) {
  const model = relative(folder, file)
  if (/^onnx-(node|ml)\//.test(model) || (values.only && !model.includes(values.only))) continue
  const row = { model, ...(await outcomeOf(file, model.startsWith("refuse/"))) }
  rows.push(row)
  if (values.json) continue
  const { compile, setup, prove, verify } = row.seconds ?? {}
  const figures = row.constraints
    ? `${String(row.constraints).padStart(9)} ${row.error.toExponential(1).padStart(8)} ${[compile, setup, prove, verify].map(seconds).join("")}`
    : (row.reason ?? "")
  console.log(`${row.status.padEnd(12)} ${model.padEnd(64)} ${figures}`)
}
const totals = { models: rows.length }
for (const { status } of rows) totals[status] = (totals[status] ?? 0) + 1
console.log(values.json ? JSON.stringify({ rows, totals }) : `\n${JSON.stringify(totals)}`)
