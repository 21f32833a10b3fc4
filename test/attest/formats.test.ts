/** The examples of docs/FORMATS.md: every digest there is computed here. */
import { readFileSync } from "node:fs"
import { Wallet } from "ethers"
import { expect, it } from "vitest"
import * as claims from "#src/attest/index.js"
import type { Layout } from "#src/statement/layout.js"
import type { Statement } from "#src/statement/statement.js"
import { digest } from "../support/attestations.js"

const text = readFileSync(new URL("../../docs/FORMATS.md", import.meta.url), "utf8")
const section = text.slice(text.indexOf("## Claims"), text.indexOf("## On-chain"))
const examples = [...section.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json)
const layout: Layout = {
  inputs: [{ name: "image", shape: [4], scale: 0.5, lo: 0, bits: 8, visibility: "hidden" }],
  outputs: [{ name: "logits", shape: [2], scale: 0.125, lo: -100, bits: 9, visibility: "public" }],
}
const statement: Statement = {
  model: digest("a"),
  context: digest("0"),
  input: { visibility: "hidden" },
  output: { visibility: "public", values: { logits: ["-12", "345"] } },
}

it("claims in docs/FORMATS.md are what the library makes", async () => {
  const [attestation, signOff] = [claims.parseAttestation(examples[0]), claims.parseSignOff(examples[1])]
  const [document, policy] = [claims.parseDocument(examples[2]), claims.parsePolicy(examples[3])]
  expect(claims.onChainPolicy(document, layout)).toEqual({ policy, unchecked: ['margin of output "logits"'] })
  expect(claims.within(document, layout, statement)).toBeNull()
  expect(attestation).toMatchObject({
    layout: claims.layoutDigest(layout),
    ...claims.sideDigests(statement, layout),
    policy: claims.policyDigest(policy),
  })
  const [claim, { domain }] = [claims.claimOf(attestation), attestation]
  expect(await claims.signAttestation(claim, domain, new Wallet(digest("1")))).toEqual(attestation)
  expect(await claims.signSignOff(claims.claimOf(signOff), domain, new Wallet(digest("2")))).toEqual(signOff)
  expect(signOff.attestation).toBe(claims.attestationDigest(claim, domain))
  expect(await claims.isSignedOff(policy, claim, { domain, signOffs: [signOff], at: signOff.signed })).toBe(
    true,
  )
  for (const stated of [
    claims.attestationDigest(claim, domain),
    claims.attestationDigest(claim, "offline"),
    claims.policyDigest(policy),
  ])
    expect(section).toContain(`\`${stated}\``)
  for (const [name, members] of Object.entries(claims.structTypes)) {
    const row = section.split("\n").find((line) => line.startsWith(`| \`${name}\` |`)) as string
    for (const member of members) expect(row).toMatch(new RegExp(`\\b${member.name}\\b`))
  }
  for (const word of [...claims.grounds, ...claims.remedies]) expect(section).toContain(`\`${word}\``)
  for (const [name, number] of [...Object.entries(claims.roles), ...Object.entries(claims.decisions)])
    expect(section).toContain(`${number} ${name}`)
})
