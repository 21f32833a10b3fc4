/**
 * ONNX's own operator tests: takes each through, first with every input live (a part of the proof's input), then with
 * those constant that a refusal names as such (shapes, axes, counts), then with all whole numbers constant, then with
 * all but the first, and says which was the first that came out as the test's output. With --proofs the whole way,
 * else to the integer run.
 *
 *   npm run upstream -- [FOLDER ...] [--only TEXT] [--proofs] [--json]
 *
 * Layout of a FOLDER: any tree with folders that hold `model.onnx` and `test_data_set_0/{input,output}_<i>.pb`.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join, relative } from "node:path"
import { parseArgs } from "node:util"
import * as api from "../dist/index.js"
import { limits } from "../dist/model/limits.js"
import { decodeMessage, messageType } from "../dist/model/onnx/schema.js"
import { decodeTensor } from "../dist/model/onnx/tensor.js"
import { takeThrough, whyNot } from "./route.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, proofs: { type: "boolean" }, json: { type: "boolean" } },
})
const shared = new URL("../../shared/models/", import.meta.url).pathname
const roots = positionals.length > 0 ? positionals : [join(shared, "onnx-node"), join(shared, "onnx-ml")]

const cases = (path) =>
  existsSync(join(path, "model.onnx"))
    ? [path]
    : readdirSync(path)
        .filter((name) => statSync(join(path, name)).isDirectory())
        .flatMap((name) => cases(join(path, name)))

/** A recorded tensor: its message, and its numbers if they are finite numbers. */
function recorded(path) {
  const proto = decodeMessage("TensorProto", readFileSync(path), 10)
  const decoded = decodeTensor(proto, limits)
  return { proto, tensor: decoded.tensor, problems: decoded.problems }
}

/** The model with the inputs of `fixed` (a name to a TensorProto) made initializers. */
function withConstants(bytes, fixed) {
  const model = decodeMessage("ModelProto", bytes, 90)
  const { graph } = model
  graph.input = graph.input.filter(({ name }) => !fixed.has(name))
  graph.initializer = [...graph.initializer, ...Array.from(fixed, ([name, proto]) => ({ ...proto, name }))]
  return messageType("ModelProto").encode(model).finish()
}

const isWhole = ({ tensor }) => /^u?int/.test(tensor?.dtype ?? "")

async function attempt(bytes, inputs, outputs, fixed) {
  try {
    const live = inputs.filter(({ name }) => !fixed.has(name))
    const broken = live.find(({ tensor }) => !tensor)
    if (broken) return { status: "unsupported", reason: `input ${broken.name}: ${broken.problems[0]}` }
    const dimensions = Object.fromEntries(
      live.flatMap(({ name, tensor }) => tensor.shape.map((size, axis) => [`${name}:${axis}`, size])),
    )
    const file = fixed.size > 0 ? withConstants(bytes, fixed) : bytes
    const model = api.importOnnx(file, { dimensions })
    const given = Object.fromEntries(live.map(({ name, tensor }) => [name, Array.from(tensor.data)]))
    return await takeThrough(model, {
      inputs: given,
      outputs,
      proofs: values.proofs,
      maxConstraints: 3_000_000,
    })
  } catch (error) {
    return whyNot(error)
  }
}

async function run(path) {
  const bytes = readFileSync(join(path, "model.onnx"))
  const { graph } = decodeMessage("ModelProto", bytes, 90)
  const set = join(path, "test_data_set_0")
  const initial = new Set(graph.initializer.map(({ name }) => name))
  const declared = graph.input.filter(({ name }) => !initial.has(name))
  const inputs = declared.map(({ name }, i) => ({ name, ...recorded(join(set, `input_${i}.pb`)) }))
  const outputs = graph.output.flatMap(({ name }, i) => {
    const at = join(set, `output_${i}.pb`)
    return existsSync(at) ? [{ name, data: Array.from(recorded(at).tensor?.data ?? []) }] : []
  })
  const operators = [...new Set(graph.node.map(({ opType }) => opType))]
  const constants = (list) => new Map(list.map(({ name, proto }) => [name, proto]))
  const first = await attempt(bytes, inputs, outputs, new Map())
  if (first.status === "ok") return { operators, live: "every input", ...first }
  // an operator on its own says which of its inputs must be constant, one after the other
  const named = []
  for (let last = first; operators.length === 1 && named.length < inputs.length - 1; ) {
    const at = last.reason?.match(/\(input (\d+)\) depends on the model's input/)?.[1]
    const input = inputs.find(({ name }) => name === graph.node[0].input[at])
    if (!input || named.includes(input)) break
    named.push(input)
    last = await attempt(bytes, inputs, outputs, constants(named))
    const live = `all but ${named.map(({ name }) => name).join(", ")}`
    if (last.status === "ok")
      return { operators, live, form: "all but parameters", ...last, reason: first.reason }
  }
  const forms = [
    ["all but whole numbers", inputs.filter(isWhole)],
    ["the first alone", inputs.slice(1)],
  ].filter(([, fixed]) => fixed.length > 0 && fixed.length < inputs.length)
  for (const [live, fixed] of forms) {
    const outcome = await attempt(bytes, inputs, outputs, constants(fixed))
    if (outcome.status === "ok") return { operators, live, form: live, ...outcome, reason: first.reason }
    if (/outside|not valid|FAULT/.test(outcome.status)) return { operators, ...outcome }
  }
  return { operators, ...first }
}

const rows = []
for (const root of roots) {
  for (const path of cases(root).sort()) {
    const test = relative(root, path)
    if (values.only && !test.includes(values.only)) continue
    const row = { test, ...(await run(path)) }
    rows.push(row)
    if (values.json) continue
    const detail = row.status === "ok" ? `${row.live} live, error ${row.error.toExponential(1)}` : ""
    console.log(`${row.status.padEnd(12)} ${test.padEnd(70)} ${detail} ${row.reason ?? ""}`.trimEnd())
  }
}
const totals = { tests: rows.length }
for (const { status, form = "every input" } of rows) {
  const key = status === "ok" ? `ok, ${form} live` : status
  totals[key] = (totals[key] ?? 0) + 1
}
console.log(values.json ? JSON.stringify({ rows, totals }) : `\n${JSON.stringify(totals)}`)
