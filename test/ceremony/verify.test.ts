/** Verification of setups. */

import { bytesToHex } from "@noble/hashes/utils.js"
import { beforeAll, describe, expect, it } from "vitest"
import { applyBeacon, contribute } from "#src/ceremony/index.js"
import { verifySetup } from "#src/ceremony/verify.js"
import { compile } from "#src/compile/compile.js"
import { mod } from "#src/field.js"
import { openPtau, type PtauFile } from "#src/setup/ptau/file.js"
import type { Circuit } from "#src/systems/index.js"
import { digestOf } from "#src/systems/mirage/keyfile.js"
import { firstKey, headOf, memorySink } from "../support/first-keys.js"
import { perceptron } from "../support/networks.js"
import { tauSecrets, uncontributedPtau } from "../support/ptau.js"

function randomOf(values: readonly bigint[]): (n: number) => Uint8Array {
  let next = 0
  return (n) => {
    const digits = mod(values[next++])
      .toString(16)
      .padStart(2 * n, "0")
    return Uint8Array.from(Buffer.from(digits, "hex"))
  }
}

describe.each(["mirage", "groth16"] as const)("a ceremony of %s", (proofSystem) => {
  let circuit: Circuit
  let ptau: PtauFile
  let key: Uint8Array
  beforeAll(async () => {
    circuit = await compile((await perceptron([2, 2], 6)).graph, { proofSystem })
    const power = Math.ceil(Math.log2(circuit.domain)) + 1
    ptau = await openPtau(await uncontributedPtau(power))
    const head = {
      ...headOf(circuit),
      circuit: `0x${bytesToHex(digestOf(circuit.linked.r1cs))}` as const,
      ptau: ptau.digest,
      power,
    }
    key = await firstKey(circuit, randomOf([tauSecrets.tau, tauSecrets.alpha, tauSecrets.beta]), head)
  })
  it("is valid", async () => {
    expect(await verifySetup(circuit, key, ptau, { allowUncontributed: true })).toMatchObject({
      valid: true,
      problems: [],
    })
    let sink = memorySink()
    await contribute(key, { name: "Alice", sink })
    const one = sink.bytes()
    sink = memorySink()
    await contribute(one, { name: "Bob", sink })
    const two = sink.bytes()
    sink = memorySink()
    await applyBeacon(two, { value: "0x1234", iterations: 10, sink })
    const report = await verifySetup(circuit, sink.bytes(), ptau)
    console.log(report)
    expect(report.problems).toEqual([])
  })
})
