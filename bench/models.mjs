/**
 * Takes every model of a folder through import, quantization, compile, development setup, proof and
 * verification, and compares the proven integers with the float reference beside the model.
 *
 *   npm run models -- [FOLDER] [--only TEXT] [--max-constraints N] [--json]
 *
 * Layout of FOLDER: any tree of `<name>.onnx` with `<name>.ref.json`, or `network.onnx` with
 * `ref_output.json`: { inputs, outputs: [{ name, dtype, shape, data }] }. What lies under `refuse/` must be
 * refused; `onnx-node/` and `onnx-ml/` (operator tests) are left out.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { parseArgs } from "node:util"
import * as api from "../dist/index.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    json: { type: "boolean" },
    "max-constraints": { type: "string", default: "150000" },
  },
})
const folder = positionals[0] ?? new URL("../../shared/models", import.meta.url).pathname
const maxConstraints = Number(values["max-constraints"])
const context = `0x${"11".repeat(32)}`

const files = (path) =>
  readdirSync(path).flatMap((name) => {
    const full = join(path, name)
    return statSync(full).isDirectory() ? files(full) : name.endsWith(".onnx") ? [full] : []
  })

/** Inputs and float outputs recorded beside a model. */
function reference(file) {
  const beside =
    basename(file) === "network.onnx"
      ? join(dirname(file), "ref_output.json")
      : file.replace(/onnx$/, "ref.json")
  // Python writes infinities that JSON does not have
  if (!existsSync(beside)) return undefined
  const { outputs, ...rest } = JSON.parse(readFileSync(beside, "utf8").replace(/-?(Infinity|NaN)\b/g, "null"))
  // a sequence of maps is the tensor that it was made of
  const extra = outputs.find((output) => output.extra)
  return {
    ...rest,
    outputs: outputs
      .filter((output) => !output.extra)
      .map((output) => (output.seq && extra ? { ...extra, name: output.name } : output)),
  }
}

function importModel(file, ref) {
  const dimensions = Object.fromEntries(
    (ref?.inputs ?? []).flatMap(({ name, shape }) => shape.map((size, axis) => [`${name}:${axis}`, size])),
  )
  return api.importOnnx(readFileSync(file), { file: basename(file), dimensions })
}

async function prove(file) {
  const ref = reference(file)
  if (!ref) return { status: "no reference" }
  const started = performance.now()
  const program = api.lower(importModel(file, ref))
  const input = Object.fromEntries(ref.inputs.map(({ name, data }) => [name, data.map(Number)]))
  const graph = await api.quantizeProgram(program, { samples: [input] })
  const { outputs: promised } = api.measureAccuracy(program, graph, [input])
  const circuit = await api.compile(graph, { maxConstraints })
  const keys = await api.setup(circuit, { dev: true })
  const prover = await api.openProver(circuit, keys.provingKey)
  let receipt
  try {
    receipt = await prover.prove(input, { context })
  } finally {
    await prover.close()
  }
  const reason = api.explain(receipt, {
    verificationKey: keys.verificationKey,
    model: circuit.model,
    context,
    allowDev: true,
  })
  let relative = 0
  let within = true
  ref.outputs.forEach(({ name, data }) => {
    const { scale } = graph.tensors[graph.outputs.find((output) => output.name === name).tensor]
    const tolerance = promised.find((output) => output.name === name).tolerance
    const largest = Math.max(1e-9, ...data.map((x) => Math.abs(Number(x))))
    receipt.statement.output.values[name].forEach((text, i) => {
      const error = Math.abs(Number(text) * scale - Number(data[i]))
      // the reference runs in float32: allow its own rounding on top
      if (error > tolerance + 1e-4 * largest) within = false
      relative = Math.max(relative, error / largest)
    })
  })
  return {
    status: reason !== null ? `not valid: ${reason}` : within ? "ok" : "outside the tolerance",
    constraints: circuit.linked.r1cs.rows,
    error: relative,
    seconds: (performance.now() - started) / 1000,
  }
}

/** The reason a model did not get through, on one line. */
function reasonOf(error) {
  if (!(error instanceof api.CountersignError)) return `FAULT ${error.stack}`
  const operators = [
    ...new Set(
      (error.problems ?? []).map(
        (line) =>
          line
            .match(/operator `([^`]+)`(?: \(#\d+\))?: (.*)/)
            ?.slice(1)
            .join(": ") ?? line,
      ),
    ),
  ]
  return operators.length > 0 ? operators.join("; ").slice(0, 200) : error.message.slice(0, 200)
}

const rows = []
const show = (row) => {
  rows.push(row)
  if (values.json) return
  const figures = row.constraints
    ? `${row.constraints} constraints, error ${row.error.toExponential(1)}, ${row.seconds.toFixed(1)} s`
    : (row.reason ?? "")
  console.log(`${row.status.padEnd(12)} ${row.model.padEnd(64)} ${figures}`)
}
for (const file of files(folder).sort()) {
  const model = relative(folder, file)
  if (/^onnx-(node|ml)\//.test(model) || (values.only && !model.includes(values.only))) continue
  if (model.startsWith("refuse/")) {
    try {
      api.lower(importModel(file, reference(file)))
      show({ model, status: "ACCEPTED", reason: "should have been refused" })
    } catch (error) {
      show({ model, status: error instanceof api.ModelError ? "refused" : "FAULT", reason: reasonOf(error) })
    }
    continue
  }
  try {
    show({ model, ...(await prove(file)) })
  } catch (error) {
    const reason = reasonOf(error)
    show({
      model,
      status: /constraints and/.test(reason)
        ? "too large"
        : error instanceof api.ModelError
          ? "unsupported"
          : "failed",
      reason,
    })
  }
}
const count = (status) => rows.filter((row) => row.status === status).length
const totals = {
  models: rows.length,
  ok: count("ok"),
  unsupported: count("unsupported"),
  tooLarge: count("too large"),
  refused: count("refused"),
}
console.log(values.json ? JSON.stringify({ rows, totals }) : `\n${JSON.stringify(totals)}`)
