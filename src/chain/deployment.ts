/**
 * Where the contracts are: the file that `countersign contracts deploy` writes. An address alone is anyone's word, so it
 * has digests of the code that lies there, too: what calls the contracts compares them first.
 */
import { UsageError } from "../errors.js"
import {
  bytes32,
  fail,
  fields,
  fromJson,
  type Hex,
  hexBytes,
  object,
  oneOf,
  shown,
} from "../statement/strict.js"

/** Contracts that a deployment has, in the order in which they are deployed. */
export const contractNames = Object.freeze([
  "CountersignVerifier",
  "ModelRegistry",
  "InferenceVerifier",
  "SignOffBook",
  "Escrow",
] as const)
export type ContractName = (typeof contractNames)[number]

/** Contracts on one chain. */
export interface Deployment {
  readonly version: 1
  readonly chainId: number
  /** Addresses. */
  readonly contracts: Readonly<Record<string, Hex>>
  /** keccak256 of the code at each address. */
  readonly code: Readonly<Record<string, Hex>>
}

/** Names of contracts, ours and those of others beside them. */
const nameForm = /^[A-Za-z]\w{0,63}$/
/** Most contracts of a file. */
const mostContracts = 64

/** Reads a deployment (an object, or JSON text) strictly. @throws FileError */
export function parseDeployment(value: unknown, path = "deployment"): Deployment {
  const given = fields(fromJson(value, path), path, ["version", "chainId", "contracts", "code"])
  const { chainId } = given
  if (typeof chainId !== "number" || !Number.isSafeInteger(chainId) || chainId < 1)
    fail(`${path}: chainId`, { what: "no number of a chain", given: shown(chainId) })
  const read = (name: "contracts" | "code", reader: (x: unknown, at: string) => Hex) => {
    const entries = Object.entries(object(given[name], `${path}: ${name}`))
    if (entries.length > mostContracts)
      fail(`${path}: ${name}`, { what: "too many contracts", expected: `at most ${mostContracts}` })
    return entries.map(([contract, x]): [string, Hex] => {
      if (!nameForm.test(contract))
        fail(`${path}: ${name}`, { what: "no name of a contract", given: contract })
      return [contract, reader(x, `${path}: ${name}.${contract}`)]
    })
  }
  const contracts = read("contracts", (x, at) => hexBytes(x, at, 20, 20))
  const code = read("code", bytes32)
  const named = (entries: readonly [string, Hex][]) =>
    entries
      .map(([name]) => name)
      .sort()
      .join(", ")
  if (named(contracts) !== named(code))
    fail(`${path}: code`, {
      what: "a digest for each contract is needed",
      expected: named(contracts),
      given: named(code),
    })
  return {
    version: oneOf(given.version, `${path}: version`, [1]),
    chainId,
    contracts: Object.fromEntries(contracts),
    code: Object.fromEntries(code),
  }
}

/** The address of a contract. @throws UsageError if the deployment has none */
export function addressOf({ contracts }: Deployment, name: string): Hex {
  if (Object.hasOwn(contracts, name)) return contracts[name]
  throw new UsageError({
    what: `the deployment has no ${name}`,
    given: Object.keys(contracts).join(", "),
    fix: "Deploy it with `countersign contracts deploy`",
  })
}
