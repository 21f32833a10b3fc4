/**
 * What private weights take: each example with fixed and with private weights, keys resident, proofs in turns, medians and
 * least of wall time. Receipts must verify.
 *
 *   npm run build && node bench/private.mjs [--runs N] [--json]
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import * as api from "../dist/index.js"

const { values } = parseArgs({ options: { runs: { type: "string", default: "21" }, json: { type: "boolean" } } })
const context = `0x${"00".repeat(32)}`
/** Rounds that are not counted: engines compile what runs often anew. */
const warmUps = 4

async function prepared(folder, weights) {
  const read = (file) => readFileSync(new URL(`../examples/${folder}/${file}`, import.meta.url))
  const graph = api.importOnnx(read("model.onnx"))
  const { samples } = api.parseSamples(read("samples.json"), "samples.json", graph.inputs)
  const input = api.parseInput(JSON.parse(read("input.json").toString()), graph.inputs)
  const circuit = await api.compile(await api.quantize(graph, { samples, weights }), { weights })
  const keys = await api.setup(circuit, { dev: true })
  let committing
  if (weights === "private") {
    const start = performance.now()
    const { verificationKey, commitment } = await api.commitWeights(circuit, keys.provingKey)
    committing = performance.now() - start
    Object.assign(keys, { verificationKey, blinding: commitment.blinding })
  }
  const start = performance.now()
  const prover = await api.openProver(circuit, keys.provingKey, { blinding: keys.blinding })
  const opening = performance.now() - start
  return { weights, circuit, keys, input, prover, times: [], committing, opening }
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

const rows = []
for (const folder of ["mnist-mlp", "mnist-lenet"]) {
  const sides = [await prepared(folder, "fixed"), await prepared(folder, "private")]
  try {
    for (let run = 0; run < warmUps + Number(values.runs); run++) {
      for (const { input, prover, keys, times } of sides) {
        const start = performance.now()
        const receipt = await prover.prove(input, { context, clampInputs: true })
        if (run >= warmUps) times.push(performance.now() - start)
        const { verificationKey } = keys
        const expected = { verificationKey, model: verificationKey.model, context, allowDev: true }
        if (!api.verify(receipt, expected)) throw new Error("the receipt is invalid")
      }
    }
  } finally {
    for (const { prover } of sides) await prover.close()
  }
  for (const { weights, circuit, keys, times, committing, opening } of sides) {
    const { constraints, lookups, domain } = api.describeCircuit(circuit)
    const ms = { committing, opening, prove: median(times), least: Math.min(...times) }
    rows.push({
      name: folder,
      weights,
      constraints,
      lookups,
      domain,
      provingKeyBytes: keys.provingKey.length,
      ms,
    })
  }
}
if (values.json) console.log(JSON.stringify({ rows }, null, 2))
else
  for (const { name, weights, constraints, domain, provingKeyBytes, ms } of rows)
    console.log(
      `${name} ${weights}: ${constraints} rows, domain ${domain}, key ${(provingKeyBytes / 1e6).toFixed(1)} MB, ` +
        `${ms.committing === undefined ? "" : `commit ${Math.round(ms.committing)} ms, `}open ${Math.round(ms.opening)} ms, ` +
        `proof ${ms.prove.toFixed(0)} ms (least ${ms.least.toFixed(0)})`,
    )
