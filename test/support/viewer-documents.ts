/**
 * One of each document that the viewer of examples/page reads, all about one inference, by a key under which a receipt of
 * anything can be made. Names are made to be taken for markup by whoever is careless.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  attest,
  attestationDigest,
  type Domain,
  decisions,
  onChainPolicy,
  type PolicyDocument,
  policyDigest,
  roles,
  type SignOff,
  signAttestation,
  signSignOff,
  signWithdrawal,
} from "#src/attest/index.js"
import { type Body, type EntryType, openLog, signCheckpoint } from "#src/log/index.js"
import type { Hex, Layout, Statement } from "#src/verifier/index.js"
import { addressOf, approver, digest, operator } from "./attestations.js"
import { type MirageOracle, mirageOracle } from "./mirage-oracle.js"
import { ceremony } from "./provenances.js"

/** Now, in the tests. */
export const at = 1_700_000_500
export const markup = '<img src=x onerror="document.title=1">'
const names = ["seven", markup, "nine"]
export const layout: Layout = {
  inputs: [{ name: "image", shape: [2], scale: 0.25, lo: -512, bits: 10, visibility: "hidden" }],
  outputs: [
    {
      name: "scores",
      shape: [1, 3],
      scale: 0.5,
      lo: -512,
      bits: 10,
      labels: { of: "columns", names },
      visibility: "public",
    },
  ],
}
export const policy: PolicyDocument = {
  version: 1,
  name: "Grades",
  inputs: [],
  outputs: [{ tensor: "scores", elements: null, least: -100, most: 100 }],
  abstain: { tensor: "scores", margin: 1 },
  signOffs: [{ role: "approver", signer: addressOf(approver) }],
  tolerance: { absolute: 0.05, relative: 0 },
  disputes: [{ ground: "unproven", remedy: "refund" }],
  retentionDays: 184,
  finality: "none",
}

export const book: Hex = `0x${"c0".repeat(20)}`
const times = { started: at - 100, issued: at - 99, validUntil: at + 100_000 }

/** Scores in halves of one. */
const statementOf = (key: MirageOracle["key"], scores: readonly string[]): Statement => ({
  model: key.model as Hex,
  context: digest("1"),
  input: { visibility: "hidden" },
  output: { visibility: "public", values: { scores } },
})

/** What is made of an inference: claims in a domain, a proof, and a log of them. */
export async function documents(domain: Domain = "offline", scores = ["-12", "45", "3"], seed = "viewer") {
  const oracle = mirageOracle(layout, { seed, setup: ceremony })
  const { key } = oracle
  const about = statementOf(key, scores)
  const halves = onChainPolicy(policy, layout).policy
  const facts = { operator: addressOf(operator), policy: policyDigest(halves), ...times }
  const claim = attest({ statement: about, verificationKey: key }, facts)
  const attestation = await signAttestation(claim, domain, operator)
  const context = attestationDigest(claim, domain)
  const statement = { ...about, context }
  const said: SignOff = {
    attestation: context,
    role: roles.approver,
    decision: decisions.approve,
    scope: facts.policy,
    signer: addressOf(approver),
    signed: at - 50,
    validUntil: at + 50_000,
  }
  const signOff = await signSignOff(said, domain, approver)
  const withdrawal = await signWithdrawal(signOff, at - 10, approver)
  const receipt = oracle.receipt(statement)
  return {
    oracle,
    key,
    receipt,
    attestation,
    answer: { version: 1, attestation, statement } as const,
    signOff,
    withdrawal,
    ...(await logged(domain, [
      ["attestation", attestation],
      ["sign-off", signOff],
      ["receipt", receipt],
      ["failure", { reason: markup }],
    ])),
  }
}

/** Proofs of a log of some entries, and its checkpoints. */
async function logged(domain: Domain, entries: readonly (readonly [EntryType, object])[]) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  const log = await openLog(join(folder, "log"), { create: true })
  try {
    await log.append(entries.map(([type, body]) => ({ type, body: body as Body })))
    const head = (size: number) => ({ log: log.id, size, root: log.root(size), time: at - 5 })
    const common = { version: 1, log: log.id, root: log.root(log.size) } as const
    return {
      checkpoint: await signCheckpoint(head(log.size), domain, operator),
      before: await signCheckpoint(head(2), domain, operator),
      inclusions: entries.map((_, i) => ({
        ...common,
        entry: log.entry(i + 1),
        inclusion: log.inclusionProof(i + 1),
      })),
      consistency: { ...common, oldRoot: log.root(2), consistency: log.consistencyProof(2) },
    }
  } finally {
    await log.close()
    rmSync(folder, { recursive: true })
  }
}
