/** Sign-offs as credentials: the suite's published example, and every edit refused. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { decodeBase58, getBytes, toBeHex } from "ethers"
import { describe, expect, it } from "vitest"
import {
  didKey,
  explainCredential,
  integrityBytes,
  parseCredential,
  signCredential,
} from "#src/attest/adapters/credential.js"
import { FileError, UsageError } from "#src/errors.js"
import { digest } from "../support/attestations.js"

const secret = new Uint8Array(32).fill(7)
const issuer = didKey(ed25519.getPublicKey(secret))
const claim = {
  attestation: digest("a"),
  role: "approver",
  decision: "approve",
  scope: digest("b"),
  signed: 1_700_000_000,
  validUntil: 1_800_000_000,
} as const
const expected = { issuer, attestation: digest("a"), at: 1_750_000_000 }
const credential = signCredential(claim, secret)

describe("the suite eddsa-jcs-2022", () => {
  it("verifies the example of its specification (W3C vc-di-eddsa, TestVectors/eddsa-jcs-2022)", () => {
    const context = ["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]
    const document = {
      "@context": context,
      id: "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
      type: ["VerifiableCredential", "AlumniCredential"],
      name: "Alumni Credential",
      description: "A minimum viable example of an Alumni Credential.",
      issuer: "https://vc.example/issuers/5678",
      validFrom: "2023-01-01T00:00:00Z",
      credentialSubject: { id: "did:example:abcdefgh", alumniOf: "The School of Examples" },
    }
    const key = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
    const options = {
      type: "DataIntegrityProof",
      cryptosuite: "eddsa-jcs-2022",
      created: "2023-02-24T23:36:38Z",
      verificationMethod: `https://vc.example/issuers/5678#${key}`,
      proofPurpose: "assertionMethod",
      "@context": context,
    }
    const bytes = (text: string, length: number) => getBytes(toBeHex(decodeBase58(text.slice(1)), length))
    const value = "z63t83Y53KfzJ5ZosfKTnqfMcKB2dmTrfjSaQjeNNjAD5srBowQfmWqeRb8rRjmeEuCBEsddF9LsVogtuTsijJKh4"
    const publicKey = bytes(key, 34).subarray(2)
    expect(didKey(publicKey)).toBe(`did:key:${key}`)
    expect(ed25519.verify(bytes(value, 64), integrityBytes(document, options), publicKey)).toBe(true)
  })
})

describe("a sign-off as a credential", () => {
  it("is its issuer's word on one attestation, for a time", () => {
    expect(parseCredential(JSON.stringify(credential))).toEqual(credential)
    expect(explainCredential(credential, expected)).toBeNull()
    expect(explainCredential(credential, { ...expected, attestation: digest("b") })).toMatch(/^it is about/)
    expect(explainCredential(credential, { ...expected, at: claim.signed - 1 })).toMatch(/^valid from/)
    expect(explainCredential(credential, { ...expected, at: claim.validUntil + 1 })).toMatch(/^valid until/)
    const other = didKey(ed25519.getPublicKey(new Uint8Array(32).fill(8)))
    expect(explainCredential(credential, { ...expected, issuer: other })).toMatch(/^issued by/)
    expect(() => signCredential({ ...claim, validUntil: 1 }, secret)).toThrow(UsageError)
    expect(() => signCredential({ ...claim, validUntil: 1e12 }, secret)).toThrow(/year 10000/)
  })

  it("is refused when anything in it is edited", () => {
    const { proof, credentialSubject } = credential
    const edits: object[] = [
      { validFrom: "2023-11-14T22:13:21Z" },
      { validUntil: "2030-01-01T00:00:00Z" },
      { issuer: "did:web:example.com" },
      { credentialSubject: { ...credentialSubject, decision: "reject" } },
      { credentialSubject: { ...credentialSubject, role: "client" } },
      { credentialSubject: { ...credentialSubject, scope: digest("c") } },
      { proof: { ...proof, created: "2023-11-14T22:13:21Z" } },
      { proof: { ...proof, verificationMethod: `${issuer}#other` } },
      { proof: { ...proof, proofValue: `z1${proof.proofValue.slice(1)}` } },
      { proof: { ...proof, proofValue: proof.proofValue.slice(0, -1) } },
      { proof: { ...proof, proofValue: "z" } },
      { proof: { ...proof, proofValue: `u${proof.proofValue.slice(1)}` } },
    ]
    for (const edit of edits) {
      const edited = { ...credential, ...edit }
      const { issuer: by } = edited
      expect(explainCredential(edited, { ...expected, issuer: by }), JSON.stringify(edit)).not.toBeNull()
    }
    const malformed: object[] = [
      { extra: 1 },
      { validFrom: "2023-02-30T00:00:00Z" },
      { validFrom: "2023-11-14T22:13:20+00:00" },
      { type: ["CountersignSignOff", "VerifiableCredential"] },
      { "@context": ["https://www.w3.org/ns/credentials/v2"] },
      { proof: { ...proof, cryptosuite: "eddsa-rdfc-2022" } },
      { proof: [proof] },
      { credentialSubject: { ...credentialSubject, id: "did:example:1" } },
    ]
    for (const edit of malformed) {
      expect(() => parseCredential({ ...credential, ...edit })).toThrow(FileError)
      expect(explainCredential({ ...credential, ...edit }, expected)).toMatch(/^malformed credential/)
    }
  })

  it("cannot be signed by a key of small order, nor twice from one signature", () => {
    // the neutral element: under cofactored rules some signatures of it hold for every message
    const neutral = new Uint8Array(32)
    neutral[0] = 1
    const weak = didKey(neutral)
    const zero = new Uint8Array(64)
    zero[0] = 1
    const method = `${weak}#${weak.slice(8)}`
    const forged = {
      ...credential,
      issuer: weak,
      proof: { ...credential.proof, verificationMethod: method, proofValue: multibaseOf(zero) },
    }
    expect(explainCredential(forged, { ...expected, issuer: weak })).toMatch(/the signature is not/)
    // s + L is the same scalar
    const bytes = getBytes(toBeHex(decodeBase58(credential.proof.proofValue.slice(1)), 64))
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    let s = order + bytes.subarray(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    for (let i = 32; i < 64; i++, s >>= 8n) bytes[i] = Number(s & 255n)
    const second = { ...credential, proof: { ...credential.proof, proofValue: multibaseOf(bytes) } }
    expect(explainCredential(second, expected)).toMatch(/the signature is not/)
  })
})

/** Multibase by long division, apart from what is tested. */
function multibaseOf(bytes: Uint8Array): string {
  const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
  let [n, text] = [bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n), ""]
  for (; n > 0n; n /= 58n) text = digits[Number(n % 58n)] + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return `z${"1".repeat(zeros)}${text}`
}
