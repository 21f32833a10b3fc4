/** Keys of the development setup: proved with and verified by snarkjs, and compared with snarkjs's own. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import fc from "fast-check"
import { groth16, powersOfTau, wtns as snarkjsWtns, zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { fieldValue } from "#src/circuit/witness/witness.js"
import { FileError } from "#src/errors.js"
import { r } from "#src/field.js"
import { checkZkey, setupOf } from "#src/systems/groth16/zkey.js"
import { writeWtns } from "#src/systems/plain/witnessfile.js"
import { openReference, type WitnessProver } from "#src/systems/snarkjs/prover.js"
import { devSetup } from "../../support/plain-keys.js"
import { cubes, type Instance, instances, squarings } from "../../support/r1cs-systems.js"
import { snarkjsKey, snarkjsProof, stopSnarkjs } from "../../support/snarkjs.js"

afterAll(stopSnarkjs)

const mem = (data: Uint8Array) => ({ type: "mem" as const, data })
const publicValues = ({ system, witness }: Instance): string[] =>
  Array.from({ length: system.publicOutputs + system.publicInputs }, (_, i) =>
    fieldValue(witness, i + 1).toString(),
  )

async function proveWith<T>(zkey: Uint8Array, work: (prover: WitnessProver) => Promise<T>): Promise<T> {
  const prover = await openReference("groth16", zkey)
  try {
    return await work(prover)
  } finally {
    await prover.close()
  }
}

test("random systems: a proof verifies for its own public signals and for no others", async () => {
  await fc.assert(
    fc.asyncProperty(instances(), async (instance) => {
      const { zkey, key } = await devSetup(instance.system, { threads: 1 })
      const verificationKey = snarkjsKey(key)
      const { proof, publicSignals } = await proveWith(zkey, (prover) =>
        prover.prove(writeWtns(instance.witness)),
      )
      expect(publicSignals).toEqual(publicValues(instance))
      const given = snarkjsProof(proof)
      expect(await groth16.verify(verificationKey, publicSignals, given)).toBe(true)
      for (const [i, signal] of publicSignals.entries()) {
        const forged = publicSignals.with(i, ((BigInt(signal) + 1n) % r).toString())
        expect(await groth16.verify(verificationKey, forged, given)).toBe(false)
      }
    }),
    { numRuns: 4, endOnFailure: true },
  )
})

describe("one system", () => {
  const instance = squarings(7n, 20)
  let zkey: Uint8Array
  let verificationKey: ReturnType<typeof snarkjsKey>
  beforeAll(async () => {
    const keys = await devSetup(instance.system)
    zkey = keys.zkey
    verificationKey = snarkjsKey(keys.key)
  })

  test("a witness that breaks one row gives a proof that does not verify", async () => {
    const large = new Map(instance.witness.large)
    large.set(9, 5n)
    await proveWith(zkey, async (prover) => {
      const bad = await prover.prove(writeWtns({ ...instance.witness, large }))
      expect(await groth16.verify(verificationKey, bad.publicSignals, snarkjsProof(bad.proof))).toBe(false)
      const good = await prover.prove(writeWtns(instance.witness))
      expect(await groth16.verify(verificationKey, good.publicSignals, snarkjsProof(good.proof))).toBe(true)
    })
  })

  test("snarkjs exports the same verification key, and a Solidity verifier", async () => {
    const { vk_alphabeta_12: _, ...exported } = (await zKey.exportVerificationKey(mem(zkey))) as Record<
      string,
      unknown
    >
    expect(exported).toEqual(verificationKey)
    const folder = join(createRequire(import.meta.url).resolve("snarkjs"), "..", "..", "templates")
    const template = readFileSync(join(folder, "verifier_groth16.sol.ejs"), "utf8")
    const source = await zKey.exportSolidityVerifier(mem(zkey), { groth16: template })
    expect(source).toContain(verificationKey.IC[1][0])
    expect(source).toContain(verificationKey.vk_delta_2[0][0])
  })

  test("the trapdoor comes from the given source: 192 bytes of it, and the key depends on all", async () => {
    const bytes = (seed: number) => {
      let asked = 0
      return {
        asked: () => asked,
        random: (n: number) => Uint8Array.from({ length: n }, () => (asked++ * 167 + seed) % 256),
      }
    }
    const [one, two, other] = [bytes(1), bytes(1), bytes(2)]
    const first = await devSetup(instance.system, { random: one.random, threads: 1 })
    expect(one.asked()).toBe(192)
    expect(await devSetup(instance.system, { random: two.random, threads: 2 })).toEqual(first)
    expect((await devSetup(instance.system, { random: other.random })).key).not.toEqual(first.key)
  })

  test("the key knows its circuit and how it was made", () => {
    expect(setupOf(zkey)).toBe("dev")
    expect(() => checkZkey(zkey, instance.system)).not.toThrow()
    expect(() => checkZkey(zkey, cubes(3n).system)).toThrow(FileError)
    expect(() => checkZkey(zkey.subarray(0, zkey.length - 1), instance.system)).toThrow(FileError)
    for (const id of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      const kept = [...readBinFile(zkey, "zkey", 1)].filter(([section]) => section !== id)
      const sizes = kept.map(([section, content]) => ({ id: section, bytes: content.length }))
      const { file, sections } = createBinFile("zkey", 1, sizes)
      sections.forEach((section, i) => {
        section.set(kept[i][1])
      })
      expect(() => checkZkey(file, instance.system)).toThrow(FileError)
    }
  })

  test("sections are those of snarkjs's own setup, size for size and coefficient for coefficient", async () => {
    const [start, contributed, prepared, theirs] = [0, 1, 2, 3].map(
      () => ({ type: "mem" as const }) as ReturnType<typeof mem>,
    )
    const { curves } = await import("snarkjs")
    await powersOfTau.newAccumulator(await curves.getCurveFromName("bn128"), 5, start)
    await powersOfTau.contribute(start, contributed, "test", "entropy of a test")
    await powersOfTau.preparePhase2(contributed, prepared)
    await zKey.newZKey(mem(writeR1cs(instance.system)), prepared, theirs)
    const ours = readBinFile(zkey, "zkey", 1)
    const other = readBinFile(theirs.data, "zkey", 1)
    for (const [id, content] of other) expect([id, ours.get(id)?.length]).toEqual([id, content.length])
    expect(ours.size).toBe(other.size + 1)
    expect(sortedCoefficients(ours.get(4))).toEqual(sortedCoefficients(other.get(4)))
    expect(ours.get(2)?.subarray(0, 84)).toEqual(other.get(2)?.subarray(0, 84))
    expect(() => setupOf(theirs.data)).toThrow(/does not say how it was made.*given nothing/)
    expect(() => checkZkey(theirs.data, instance.system)).not.toThrow()
  })
})

function sortedCoefficients(section: Uint8Array | undefined): string[] {
  const bytes = section ?? new Uint8Array(4)
  const records: string[] = []
  for (let at = 4; at < bytes.length; at += 44) records.push(bytes.subarray(at, at + 44).join())
  return records.sort()
}

test("a witness file as snarkjs reads it", async () => {
  await fc.assert(
    fc.asyncProperty(instances(), async ({ witness }) => {
      const values = (await snarkjsWtns.exportJson(mem(writeWtns(witness)))) as bigint[]
      expect(values).toEqual(values.map((_, wire) => fieldValue(witness, wire)))
      expect(values).toHaveLength(witness.small.length)
    }),
    { numRuns: 25 },
  )
})
