/** What the model says of attestations: right, wrong, or nothing, from what is known of their inputs. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { attest, signAttestation, zeroDigest } from "#src/attest/index.js"
import { compile } from "#src/compile/compile.js"
import { type Judging, judgeBy, judgeByStore, keep } from "#src/keep/index.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { execute } from "#src/prover/execute.js"
import { quantize } from "#src/quantize/quantize.js"
import { parseVerificationKey } from "#src/verifier/key.js"
import { addressOf, digest, operator } from "../support/attestations.js"
import { smallModel } from "../support/cli.js"
import { mirageKeyJson } from "../support/mirage-oracle.js"

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-judge-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function scene(output: "public" | "committed") {
  const graph = await quantize(importOnnx(smallModel(7)), {
    samples: [{ x: [0.5, -0.5, 0.25] }, { x: [1, -1, 1] }],
  })
  const circuit = await compile(graph, { input: "committed", output })
  const { model, layout } = circuit
  const verificationKey = parseVerificationKey({ ...mirageKeyJson(layout).key, model })
  const judging: Judging = { circuit, verificationKey }
  const salts = { input: 11n, ...(output === "committed" ? { output: 7n } : {}) }
  const executed = execute(circuit, { x: [0.5, -0.5, 0.25] }, { salts })
  const facts = { operator: addressOf(operator), policy: digest("1"), started: 1, issued: 1, validUntil: 9 }
  const claim = attest({ statement: executed.statement, verificationKey }, facts)
  return { judging, salts, executed, claim }
}

describe("a judge", () => {
  it("tells right from wrong by a known input, and nothing by another", async () => {
    const { judging, salts, claim } = await scene("public")
    const known = { input: { x: [0.5, -0.5, 0.25] }, salts }
    const wrong = { ...claim, output: digest("5") }
    const verdicts = (by: typeof known) => [claim, wrong].map((each) => judgeBy(judging, each, by).verdict)
    expect(verdicts(known)).toEqual(["right", "wrong"])
    expect(verdicts({ ...known, input: { x: [1, -1, 1] } })).toEqual(["unknown", "unknown"])
    expect(verdicts({ ...known, salts: { input: 12n } })).toEqual(["unknown", "unknown"])
    expect(judgeBy(judging, { ...wrong, key: digest("6") }, known).verdict).toBe("foreign")
  })

  it.each(["public", "committed"] as const)("reads a store, %s output", async (output) => {
    const { judging, salts, executed, claim } = await scene(output)
    const store = join(folder, output)
    const attestation = await signAttestation(claim, "offline", operator)
    keep(store, { attestation, evidence: null, input: executed.input, salts, retainUntil: 99 })
    const judge = judgeByStore(judging, store)
    expect(judge(claim).verdict).toBe("right")
    // another attestation of the input: with its own salt, where the output is committed to
    const other = { ...claim, output: digest("5"), evidence: zeroDigest }
    expect(judge(other).verdict).toBe(output === "public" ? "wrong" : "unknown")
    expect(judge({ ...claim, input: digest("7") }).verdict).toBe("unknown")
  })

  it("says `wrong` of nothing that could be proven", async () => {
    const { judging, salts, claim } = await scene("public")
    const known = { input: { x: [0.5, -0.5, 0.25] }, salts }
    // an operator could name another layout to be challenged, and answer with the proof
    expect(judgeBy(judging, { ...claim, layout: digest("4") }, known).verdict).toBe("unknown")
    const other = await scene("committed")
    expect(() => judgeBy({ ...judging, circuit: other.judging.circuit }, claim, known)).toThrow(
      /verification key is not the circuit's/,
    )
    const key = { ...judging.verificationKey, model: digest("2") }
    expect(() => judgeByStore({ ...judging, verificationKey: key }, folder)).toThrow(/not the circuit's/)
  })

  it("reads each file of a store once, and new ones when there are some", async () => {
    const { judging, salts, executed, claim } = await scene("public")
    const store = join(folder, "large")
    const kept = async (issued: number, input = claim.input) => {
      const attestation = await signAttestation({ ...claim, input, issued }, "offline", operator)
      return keep(store, { attestation, evidence: null, input: executed.input, salts, retainUntil: 99 })
    }
    for (let issued = 1; issued <= 20; issued++) await kept(issued, digest(`${issued % 10}`))
    // the store is of an hour ago, and nothing in it has changed since
    const settle = () => utimesSync(store, new Date(), new Date(Date.now() - 3_600_000))
    settle()
    const judge = judgeByStore(judging, store)
    expect(judge(claim).reason).toMatch(/input is not known/)
    const path = await kept(5)
    expect(judge(claim).verdict).toBe("right")
    settle()
    expect(judge({ ...claim, output: digest("5") }).verdict).toBe("wrong")
    // it was run before, so it is not read again
    writeFileSync(path, "damaged")
    settle()
    expect(judge(claim).verdict).toBe("right")
    expect(judgeByStore(judging, store)(claim).verdict).toBe("unknown")
  })
})
