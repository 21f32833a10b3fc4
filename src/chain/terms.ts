/**
 * What a client and an operator agree on, as a file: a request. Contracts never store terms, only their digest, so the
 * file is what both need until the request is over. Its id follows from chain, escrow and terms; a file whose id does not
 * is refused.
 */
import { AbiCoder, keccak256 } from "ethers"
import { canonicalJson } from "../attest/index.js"
import { UsageError } from "../errors.js"
import {
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  hexBytes,
  integer,
  oneOf,
  shown,
} from "../statement/strict.js"
import type { Amounts } from "./states.js"

/** As contracts have them. Amounts are decimal strings in the token's smallest unit (wei for ETH). */
export interface Terms {
  readonly client: Hex
  readonly operator: Hex
  /** Zero: ETH. */
  readonly token: Hex
  /** What the client pays. */
  readonly price: string
  /** The operator's bond: damages to the client, costs to who shows the fault. A challenger stakes as much as costs. */
  readonly damages: string
  readonly costs: string
  readonly key: Hex
  readonly model: Hex
  readonly layout: Hex
  /** Where the model can be recalled, and its id there (uint256 as bytes32); zero: nowhere. */
  readonly registry: Hex
  readonly modelId: Hex
  readonly policy: Hex
  /** keccak256 of the input words. */
  readonly input: Hex
  /** The last second for a delivery. */
  readonly deliverBy: number
  /** Seconds for a challenge, and for an answer to it. */
  readonly challengeWindow: number
  readonly answerWindow: number
  readonly salt: Hex
}

/** A request: terms, and where they hold. */
export interface EscrowRequest {
  readonly version: 1
  readonly id: Hex
  readonly chainId: number
  readonly escrow: Hex
  readonly terms: Terms
}

const addressField = (value: unknown, path: string): Hex => hexBytes(value, path, 20, 20)
const amount = (value: unknown, path: string): string => `${integer(value, path, 0n, 2n ** 128n - 1n)}`
const whole =
  (most: number) =>
  (value: unknown, path: string): number => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > most)
      fail(path, { what: "no whole number in range", expected: `0 to ${most}`, given: shown(value) })
    return value
  }

/** Each member with its type in Solidity and its reader, in the order of the struct. */
const members: {
  readonly [K in keyof Terms]: readonly [type: string, read: (value: unknown, path: string) => Terms[K]]
} = {
  client: ["address", addressField],
  operator: ["address", addressField],
  token: ["address", addressField],
  price: ["uint128", amount],
  damages: ["uint128", amount],
  costs: ["uint128", amount],
  key: ["bytes32", bytes32],
  model: ["bytes32", bytes32],
  layout: ["bytes32", bytes32],
  registry: ["address", addressField],
  modelId: ["uint256", bytes32],
  policy: ["bytes32", bytes32],
  input: ["bytes32", bytes32],
  deliverBy: ["uint64", whole(Number.MAX_SAFE_INTEGER)],
  challengeWindow: ["uint32", whole(2 ** 32 - 1)],
  answerWindow: ["uint32", whole(2 ** 32 - 1)],
  salt: ["bytes32", bytes32],
}
const names = Object.keys(members) as (keyof Terms)[]
const tuple = `tuple(${names.map((name) => `${members[name][0]} ${name}`).join(", ")})`

/** Reads terms strictly. @throws FileError */
export function parseTerms(value: unknown, path = "terms"): Terms {
  const given = fields(value, path, names)
  return Object.fromEntries(
    names.map((name) => [name, members[name][1](given[name], `${path}.${name}`)]),
  ) as unknown as Terms
}

/** Id of a request: keccak256(abi.encode(chain, escrow, terms)). */
export function requestId(terms: Terms, chainId: number, escrow: Hex): Hex {
  const given = parseTerms(terms)
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(["uint256", "address", tuple], [chainId, escrow, given]),
  ) as Hex
}

/** The request of some terms at an escrow. @throws FileError for malformed terms */
export const requestOf = (terms: Terms, chainId: number, escrow: Hex): EscrowRequest => ({
  version: 1,
  id: requestId(terms, chainId, escrow),
  chainId,
  escrow,
  terms: parseTerms(terms),
})

/** Reads a request (an object, or JSON text) strictly. @throws FileError, also for an id that is not its terms' */
export function parseRequest(value: unknown, path = "request"): EscrowRequest {
  const given = fields(fromJson(value, path, { characters: 2 ** 14, values: 64 }), path, [
    "version",
    "id",
    "chainId",
    "escrow",
    "terms",
  ])
  oneOf(given.version, `${path}: version`, [1])
  const chainId = whole(Number.MAX_SAFE_INTEGER)(given.chainId, `${path}: chainId`)
  const escrow = addressField(given.escrow, `${path}: escrow`)
  const request = requestOf(parseTerms(given.terms, `${path}: terms`), chainId, escrow)
  const id = bytes32(given.id, `${path}: id`)
  if (id !== request.id)
    fail(`${path}: id`, {
      what: "the terms have another id: something was changed",
      expected: request.id,
      given: id,
    })
  return request
}

/** A request as its file has it. */
export const requestText = (request: EscrowRequest): string => `${canonicalJson(parseRequest(request))}\n`

/** Amounts as numbers. */
export const amountsOf = ({ price, damages, costs }: Terms): Amounts => ({
  price: BigInt(price),
  damages: BigInt(damages),
  costs: BigInt(costs),
})

/** What an action of a request's takes from the account. */
export const duesOf = (terms: Terms) => {
  const { price, damages, costs } = amountsOf(terms)
  return { request: price, deliver: damages + costs, challenge: costs }
}

/** @throws UsageError if a request is another chain's or escrow's */
export function checkPlace(request: EscrowRequest, chainId: number, escrow: Hex): void {
  if (request.chainId === chainId && request.escrow === escrow) return
  throw new UsageError({
    what: "the request is of another chain or escrow",
    expected: `chain ${chainId}, escrow ${escrow}`,
    given: `chain ${request.chainId}, escrow ${request.escrow}`,
  })
}
