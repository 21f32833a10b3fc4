/**
 * Commands that speak to a chain: where its endpoint and the contracts are, who signs, what is told before something is
 * sent, and what of it afterwards.
 */
import { Option } from "commander"
import type {
  Contracts,
  Ending,
  EscrowRequest,
  Payee,
  Payment,
  Plan,
  RequestState,
  Sent,
  Step,
} from "../chain/index.js"
import { UsageError } from "../errors.js"
import { readJson } from "../files.js"
import type { Hex } from "../statement/strict.js"
import { keystoreOption, openAccount } from "./account.js"
import { dateOf } from "./claims.js"
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

/** Whether an endpoint is named. */
export const namesEndpoint = ({ rpc }: ChainOptions): boolean =>
  rpc !== undefined || environment("COUNTERSIGN_RPC") !== undefined

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

const zeroAddress: Hex = `0x${"0".repeat(40)}`

/** What an amount is told in: a token (zero: ETH), and the digits behind its point; null where it does not say them. */
export interface Unit {
  readonly token: Hex
  readonly decimals: number | null
}
const ether: Unit = { token: zeroAddress, decimals: 18 }

/** The unit of a token. @throws ChainError if the endpoint does not answer */
export async function unitOf({ chain, contracts }: OnChain, token: Hex): Promise<Unit> {
  try {
    return { token, decimals: await chain.decimalsOf(contracts, token) }
  } catch (error) {
    // a token need not say it
    if (error instanceof chain.ChainError && error.problem === "refused") return { token, decimals: null }
    throw error
  }
}

/** An amount for people. */
export function amountText(amount: bigint, { token, decimals }: Unit): string {
  const name = token === zeroAddress ? "ETH" : `of token ${token}`
  if (decimals === null) return `${amount} smallest units ${name}`
  const digits = `${amount}`.padStart(decimals + 1, "0")
  const point = digits.length - decimals
  const fraction = digits.slice(point).replace(/0+$/, "")
  return `${digits.slice(0, point)}${fraction && `.${fraction}`} ${name}`
}

/** What gas takes, with four digits, rounded up. */
export function feeText(wei: bigint): string {
  const unit = 10n ** BigInt(Math.max(0, `${wei}`.length - 4))
  return amountText(((wei + unit - 1n) / unit) * unit, ether)
}

const paymentOf = (payment: Payment | null) =>
  payment && { token: payment.token, amount: `${payment.amount}` }

const endsOf = (ends: readonly Ending[]) =>
  ends.map(({ end, pays }) => ({
    end,
    pays: Object.fromEntries(Object.entries(pays).map(([who, amount]) => [who, `${amount}`])),
  }))

/** What has to happen for an end. */
const inWords: Readonly<Record<Ending["end"], string>> = {
  Expired: "not delivered in time",
  Unchallenged: "nobody challenges",
  Proven: "proven",
  Silent: "challenged, and no proof",
  Convicted: "another output proven",
  Equivocated: "operator contradicts itself",
  Recalled: "model recalled",
}
const payees: Readonly<Record<Payee, string>> = {
  client: "client",
  operator: "operator",
  challenger: "challenger",
  shower: "who shows it",
}

const paysText = ({ pays }: Ending, unit: Unit): string =>
  Object.entries(pays)
    .map(([who, amount]) => `${payees[who as Payee]} ${amountText(amount, unit)}`)
    .join(", ") || "nobody"

const endLines = (ends: readonly Ending[], unit: Unit): string[] =>
  ends.map((ending) => `  ${inWords[ending.end].padEnd(27)} ${paysText(ending, unit)}`)

/** More about a plan: the object's members and lines. */
export interface About {
  readonly result?: object
  readonly lines?: readonly string[]
  readonly ends?: readonly Ending[]
  /** What it pays in; default: ETH. */
  readonly unit?: Unit
  /** Done when everything was checked, before anything is sent. */
  readonly before?: () => void
  /** Asked when it was done: more members and lines. */
  readonly after?: () => Promise<{ readonly result: object; readonly lines: readonly string[] }>
  /** Send nothing. */
  readonly dryRun?: boolean
}

/** Says what a plan takes, does it unless it is only to be looked at, and says what it did. */
export async function carryOut(plan: Plan, about: About = {}): Promise<Sent | null> {
  const { result = {}, lines = [], ends = [], unit = ether, dryRun = false } = about
  const { approves, pays } = plan
  const costs = [
    `${plan.action} by ${plan.from}`,
    ...lines,
    ...(approves ? [`allows        the escrow to take ${amountText(approves.amount, unit)}`] : []),
    ...(pays ? [`pays          ${amountText(pays.amount, unit)}`] : []),
    plan.fee === null
      ? "gas           is known when the allowance is there"
      : `gas           ${plan.gas}, at most ${feeText(plan.fee)}`,
    ...(ends.length > 0 ? ["then          who is paid, by what happens:", ...endLines(ends, unit)] : []),
  ]
  if (!dryRun) for (const line of costs) note(line)
  about.before?.()
  const sent = dryRun
    ? null
    : await plan.send({ onSigned: (hash) => note(`transaction   ${hash}; waiting for a block`) })
  const after = sent && (await about.after?.())
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
      ...after?.result,
      transaction: sent && transactionOf(sent),
    },
    sent === null
      ? [...costs, "Nothing was sent."]
      : [
          `${plan.action} done in block ${sent.block}`,
          ...lines,
          `transaction   ${sent.hash}`,
          `gas           ${sent.gasUsed}, ${feeText(sent.fee)}`,
          ...(after?.lines ?? []),
        ],
  )
  return sent
}

/** Carries out a step of a request, and says what comes next. */
export async function carryOutStep(
  on: OnChain,
  step: Step,
  request: EscrowRequest,
  about: Pick<About, "result" | "lines" | "before" | "dryRun"> = {},
): Promise<void> {
  const { chain, contracts } = on
  const { id, ends } = step
  const unit = await unitOf(on, request.terms.token)
  const { result = {}, lines = [`request       ${id}`], ...rest } = about
  const after = async () => {
    try {
      const [now, found] = [await chain.chainTime(contracts), await chain.stateOf(contracts, id)]
      const { state, deadline } = found
      const paid = ends.filter(({ end }) => end === state)
      const lines = paid.map((ending) => `paid          ${paysText(ending, unit)}`)
      return { result: { state, deadline }, lines: [...lines, ...nextLines(found, now)] }
    } catch {
      // it was done, whatever can be said of it
      return { result: {}, lines: [] }
    }
  }
  await carryOut(step, { ...rest, result: { id, ...result }, lines, ends, unit, after })
}

/** What comes next for a request, and until when. */
export function nextLines({ state, deadline }: RequestState, now: number): readonly string[] {
  const who = awaited[state]
  if (state === "None") return ["next          nobody made this request here: `countersign request send`"]
  if (who === undefined) return ["next          who was paid takes it with `countersign withdraw`"]
  if (now > deadline) return [`next          \`countersign settle\` ends it: ${dateOf(deadline)} has passed`]
  return [
    `next          ${who} until ${dateOf(deadline)} (${spanText(deadline - now)} left);`,
    "              afterwards `countersign settle` ends it",
  ]
}

/** What is waited for in a state. */
const awaited: Readonly<Partial<Record<RequestState["state"], string>>> = {
  Requested: "the operator delivers",
  Delivered: "anybody challenges, or the operator proves,",
  Challenged: "the operator proves",
}

/** A span of time for people. */
function spanText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`
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
