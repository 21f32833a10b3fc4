/** Attestations against everything that somebody may want to pass off as one: edits, replays, second signatures. */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { AbiCoder, Interface, keccak256, Signature, Wallet } from "ethers"
import { beforeAll, describe, expect, it } from "vitest"
import {
  type Accounts,
  type Attestation,
  attest,
  attestationDigest,
  type ClaimSigner,
  canonicalJson,
  claimOf,
  type ExpectedAttestation,
  evidenceDigest,
  explainAttestation,
  parseEvidence,
  proves,
  relationProblem,
  type SignedAttestation,
  sideDigests,
  signAttestation,
  toAddress,
  verifyAttestation,
} from "#src/attest/index.js"
import { FileError, UsageError } from "#src/errors.js"
import type { Statement } from "#src/statement/statement.js"
import type { Hex } from "#src/statement/strict.js"
import { encodeWords, outputWordCount, wordsOf } from "#src/statement/words.js"
import { addressOf, digest, domains, operator, stranger } from "../support/attestations.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"

const oracle = mirageOracle(layoutOf("public"))
const { key: verificationKey } = oracle
const statement = statementOf(verificationKey)
const [domain] = domains
const facts = {
  operator: addressOf(operator),
  policy: digest("1"),
  evidence: digest("2"),
  request: digest("3"),
  started: 1000,
  issued: 1001,
  validUntil: 2000,
}
const attestation = attest({ statement, verificationKey }, facts)
const expected: ExpectedAttestation = {
  domain,
  operator: addressOf(operator),
  verificationKey,
  statement,
  policy: digest("1"),
  request: digest("3"),
  at: 1500,
}
const explain = (given: unknown, change: Partial<ExpectedAttestation> = {}) =>
  explainAttestation(given, { ...expected, ...change })

let signed: SignedAttestation
beforeAll(async () => {
  signed = await signAttestation(attestation, domain, operator)
})

/** The same signature, written otherwise. */
const halves = () => {
  const hex = signed.signature.slice(2)
  return { r: hex.slice(0, 64), s: BigInt(`0x${hex.slice(64, 128)}`), v: Number.parseInt(hex.slice(128), 16) }
}
const hex = (n: bigint, bytes = 32) => n.toString(16).padStart(2 * bytes, "0")

describe("an attestation", () => {
  it("is made of an execution's words, and holds for what is expected", async () => {
    const words = wordsOf(statement, verificationKey.layout)
    const outputs = outputWordCount(verificationKey.layout)
    expect(attestation.output).toBe(keccak256(encodeWords(words.slice(0, outputs))))
    expect(attestation.input).toBe(keccak256(encodeWords(words.slice(outputs))))
    expect(await explain(signed)).toBeNull()
    expect(await explain(canonicalJson(signed))).toBeNull()
    expect(await verifyAttestation(signed, expected)).toBe(true)
    // context means nothing yet
    expect(attest({ statement: { ...statement, context: digest("9") }, verificationKey }, facts)).toEqual(
      attestation,
    )
  })

  it("of a committed input has the digest of its commitment, and of a hidden one that of nothing", () => {
    const nothing = keccak256("0x")
    for (const visibility of ["hidden", "committed"] as const) {
      const { key } = mirageOracle(layoutOf(visibility))
      const claim = statementOf(key)
      const { input } = sideDigests(claim, key.layout)
      expect(input).toBe(claim.input.visibility === "committed" ? keccak256(claim.input.commitment) : nothing)
    }
  })

  it("is refused when any field is edited, and when it was signed for something else", async () => {
    for (const name of Object.keys(attestation) as (keyof Attestation)[]) {
      const held = signed[name]
      const value =
        typeof held === "number" ? held + 1 : `${held.slice(0, -1)}${held.endsWith("0") ? "1" : "0"}`
      expect(await explain({ ...signed, [name]: value }), name).not.toBeNull()
    }
    const changes: Partial<ExpectedAttestation>[] = [
      { operator: addressOf(stranger) },
      { policy: digest("2") },
      { request: digest("0") },
      { at: 1000 },
      { at: 2001 },
      { statement: { ...statement, input: { visibility: "public", values: { image: ["8", "0"] } } } },
      {
        statement: {
          ...statement,
          output: { visibility: "public", values: { "20": ["-12", "346"], "3": ["0"] } },
        },
      },
      { statement: { ...statement, model: digest("a") } },
      { statement: { ...statement, input: { visibility: "hidden" } } },
      { verificationKey: mirageOracle(layoutOf("public"), { seed: "other" }).key },
    ]
    for (const change of changes)
      expect(await explain(signed, change), JSON.stringify(change).slice(0, 99)).not.toBeNull()
    expect(await explain(signed, { at: 1001 })).toBeNull()
    expect(await explain(signed, { at: 2000 })).toBeNull()
  })

  it("of one chain, contract or of none is worth nothing in another", async () => {
    for (const made of domains) {
      const other = await signAttestation(attestation, made, operator)
      for (const asked of domains) {
        const reason = await explain(other, { domain: asked })
        expect(reason === null, JSON.stringify([made, asked])).toBe(made === asked)
        // nor if it says that it is of the other
        expect((await explain({ ...other, domain: asked }, { domain: asked })) === null).toBe(made === asked)
      }
    }
  })

  it("has one signature: not its mirror image, its short form, or another recovery byte", async () => {
    const { r, s, v } = halves()
    const { n } = secp256k1.Point.CURVE()
    const with_ = (signature: string) => explain({ ...signed, signature: `0x${signature}` })
    expect(await with_(`${r}${hex(s)}${hex(BigInt(v), 1)}`)).toBeNull()
    expect(await with_(`${r}${hex(n - s)}${hex(BigInt(55 - v), 1)}`)).toMatch(/malleable/)
    expect(await with_(Signature.from(signed.signature).compactSerialized.slice(2))).toMatch(/64 bytes/)
    expect(await with_(`${r}${hex(s)}`)).toMatch(/64 bytes/)
    expect(await with_(`${r}${hex(s)}${hex(BigInt(v), 1)}00`)).toMatch(/66 bytes/)
    expect(await with_(`${r}${hex(s)}${hex(BigInt(v - 27), 1)}`)).toMatch(/expected 27 or 28/)
    expect(await with_(`${r}${hex(s)}${hex(BigInt(55 - v), 1)}`)).not.toBeNull()
    expect(await with_(`${"00".repeat(64)}1b`)).toMatch(/none of any account/)
    expect(await with_(`${"ff".repeat(32)}${hex(1n)}1b`)).toMatch(/none of any account/)
  })

  it("makes no sense with its times in another order, and nobody else signs it", async () => {
    for (const change of [
      { started: 1002 },
      { validUntil: 1000 },
      { operator: "0x12" as Hex },
      { issued: 1001.5 },
    ])
      expect(() => attest({ statement, verificationKey }, { ...facts, ...change })).toThrow()
    const early = { ...attestation, started: 1100 }
    expect(await explain(await signAttestation(early, domain, operator))).toMatch(
      /before the inference began/,
    )
    await expect(signAttestation(attestation, domain, stranger)).rejects.toThrow(UsageError)
  })
})

describe("a contract that signs (ERC-1271)", () => {
  const wallet = addressOf(stranger)
  const codec = new Interface(["function isValidSignature(bytes32, bytes) view returns (bytes4)"])
  /** A chain on which the wallet is a contract that answers so. */
  const chain = (answer: (hash: string, signature: string) => string, code = "0x60"): Accounts => ({
    getCode: async (address) => (address === wallet ? code : "0x"),
    call: async ({ to, data }) => {
      expect(to).toBe(wallet)
      const [hash, signature] = codec.decodeFunctionData("isValidSignature", data)
      return answer(hash, signature)
    },
  })
  const magic = AbiCoder.defaultAbiCoder().encode(["bytes4"], ["0x1626ba7e"])
  const claim = attest({ statement, verificationKey }, { ...facts, operator: wallet })
  const by = (signature: string): ClaimSigner => ({
    getAddress: async () => wallet,
    signTypedData: async () => signature,
  })
  const ask = async (accounts?: Accounts, signature = "0xabcdef") =>
    explain(await signAttestation(claim, domain, by(signature)), {
      operator: wallet,
      ...(accounts ? { accounts } : {}),
    })

  it("is asked on its chain, with the digest and all bytes of the signature", async () => {
    const long = `0x${"5a".repeat(100)}`
    const accounts = chain((hash, signature) => {
      expect(hash).toBe(attestationDigest(claim, domain))
      expect(signature).toBe(long)
      return magic
    })
    expect(await ask(accounts, long)).toBeNull()
    expect(await ask(undefined, long)).toMatch(/100 bytes, an account's has 65/)
  })

  it("has not signed if it says so, reverts, has no code, or answers with anything else", async () => {
    const word = (start: string) => `0x${start.padEnd(64, "0")}`
    const answers = [
      word(""),
      "0x",
      "0x1626ba7e",
      word("1626ba7f"),
      `${word("1626ba7e").slice(0, -1)}1`,
      word("01"),
    ]
    for (const answer of answers) expect(await ask(chain(() => answer)), answer).toMatch(/refuses/)
    const reverts = chain(() => {
      throw Object.assign(new Error("execution reverted"), { code: "CALL_EXCEPTION" })
    })
    expect(await ask(reverts)).toMatch(/refuses/)
    expect(await ask(chain(() => magic, "0x"))).toMatch(/an account's has 65/)
  })

  it("gives no verdict while its chain cannot be asked", async () => {
    const down = chain(() => {
      throw Object.assign(new Error("timeout"), { code: "TIMEOUT" })
    })
    await expect(ask(down)).rejects.toThrow("timeout")
  })

  it("cannot deny what its account has signed itself", async () => {
    const own = await signAttestation(claim, domain, stranger)
    expect(await explain(own, { operator: wallet, accounts: chain(() => "0x") })).toBeNull()
  })
})

describe("a receipt", () => {
  const context = () => attestationDigest(attestation, domain)
  const receiptOf = (change: Partial<Statement> = {}) =>
    oracle.receipt({ ...statement, context: context(), ...change })

  it("proves the attestation whose digest is its context, and no other", () => {
    const receipt = receiptOf()
    expect(proves(receipt, attestation, verificationKey, domain)).toBeNull()
    expect(proves(JSON.stringify(receipt), attestation, verificationKey, domain)).toBeNull()
    for (const change of [
      { request: digest("4") },
      { operator: addressOf(stranger) },
      { issued: 1002 },
      { evidence: digest("0") },
    ])
      expect(proves(receipt, { ...attestation, ...change }, verificationKey, domain)).toMatch(
        /^the receipt is for context/,
      )
    for (const other of domains.slice(1))
      expect(proves(receipt, attestation, verificationKey, other)).not.toBeNull()
  })

  it("of other words, another key, model or layout does not, though its context is right", () => {
    const output = { visibility: "public", values: { "20": ["-12", "346"], "3": ["0"] } } as const
    expect(proves(receiptOf({ output }), attestation, verificationKey, domain)).toMatch(/^its output is/)
    const input = { visibility: "public", values: { image: ["8", "-4503599627370496"] } } as const
    expect(proves(receiptOf({ input }), attestation, verificationKey, domain)).toMatch(/^its input is/)
    const other = mirageOracle(layoutOf("public"), { seed: "other" })
    const foreign = other.receipt({ ...statement, model: other.key.model, context: context() })
    expect(proves(foreign, attestation, other.key, domain)).toMatch(/^its model is/)
    expect(proves(foreign, attestation, verificationKey, domain)).toMatch(/another model/)
    for (const field of ["key", "layout", "model"] as const) {
      const claim = { ...attestation, [field]: digest("8") }
      const receipt = oracle.receipt({ ...statement, context: attestationDigest(claim, domain) })
      expect(proves(receipt, claim, verificationKey, domain)).toMatch(new RegExp(`^its ${field} is`))
    }
  })

  it("that says all this must still have a valid proof", () => {
    const receipt = receiptOf()
    const forged = { ...receipt, proof: { ...receipt.proof, c: receipt.proof.a } }
    expect(relationProblem(forged, attestation, verificationKey, domain)).toBeNull()
    expect(proves(forged, attestation, verificationKey, domain)).not.toBeNull()
    expect(proves({ ...receipt, extra: 1 }, attestation, verificationKey, domain)).toMatch(
      /^malformed receipt/,
    )
    expect(proves(null, attestation, verificationKey, domain)).toMatch(/^malformed receipt/)
  })
})

describe("evidence", () => {
  const evidence = {
    version: 1,
    started: 1000,
    ended: 1001,
    software: "countersign 0.1.0",
    transcript: null,
    quantization: digest("1"),
    reference: null,
    verifiedBy: ["examiner 7"],
    other: { payment: digest("2") },
  }
  it("reads back in one way only, and its digest covers all of it", () => {
    const parsed = parseEvidence(JSON.stringify(evidence))
    expect(parsed).toEqual(evidence)
    const digests = new Set([evidenceDigest(parsed)])
    const edits = [
      { started: 999 },
      { ended: 1002 },
      { software: "x" },
      { transcript: digest("3") },
      { quantization: null },
      { reference: digest("4") },
      { verifiedBy: [] },
      { other: {} },
    ]
    for (const edit of edits) digests.add(evidenceDigest({ ...parsed, ...edit }))
    expect(digests.size).toBe(edits.length + 1)
    const bad = [
      { version: 2 },
      { ended: 999 },
      { software: "" },
      { software: "a\u202eb" },
      { transcript: "0x12" },
      { verifiedBy: [7] },
      { verifiedBy: Array(65).fill("a") },
      { other: { "a\n": digest("1") } },
      { other: { a: 1 } },
      { extra: 1 },
    ]
    for (const edit of bad)
      expect(() => parseEvidence({ ...evidence, ...edit }), JSON.stringify(edit)).toThrow(FileError)
  })
})

it("addresses are taken in any spelling, but for a wrong checksum", () => {
  const { address } = new Wallet(digest("5"))
  expect(toAddress(address)).toBe(address.toLowerCase())
  expect(toAddress(address.toLowerCase())).toBe(address.toLowerCase())
  const wrong = address
    .replace(/[a-f]/, (c) => c.toUpperCase())
    .replace(/[A-F](?=[^A-F]*$)/, (c) => c.toLowerCase())
  for (const bad of [wrong, "0x12", "", "vitalik.eth"]) expect(() => toAddress(bad)).toThrow(UsageError)
  expect(claimOf(signed)).toEqual(attestation)
})
