import { expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { inspect } from "#src/compile/inspect.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { differences, probes } from "#src/compile/differential.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { setup } from "#src/prover/index.js"
import { openProver } from "#src/prover/index.js"
import { verify } from "#src/verifier/index.js"
import { ProgramBuilder, randomSample } from "./support/programs.js"
import { mirageWitness } from "./support/networks.js"
import { Random } from "./support/random.js"
import { systemOf } from "#src/systems/index.js"

it("one", async () => {
  const random = new Random(3)
  const b = new ProgramBuilder()
  const [batch, m, k, n] = [2, 8, 8, 8]
  const x = b.input([batch * m * k]), y = b.input([batch * k * n])
  const out = b.clamp(b.contraction(x, y, [batch, m, k, n]))
  const program = b.build()
  const samples = Array.from({ length: 3 }, () => randomSample(program, random))
  const graph = await quantizeProgram(program, { samples })
  const circuit = await compile(graph)
  console.log(inspect(circuit).nodes.map((x) => JSON.stringify(x)).join("\n"))
  const values = runInteger(graph, quantizeInput(graph, samples[0]))
  const w = await mirageWitness(circuit, values, 2n ** 200n + 7n)
  expect(firstFailingRow(circuit.linked.r1cs, w)).toBe(-1)
  for (const probe of probes(graph, 3, Math.random)) expect(differences(circuit, probe)).toEqual([])
  const report = auditWitness(circuit, systemOf(circuit).witness(circuit, values))
  expect(report.accepted).toEqual([])
  console.log(report.tried)
})
