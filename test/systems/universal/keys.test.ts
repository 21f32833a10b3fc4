/** Keys of PLONK and FFLONK: what snarkjs would make, made again by anyone, and what hostile ones could tell. */
import fc from "fast-check"
import { fflonk as snarkjsFflonk, plonk as snarkjsPlonk, zKey } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { contribute } from "#src/ceremony/index.js"
import { verifySetup } from "#src/ceremony/verify.js"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { lagrangeBasis } from "#src/circuit/link/domain.js"
import { compile } from "#src/compile/compile.js"
import { mod, power, r } from "#src/field.js"
import { audit } from "#src/prover/audit.js"
import { checkKeys, openProver, setup, verificationKeyOf } from "#src/prover/open.js"
import { headFor, headJson } from "#src/setup/ceremony/transcript.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { multiplyParts } from "#src/setup/trapdoor.js"
import { systemOf } from "#src/systems/index.js"
import type { PlainCircuit } from "#src/systems/plain/circuit.js"
import { gatesOf, universalDomain } from "#src/systems/universal/gates.js"
import { fflonkKeyForm, plonkKeyForm } from "#src/systems/universal/snarkjs.js"
import type { FflonkKey, PlonkKey } from "#src/verifier/index.js"
import { memorySink } from "../../support/first-keys.js"
import { bytesOfG1, G1, sectionOf, withBytes, withSection } from "../../support/foreign-keys.js"
import { perceptron } from "../../support/networks.js"
import { contributedPtau, tauSecrets } from "../../support/ptau.js"
import { instances } from "../../support/r1cs-systems.js"
import { stopSnarkjs } from "../../support/snarkjs.js"
import { context, type Universal, universal, universalSystems } from "../../support/universal.js"

afterAll(stopSnarkjs)

const mem = (data?: Uint8Array) => ({ type: "mem" as const, ...(data ? { data } : {}) })
const ignore = () => undefined
const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore }
const snarkjs = { plonk: snarkjsPlonk, fflonk: snarkjsFflonk }
const sectionsOf = (file: Uint8Array) => readBinFile(file, "zkey", 1)

/**
 * A file with Lagrange points as snarkjs prepares them, of one domain: those of smaller ones, which stand before them,
 * are infinity.
 */
async function preparedFor(domain: number, ptau: Uint8Array): Promise<Uint8Array> {
  const scalars = lagrangeBasis(domain, mod(tauSecrets.tau))
  const { points } = await multiplyParts({ points: { group: "g1", scalars } }, {})
  const sections = [...readBinFile(ptau, "ptau", 1), [12, new Uint8Array(64 * (2 * domain - 1))] as const]
  const sizes = sections.map(([id, content]) => ({ id, bytes: content.length }))
  const { file, sections: places } = createBinFile("ptau", 1, sizes)
  for (const [i, [, content]] of sections.entries()) places[i].set(content)
  places[places.length - 1].set(points, 64 * (domain - 1))
  return file
}

/** What snarkjs says of a key's size. */
function countsOf(zkey: Uint8Array) {
  const header = sectionOf(zkey, 2)
  const view = new DataView(header.buffer, header.byteOffset)
  const [wires, signals, domain, additions, gates] = [72, 76, 80, 84, 88].map((at) =>
    view.getUint32(at, true),
  )
  return { wires, signals, domain, additions, gates }
}

it("gates are counted as snarkjs makes them", async () => {
  const ptau = mem(await preparedFor(2 ** 8, await contributedPtau(8)))
  await fc.assert(
    fc.asyncProperty(instances(), async ({ system }) => {
      const made: { type: "mem"; data?: Uint8Array } = mem()
      await snarkjs.plonk.setup(mem(writeR1cs(system)), ptau, made, quiet)
      const { additions, gates, domain } = countsOf(made.data as Uint8Array)
      expect(gatesOf(system)).toEqual({ additions, gates })
      expect(universalDomain(gates)).toBe(domain)
    }),
    { numRuns: 6, endOnFailure: true },
  )
})

describe.each(universalSystems)("a key of %s", (proofSystem) => {
  let made: Universal
  beforeAll(async () => {
    made = await universal(proofSystem)
  })
  const opened = (key: Uint8Array) => openProver(made.circuit, key).then((prover) => prover.close())
  const powersSection = proofSystem === "plonk" ? 14 : 16
  const keys = () => {
    const held = systemOf(made.circuit).keys
    if (held.kind !== "universal") throw new Error("universal systems have universal keys")
    return held
  }

  it("is snarkjs's own, byte for byte, of a file that was never prepared", async () => {
    const prepared = mem(await preparedFor(made.circuit.domain, made.ptauBytes))
    const theirs: { type: "mem"; data?: Uint8Array } = mem()
    await snarkjs[proofSystem].setup(mem(writeR1cs(made.circuit.linked.r1cs)), prepared, theirs, quiet)
    const [own, other] = [sectionsOf(made.provingKey), sectionsOf(theirs.data as Uint8Array)]
    expect([...own.keys()].sort((x, y) => x - y)).toEqual([
      ...[...other.keys()].sort((x, y) => x - y),
      1000,
      1001,
    ])
    for (const [id, content] of other)
      expect(Buffer.compare(own.get(id) as Uint8Array, content), `${id}`).toBe(0)
    const exported = await zKey.exportVerificationKey(mem(made.provingKey))
    const form =
      proofSystem === "plonk"
        ? plonkKeyForm(made.verificationKey as PlonkKey)
        : fflonkKeyForm(made.verificationKey as FflonkKey)
    expect(form).toEqual(exported)
    expect(made.circuit.domain).toBe(countsOf(made.provingKey).domain)
  })

  it("is the same whoever makes it, and says for what and from what", async () => {
    const again = await setup(made.circuit, { ptau: made.ptau })
    expect(Buffer.compare(again.provingKey, made.provingKey)).toBe(0)
    const head = headFor(made.circuit as PlainCircuit, made.ptau)
    expect(new TextDecoder().decode(sectionOf(made.provingKey, 1001))).toBe(headJson(head))
    await checkKeys(made.circuit, made.provingKey, made.verificationKey)
    expect(await keys().compare(made.circuit, made.provingKey, made.ptau)).toBeGreaterThan(64)
  })

  it("is compared section by section: one byte anywhere, and it is not what circuit and powers give", async () => {
    for (const id of [4, 9, proofSystem === "plonk" ? 13 : 17]) {
      const section = sectionOf(made.provingKey, id)
      const at = section.length >> 1
      const changed = withBytes(made.provingKey, id, at, Uint8Array.of(section[at] ^ 1))
      await expect(keys().compare(made.circuit, changed)).rejects.toThrow(new RegExp(`section ${id} `))
    }
  })

  it("from other powers is told from one of these", async () => {
    const others = await openPtau(
      await contributedPtau(made.ptau.power, { secrets: { ...tauSecrets, tau: tauSecrets.tau + 1n } }),
    )
    await expect(keys().compare(made.circuit, made.provingKey, others)).rejects.toThrow(/other powers of tau/)
    // one that says that it is
    const { provingKey } = await setup(made.circuit, { ptau: others })
    const lying = withSection(provingKey, 1001, () => sectionOf(made.provingKey, 1001))
    await expect(keys().compare(made.circuit, lying, made.ptau)).rejects.toThrow(
      /other powers of tau than it says/,
    )
    const dev = await setup(made.circuit, { dev: true })
    expect(dev.verificationKey.setup).toBe("dev")
    await expect(keys().compare(made.circuit, dev.provingKey, made.ptau)).rejects.toThrow(/does not say/)
  })

  it("is verified by whoever has circuit and powers", async () => {
    const { circuit, ptau, verificationKey } = made
    const good = await verifySetup(circuit, made.provingKey, ptau, { verificationKey })
    expect(good).toMatchObject({
      valid: true,
      problems: [],
      contributions: [],
      transcript: null,
      verificationKey,
    })
    const section = sectionOf(made.provingKey, 8)
    const changed = withBytes(made.provingKey, 8, 100, Uint8Array.of(section[100] ^ 1))
    const bad = await verifySetup(circuit, changed, ptau)
    expect(bad).toMatchObject({ valid: false, problems: [expect.stringMatching(/section 8 is not what/)] })
    const dev = await setup(circuit, { dev: true })
    const developed = await verifySetup(circuit, dev.provingKey, ptau)
    expect(developed).toMatchObject({ valid: false, problems: [expect.stringMatching(/does not say/)] })
  })

  it("is audited: circuit, points and receipts", async () => {
    const report = await audit(made.circuit, made.provingKey, made.verificationKey)
    expect(report.accepted).toEqual([])
    expect(report.differences).toEqual([])
    expect(report.points).toBeGreaterThan(64)
  })

  it("is refused if its powers are no powers, or of a τ that hides nothing", async () => {
    const at = (i: number) => 64 * i
    const changed = (i: number, bytes: Uint8Array) => withBytes(made.provingKey, powersSection, at(i), bytes)
    const point = (i: number) => sectionOf(made.provingKey, powersSection).slice(at(i), at(i + 1))
    const generator = bytesOfG1(G1.BASE)
    await expect(opened(changed(0, point(1)))).rejects.toThrow(/the first is not the generator/)
    await expect(opened(changed(7, point(8)))).rejects.toThrow(/not the powers of one secret/)
    const last = sectionOf(made.provingKey, powersSection).length / 64 - 1
    await expect(opened(changed(last, generator))).rejects.toThrow(/not the powers of one secret/)
    await expect(
      opened(
        changed(
          7,
          generator.map((x, i) => x ^ (i === 3 ? 1 : 0)),
        ),
      ),
    ).rejects.toThrow(/powers of tau|points|curve/)
    // of a τ whose order divides the domain's, every wire's value would stand in a commitment
    for (const order of proofSystem === "plonk" ? [64n] : [64n, 512n, 192n]) {
      const tau = power(5n, (r - 1n) / order)
      const ptau = await openPtau(await contributedPtau(made.ptau.power, { secrets: { ...tauSecrets, tau } }))
      await expect(setup(made.circuit, { ptau })).rejects.toThrow(/is one: nothing hides a witness/)
    }
    const one = await openPtau(
      await contributedPtau(made.ptau.power, { secrets: { ...tauSecrets, tau: -1n } }),
    )
    await expect(setup(made.circuit, { ptau: one })).rejects.toThrow(/is one|nobody contributed/)
  })

  it("is refused if it is damaged, another circuit's, or does not say how it was made", async () => {
    const { provingKey, circuit } = made
    for (const id of sectionsOf(provingKey).keys()) {
      if (id === 1000) continue
      const shorter = withSection(provingKey, id, (content) => content.subarray(0, -1))
      if (sectionOf(provingKey, id).length > 0)
        await expect(opened(shorter)).rejects.toThrow(/section|proving key/)
    }
    await expect(opened(provingKey.subarray(0, -1))).rejects.toThrow(/truncated/)
    await expect(opened(withSection(provingKey, 1000, () => undefined))).rejects.toThrow(/does not say/)
    for (const mark of ["ceremony", "external", "x"])
      await expect(opened(withSection(provingKey, 1000, () => Buffer.from(mark)))).rejects.toThrow(
        /does not say/,
      )
    await expect(opened(withSection(provingKey, 1001, () => undefined))).rejects.toThrow(/section 1001/)
    await expect(opened(withBytes(provingKey, 1, 0, Uint8Array.of(1)))).rejects.toThrow(
      /another proof system/,
    )
    // constants of the header are not the key's to choose
    await expect(opened(withBytes(provingKey, 2, 92, Uint8Array.of(1)))).rejects.toThrow(/header differs/)
    const network = await perceptron([4, 2], 6)
    const other = await compile(network.graph, { proofSystem })
    await expect(verificationKeyOf(other, provingKey)).rejects.toThrow(/another circuit/)
    const otherModel = { ...circuit, model: context }
    await expect(verificationKeyOf(otherModel as typeof circuit, provingKey)).rejects.toThrow(
      /its model differs/,
    )
  })

  it("with gates that are not the circuit's gives no receipt, and leaves a prover that can be closed", async () => {
    // the first wire of the second gate is another one
    const map = sectionOf(made.provingKey, 4)
    const wrong = withBytes(made.provingKey, 4, 4, Uint8Array.of(map[4] + 1))
    await using prover = await openProver(made.circuit, wrong)
    await expect(prover.prove(made.input, { context, clampInputs: true })).rejects.toThrow()
  })

  it("has no phase 2", async () => {
    await expect(contribute(made.provingKey, { name: "Bob", sink: memorySink() })).rejects.toThrow(
      /no phase 2/,
    )
  })

  it("is not made of too few powers, both ways at once, or after an abort", async () => {
    const few = await openPtau(await contributedPtau(4))
    const needed = proofSystem === "plonk" ? 6 : 9
    await expect(setup(made.circuit, { ptau: few })).rejects.toThrow(new RegExp(`power ${needed} or more`))
    const both = { ptau: made.ptau, dev: true } as never
    await expect(setup(made.circuit, both)).rejects.toThrow(/either/)
    const signal = AbortSignal.abort(new Error("enough"))
    await expect(setup(made.circuit, { ptau: made.ptau, signal })).rejects.toThrow("enough")
    const abort = new AbortController()
    const late = setup(made.circuit, {
      dev: true,
      signal: abort.signal,
      onProgress: () => abort.abort(new Error("late")),
    })
    await expect(late).rejects.toThrow("late")
  })
})
