/**
 * The policy document: what an answer of a model may be used for, said before anybody asks, in a file that people can
 * read. Whoever attests names its digest, and whoever signs off signs for it. `schemas/policy.schema.json` of the package
 * describes the same file for editors and other languages.
 *
 * Numbers in it are real ones, in units of the model; the integers that the contracts compare follow from a layout
 * (bounds.ts). A limit holds for all elements of a tensor, or those that are listed by their row-major index.
 */
import {
  array,
  fail,
  fields,
  fromJson,
  type Hex,
  oneOf,
  shown,
  type TextLimits,
} from "../statement/strict.js"
import { jsonDigest } from "./canonical.js"
import { line, maxRequirements, signerAddress, whole } from "./read.js"
import { type RoleName, roles } from "./structs.js"

/** Real numbers between which elements of a tensor are admissible; null for no limit. */
export interface Limit {
  readonly tensor: string
  /** Row-major indices in rising order; null for all. */
  readonly elements: readonly number[] | null
  readonly least: number | null
  readonly most: number | null
}

/** What somebody may dispute. */
export const grounds = [
  "undelivered",
  "unproven",
  "wrong output",
  "equivocation",
  "recalled",
  "outside policy",
  "outside tolerance",
  "outcome",
] as const
/** What follows if they are right. */
export const remedies = [
  "refund",
  "refund and damages",
  "withdrawal",
  "review",
  "explanation",
  "none",
] as const

export interface PolicyDocument {
  readonly version: 1
  /** What people call it. */
  readonly name: string
  readonly inputs: readonly Limit[]
  readonly outputs: readonly Limit[]
  /** Below this distance between the largest element of an output and the next, the answer is an abstention. */
  readonly abstain: { readonly tensor: string; readonly margin: number } | null
  /** Who must approve, and as what. */
  readonly signOffs: readonly { readonly role: RoleName; readonly signer: Hex }[]
  /** How far the proven integer model may be from the float model: absolute + relative · |float|, for every output. */
  readonly tolerance: { readonly absolute: number; readonly relative: number }
  readonly disputes: readonly {
    readonly ground: (typeof grounds)[number]
    readonly remedy: (typeof remedies)[number]
  }[]
  /** How long the operator keeps what proofs and audits take. */
  readonly retentionDays: number
  /** Whether an escrow must call an answer final, or proven, before it may be acted on. */
  readonly finality: "escrow" | "none"
}

/** Days of six months, the longest there are: what deployers keep logs for (EU AI Act, article 26(6)). */
export const sixMonthsDays = 184

const maxLimits = 1024
const maxDays = 36_525
const documentLimits: TextLimits = { characters: 2 ** 20, values: 2 ** 16 }

/** Reads a policy document (an object, or JSON text) strictly. @throws FileError naming the first malformed element */
export function parseDocument(value: unknown): PolicyDocument {
  const path = "policy document"
  const names = [
    "version",
    "name",
    "inputs",
    "outputs",
    "abstain",
    "signOffs",
    "tolerance",
    "disputes",
    "retentionDays",
    "finality",
  ] as const
  const given = fields(fromJson(value, path, documentLimits), path, names)
  const tolerance = fields(given.tolerance, "tolerance", ["absolute", "relative"])
  return {
    version: oneOf(given.version, "version", [1]),
    name: line(given.name, "name"),
    inputs: limits(given.inputs, "inputs"),
    outputs: limits(given.outputs, "outputs"),
    abstain: abstention(given.abstain),
    signOffs: people(given.signOffs),
    tolerance: {
      absolute: real(tolerance.absolute, "tolerance.absolute", 0),
      relative: real(tolerance.relative, "tolerance.relative", 0),
    },
    disputes: disputes(given.disputes),
    retentionDays: whole(given.retentionDays, "retentionDays", 1, maxDays),
    finality: oneOf(given.finality, "finality", ["escrow", "none"]),
  }
}

/** keccak256 of the canonical JSON of a policy document. @throws FileError as `parseDocument` */
export const documentDigest = (document: PolicyDocument): Hex => jsonDigest(parseDocument(document))

function real(value: unknown, path: string, least = -Infinity): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least || Object.is(value, -0))
    fail(path, {
      what: "no number",
      expected: least === 0 ? "a finite number that is not negative" : "a finite number",
      given: shown(value),
    })
  return value
}

const tensorName = (value: unknown, path: string): string => {
  if (typeof value !== "string" || value.length < 1 || value.length > 1024 || /\p{Surrogate}/u.test(value))
    fail(path, {
      what: "not a tensor name",
      expected: "a string of 1 to 1024 characters",
      given: shown(value),
    })
  return value
}

function atMost(value: unknown, path: string, most: number): readonly unknown[] {
  const given = array(value, path)
  if (given.length > most) fail(path, { what: "too many elements", expected: `at most ${most}` })
  return Array.from(given)
}

const limits = (value: unknown, path: string): readonly Limit[] =>
  atMost(value, path, maxLimits).map((limit, i) => {
    const at = `${path}[${i}]`
    const given = fields(limit, at, ["tensor", "elements", "least", "most"])
    const least = given.least === null ? null : real(given.least, `${at}.least`)
    const most = given.most === null ? null : real(given.most, `${at}.most`)
    if (least !== null && most !== null && least > most)
      fail(at, { what: `nothing is at least ${least} and at most ${most}` })
    return {
      tensor: tensorName(given.tensor, `${at}.tensor`),
      elements: given.elements === null ? null : indices(given.elements, `${at}.elements`),
      least,
      most,
    }
  })

function indices(value: unknown, path: string): readonly number[] {
  const given = array(value, path)
  if (given.length === 0) fail(path, { what: "names no element", expected: "indices, or null for all" })
  let least = 0
  return Array.from(given, (x, i) => {
    const index = whole(x, `${path}[${i}]`, least, 2 ** 22 - 1)
    least = index + 1
    return index
  })
}

function abstention(value: unknown): PolicyDocument["abstain"] {
  if (value === null) return null
  const given = fields(value, "abstain", ["tensor", "margin"])
  return {
    tensor: tensorName(given.tensor, "abstain.tensor"),
    margin: real(given.margin, "abstain.margin", 0),
  }
}

function people(value: unknown): PolicyDocument["signOffs"] {
  const all = atMost(value, "signOffs", maxRequirements).map((person, i) => {
    const at = `signOffs[${i}]`
    const given = fields(person, at, ["role", "signer"])
    const role = oneOf(given.role, `${at}.role`, Object.keys(roles) as RoleName[])
    return { role, signer: signerAddress(given.signer, `${at}.signer`) }
  })
  const twice = all.findIndex((x, i) =>
    all.slice(0, i).some((y) => x.role === y.role && x.signer === y.signer),
  )
  if (twice >= 0) fail(`signOffs[${twice}]`, { what: "is there twice" })
  return all
}

function disputes(value: unknown): PolicyDocument["disputes"] {
  const all = atMost(value, "disputes", grounds.length).map((dispute, i) => {
    const at = `disputes[${i}]`
    const given = fields(dispute, at, ["ground", "remedy"])
    return {
      ground: oneOf(given.ground, `${at}.ground`, grounds),
      remedy: oneOf(given.remedy, `${at}.remedy`, remedies),
    }
  })
  const twice = all.findIndex((x, i) => all.slice(0, i).some((y) => x.ground === y.ground))
  if (twice >= 0) fail(`disputes[${twice}].ground`, { what: "has two remedies" })
  return all
}
