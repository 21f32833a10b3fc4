/** Strict reading of claims: every field known and present, and one way to write each value. */
import {
  array,
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  hexBytes,
  shown,
  type TextLimits,
} from "../statement/strict.js"
import {
  type Attestation,
  type Bound,
  type Domain,
  decisions,
  type Policy,
  type Requirement,
  roles,
  type Signed,
  type SignOff,
  type Withdrawal,
  zeroAddress,
} from "./structs.js"

/** Most bounds, and most people who must approve, of one policy. */
export const maxBounds = 4096
export const maxRequirements = 64

/** Most bytes of a signature; those of contracts may hold signatures of many. */
const maxSignature = 8192

const claimLimits: TextLimits = { characters: 2 ** 15, values: 64 }
const policyLimits: TextLimits = { characters: 2 ** 22, values: 2 ** 16 }

/** A JSON number that is a whole one of a range. @throws FileError */
export function whole(value: unknown, path: string, lo: number, hi: number): number {
  if (
    typeof value !== "number" ||
    !Number.isSafeInteger(value) ||
    Object.is(value, -0) ||
    value < lo ||
    value > hi
  )
    fail(path, { what: "no whole number in range", expected: `${lo} to ${hi}`, given: shown(value) })
  return value
}

/** 20 bytes as 0x and 40 lower-case hexadecimal digits. @throws FileError */
export const address = (value: unknown, path: string): Hex => hexBytes(value, path, 20, 20)

/** An address that somebody can sign for. @throws FileError */
export function signerAddress(value: unknown, path: string): Hex {
  const given = address(value, path)
  if (given === zeroAddress) fail(path, { what: "nobody signs for the zero address" })
  return given
}

/** Text for people, on one line: 1 to 200 printable characters. @throws FileError */
export function line(value: unknown, path: string): string {
  if (typeof value !== "string" || !/^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u.test(value))
    fail(path, {
      what: "no text for people",
      expected: "1 to 200 printable characters on one line",
      given: shown(value),
    })
  return value
}

/** Seconds since 1970, below 2^53. */
const time = (value: unknown, path: string): number => whole(value, path, 0, Number.MAX_SAFE_INTEGER)

const oneOfValues = (value: unknown, path: string, names: Readonly<Record<string, number>>): number => {
  const found = Object.values(names).find((number) => number === value)
  if (found === undefined) {
    const expected = Object.entries(names).map(([name, number]) => `${number} (${name})`)
    fail(path, { what: "unsupported value", expected: expected.join(" or "), given: shown(value) })
  }
  return found
}

/** Readers of single members, by struct. */
type Readers<T> = { readonly [K in keyof T]: (value: unknown, path: string) => T[K] }

const attestationReaders: Readers<Attestation> = {
  model: bytes32,
  key: bytes32,
  layout: bytes32,
  input: bytes32,
  output: bytes32,
  policy: bytes32,
  evidence: bytes32,
  operator: signerAddress,
  request: bytes32,
  started: time,
  issued: time,
  validUntil: time,
}
const signOffReaders: Readers<SignOff> = {
  attestation: bytes32,
  role: (value, path) => oneOfValues(value, path, roles),
  decision: (value, path) => oneOfValues(value, path, decisions),
  scope: bytes32,
  signer: signerAddress,
  signed: time,
  validUntil: time,
}
const withdrawalReaders: Readers<Withdrawal> = { signOff: bytes32, withdrawn: time }
const boundReaders: Readers<Bound> = {
  word: (value, path) => whole(value, path, 0, 2 ** 32 - 1),
  shift: (value, path) => whole(value, path, 0, 255),
  bits: (value, path) => whole(value, path, 1, 53),
  lo: safe,
  least: safe,
  most: safe,
}
const requirementReaders: Readers<Requirement> = {
  role: (value, path) => oneOfValues(value, path, roles),
  signer: signerAddress,
}
const policyReaders: Readers<Policy> = {
  document: bytes32,
  registry: address,
  modelId: bytes32,
  escrow: address,
  bounds: (value, path) => list(value, path, maxBounds, boundReaders),
  signOffs: (value, path) => list(value, path, maxRequirements, requirementReaders),
}

function safe(value: unknown, path: string): number {
  return whole(value, path, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
}

function list<T>(value: unknown, path: string, most: number, readers: Readers<T>): readonly T[] {
  const given = array(value, path)
  if (given.length > most) fail(path, { what: "too many elements", expected: `at most ${most}` })
  return Array.from(given, (x, i) => struct(x, `${path}[${i}]`, readers))
}

function struct<T>(value: unknown, path: string, readers: Readers<T>): T {
  const names = Object.keys(readers) as (keyof T & string)[]
  const given = fields(value, path, names)
  return Object.fromEntries(names.map((name) => [name, readers[name](given[name], `${path}.${name}`)])) as T
}

/** Where signatures hold. @throws FileError */
export function parseDomain(value: unknown, path: string): Domain {
  if (value === "offline") return "offline"
  if (typeof value !== "object")
    fail(path, { what: "no domain", expected: '"offline" or an object', given: shown(value) })
  const given = fields(value, path, ["chainId", "verifyingContract"])
  return {
    chainId: whole(given.chainId, `${path}.chainId`, 1, Number.MAX_SAFE_INTEGER),
    verifyingContract: signerAddress(given.verifyingContract, `${path}.verifyingContract`),
  }
}

const signed =
  <T>(what: string, readers: Readers<T>) =>
  (value: unknown): Signed<T> =>
    struct<Signed<T>>(fromJson(value, what, claimLimits), what, {
      ...readers,
      domain: parseDomain,
      signature: (x: unknown, path: string) => hexBytes(x, path, 1, maxSignature),
    } as Readers<Signed<T>>)

/** Reads a signed attestation (an object, or JSON text) strictly; says nothing about the signature. @throws FileError */
export const parseAttestation = signed("attestation", attestationReaders)
/** The same of a sign-off. @throws FileError */
export const parseSignOff = signed("sign-off", signOffReaders)
/** The same of a withdrawal. @throws FileError */
export const parseWithdrawal = signed("withdrawal", withdrawalReaders)
/** Reads the half of a policy that contracts check (an object, or JSON text) strictly. @throws FileError */
export const parsePolicy = (value: unknown): Policy =>
  struct(fromJson(value, "policy", policyLimits), "policy", policyReaders)

/** The claim alone, without domain and signature. */
export function claimOf<T>({ domain, signature, ...claim }: Signed<T>): T {
  return claim as T
}
