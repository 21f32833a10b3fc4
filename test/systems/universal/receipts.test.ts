/** Receipts of PLONK and FFLONK: valid ones, in snarkjs's eyes too, and everything that is not. */
import { fflonk, plonk } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { r } from "#src/field.js"
import { auditReceipt } from "#src/prover/audit.js"
import { openVerifier, type ReceiptVerifier, verifyReceipt } from "#src/prover/verify.js"
import { generator2 } from "#src/statement/points.js"
import {
  fflonkKeyForm,
  fflonkProofForm,
  fflonkProofOf,
  plonkKeyForm,
  plonkProofForm,
  plonkProofOf,
} from "#src/systems/universal/snarkjs.js"
import {
  describeProvenance,
  encodeKey,
  explain,
  type FflonkKey,
  type FflonkProof,
  keyDigest,
  type PlonkKey,
  type PlonkProof,
  parseReceipt,
  parseVerificationKey,
  publicSignals,
  type Receipt,
  registrationCall,
  type VerificationKey,
  verify,
} from "#src/verifier/index.js"
import { proofAttacks, statementAttacks } from "../../support/attacks.js"
import { edit } from "../../support/groth16-oracle.js"
import { stopSnarkjs } from "../../support/snarkjs.js"
import {
  context,
  elsewhere,
  ptauPower,
  type Universal,
  universal,
  universalSystems,
} from "../../support/universal.js"

afterAll(stopSnarkjs)

describe.each(universalSystems)("a receipt of %s", (proofSystem) => {
  let made: Universal
  let verifier: ReceiptVerifier
  beforeAll(async () => {
    made = await universal(proofSystem, "public")
    verifier = openVerifier()
    return () => verifier.close()
  })
  const why = (candidate: unknown, changes: object = {}) => {
    const { circuit, verificationKey } = made
    return verifier.explain(candidate, { verificationKey, model: circuit.model, context, ...changes })
  }
  /** What snarkjs says of a proof that we do not look at. */
  const inSnarkjs = (proof: Receipt["proof"], change: (form: Record<string, never>) => object = (x) => x) => {
    const { verificationKey, receipt } = made
    const signals = publicSignals(receipt.statement, verificationKey.layout).map(String)
    const form = (x: object) => change(structuredClone(x) as Record<string, never>)
    return proofSystem === "plonk"
      ? plonk.verify(
          plonkKeyForm(verificationKey as PlonkKey),
          signals,
          form(plonkProofForm(proof as PlonkProof)),
        )
      : fflonk.verify(
          fflonkKeyForm(verificationKey as FflonkKey),
          signals,
          form(fflonkProofForm(proof as FflonkProof)),
          { error: () => undefined, info: () => undefined, warn: () => undefined, debug: () => undefined },
        )
  }

  it("is valid without a word about development, here and to snarkjs, and from text", async () => {
    expect(await why(made.receipt)).toBeNull()
    expect(await why(JSON.stringify(made.receipt))).toBeNull()
    expect(parseReceipt(JSON.stringify(made.receipt))).toEqual(made.receipt)
    expect(await inSnarkjs(made.receipt.proof)).toBe(true)
    expect(await inSnarkjs(made.other.proof)).toBe(false)
    const { proof } = made.receipt
    const there =
      proofSystem === "plonk" ? plonkProofForm(proof as PlonkProof) : fflonkProofForm(proof as FflonkProof)
    expect((proofSystem === "plonk" ? plonkProofOf : fflonkProofOf)(there)).toEqual(proof)
  })

  it("shares no number with another of the same execution", () => {
    const [one, two] = [made.receipt, made.other].map(({ proof }) => Object.entries(proof))
    const shared = one.filter(([, value], i) => `${value}` === `${two[i][1]}`)
    // this model's circuit has no constants: their selector is zero everywhere
    expect(shared).toEqual(proofSystem === "fflonk" ? [["qc", "0"]] : [])
  })

  it("is no receipt to the entry that loads no snarkjs, which says where to go", async () => {
    const { circuit, verificationKey, receipt } = made
    const expected = { verificationKey, model: circuit.model, context }
    expect(() => verify(receipt, expected)).toThrow(/verifyReceipt/)
    // all that it can tell without the equation it tells
    expect(explain(edit(receipt, ["statement", "context"], elsewhere), expected)).toMatch(/is for context/)
    expect(await verifyReceipt(receipt, expected)).toBe(true)
    expect(await verifyReceipt(receipt, { ...expected, context: elsewhere })).toBe(false)
  })

  it("is refused with any number changed, replaced, out of range or at infinity", async () => {
    const attacks = [...proofAttacks(made.receipt, made.other.proof), ...statementAttacks(made.receipt)]
    expect(attacks.length).toBeGreaterThan(250)
    const accepted: string[] = []
    for (const { name, receipt } of attacks) if ((await why(receipt)) === null) accepted.push(name)
    expect(accepted).toEqual([])
  })

  it("is refused where snarkjs alone would take it", async () => {
    const { proof } = made.receipt
    const [name, named] = proofSystem === "plonk" ? ["evalA", "eval_a"] : ["a", "a"]
    const larger = `${BigInt((proof as unknown as Record<string, string>)[name]) + r}`
    const loose = await inSnarkjs(proof, (form) => {
      const held = proofSystem === "plonk" ? form : (form.evaluations as Record<string, unknown>)
      Object.assign(held, { [named]: larger })
      return form
    })
    expect(loose).toBe(true)
    expect(await why(edit(made.receipt, ["proof", name], larger))).toMatch(/out of range/)
  })

  it("is refused under another key, model or context, and a forgeable key unless that is said", async () => {
    const { receipt, verificationKey } = made
    expect(await why(receipt, { context: elsewhere })).toMatch(/is for context/)
    const dev = { ...verificationKey, setup: "dev" }
    expect(await why(receipt, { verificationKey: dev })).toMatch(/development key/)
    expect(await why(receipt, { verificationKey: dev, allowDev: true })).toBeNull()
    await expect(why(receipt, { model: elsewhere })).rejects.toThrow(/another model's/)
    const foreign = edit(verificationKey, ["points", "domain"], 128)
    expect(await why(receipt, { verificationKey: foreign })).toMatch(/another key's/)
  })

  it("withstands the audit's edits", async () => {
    const report = await auditReceipt(made.receipt, made.other, made.verificationKey)
    expect(report.accepted).toEqual([])
    expect(report.tried.proof).toBeGreaterThan(60)
  })

  it("is of a key that says which powers it rests on, and that nobody registers", () => {
    const { verificationKey, ptau } = made
    expect(verificationKey.setup).toEqual({ ptau: ptau.digest, power: ptauPower })
    expect(describeProvenance(verificationKey.setup)).toMatch(/^powers of tau 0x.* alone/)
    const words = Buffer.from(encodeKey(verificationKey)).toString("hex").match(/.{64}/g) as string[]
    expect(words).toHaveLength((proofSystem === "plonk" ? 27 : 13) + 3)
    expect(Buffer.from(words[0], "hex").toString().replace(/\0+$/, "")).toBe(
      `countersign.key.${proofSystem}.1`,
    )
    expect(words.slice(1, 4).map((word) => Number(`0x${word}`))).toEqual([3, 6, 2])
    expect(words.slice(-3)).toEqual([...(ptau.digest.slice(2).match(/.{64}/g) ?? []), "9".padStart(64, "0")])
    expect(keyDigest(edit(verificationKey, ["setup", "power"], 10))).not.toBe(keyDigest(verificationKey))
    expect(() => registrationCall(verificationKey)).toThrow(/a contract of its own/)
  })

  it("has a key that is read strictly", () => {
    const { verificationKey: key } = made
    const refused = (changed: unknown, message: RegExp) =>
      expect(() => parseVerificationKey(changed as VerificationKey)).toThrow(message)
    const generator = ["1", "2"]
    refused(edit(key, ["points", "domain"], 60), /points.domain/)
    refused(edit(key, ["points", "domain"], 4), /points.domain/)
    refused(edit(key, ["points", "extra"], generator), /unknown field/)
    refused(edit(key, ["points", "x2", 0, 0], "1"), /not a point of G2/)
    refused(edit(key, ["setup"], "external"), /setup/)
    refused(edit(key, ["setup"], { ptau: "0x00", power: 9 }), /setup.ptau/)
    refused(edit(key, ["setup", "power"], 29), /not a power/)
    const ceremony = { ptau: made.ptau.digest, contributors: ["Alice"], beacon: null, transcript: context }
    refused(edit(key, ["setup"], ceremony), /setup/)
    refused(edit(key, ["layout", "outputs", 0, "visibility"], "committed"), /committed/)
    const point = proofSystem === "plonk" ? "s1" : "c0"
    refused(edit(key, ["points", point], ["0", "0"]), /not a point of G1/)
    refused(edit(key, ["points", point], ["1", "3"]), /not a point of G1/)
    if (proofSystem === "plonk") refused(edit(key, ["points", "qm"], ["1", "3"]), /not a point of G1/)
    const { x2 } = key.points as PlonkKey["points"]
    refused(edit(key, ["points", "x2"], [x2[0], [x2[1][1], x2[1][0]]]), /not a point of G2/)
    refused(edit(key, ["points", "x2"], generator2), /nobody contributed/)
  })
})
