/**
 * What somebody may drop on the viewer, told apart by the fields it has and read strictly by the library's own readers.
 * A file is measured before it is read, and its text before it is parsed. Whatever is none of these documents is refused
 * in words; nothing in it is ever taken for markup.
 */
import type {
  Answer,
  PolicyDocument,
  SignedAttestation,
  SignedSignOff,
  SignedWithdrawal,
} from "#src/attest/index.js"
import type { Deployment } from "#src/chain/index.js"
import type { LogProof, SignedCheckpoint } from "#src/log/index.js"
import { parseJson } from "#src/statement/json.js"
import {
  CountersignError,
  parseReceipt,
  parseVerificationKey,
  printable,
  type Receipt,
  type VerificationKey,
} from "#src/verifier/index.js"

/** What each kind of document is read to. */
export interface Contents {
  receipt: Receipt
  answer: Answer
  attestation: SignedAttestation
  "sign-off": SignedSignOff
  withdrawal: SignedWithdrawal
  policy: PolicyDocument
  key: VerificationKey
  checkpoint: SignedCheckpoint
  "log proof": LogProof
  contracts: Deployment
}
export type Kind = keyof Contents
export type Document = {
  [K in Kind]: { readonly kind: K; readonly name: string; readonly content: Contents[K] }
}[Kind]
export type DocumentOf<K extends Kind> = Extract<Document, { kind: K }>
/** What cannot be taken, and why. */
export interface Refused {
  readonly kind: "refused"
  readonly name: string
  readonly reason: string
}

/** Largest file, in bytes: receipts of our largest layouts with public inputs are below it. */
export const mostBytes = 2 ** 25
/** Most files at a time. */
export const mostFiles = 64
const textLimits = { characters: mostBytes, values: 2 ** 21 }

/** Fields by which a kind is known, and how it is read: the first whose fields are all there. */
const kinds: readonly { kind: Kind; has: readonly string[]; read(value: unknown): unknown }[] = [
  { kind: "receipt", has: ["statement", "proof"], read: parseReceipt },
  { kind: "key", has: ["layout", "points"], read: parseVerificationKey },
  { kind: "answer", has: ["attestation", "statement"], read: async (x) => (await claims()).parseAnswer(x) },
  { kind: "sign-off", has: ["role", "decision"], read: async (x) => (await claims()).parseSignOff(x) },
  { kind: "withdrawal", has: ["withdrawn"], read: async (x) => (await claims()).parseWithdrawal(x) },
  {
    kind: "attestation",
    has: ["operator", "issued"],
    read: async (x) => (await claims()).parseAttestation(x),
  },
  {
    kind: "policy",
    has: ["retentionDays", "finality"],
    read: async (x) => (await claims()).parseDocument(x),
  },
  { kind: "log proof", has: ["inclusion"], read: async (x) => (await logs()).parseLogProof(x) },
  { kind: "log proof", has: ["consistency"], read: async (x) => (await logs()).parseLogProof(x) },
  { kind: "checkpoint", has: ["size", "root", "time"], read: async (x) => (await logs()).parseCheckpoint(x) },
  {
    kind: "contracts",
    has: ["contracts", "code"],
    read: async (x) => (await deployments()).parseDeployment(x),
  },
]
// these bring ethers with them, which receipts do not need
const claims = () => import("#src/attest/index.js")
const logs = () => import("#src/log/index.js")
const deployments = () => import("#src/chain/deployment.js")

/** Files of the package that show nothing by themselves, by a field. */
const others: Readonly<Record<string, string>> = {
  inputs: "an input of a model: nothing in it is signed or proven",
  terms: "a request of an escrow: `countersign request status` says what became of it",
  gadgets: "a description of a circuit: `countersign inspect` and `audit` are for its folder",
  vk_alpha_1:
    "a key of snarkjs: it does not say which model it is of, so nothing can be checked under it here",
  pi_a: "a proof of snarkjs: it does not say what it proves; receipts of Countersign do",
  issuer: "a verifiable credential: `countersign/attest` checks those of sign-offs",
}

/** Reads what somebody dropped: a text, or a value that was read already. Never throws because of it. */
export async function readDocument(given: unknown, name: string): Promise<Document | Refused> {
  const refused = (reason: string): Refused => ({
    kind: "refused",
    name,
    reason: printable(reason).slice(0, 600),
  })
  try {
    const value = typeof given === "string" ? parseJson(withoutMark(given), name, textLimits) : given
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return refused("It is JSON, but no document of Countersign: those are objects.")
    const found = kinds.find(({ has }) => has.every((field) => Object.hasOwn(value, field)))
    if (found) return { kind: found.kind, name, content: await found.read(value) } as Document
    const other = Object.keys(others).find((field) => Object.hasOwn(value, field))
    return refused(
      other
        ? `It looks like ${others[other]}.`
        : "It is no document that the viewer knows: receipts, attestations, sign-offs, withdrawals, policies, keys, checkpoints, proofs of a log, and files that say where contracts are.",
    )
  } catch (error) {
    if (error instanceof CountersignError) return refused(error.message)
    throw error
  }
}

const withoutMark = (text: string): string => (text.startsWith("\ufeff") ? text.slice(1) : text)

/** The part of a File of a page that is needed, so that tests need no page. */
export interface FileLike {
  readonly name: string
  readonly size: number
  text(): Promise<string>
}

/** Reads a file that somebody chose. */
export async function readFile(file: FileLike): Promise<Document | Refused> {
  const name = printable(file.name).slice(0, 200) || "a file without a name"
  const refused = (reason: string): Refused => ({ kind: "refused", name, reason })
  if (file.size > mostBytes)
    return refused(`It has ${file.size} bytes; the viewer reads at most ${mostBytes}. It was not opened.`)
  if (file.size === 0) return refused("It is empty, or a folder.")
  let text: string
  try {
    text = await file.text()
  } catch {
    return refused("The browser could not read it.")
  }
  return readDocument(text, name)
}

/**
 * The documents, and those that entries of a log hold: an entry says its type, and its body is checked like a file of
 * that type. An entry whose very document was dropped beside it adds nothing.
 */
export async function withEntries(documents: readonly Document[]): Promise<readonly Document[]> {
  const more: Document[] = []
  for (const { kind, name, content } of documents) {
    if (kind !== "log proof" || !("entry" in content)) continue
    const { entry, inclusion } = content
    const found = await readDocument(entry.body, `entry ${inclusion.index} of the log, in ${name}`)
    if (found.kind !== "refused" && found.kind === entry.type && !same(found, documents)) more.push(found)
  }
  return [...documents, ...more]
}

const same = (one: Document, documents: readonly Document[]): boolean =>
  documents.some((other) => isSame(one, other))

/** Whether two documents say the very same; an answer is also its attestation. */
export function isSame(one: Document, other: Document): boolean {
  const text = ({ kind, content }: Document) =>
    JSON.stringify(kind === "answer" ? content.attestation : content, sorted)
  const kindOf = ({ kind }: Document) => (kind === "answer" ? "attestation" : kind)
  return kindOf(one) === kindOf(other) && text(one) === text(other)
}
const sorted = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value
