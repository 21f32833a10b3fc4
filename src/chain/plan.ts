/**
 * Something that an account is about to do on a chain: what it takes, what it costs, and then doing it, once. All that can
 * be known before is checked when the plan is made: the call is tried on the endpoint, and a refusal is told in words
 * before anything is paid.
 */
import {
  Contract,
  type Provider,
  parseUnits,
  type Signer,
  type TransactionRequest,
  ZeroAddress,
} from "ethers"
import { UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import type { ContractName } from "./deployment.js"
import { ChainError, onChain } from "./errors.js"
import { checkBalance, gasPrice } from "./fee.js"
import { type SendOptions, type Sent, send } from "./send.js"

/** An amount in a token's smallest unit; token zero: ETH, in wei. */
export interface Payment {
  readonly token: Hex
  readonly amount: bigint
}

/** What is about to be done. */
export interface Plan {
  /** In words, for messages. */
  readonly action: string
  readonly from: Hex
  /** What leaves the account beside gas, or null. */
  readonly pays: Payment | null
  /** Gas of all its transactions; null where that is known after an approval alone. */
  readonly gas: bigint | null
  /** The most wei that the gas takes at today's price. */
  readonly fee: bigint | null
  /** Tokens that the escrow is to be allowed to take first, or null. */
  readonly approves: Payment | null
  /** Does it: sends and waits. @throws ChainError */
  send(options?: SendOptions): Promise<Sent>
}

export interface Call {
  readonly action: string
  readonly contract: ContractName
  readonly method: string
  readonly args: readonly unknown[]
  readonly pays?: Payment | null
  /** Allow the escrow to take exactly what is due, if it may not yet. */
  readonly approve?: boolean
}

const erc20 = [
  "function balanceOf(address) view returns (uint256)",
  "function allowance(address, address) view returns (uint256)",
  "function approve(address, uint256)",
  "function decimals() view returns (uint8)",
]

/** Digits behind the point of a token's unit; ETH has 18. @throws ChainError for what is no token */
export async function decimalsOf({ provider }: Pick<Contracts, "provider">, token: Hex): Promise<number> {
  if (token === ZeroAddress) return 18
  const contract = new Contract(token, erc20, provider)
  const where = `token ${token}`
  const decimals = Number(await onChain(where, () => contract.decimals()))
  // as far as an amount of 256 bits has digits
  if (decimals <= 77) return decimals
  throw new ChainError("refused", { where, what: "it says too many decimals", given: `${decimals}` })
}

/** An amount in a token's smallest unit, from one in its unit. @throws UsageError */
export function parseAmount(name: string, text: string, decimals: number): bigint {
  try {
    const amount = /^[0-9.]+$/.test(text) ? parseUnits(text, decimals) : -1n
    if (amount >= 0n && amount < 2n ** 128n) return amount
  } catch {
    // as below
  }
  throw new UsageError({
    what: name,
    expected: `a number with at most ${decimals} digits behind the point`,
    given: `\`${text}\``,
  })
}

/** The plan of a call. @throws ChainError if it would be refused, or cannot be paid */
export async function plan(contracts: Contracts, signer: Signer, call: Call): Promise<Plan> {
  const { action, pays = null } = call
  const from = (await signer.getAddress()).toLowerCase() as Hex
  const contract = contracts.at[call.contract]
  const inEth = pays !== null && pays.token === ZeroAddress
  const to = contracts.deployment.contracts[call.contract]
  const request: TransactionRequest = {
    from,
    to,
    data: contract.interface.encodeFunctionData(call.method, call.args),
    value: inEth ? pays.amount : 0n,
  }
  const approvals =
    pays === null || inEth
      ? []
      : await approvalsFor(contracts.provider, from, to, pays, action, call.approve === true)
  const transactions = [...approvals, request]
  const gas = await gasOf(contracts.provider, transactions, action)
  const fee = gas === null ? null : gas * (await gasPrice(contracts.provider))
  await checkBalance(contracts.provider, from, (inEth ? pays.amount : 0n) + (fee ?? 0n), action)
  return {
    action,
    from,
    pays,
    gas,
    fee,
    approves: approvals.length > 0 ? pays : null,
    async send(options) {
      for (const approval of approvals) await send(signer, approval, `${action}: approval`, options)
      return await send(signer, request, action, options)
    },
  }
}

/** Transactions that let a contract take tokens. Some tokens refuse to change an allowance but to or from zero. */
async function approvalsFor(
  provider: Provider,
  from: Hex,
  spender: Hex,
  { token, amount }: Payment,
  action: string,
  approve: boolean,
): Promise<TransactionRequest[]> {
  const contract = new Contract(token, erc20, provider)
  const [balance, allowed] = await onChain(`${action}: token ${token}`, async () => [
    (await contract.balanceOf(from)) as bigint,
    (await contract.allowance(from, spender)) as bigint,
  ])
  if (balance < amount)
    throw new ChainError("refused", {
      where: action,
      what: `${from} has too little of token ${token}`,
      expected: `${amount}`,
      given: `${balance}`,
    })
  if (allowed >= amount) return []
  if (!approve)
    throw new ChainError("refused", {
      where: action,
      what: `the escrow may not take the tokens of ${from}`,
      expected: `an allowance of ${amount}`,
      given: `${allowed}`,
      fix: "Approve the escrow for it, or let this be done with option `approve`",
    })
  const data = (value: bigint) => contract.interface.encodeFunctionData("approve", [spender, value])
  const steps = allowed === 0n ? [amount] : [0n, amount]
  return steps.map((value) => ({ from, to: token, data: data(value) }))
}

/** Gas of a transaction, by trying it; of one that follows on an approval it cannot be tried yet. */
async function gasOf(
  provider: Provider,
  transactions: readonly TransactionRequest[],
  action: string,
): Promise<bigint | null> {
  if (transactions.length > 1) return null
  return await onChain(action, () => provider.estimateGas(transactions[0]))
}
