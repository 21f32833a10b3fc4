/** Digests of claims against ethers and by hand, their JSON, and every way of reading them wrongly. */
import { AbiCoder, keccak256, TypedDataEncoder, toUtf8Bytes, Wallet } from "ethers"
import { describe, expect, it } from "vitest"
import {
  type Attestation,
  attestationDigest,
  canonicalJson,
  type Domain,
  parseAttestation,
  parseSignOff,
  policyDigest,
  signAttestation,
  signOffDigest,
  typedDomain,
  typesOf,
} from "#src/attest/index.js"
import { FileError } from "#src/errors.js"
import { attestationOf, domains, operator, policy, signOff } from "../support/attestations.js"

const coder = AbiCoder.defaultAbiCoder()
const hash = (types: string[], values: unknown[]) => keccak256(coder.encode(types, values))
const text = (value: string) => keccak256(toUtf8Bytes(value))

describe("digests", () => {
  const typehash = text(
    "Attestation(bytes32 model,bytes32 key,bytes32 layout,bytes32 input,bytes32 output,bytes32 policy,bytes32 evidence,address operator,bytes32 request,uint64 started,uint64 issued,uint64 validUntil)",
  )
  const byHand = (a: Attestation, domain: Domain) => {
    const name = [text("Countersign"), text("1")]
    const separator =
      domain === "offline"
        ? hash(
            ["bytes32", "bytes32", "bytes32", "bytes32"],
            [
              text("EIP712Domain(string name,string version,bytes32 salt)"),
              ...name,
              text("countersign.offline"),
            ],
          )
        : hash(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
              text("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
              ...name,
              domain.chainId,
              domain.verifyingContract,
            ],
          )
    const struct = hash(
      ["bytes32", ...Array(7).fill("bytes32"), "address", "bytes32", "uint64", "uint64", "uint64"],
      [typehash, ...Object.values(a)],
    )
    return keccak256(`0x1901${separator.slice(2)}${struct.slice(2)}`)
  }

  it("of an attestation are EIP-712's, with a chain and without", () => {
    const attestation = attestationOf()
    for (const domain of domains) {
      expect(attestationDigest(attestation, domain)).toBe(byHand(attestation, domain))
      expect(attestationDigest(attestation, domain)).toBe(
        TypedDataEncoder.hash(typedDomain(domain), typesOf("Attestation"), attestation),
      )
    }
    expect(new Set(domains.map((domain) => attestationDigest(attestation, domain))).size).toBe(domains.length)
  })

  it("of a policy hash lists as EIP-712 does", () => {
    const bound = text("Bound(uint32 word,uint8 shift,uint8 bits,int64 lo,int64 least,int64 most)")
    const requirement = text("Requirement(uint8 role,address signer)")
    const type = text(
      "Policy(bytes32 document,address registry,uint256 modelId,address escrow,Bound[] bounds,Requirement[] signOffs)Bound(uint32 word,uint8 shift,uint8 bits,int64 lo,int64 least,int64 most)Requirement(uint8 role,address signer)",
    )
    const bounds = policy.bounds.map((b) =>
      hash(["bytes32", "uint32", "uint8", "uint8", "int64", "int64", "int64"], [bound, ...Object.values(b)]),
    )
    const people = policy.signOffs.map((s) =>
      hash(["bytes32", "uint8", "address"], [requirement, ...Object.values(s)]),
    )
    const concatenated = (hashes: string[]) => keccak256(`0x${hashes.map((h) => h.slice(2)).join("")}`)
    expect(policyDigest(policy)).toBe(
      hash(
        ["bytes32", "bytes32", "address", "uint256", "address", "bytes32", "bytes32"],
        [
          type,
          policy.document,
          policy.registry,
          policy.modelId,
          policy.escrow,
          concatenated(bounds),
          concatenated(people),
        ],
      ),
    )
  })

  it("change with every field of an attestation and of a sign-off", () => {
    const attestation = attestationOf()
    for (const name of Object.keys(attestation) as (keyof Attestation)[]) {
      const held = attestation[name]
      const value = typeof held === "number" ? held + 1 : held.replace(/.$/, (c) => (c === "0" ? "1" : "0"))
      const edited = { ...attestation, [name]: value }
      expect(attestationDigest(edited, "offline"), name).not.toBe(attestationDigest(attestation, "offline"))
    }
    const first = signOffDigest(signOff, "offline")
    expect(signOffDigest({ ...signOff, role: signOff.role - 1 }, "offline")).not.toBe(first)
  })
})

describe("JSON", () => {
  it("of a signed attestation reads back, and in one way only", async () => {
    const signed = await signAttestation(attestationOf(), domains[0], operator)
    const json = canonicalJson(signed)
    expect(parseAttestation(json)).toEqual(signed)
    const edits: [RegExp | string, string][] = [
      ["{", '{"extra":1,'],
      ["{", `{"request":"0x${"1".repeat(64)}",`],
      [/"evidence":"[^"]*",/, ""],
      [/"issued":(\d+)/, '"issued":"$1"'],
      [/"issued":(\d+)/, '"issued":$1.5'],
      [/"issued":\d+/, '"issued":-1'],
      [/"issued":\d+/, '"issued":1e20'],
      [/"issued":\d+/, '"issued":-0'],
      [/"operator":"0x./, '"operator":"0X1'],
      [/"operator":"0x[0-9a-f]{40}"/, `"operator":"0x${"0".repeat(40)}"`],
      [/"operator":"0x[0-9a-f]{40}"/, `"operator":"${new Wallet(operator.privateKey).address}"`],
      [/"model":"0x../, '"model":"0x'],
      [/"signature":"0x[0-9a-f]+"/, '"signature":"0x"'],
      [/"signature":"0x[0-9a-f]+"/, `"signature":"0x${"00".repeat(8193)}"`],
      [/"domain":\{/, '"domain":{"name":"Countersign",'],
      [/"domain":\{[^}]*\}/, '"domain":"online"'],
      [/"domain":\{[^}]*\}/, '"domain":null'],
      [/"chainId":\d+/, '"chainId":0'],
    ]
    for (const [from, to] of edits) {
      const edited = json.replace(from, to)
      expect(edited).not.toBe(json)
      expect(() => parseAttestation(edited), edited).toThrow(FileError)
    }
    expect(() => parseAttestation(" ".repeat(2 ** 15) + json)).toThrow(/too long/)
  })

  it("of a sign-off knows no other role or decision", () => {
    const signed = { ...signOff, domain: "offline", signature: `0x${"00".repeat(65)}` }
    expect(parseSignOff(signed)).toEqual(signed)
    for (const change of [
      { role: 0 },
      { role: 6 },
      { role: "approver" },
      { decision: 4 },
      { decision: true },
    ])
      expect(() => parseSignOff({ ...signed, ...change })).toThrow(/expected 1 \(/)
  })
})
