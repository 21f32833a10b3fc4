/** Verification of setups beside attacks (attacks.test.ts): other keys, and whoever has had enough. */
import { afterAll, expect, it } from "vitest"
import { verifySetup } from "#src/ceremony/verify.js"
import { compile } from "#src/compile/compile.js"
import { setup } from "#src/prover/open.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { perceptron } from "../support/networks.js"
import { contributedPtau } from "../support/ptau.js"
import { stopSnarkjs } from "../support/snarkjs.js"

afterAll(stopSnarkjs)

it("keys that have no ceremony are made again from the powers, and compared", async () => {
  const circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem: "plonk" })
  const ptau = await openPtau(await contributedPtau(Math.log2(circuit.domain)))
  const { provingKey } = await setup(circuit, { ptau })
  const report = await verifySetup(circuit, provingKey, ptau, { threads: 1 })
  expect(report).toMatchObject({ valid: true, problems: [], contributions: [], transcript: null })
  expect(report.points).toBeGreaterThan(circuit.domain)
  const others = await openPtau(
    await contributedPtau(Math.log2(circuit.domain), {
      secrets: { tau: 5n ** 9n, alpha: 7n ** 9n, beta: 3n ** 9n },
    }),
  )
  expect((await verifySetup(circuit, provingKey, others, { threads: 1 })).valid).toBe(false)
})

it("verification stops when it is told to", async () => {
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  const ptau = await openPtau(await contributedPtau(Math.ceil(Math.log2(circuit.domain))))
  const { provingKey } = await setup(circuit, { ptau })
  const stages = new Set<string>()
  const onProgress = ({ stage }: { stage: string }) => stages.add(stage)
  await verifySetup(circuit, provingKey, ptau, { threads: 1, allowUncontributed: true, onProgress })
  expect([...stages].slice(-2)).toEqual(["check powers of tau", "compare points"])
  for (const stop of stages) {
    const control = new AbortController()
    const work = verifySetup(circuit, provingKey, ptau, {
      threads: 1,
      signal: control.signal,
      onProgress: ({ stage }) => stage === stop && control.abort(new Error("enough")),
    })
    await expect(work, stop).rejects.toThrow("enough")
  }
})
