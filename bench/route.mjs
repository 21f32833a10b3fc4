/**
 * The whole way of one model: import, quantization, compile, development setup, proof, verification; and the
 * comparison of the proven integers with a float reference.
 */
import * as api from "../dist/index.js"

const context = `0x${"11".repeat(32)}`

/** Double infinities and what is not a number have no place in a proof; the reference's are not compared. */
const isNumber = (x) => x !== null && Number.isFinite(Number(x))

/**
 * Largest difference to the reference, relative to the largest number of each output, and whether all are within
 * what the accuracy report promises; `outputs`: [{ name, data }], those that the model's own do not have are left out.
 */
function compared(graph, promised, outputs, proven) {
  let relative = 0
  let within = true
  let count = 0
  for (const { name, data } of outputs) {
    const own = graph.outputs.find((output) => output.name === name)
    if (!own || !data) continue
    const { scale } = graph.tensors[own.tensor]
    const { tolerance } = promised.find((output) => output.name === name)
    const finite = data.filter(isNumber).map((x) => Math.abs(Number(x)))
    const largest = finite.reduce((a, b) => Math.max(a, b), 1e-9)
    const values = proven(name)
    if (values.length !== data.length) return { relative: Number.POSITIVE_INFINITY, within: false }
    values.forEach((value, i) => {
      if (!isNumber(data[i])) return
      const error = Math.abs(value * scale - Number(data[i]))
      // the reference runs in float32: allow its own rounding on top
      if (!(error <= tolerance + 1e-4 * largest)) within = false
      relative = Math.max(relative, error / largest)
    })
    count++
  }
  return count > 0 ? { relative, within } : { relative: Number.POSITIVE_INFINITY, within: false }
}

/**
 * Takes a model through. `inputs` by name, flat; `outputs` as `compared` takes them; `proofs: false` ends with the
 * integer run. Returns { status, constraints, error, seconds: { compile, setup, open, prove, verify } }.
 */
export async function takeThrough(model, { inputs, outputs, maxConstraints, proofs = true, proofSystem }) {
  const seconds = {}
  const timed = async (name, work) => {
    const started = performance.now()
    const result = await work()
    seconds[name] = (performance.now() - started) / 1000
    return result
  }
  const program = api.lower(model)
  const graph = await timed("quantize", () => api.quantizeProgram(program, { samples: [inputs] }))
  const { outputs: promised } = await api.measureAccuracy(program, graph, [inputs])
  if (!proofs) {
    const run = api.runInteger(graph, api.quantizeInput(graph, inputs))
    const { relative, within } = compared(graph, promised, outputs, (name) =>
      Array.from(run.get(graph.outputs.find((output) => output.name === name).tensor)),
    )
    return { status: within ? "ok" : "outside the tolerance", error: relative, seconds }
  }
  const circuit = await timed("compile", () => api.compile(graph, { maxConstraints, proofSystem }))
  const keys = await timed("setup", () => api.setup(circuit, { dev: true }))
  const prover = await timed("open", () => api.openProver(circuit, keys.provingKey))
  let receipt
  try {
    receipt = await timed("prove", () => prover.prove(inputs, { context }))
  } finally {
    await prover.close()
  }
  const expected = { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true }
  const reason = await timed("verify", () => api.explain(receipt, expected))
  const { values } = receipt.statement.output
  const { relative, within } = compared(graph, promised, outputs, (name) => values[name].map(Number))
  return {
    status: reason !== null ? `not valid: ${reason}` : within ? "ok" : "outside the tolerance",
    constraints: circuit.linked.r1cs.rows,
    error: relative,
    seconds,
  }
}

/** Why a model did not get through: { status, reason } on one line. */
export function whyNot(error) {
  if (!(error instanceof api.CountersignError)) return { status: "FAULT", reason: `${error?.stack ?? error}` }
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
  const reason = (operators.length > 0 ? operators.join("; ") : error.message).slice(0, 240)
  const isRefusal = error instanceof api.ModelError
  return {
    status: /constraints and/.test(reason) ? "too large" : isRefusal ? "unsupported" : "failed",
    reason,
  }
}
