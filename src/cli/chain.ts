/**
 * Commands that speak to a chain: where its endpoint and the contracts are, who signs, what is told before something is
 * sent, and what of it afterwards.
 */
import { Option } from "commander"
import type { Contracts, Ending, EscrowRequest, Payment, Plan, Sent } from "../chain/index.js"
import { UsageError } from "../errors.js"
import { readJson } from "../files.js"
import type { Hex } from "../statement/strict.js"
import { keystoreOption, openAccount } from "./account.js"
import { readContracts } from "./contracts.js"
import type { ToolCommand } from "./options.js"
import { environment, note, print } from "./terminal.js"

type Chain = typeof import("../chain/index.js")
type Account = Awaited<ReturnType<typeof openAccount>>

/** What a command has of a chain while it runs. */
export interface OnChain {
  readonly chain: Chain
  readonly contracts: Contracts
  /** Whose key was given; null where none is needed. */
  readonly account: Account | null
}

/** Options of commands that speak to a chain, as they are given. */
export interface ChainOptions {
  readonly rpc?: string
  readonly contracts?: string
  readonly keystore?: string
}

export const rpcOption = new Option(
  "--rpc <url>",
  "endpoint of the chain; default: COUNTERSIGN_RPC, for one with a password in it",
)

/** Adds the endpoint and the file of contracts to a command. */
export const readsChain = (command: ToolCommand): ToolCommand =>
  command.addOption(rpcOption).option("--contracts <file>", "where the contracts are")

/** Adds all that a command takes which sends a transaction. */
export const sendsTo = (command: ToolCommand): ToolCommand =>
  readsChain(command).addOption(keystoreOption).option("--dry-run", "check everything, and send nothing")

/** Connects to the endpoint. @throws UsageError, ChainError */
export async function connected<T>(
  { rpc }: ChainOptions,
  work: (provider: Awaited<ReturnType<Chain["connect"]>>, chain: Chain) => Promise<T>,
): Promise<T> {
  const url = rpc ?? environment("COUNTERSIGN_RPC")
  if (url === undefined)
    throw new UsageError({
      what: "there is no endpoint",
      expected: "--rpc URL, or COUNTERSIGN_RPC in the environment",
    })
  const chain = await import("../chain/index.js")
  const provider = await chain.connect(url)
  try {
    return await work(provider, chain)
  } finally {
    provider.destroy()
  }
}

/** Opens the contracts, and the account if `signs`, for as long as some work takes. @throws UsageError, FileError, ChainError */
export async function onContracts<T>(
  options: ChainOptions,
  signs: boolean,
  work: (on: OnChain) => Promise<T>,
): Promise<T> {
  if (options.contracts === undefined)
    throw new UsageError({
      what: "it is not said where the contracts are",
      expected: "--contracts FILE, as `countersign contracts deploy` writes it",
    })
  const deployment = readContracts(options.contracts)
  return await connected(options, async (provider, chain) => {
    const contracts = await chain.openContracts(deployment, provider)
    const account = signs ? (await openAccount(options.keystore)).connect(provider) : null
    return await work({ chain, contracts, account })
  })
}

/** The account of a command that signs. */
export function accountOf({ account }: OnChain): Account {
  if (account === null) throw new UsageError({ what: "there is no account" })
  return account
}

/** Reads the file of a request. @throws UsageError, FileError */
export async function readRequest(path: string): Promise<EscrowRequest> {
  const { parseRequest } = await import("../chain/index.js")
  return parseRequest(readJson(path, "`countersign request` writes it"), `\`${path}\``)
}

const zeroAddress = `0x${"0".repeat(40)}`

/** An amount for people: ETH in its unit, tokens in their smallest. */
export function amountText(amount: bigint, token: string): string {
  if (token !== zeroAddress) return `${amount} of token ${token}`
  const digits = `${amount}`.padStart(19, "0")
  const fraction = digits.slice(-18).replace(/0+$/, "")
  return `${digits.slice(0, -18)}${fraction && `.${fraction}`} ETH`
}

const paymentOf = (payment: Payment | null) =>
  payment && { token: payment.token, amount: `${payment.amount}` }

const endsOf = (ends: readonly Ending[]) =>
  ends.map(({ end, pays }) => ({
    end,
    pays: Object.fromEntries(Object.entries(pays).map(([who, amount]) => [who, `${amount}`])),
  }))

const endLines = (ends: readonly Ending[], token: Hex): string[] =>
  ends.map(({ end, pays }) => {
    const each = Object.entries(pays).map(([who, amount]) => `${who} ${amountText(amount, token)}`)
    return `${end.toLowerCase().padEnd(13)} ${each.join(", ") || "nobody is paid"}`
  })

/** More about a plan: the object's members and lines. */
export interface About {
  readonly result?: object
  readonly lines?: readonly string[]
  readonly ends?: readonly Ending[]
  readonly token?: Hex
  /** Done when everything was checked, before anything is sent. */
  readonly before?: () => void
  /** Send nothing. */
  readonly dryRun?: boolean
}

/** Says what a plan takes, does it unless it is only to be looked at, and says what it did. */
export async function carryOut(plan: Plan, about: About = {}): Promise<Sent | null> {
  const { result = {}, lines = [], ends = [], token = zeroAddress as Hex, dryRun = false } = about
  const costs = [
    `${plan.action} by ${plan.from}`,
    ...lines,
    ...(plan.pays ? [`pays          ${amountText(plan.pays.amount, plan.pays.token)}`] : []),
    ...(plan.fee === null ? [] : [`gas           ${plan.gas}, at most ${amountText(plan.fee, zeroAddress)}`]),
    ...endLines(ends, token),
  ]
  if (!dryRun) for (const line of costs) note(line)
  about.before?.()
  const sent = dryRun
    ? null
    : await plan.send({ onSigned: (hash) => note(`transaction   ${hash}; waiting for a block`) })
  print(
    {
      action: plan.action,
      from: plan.from,
      ...result,
      pays: paymentOf(plan.pays),
      approves: paymentOf(plan.approves),
      gas: plan.gas === null ? null : `${plan.gas}`,
      fee: plan.fee === null ? null : `${plan.fee}`,
      ends: endsOf(ends),
      transaction: sent && transactionOf(sent),
    },
    sent === null
      ? [...costs, "Nothing was sent."]
      : [
          `${plan.action} done in block ${sent.block}`,
          ...lines,
          `transaction   ${sent.hash}`,
          `gas           ${sent.gasUsed}, ${amountText(sent.fee, zeroAddress)}`,
          ...endLines(ends, token),
        ],
  )
  return sent
}

/** A transaction as results tell it. */
export const transactionOf = ({ hash, block, gasUsed, fee }: Sent) => ({
  hash,
  block,
  gasUsed: `${gasUsed}`,
  fee: `${fee}`,
})

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a span of time such as 90s, 10m, 2h or 1d. @throws UsageError */
export function seconds(option: string, text: string): number {
  const found = /^([1-9][0-9]{0,8})([smhd])$/.exec(text)
  const value = found ? Number(found[1]) * units[found[2]] : 0
  if (value >= 1 && value < 2 ** 32) return value
  throw new UsageError({
    what: option,
    expected: "a span of time such as 90s, 10m, 2h or 1d",
    given: `\`${text}\``,
  })
}
