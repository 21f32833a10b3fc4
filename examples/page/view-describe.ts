/**
 * Documents to words: all that were dropped are looked at together, since a key makes a receipt checkable, an attestation
 * says what a receipt's context should be, and a checkpoint whose root a proof leads to. Runs without a page.
 */
import type { Accounts } from "#src/attest/index.js"
import type { VerificationKey } from "#src/verifier/index.js"
import type { World } from "./view-claims.js"
import { type Document, type Refused, withEntries } from "./view-documents.js"
import { type Checked, checkReceipt, type KnownKey, keyCard, knownKey, receiptCard } from "./view-receipt.js"
import { type Card, type Line, line, short } from "./view-report.js"

export interface Given {
  /** Keys that the page has pinned. */
  readonly pinned: readonly VerificationKey[]
  /** Seconds since 1970. */
  readonly at: number
  readonly chain?: { readonly chainId: number; readonly accounts: Accounts }
}

/** A card, and the document that it is about. */
export interface Described {
  readonly document: Document | Refused
  readonly card: Card
  /** Of a receipt, what was found. */
  readonly checked?: Checked
}

/** Says what documents are. A card for each, in their order, then those for entries of logs. */
export async function describe(
  given: readonly (Document | Refused)[],
  how: Given,
): Promise<readonly Described[]> {
  const read = given.filter((document): document is Document => document.kind !== "refused")
  const documents = await withEntries(read)
  const keys: readonly KnownKey[] = distinct([
    ...how.pinned.map((key) => knownKey(key, null)),
    ...documents.flatMap((document) =>
      document.kind === "key" ? [knownKey(document.content, document.name)] : [],
    ),
  ])
  const receipts = new Map<Document, Checked>()
  for (const document of documents)
    if (document.kind === "receipt") receipts.set(document, checkReceipt(document.content, keys))
  const world: World = { documents, keys, receipts, at: how.at, ...(how.chain && { chain: how.chain }) }
  const entries = documents.slice(read.length)
  return Promise.all([...given, ...entries].map((document) => described(document, world)))
}

/** Of keys with the same digest the first, which is the pinned one. */
const distinct = (keys: readonly KnownKey[]): readonly KnownKey[] =>
  keys.filter(({ digest }, i) => keys.findIndex((other) => other.digest === digest) === i)

async function described(document: Document | Refused, world: World): Promise<Described> {
  const checked = document.kind === "receipt" ? world.receipts.get(document) : undefined
  return { document, card: await cardOf(document, world), ...(checked && { checked }) }
}

async function cardOf(document: Document | Refused, world: World): Promise<Card> {
  const { kind, name } = document
  switch (kind) {
    case "refused":
      return {
        kind: "Not taken",
        name,
        verdict: "fails",
        chip: "not read",
        headline: document.reason,
        sections: [],
      }
    case "receipt": {
      const { context, together } = await besideReceipt(document, world)
      return receiptCard(document.content, name, world.receipts.get(document) as Checked, context, together)
    }
    case "key":
      return keyCard(document.content, name, world.keys)
    case "contracts":
      return contractsCard(document)
    case "checkpoint":
      return (await import("./view-log.js")).checkpointCard(document, world)
    case "log proof":
      return (await import("./view-log.js")).logProofCard(document, world)
    default: {
      const cards = await import("./view-claims.js")
      if (kind === "sign-off") return cards.signOffCard(document, world)
      if (kind === "withdrawal") return cards.withdrawalCard(document, world)
      if (kind === "policy") return cards.policyCard(document)
      return cards.attestationCard(document, world)
    }
  }
}

/** What attestations beside a receipt say of it: what its context is, and which of them it is not about. */
async function besideReceipt(document: Document & { kind: "receipt" }, world: World) {
  const attestations = world.documents.filter((one) => one.kind === "attestation" || one.kind === "answer")
  if (attestations.length === 0) return { context: null, together: [] }
  const { attestedIn, signatureLine } = await import("./view-claims.js")
  const { context } = document.content.statement
  const together: Line[] = []
  let contextIs: Line | null = null
  const all = attestations.map(attestedIn)
  const own = all.filter(({ digest }) => digest === context)
  // of several attestations a receipt proves one; the others are missed only if it proves none
  for (const attested of own.length > 0 ? own : all) {
    if (attested.digest === context) {
      const { signed, claim, digest, name } = attested
      const signature = await signatureLine(digest, signed, claim.operator, "operator", world)
      contextIs = line("holds", `Context ${context}: the digest of the attestation in ${name}.`)
      together.push(
        line(
          signature.verdict === "holds" ? "holds" : signature.verdict,
          `Made for the attestation in ${name}. ${signature.text}`,
        ),
      )
    } else
      together.push(
        line(
          "fails",
          `Not the proof of ${attested.name}: made for context ${short(context)}, and that attestation's digest is ${short(attested.digest)}.`,
        ),
      )
  }
  return { context: contextIs, together }
}

function contractsCard({ name, content }: Document & { kind: "contracts" }): Card {
  return {
    kind: "Where contracts are",
    name,
    verdict: "plain",
    headline: `Contracts on chain ${content.chainId}, on the word of whoever sent this. Ask an endpoint below: then the code there is compared.`,
    sections: [
      {
        title: "Addresses",
        lines: Object.entries(content.contracts).map(([contract, address]) =>
          line("plain", `${contract} ${address}`),
        ),
      },
    ],
  }
}
