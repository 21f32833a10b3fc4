/**
 * What people signed, in plain words: attestations, sign-offs, withdrawals and policies. Each signature is checked here.
 * Signatures of contracts (ERC-1271) are for their chain to judge, through an endpoint that the reader names; without one
 * they stay open, and nothing open is ever called valid.
 */
import * as attest from "#src/attest/index.js"
import { timeText } from "#src/errors.js"
import type { Hex } from "#src/verifier/index.js"
import type { Document, DocumentOf } from "./view-documents.js"
import { type Checked, type KnownKey, statementSection } from "./view-receipt.js"
import { type Card, type Line, line, type Section, short, type Verdict, worst } from "./view-report.js"

/** All that is at hand when a claim is looked at. */
export interface World {
  readonly documents: readonly Document[]
  readonly keys: readonly KnownKey[]
  /** What was found of each receipt. */
  readonly receipts: ReadonlyMap<Document, Checked>
  /** Seconds since 1970, by the clock of this machine. */
  readonly at: number
  /** A chain that contracts that sign are asked on. */
  readonly chain?: { readonly chainId: number; readonly accounts: attest.Accounts }
}
export const ofKind = <K extends Document["kind"]>({ documents }: World, ...kinds: K[]): DocumentOf<K>[] =>
  documents.filter((document): document is DocumentOf<K> => (kinds as string[]).includes(document.kind))

/** An attestation of a document, with what is called by its digest. */
interface Attested {
  readonly name: string
  readonly signed: attest.SignedAttestation
  readonly claim: attest.Attestation
  readonly digest: Hex
}
export function attestedIn(document: DocumentOf<"attestation" | "answer">): Attested {
  const signed = document.kind === "answer" ? document.content.attestation : document.content
  const claim = attest.claimOf(signed)
  return { name: document.name, signed, claim, digest: attest.attestationDigest(claim, signed.domain) }
}

const place = (domain: attest.Domain): string =>
  domain === "offline"
    ? "for use without a chain"
    : `for chain ${domain.chainId}, contract ${domain.verifyingContract}`

/** Whether `signer` signed something. `who` is what they are called. */
export async function signatureLine(
  digest: Hex,
  { domain, signature }: { readonly domain: attest.Domain; readonly signature: Hex },
  signer: Hex,
  who: string,
  { chain }: World,
): Promise<Line> {
  const asked =
    chain !== undefined && domain !== "offline" && domain.chainId === chain.chainId ? chain : undefined
  let problem: string | null
  try {
    problem = await attest.signatureProblem(digest, signature, signer, asked?.accounts)
  } catch (error) {
    return line("open", `Whether ${who} ${signer} signed could not be asked: ${(error as Error).message}`)
  }
  if (problem === null) return line("holds", `Signed by ${who} ${signer}, ${place(domain)}.`)
  const isAccounts = signature.length === 2 + 2 * 65
  if (asked === undefined && !isAccounts && domain !== "offline")
    return line(
      "open",
      `The signature for ${who} ${signer} is one that only a contract could have made (ERC-1271): whether it takes it, chain ${domain.chainId} has to be asked. Name an endpoint of it below.`,
    )
  const perhaps =
    asked === undefined && domain !== "offline"
      ? ` (Were ${signer} a contract, only chain ${domain.chainId} could tell: name an endpoint of it below.)`
      : ""
  return line("fails", `Not signed by ${who} ${signer}: ${problem}.${perhaps}`)
}

/** Whether something holds now, by what it says and this machine's clock. */
function timeLine(from: number, until: number, at: number, verb: string): Line {
  const span = `${verb} at ${timeText(from)}, valid until ${timeText(until)}`
  if (from > until) return line("fails", `It was over before it began: ${span}.`)
  if (at > until) return line("fails", `It is over: ${span}; now it is ${timeText(at)}.`)
  if (at < from)
    return line("fails", `It is not yet valid: ${span}; by the clock of this machine it is ${timeText(at)}.`)
  return line(
    "holds",
    `${span[0].toUpperCase()}${span.slice(1)}: valid now. Both times are the signer's word.`,
  )
}

/** What a policy document's half for contracts is for an attestation, or why that is not its policy. */
function policyFor(
  { content }: DocumentOf<"policy">,
  { claim, signed }: Attested,
  key: KnownKey,
  world: World,
): { policy: attest.Policy } | { line: Line } {
  const escrows = ofKind(world, "contracts").map((found) => found.content.contracts.Escrow)
  const places = content.finality === "escrow" ? escrows.filter((x) => x !== undefined) : [undefined]
  for (const escrow of places) {
    const contracts = escrow === undefined ? attest.noContracts : { ...attest.noContracts, escrow }
    const { policy } = attest.onChainPolicy(content, key.key.layout, contracts)
    if (attest.policyDigest(policy) === claim.policy) return { policy }
  }
  if (signed.domain === "offline" && content.finality === "none")
    return { line: line("fails", `It was not made under this policy: it names ${short(claim.policy)}.`) }
  return {
    line: line(
      "open",
      "Whether it was made under this policy cannot be told here: what it names also has the registry, the model's id and the escrow. `countersign attestation verify --contracts` tells.",
    ),
  }
}

async function policySection(
  attested: Attested,
  document: DocumentOf<"attestation" | "answer">,
  world: World,
) {
  const lines: Line[] = []
  const { claim, signed, digest } = attested
  const policies = ofKind(world, "policy")
  if (policies.length === 0)
    lines.push(line("plain", `It was made under policy ${claim.policy}, which is not here.`))
  const key = world.keys.find((known) => known.digest === claim.key)
  for (const policy of policies) {
    if (!key) {
      lines.push(
        line(
          "open",
          `Whether ${policy.name} is its policy takes the key ${short(claim.key)}, which is not here.`,
        ),
      )
      continue
    }
    try {
      const found = policyFor(policy, attested, key, world)
      if ("line" in found) {
        lines.push(line(found.line.verdict, `${policy.name}: ${found.line.text}`))
        continue
      }
      lines.push(line("holds", `It was made under the policy of ${policy.name}.`))
      if (
        document.kind === "answer" &&
        attest.statementProblem(document.content.statement, claim, key.key) === null
      ) {
        const outside = attest.within(policy.content, key.key.layout, document.content.statement)
        if (outside === null) lines.push(line("holds", "The answer lies within the policy's limits."))
        else
          lines.push(
            ...outside.map((reason) => line("fails", `Outside of the policy, or not to be seen: ${reason}.`)),
          )
      }
      const problems = await attest.signOffProblems(found.policy, claim, {
        domain: signed.domain,
        signOffs: ofKind(world, "sign-off").map(({ content }) => content),
        withdrawals: ofKind(world, "withdrawal").map(({ content }) => content),
        at: world.at,
        ...accountsFor(signed.domain, world),
      })
      if (problems.length > 0)
        lines.push(...problems.map((reason) => line("fails", `Not signed off: ${reason}.`)))
      else
        lines.push(
          found.policy.signOffs.length === 0
            ? line("plain", "The policy asks nobody to sign off.")
            : line("holds", "Everybody whom the policy names has approved it."),
        )
    } catch (error) {
      lines.push(line("fails", `${policy.name} does not fit: ${(error as Error).message}`))
    }
  }
  const about = ofKind(world, "sign-off").filter(({ content }) => content.attestation === digest)
  for (const { name, content } of about)
    lines.push(line("plain", `${name}: ${whoSays(content)}. Whether it holds, its own card says.`))
  if (about.length === 0) lines.push(line("plain", "No sign-off of it is here."))
  return { title: "Policy and sign-offs", lines }
}

const accountsFor = (domain: attest.Domain, { chain }: World) =>
  chain && domain !== "offline" && domain.chainId === chain.chainId ? { accounts: chain.accounts } : {}

/** Receipts beside an attestation: which proves it, and which does not. */
function proofSection({ claim, signed, digest }: Attested, world: World): Section {
  const all = ofKind(world, "receipt")
  const digests = ofKind(world, "attestation", "answer").map((one) => attestedIn(one).digest)
  const own = all.filter(({ content }) => content.statement.context === digest)
  // receipts of other attestations here are those'; one of none of them is told to each
  const receipts =
    own.length > 0
      ? own
      : all.filter(({ content }) => !digests.some((other) => other === content.statement.context))
  const lines = receipts.map((document): Line => {
    const { name, content } = document
    if (content.statement.context !== digest)
      return line(
        "fails",
        `${name} is not its proof: the receipt was made for context ${short(content.statement.context)}, the attestation's digest is ${short(digest)}.`,
      )
    const key = world.keys.find((known) => known.digest === claim.key)
    if (!key)
      return line("open", `${name} was made for it; the key that it names, ${short(claim.key)}, is not here.`)
    const unrelated = attest.relationProblem(content, claim, key.key, signed.domain)
    if (unrelated !== null) return line("fails", `${name} does not prove it: ${unrelated}.`)
    const { verdict, reason, under } = world.receipts.get(document) as Checked
    if (verdict === "fails") return line("fails", `${name} does not prove it: ${reason}.`)
    if (verdict === "open") return line("open", `${name} is about it, and could not be checked here.`)
    if (under?.digest !== claim.key) return line("fails", `${name} is valid under another key than it names.`)
    return line(
      verdict,
      `Proven by ${name}${verdict === "caution" ? ", as far as its key is to be trusted" : ""}.`,
    )
  })
  return {
    title: "Proof",
    lines:
      receipts.length > 0
        ? lines
        : [line("plain", "No receipt is here: this is a claim, and nothing beside it proves it.")],
  }
}

/** An attestation, alone or in an answer. */
export async function attestationCard(
  document: DocumentOf<"attestation" | "answer">,
  world: World,
): Promise<Card> {
  const attested = attestedIn(document)
  const { claim, signed, digest } = attested
  const key = world.keys.find((known) => known.digest === claim.key)
  const signature = await signatureLine(digest, signed, claim.operator, "the operator", world)
  const times = timeLine(claim.issued, claim.validUntil, world.at, "issued")
  const order =
    claim.started > claim.issued
      ? [line("fails", `It was issued before the inference began, at ${timeText(claim.started)}.`)]
      : []
  const about: Line[] = [
    line("plain", `Model ${claim.model}`),
    key
      ? line(
          key.file === null ? "holds" : "caution",
          `Key ${claim.key}: ${key.file === null ? "pinned in this page" : `from ${key.file}, the word of whoever sent it`}`,
        )
      : line("plain", `Key ${claim.key}, which is not here`),
    line(
      "plain",
      BigInt(claim.request) === 0n ? "It answers no request." : `It answers request ${claim.request}.`,
    ),
    line("plain", `Its digest, by which sign-offs, logs and receipts name it: ${digest}`),
  ]
  const said = document.kind === "answer" ? saidIn(document, attested, key, signature.verdict) : null
  const verdict = worst([
    signature.verdict,
    times.verdict,
    ...order.map((x) => x.verdict),
    said?.fits.verdict ?? "holds",
  ])
  const headline =
    signature.verdict === "fails"
      ? "Not valid: the signature is not the operator's."
      : signature.verdict === "open"
        ? "Not checked: the signature is for a contract to judge."
        : said?.misfit
          ? `Not valid: the answer is not what was signed: ${said.misfit}.`
          : verdict === "fails"
            ? `Signed by operator ${claim.operator}, and not valid now.`
            : verdict === "open"
              ? `Operator ${claim.operator} signed an attestation; whether of this answer, the key ${short(claim.key)} would tell. Drop it here.`
              : `Operator ${claim.operator} signed this answer, and answers for it. That is a claim, not a proof.`
  return {
    kind: document.kind === "answer" ? "Answer: an attestation and what it is about" : "Attestation",
    name: document.name,
    verdict,
    headline,
    sections: [
      { title: "Who signed", lines: [signature, times, ...order] },
      said?.section ?? {
        title: "What is claimed",
        lines: [line("plain", `The output is not in this file; its words have the digest ${claim.output}.`)],
      },
      proofSection(attested, world),
      await policySection(attested, document, world),
      { title: "What it is about", lines: about },
      {
        title: "What it does not say",
        lines: [
          "That the answer is right, or that the model gave it: a receipt shows that.",
          "Who is behind the address.",
          "That the operator did not sign something else for the same input: a log, or the escrow, shows that.",
          "That model and answer were not recalled, or the request ended: contracts know.",
          "When it was signed: the times are the operator's own word.",
        ].map((text) => line("plain", text)),
      },
    ],
  }
}

/** What an answer says beside its signature, and why that is not what was signed. */
function saidIn(
  { content }: DocumentOf<"answer">,
  { claim, digest }: Attested,
  key: KnownKey | undefined,
  signature: Verdict,
) {
  const { statement } = content
  const misfit =
    statement.context !== digest
      ? "its statement is for another context than the attestation's digest"
      : key
        ? attest.statementProblem(statement, claim, key.key)
        : null
  const section = statementSection(statement, misfit === null ? key?.key : undefined, {
    title: "What is claimed",
    verdict: "plain",
    says:
      signature === "holds"
        ? "Claimed by the operator, and not proven by this"
        : "Claimed by whoever wrote this",
  })
  const fits =
    misfit !== null
      ? line("fails", `The statement is not what was signed: ${misfit}.`)
      : key
        ? line("holds", "The statement has the digests that were signed.")
        : line("open", "Whether the statement has the digests that were signed takes the verification key.")
  return { misfit, fits, section: { ...section, lines: [...section.lines, fits] } }
}

const verbs: Readonly<Record<attest.DecisionName, string>> = {
  approve: "approves",
  reject: "rejects",
  abstain: "abstains on",
}
function whoSays({ role, decision, signer, attestation }: attest.SignOff): string {
  const name = attest.decisionName(decision)
  return `${attest.roleName(role) ?? `role ${role}`} ${signer} ${name ? verbs[name] : `says ${decision} of`} attestation ${short(attestation)}`
}

/** A sign-off. */
export async function signOffCard({ name, content }: DocumentOf<"sign-off">, world: World): Promise<Card> {
  const claim = attest.claimOf(content)
  const digest = attest.signOffDigest(claim, content.domain)
  const role = attest.roleName(claim.role) ?? `role ${claim.role}`
  const signature = await signatureLine(digest, content, claim.signer, role, world)
  const times = timeLine(claim.signed, claim.validUntil, world.at, "signed")
  const attestations = ofKind(world, "attestation", "answer").map(attestedIn)
  const found = attestations.find((attested) => attested.digest === claim.attestation)
  const about = found
    ? line("holds", `It is about the attestation in ${found.name}.`)
    : attestations.length === 0
      ? line("plain", `The attestation that it is about is not here: ${claim.attestation}.`)
      : line(
          "fails",
          `It is about another attestation (${claim.attestation}) than ${attestations.map((x) => x.name).join(", ")}.`,
        )
  const scope =
    found && found.claim.policy === claim.scope
      ? line("plain", "What was looked at: the policy that the attestation is made under.")
      : line("plain", `What was looked at: the document with digest ${claim.scope}.`)
  const taken: Line[] = []
  for (const withdrawal of ofKind(world, "withdrawal"))
    if (withdrawal.content.signOff === digest)
      taken.push(await withdrawnLine(withdrawal, claim.signer, world))
  const isTaken = taken.some(({ verdict }) => verdict === "fails")
  const verdict = worst([signature.verdict, times.verdict, about.verdict, isTaken ? "fails" : "plain"])
  const said = whoSays(claim)
  const headline =
    signature.verdict === "fails"
      ? `Not valid: not signed by ${role} ${claim.signer}.`
      : signature.verdict === "open"
        ? "Not checked: the signature is for a contract to judge."
        : isTaken
          ? `Taken back: ${said}.`
          : times.verdict === "fails"
            ? `Not valid now: ${said}.`
            : about.verdict === "fails"
              ? `Signed, and about another attestation: ${said}.`
              : `${said[0].toUpperCase()}${said.slice(1)}.`
  return {
    kind: "Sign-off",
    name,
    verdict,
    headline,
    sections: [
      { title: "Who signed", lines: [signature, times, ...taken] },
      { title: "What it is about", lines: [about, scope, line("plain", `Its digest: ${digest}`)] },
      {
        title: "What it does not say",
        lines: [
          "That the answer is right or proven: it is somebody's word, in a role.",
          "Who is behind the address, or that the role is theirs: a policy names who must sign.",
          "That it was not taken back: a withdrawal is shown only by who has it, or a chain.",
        ].map((text) => line("plain", text)),
      },
    ],
  }
}

/** Whether a withdrawal takes a sign-off of `signer` back: then that is over, which for the sign-off is a failure. */
async function withdrawnLine(
  { name, content }: DocumentOf<"withdrawal">,
  signer: Hex,
  world: World,
): Promise<Line> {
  const digest = attest.withdrawalDigest(attest.claimOf(content), content.domain)
  const signed = await signatureLine(digest, content, signer, "its signer", world)
  return signed.verdict === "holds"
    ? line("fails", `Taken back by its signer, in ${name}, at ${timeText(content.withdrawn)}.`)
    : line("plain", `${name} would take it back, but: ${signed.text}`)
}

/** A withdrawal. */
export async function withdrawalCard(
  { name, content }: DocumentOf<"withdrawal">,
  world: World,
): Promise<Card> {
  const signOff = ofKind(world, "sign-off").find(
    (found) => attest.signOffDigest(attest.claimOf(found.content), found.content.domain) === content.signOff,
  )
  const digest = attest.withdrawalDigest(attest.claimOf(content), content.domain)
  const signed = signOff
    ? await signatureLine(digest, content, signOff.content.signer, "the sign-off's signer", world)
    : line("open", `Who may take it back stands in the sign-off ${content.signOff}, which is not here.`)
  return {
    kind: "Withdrawal",
    name,
    verdict: signed.verdict,
    headline:
      signed.verdict === "holds"
        ? `The sign-off in ${signOff?.name} is taken back.`
        : signed.verdict === "open"
          ? "Not checked: drop the sign-off that it takes back."
          : "Not valid: the sign-off's signer did not sign it.",
    sections: [
      { title: "Who signed", lines: [signed] },
      {
        title: "What it is about",
        lines: [
          line(
            "plain",
            `Sign-off ${content.signOff}, taken back at ${timeText(content.withdrawn)}, by the signer's word.`,
          ),
        ],
      },
    ],
  }
}

/** A policy document: nobody signs it, attestations name it. */
export function policyCard({ name, content }: DocumentOf<"policy">): Card {
  const limits = [
    ...content.outputs.map((x) => ["output", x] as const),
    ...content.inputs.map((x) => ["input", x] as const),
  ]
  const lines = [
    line("plain", `Digest of the document: ${attest.documentDigest(content)}`),
    ...(content.signOffs.length === 0
      ? [line("plain", "Nobody has to sign off.")]
      : content.signOffs.map(({ role, signer }) => line("plain", `Must approve: ${role} ${signer}`))),
    ...limits
      .slice(0, 12)
      .map(([side, { tensor, elements, least, most }]) =>
        line(
          "plain",
          `${side} ${tensor.slice(0, 80)}${elements ? `, ${elements.length} of its elements` : ""}: ${least ?? "anything"} to ${most ?? "anything"}`,
        ),
      ),
    ...(limits.length > 12 ? [line("plain", `and ${limits.length - 12} limits more`)] : []),
    ...(content.abstain
      ? [
          line(
            "plain",
            `An answer whose largest ${content.abstain.tensor.slice(0, 80)} is less than ${content.abstain.margin} above the next is an abstention.`,
          ),
        ]
      : []),
    ...content.disputes.map(({ ground, remedy }) => line("plain", `If disputed for “${ground}”: ${remedy}`)),
    line(
      "plain",
      `Kept for audits: ${content.retentionDays} days. ${content.finality === "escrow" ? "An escrow must call an answer final." : "No escrow is asked."}`,
    ),
  ]
  return {
    kind: "Policy",
    name,
    verdict: "plain",
    headline: `The policy “${content.name}”. Nobody signs a policy; attestations name it by its digest.`,
    sections: [{ title: "What it asks", lines }],
  }
}
