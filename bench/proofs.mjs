/**
 * Whole proofs: ours against the same network in plain Groth16 through snarkjs, key resident on both sides, witness
 * included, runs interleaved, medians. Receipts must verify and show the same integers.
 */
import { readFileSync } from "node:fs"
import {
  compile,
  importOnnx,
  openProver,
  parseInput,
  parseSamples,
  quantize,
  setup,
  verify,
} from "../dist/index.js"

const context = `0x${"00".repeat(32)}`
/** Rounds, and those before them that are not counted: engines compile what runs often anew. */
const plans = { full: { runs: 7, warmUps: 3 }, quick: { runs: 2, warmUps: 1 } }

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

/** A row for each folder of `examples/`. @throws Error if a receipt is invalid or the outputs differ */
export async function proofs(folders, plan = plans.full) {
  const rows = []
  for (const folder of folders) rows.push(await proofRow(folder, folder.replace("mnist-", ""), plan))
  return rows
}

/** The section of LeNet. */
export const lenet = ({ quick, only = "" }) =>
  proofs(
    ["mnist-lenet"].filter((folder) => folder.includes(only)),
    quick ? plans.quick : plans.full,
  )

async function proofRow(folder, name, { runs, warmUps }) {
  const read = (file) => readFileSync(new URL(`../examples/${folder}/${file}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"))
  const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
  const input = parseInput(JSON.parse(read("input.json").toString()), graph.inputs)
  const model = await quantize(graph, { samples })
  const sides = []
  for (const proofSystem of ["mirage", "groth16"]) {
    const start = performance.now()
    const circuit = await compile(model, { proofSystem })
    const compiled = performance.now()
    const keys = await setup(circuit, { dev: true })
    const set = performance.now()
    const prover = await openProver(circuit, keys.provingKey)
    const opened = performance.now()
    sides.push({ proofSystem, circuit, keys, prover, times: [] })
    process.stderr.write(
      `${name} ${proofSystem}: ${circuit.linked.r1cs.rows} constraints, domain ${circuit.domain}, key ${(keys.provingKey.length / 1e6).toFixed(1)} MB, compile ${Math.round(compiled - start)} ms, setup ${Math.round(set - compiled)} ms, open ${Math.round(opened - set)} ms\n`,
    )
  }
  try {
    for (let run = 0; run < warmUps + runs; run++) {
      const shown = []
      for (const { circuit, keys, prover, times } of sides) {
        const start = performance.now()
        const receipt = await prover.prove(input, { context, clampInputs: true })
        if (run >= warmUps) times.push(performance.now() - start)
        const expected = {
          verificationKey: keys.verificationKey,
          model: circuit.model,
          context,
          allowDev: true,
        }
        if (!verify(receipt, expected))
          throw new Error(`${name}: a receipt of ${circuit.proofSystem} is not valid`)
        shown.push(JSON.stringify(receipt.statement.output))
      }
      if (shown.some((output) => output !== shown[0]))
        throw new Error(`${name}: the proofs show different outputs`)
    }
  } finally {
    for (const { prover } of sides) await prover.close()
  }
  const [ms, otherMs] = sides.map(({ times }) => median(times))
  return { name, against: "snarkjs groth16, bits", ms, otherMs, ratio: otherMs / ms }
}
