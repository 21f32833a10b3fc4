/**
 * The contracts of the package on a chain: deployed by anybody, owned by nobody, and opened by what a deployment says of
 * them. Opening compares the chain's number, the code at every address, and whom the contracts themselves rely on: a
 * wrong file, a wrong endpoint or a foreign contract is told before anything is asked or sent.
 */
import {
  CountersignVerifier,
  Escrow,
  InferenceVerifier,
  ModelRegistry,
  SignOffBook,
} from "countersign/artifacts"
import {
  Contract,
  ContractFactory,
  getCreateAddress,
  type InterfaceAbi,
  keccak256,
  type Provider,
  type Signer,
} from "ethers"
import type { Domain } from "../attest/index.js"
import { invariant, type OnProgress } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import {
  addressOf,
  type ContractName,
  contractNames,
  type Deployment,
  parseDeployment,
} from "./deployment.js"
import { ChainError, onChain } from "./errors.js"
import { checkBalance, gasPrice } from "./fee.js"
import { type SendOptions, type Sent, send } from "./send.js"

const artifacts = { CountersignVerifier, ModelRegistry, InferenceVerifier, SignOffBook, Escrow } as const

/** Which contracts a contract is given when it is deployed; it has a view of the same name for each. */
const relies: Readonly<Record<ContractName, readonly (readonly [view: string, on: ContractName])[]>> = {
  CountersignVerifier: [],
  ModelRegistry: [],
  InferenceVerifier: [
    ["registry", "ModelRegistry"],
    ["verifier", "CountersignVerifier"],
  ],
  SignOffBook: [],
  Escrow: [
    ["book", "SignOffBook"],
    ["verifier", "CountersignVerifier"],
  ],
}

/** ABI of a contract of the package, as ethers takes it. */
export const abiOf = (name: ContractName): InterfaceAbi => artifacts[name].abi as InterfaceAbi

/** The contracts of a deployment, as the chain has them. */
export interface Contracts {
  readonly deployment: Deployment
  readonly provider: Provider
  /** What attestations and sign-offs are signed for. */
  readonly domain: Exclude<Domain, "offline">
  /** For reading. */
  readonly at: Readonly<Record<ContractName, Contract>>
}

export interface DeployOptions extends SendOptions {
  readonly onProgress?: OnProgress
}

/** What a deployment takes, where nothing else of the account's comes between: gas of all contracts, and its price in wei. */
export async function planDeployment(
  signer: Signer,
): Promise<{ readonly gas: bigint; readonly fee: bigint }> {
  const { provider } = signer
  invariant(provider !== null, "a signer without a chain")
  const from = await signer.getAddress()
  const where = "deployment"
  const nonce = await onChain(where, () => provider.getTransactionCount(from, "pending"))
  const contracts = Object.fromEntries(
    contractNames.map((name, i) => [name, getCreateAddress({ from, nonce: nonce + i })]),
  )
  let gas = 0n
  for (const name of contractNames) {
    const created = await creation(name, contracts)
    gas += await onChain(`${where} of ${name}`, () => provider.estimateGas({ ...created, from }))
  }
  const fee = gas * (await gasPrice(provider))
  await checkBalance(provider, from.toLowerCase() as Hex, fee, where)
  return { gas, fee }
}

/** The transaction that deploys a contract, given those that it relies on. */
const creation = (name: ContractName, contracts: Readonly<Record<string, string>>) =>
  new ContractFactory(abiOf(name), artifacts[name].bytecode).getDeployTransaction(
    ...relies[name].map(([, on]) => contracts[on]),
  )

/**
 * Deploys all contracts, and waits for each.
 * @throws ChainError
 */
export async function deployContracts(
  signer: Signer,
  options: DeployOptions = {},
): Promise<{ readonly deployment: Deployment; readonly sent: readonly Sent[] }> {
  const { provider } = signer
  invariant(provider !== null, "a signer without a chain")
  const { onProgress, ...sending } = options
  const contracts: Record<string, Hex> = {}
  const code: Record<string, Hex> = {}
  const sent: Sent[] = []
  for (const name of contractNames) {
    onProgress?.({ stage: "deploy", done: sent.length, total: contractNames.length })
    const where = `deployment of ${name}`
    const done = await send(signer, await creation(name, contracts), where, sending)
    const address = done.receipt.contractAddress
    invariant(address !== null, "a deployment has an address")
    contracts[name] = address.toLowerCase() as Hex
    code[name] = await codeDigest(provider, contracts[name], where)
    sent.push(done)
  }
  const { chainId } = await onChain("deployment", () => provider.getNetwork())
  return { deployment: { version: 1, chainId: Number(chainId), contracts, code }, sent }
}

const codeDigest = async (provider: Provider, address: Hex, where: string): Promise<Hex> =>
  keccak256(await onChain(where, () => provider.getCode(address))) as Hex

const noCode = keccak256("0x")

/**
 * The contracts of a deployment (an object, or JSON text), compared with the chain.
 * @throws FileError for a malformed deployment; ChainError (`refused`) for another chain, no code, other code, or contracts
 * that rely on others; ChainError (`unreachable`)
 */
export async function openContracts(given: unknown, provider: Provider): Promise<Contracts> {
  const deployment = parseDeployment(given)
  const { chainId: number } = await onChain("chain", () => provider.getNetwork())
  if (Number(number) !== deployment.chainId)
    throw new ChainError("refused", {
      what: "the endpoint is of another chain than the deployment",
      expected: `chain ${deployment.chainId}`,
      given: `chain ${number}`,
    })
  const contracts = contractNames.map((name): [ContractName, Contract] => [
    name,
    new Contract(addressOf(deployment, name), abiOf(name), provider),
  ])
  const at = Object.fromEntries(contracts) as Record<ContractName, Contract>
  for (const [name, contract] of contracts) {
    const where = `${name} at ${addressOf(deployment, name)}`
    const found = await codeDigest(provider, addressOf(deployment, name), where)
    if (found !== deployment.code[name])
      throw new ChainError("refused", {
        where,
        what: found === noCode ? "there is no contract" : "the contract is another one than was deployed",
        expected: `code with digest ${deployment.code[name]}`,
        given: found === noCode ? "no code" : found,
        fix: "Take the file that `countersign contracts deploy` wrote for this chain",
      })
    for (const [view, on] of relies[name]) {
      const used = (await onChain(where, () => contract[view]())) as string
      if (used.toLowerCase() !== addressOf(deployment, on))
        throw new ChainError("refused", {
          where,
          what: `it relies on another ${on}`,
          expected: addressOf(deployment, on),
          given: used.toLowerCase(),
        })
    }
  }
  const domain = { chainId: deployment.chainId, verifyingContract: addressOf(deployment, "SignOffBook") }
  return { deployment, provider, domain, at }
}

/** Seconds since 1970 of the latest block: what deadlines are compared with. */
export async function chainTime({ provider }: Pick<Contracts, "provider">): Promise<number> {
  const block = await onChain("chain", () => provider.getBlock("latest"))
  if (block === null) throw new ChainError("unreachable", { what: "the endpoint has no latest block" })
  return block.timestamp
}
