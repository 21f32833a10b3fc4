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
const layoutOf = (names: readonly string[]): Layout => ({
  inputs: [{ name: "image", shape: [2], scale: 0.25, lo: -512, bits: 10, visibility: "hidden" }],
  outputs: [
    {
      name: "scores",
      shape: [1, names.length],
      scale: 0.5,
      lo: -512,
      bits: 10,
      labels: { of: "columns", names },
      visibility: "public",
    },
  ],
})
const hostileNames = ["seven", markup, "nine"]
export const layout = layoutOf(hostileNames)
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

/** Scores in halves of one. */
const statementOf = (key: MirageOracle["key"], scores: readonly string[]): Statement => ({
  model: key.model as Hex,
  context: digest("1"),
  input: { visibility: "hidden" },
  output: { visibility: "public", values: { scores } },
})

export interface About {
  readonly domain?: Domain
  /** Steps of one half. */
  readonly scores?: readonly string[]
  /** Of the classes. */
  readonly names?: readonly string[]
  /** When all this happened. */
  readonly now?: number
}

/** What is made of an inference: claims in a domain, a proof, and a log of them. */
export async function documents({
  domain = "offline",
  scores = ["-12", "45", "3"],
  names = hostileNames,
  now = at,
}: About = {}) {
  const oracle = mirageOracle(layoutOf(names), { seed: "viewer", setup: ceremony })
  const { key } = oracle
  const about = statementOf(key, scores)
  const halves = onChainPolicy(policy, key.layout).policy
  const facts = { operator: addressOf(operator), policy: policyDigest(halves) }
  const times = { started: now - 100, issued: now - 99, validUntil: now + 100_000 }
  const claim = attest({ statement: about, verificationKey: key }, { ...facts, ...times })
  const attestation = await signAttestation(claim, domain, operator)
  const context = attestationDigest(claim, domain)
  const statement = { ...about, context }
  const said: SignOff = {
    attestation: context,
    role: roles.approver,
    decision: decisions.approve,
    scope: facts.policy,
    signer: addressOf(approver),
    signed: now - 50,
    validUntil: now + 50_000,
  }
  const signOff = await signSignOff(said, domain, approver)
  const withdrawal = await signWithdrawal(signOff, now - 10, approver)
  const receipt = oracle.receipt(statement)
  return {
    oracle,
    key,
    receipt,
    attestation,
    answer: { version: 1, attestation, statement } as const,
    signOff,
    withdrawal,
    ...(await logged(domain, now, [
      ["attestation", attestation],
      ["sign-off", signOff],
      ["receipt", receipt],
      ["failure", { reason: markup }],
    ])),
  }
}

/** Proofs of a log of some entries, and its checkpoints. */
async function logged(domain: Domain, now: number, entries: readonly (readonly [EntryType, object])[]) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  const log = await openLog(join(folder, "log"), { create: true })
  try {
    await log.append(entries.map(([type, body]) => ({ type, body: body as Body })))
    const head = (size: number) => ({ log: log.id, size, root: log.root(size), time: now - 5 })
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
