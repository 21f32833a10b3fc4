/**
 * What a chain says no with, in words. A contract's custom error is four bytes and some words; here is what each of them
 * means to whoever called, and what mends it. What an endpoint says, or fails to say, is told apart from it: a refusal is
 * final, an endpoint that does not answer can be asked again, and of a transaction that nobody has seen it is not known
 * whether it happened.
 */
import * as artifacts from "countersign/artifacts"
import { Interface, type JsonFragment, type Result } from "ethers"
import { CountersignError, type Facts, printable, timeText } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import { stateName } from "./states.js"

/**
 * `refused`: a contract or the chain said no, and nothing happened. `unreachable`: the endpoint does not answer, and
 * nothing was sent. `unknown`: a transaction was sent of which nobody can say yet whether it happens.
 */
export type ChainProblem = "refused" | "unreachable" | "unknown"

/** A custom error of a contract, or `Error` and `Panic` of Solidity itself. */
export interface Revert {
  readonly name: string
  readonly args: readonly unknown[]
}

/** A chain, a contract or an endpoint that does not do what was asked. */
export class ChainError extends CountersignError {
  override name = "ChainError"
  readonly problem: ChainProblem
  /** What a contract refused with, where one did. */
  readonly revert: Revert | null
  /** The transaction of which it is not known whether it happens, or which failed. */
  readonly transaction: Hex | null
  constructor(
    problem: ChainProblem,
    facts: Facts,
    { revert = null, transaction = null }: { revert?: Revert | null; transaction?: Hex | null } = {},
  ) {
    super(facts)
    this.problem = problem
    this.revert = revert
    this.transaction = transaction
  }
}

/** Custom errors of all contracts of the package, and those of what they call. */
const known: Interface = (() => {
  const fragments = new Map<string, JsonFragment>()
  for (const { abi } of Object.values(artifacts) as { abi: readonly unknown[] }[])
    for (const item of abi as readonly JsonFragment[])
      if (item.type === "error")
        fragments.set(`${item.name}(${item.inputs?.map(({ type }) => type).join()})`, item)
  return new Interface([
    ...fragments.values(),
    "error SafeERC20FailedOperation(address token)",
    "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)",
    "error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)",
  ])
})()

/** The custom error in what a call gave back, or null for none that is known. */
export function decodeRevert(data: string | null | undefined): Revert | null {
  if (!data || data.length < 10) return null
  try {
    const parsed = known.parseError(data)
    return parsed && { name: parsed.name, args: plain(parsed.args) }
  } catch {
    return null
  }
}

const plain = (args: Result): readonly unknown[] => args.toArray()

/** What an error means, by its name. Those without an entry are told by their name and arguments. */
const words: Readonly<Record<string, (...args: readonly never[]) => Omit<Facts, "where">>> = {
  WrongState: (_id: string, state: bigint) => ({
    what:
      Number(state) === 0
        ? "nobody made this request on this chain"
        : `the request is ${stateName(state).toLowerCase()}, and this does not belong there`,
    fix: "Look at it with `countersign request status`",
  }),
  TooLate: (deadline: bigint) => ({ what: `the deadline has passed: ${timeText(deadline)}` }),
  TooEarly: (deadline: bigint) => ({
    what: `the deadline has not passed: ${timeText(deadline)}`,
    fix: "Wait until then",
  }),
  NotParty: (party: string, caller: string) => ({
    what: "the terms give this to somebody else",
    expected: party.toLowerCase(),
    given: caller.toLowerCase(),
  }),
  InvalidTerms: (field: string) => ({ what: `nobody could keep these terms: \`${field}\`` }),
  HiddenInput: (key: string) => ({
    what: "the key hides the input altogether, so nothing ties a proof to the client's input",
    given: key,
    fix: "Compile the model with a public or committed input",
  }),
  ForgeableKey: (key: string) => ({
    what: "somebody can forge proofs under this key",
    given: key,
    fix: "Make the key in a ceremony: `countersign setup contribute`",
  }),
  WrongModel: (expected: string, given: string) => ({ what: "the key is another model's", expected, given }),
  NotInRegistry: (modelId: bigint) => ({
    what: "the registry has not this model and key under the id of the terms, or the model was recalled",
    given: `0x${modelId.toString(16).padStart(64, "0")}`,
  }),
  InvalidAttestation: (field: string) => ({
    what: `the attestation does not fit the terms: \`${field}\``,
  }),
  WrongAttestation: (expected: string, given: string) => ({
    what: "the attestation is not the one that was delivered",
    expected,
    given,
  }),
  InvalidSignature: (signer: string) => ({
    what: `the signature is not that of ${signer.toLowerCase()}, for this chain and book`,
  }),
  WrongWords: (side: string) => ({ what: `the ${side} is not the one that was attested` }),
  InvalidProof: () => ({ what: "the proof does not verify for this attestation" }),
  WrongLayout: (expected: string, given: string) => ({
    what: "the key has another layout",
    expected,
    given,
  }),
  NotPublic: () => ({ what: "the output is not public: another salt is another commitment" }),
  NotAsked: (agentId: bigint) => ({ what: `agent ${agentId} did not ask this validator` }),
  NotFrozen: (attestation: string) => ({
    what: "nobody filed an equivocation of the attestation",
    given: attestation,
  }),
  WrongValue: (expected: bigint, given: bigint) => ({
    what: "the ETH that was sent is not what is due",
    expected: `${expected} wei`,
    given: `${given} wei`,
  }),
  TooLittle: (due: bigint, received: bigint) => ({
    what: "less arrived than is due: the token keeps a fee",
    expected: `${due}`,
    given: `${received}`,
    fix: "Send more than is due; what is too much becomes your credit",
  }),
  NoCredit: (token: string, account: string) => ({
    what: `there is nothing to withdraw for ${account.toLowerCase()}`,
    given: `token ${token.toLowerCase()}`,
  }),
  TransferFailed: (to: string) => ({ what: `${to.toLowerCase()} does not take ETH` }),
  UnknownKey: (key: string) => ({
    what: "no key of this digest is registered on this chain",
    given: key,
    fix: "Register it with `countersign contracts register`",
  }),
  DevKey: (key: string) => ({ what: "the key is a development key: its maker can forge", given: key }),
  UncontributedKey: (key: string) => ({
    what: "nobody contributed to the key: anybody can forge",
    given: key,
  }),
  NotLarger: (anchored: bigint, given: bigint) => ({
    what: "a root of this log is anchored at this size or a larger one",
    expected: `more than ${anchored}`,
    given: `${given}`,
  }),
  NoEquivocation: () => ({ what: "the two attestations do not contradict each other" }),
  AlreadyFrozen: () => ({ what: "both attestations are frozen already" }),
  ModelNotFound: () => ({ what: "the registry has no model of this id" }),
  NotModelOwner: (_id: bigint, caller: string) => ({
    what: `${caller.toLowerCase()} is not the model's owner`,
  }),
  ModelIsDeprecated: () => ({ what: "the model was recalled already" }),
  ModelAlreadyRegistered: (modelId: bigint) => ({
    what: "the model is registered already",
    given: `0x${modelId.toString(16).padStart(64, "0")}`,
  }),
  SafeERC20FailedOperation: (token: string) => ({
    what: `the token ${token.toLowerCase()} refuses the transfer`,
    fix: "Look at your balance and allowance",
  }),
  ERC20InsufficientAllowance: (_spender: string, allowance: bigint, needed: bigint) => ({
    what: "the escrow is not allowed to take the tokens",
    expected: `${needed}`,
    given: `${allowance}`,
  }),
  ERC20InsufficientBalance: (_sender: string, balance: bigint, needed: bigint) => ({
    what: "too few tokens",
    expected: `${needed}`,
    given: `${balance}`,
  }),
}

/** A revert in words. */
export function describeRevert({ name, args }: Revert): Omit<Facts, "where"> {
  if (Object.hasOwn(words, name)) return words[name](...(args as readonly never[]))
  return { what: `the contract refuses: ${printable(`${name}(${args.map(String).join(", ")})`)}` }
}

/** The error that a refusal of a contract is. */
export const refusal = (revert: Revert, where: string, transaction: Hex | null = null): ChainError =>
  new ChainError("refused", { where, ...describeRevert(revert) }, { revert, transaction })

/** As ethers has it: what went wrong, and what the endpoint said, in one of two places. */
interface EthersError {
  readonly code?: unknown
  readonly data?: string | null
  readonly error?: Said
  readonly info?: { readonly error?: Said }
  readonly shortMessage?: string
}
interface Said {
  readonly data?: unknown
  readonly message?: unknown
}

/** What ethers calls endpoints that fail. */
const passing = new Set(["NETWORK_ERROR", "SERVER_ERROR", "TIMEOUT", "BAD_DATA"])
/** What it calls endpoints, and wallets behind them, that say no. */
const refusing = new Set(["UNKNOWN_ERROR", "UNSUPPORTED_OPERATION", "ACTION_REJECTED"])

/**
 * What was thrown by ethers as a typed error: custom errors in words, and what the chain refuses by itself. Anything else
 * is given back as it is.
 * @param where what was being done
 */
export function asChainError(error: unknown, where: string): unknown {
  if (error instanceof CountersignError) return error
  const { code, data, shortMessage = "", ...rest } = error as EthersError
  const said = rest.info?.error ?? rest.error
  const given = data ?? (typeof said?.data === "string" ? said.data : null)
  const revert = decodeRevert(given)
  if (revert) return refusal(revert, where)
  if (code === "INSUFFICIENT_FUNDS")
    return new ChainError("refused", {
      where,
      what: "the account has too little ETH for the amount and the gas",
    })
  if (code === "CALL_EXCEPTION")
    return new ChainError("refused", {
      where,
      what: `the contract refuses${given && given !== "0x" ? ` with ${given.slice(0, 138)}` : " and does not say why"}`,
    })
  if (code === "NONCE_EXPIRED" || code === "REPLACEMENT_UNDERPRICED")
    return new ChainError("refused", {
      where,
      what: "the account sent another transaction at the same time",
      fix: "Wait until that is done, and try again",
    })
  if (said !== undefined && typeof code === "string" && refusing.has(code))
    return new ChainError("refused", { where, what: `the endpoint refuses: ${printable(`${said.message}`)}` })
  return typeof code === "string" && passing.has(code)
    ? new ChainError("unreachable", { where, what: `the endpoint gave no sensible answer: ${shortMessage}` })
    : error
}

/** Does something on a chain. @throws ChainError instead of what ethers throws */
export async function onChain<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asChainError(error, where)
  }
}
