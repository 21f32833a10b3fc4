/**
 * Sending a transaction once, over an endpoint that may fail at any moment. It is signed first, so its hash is known
 * before anybody sees it. If nobody can say whether it arrived, the chain is asked for that hash, and what is sent again
 * is the very same bytes: one nonce, which a chain takes once. Nothing is ever signed a second time.
 */
import {
  BaseWallet,
  type Signer,
  Transaction,
  type TransactionReceipt,
  type TransactionRequest,
} from "ethers"
import { invariant } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import { pause } from "./endpoint.js"
import { asChainError, ChainError, decodeRevert, onChain, refusal } from "./errors.js"

export interface SendOptions {
  /** Blocks that have to stand on it, its own among them; default 1. */
  readonly confirmations?: number
  /** Milliseconds until it is given up to wait for; default 300,000. */
  readonly waitMs?: number
  /** Milliseconds between questions for it; default 1,000. */
  readonly pollMs?: number
  /** Told the hash, before the transaction is sent. */
  readonly onSigned?: (hash: Hex) => void
  /** Stops waiting. What was sent stays sent. */
  readonly signal?: AbortSignal
}

/** What a transaction did. */
export interface Sent {
  readonly hash: Hex
  readonly block: number
  readonly gasUsed: bigint
  /** Wei that the gas took. */
  readonly fee: bigint
  readonly receipt: TransactionReceipt
}

const wait = { confirmations: 1, waitMs: 300_000, pollMs: 1_000 }

/**
 * Sends a transaction and waits until it is in a block.
 * @param where what it does, for messages
 * @throws ChainError: `refused` if it did not happen, `unknown` with its hash if nobody can say
 */
export async function send(
  signer: Signer,
  request: TransactionRequest,
  where: string,
  options: SendOptions = {},
): Promise<Sent> {
  const { provider } = signer
  invariant(provider !== null, "a signer without a chain")
  if (!(signer instanceof BaseWallet)) {
    // a wallet that signs and sends in one: it is asked once
    const response = await onChain(where, () => signer.sendTransaction(request))
    options.onSigned?.(response.hash as Hex)
    return await mined(signer, response.hash as Hex, response.nonce, request, where, options)
  }
  const filled = await onChain(where, () => signer.populateTransaction(request))
  const raw = await signer.signTransaction(filled)
  const { hash, nonce } = Transaction.from(raw)
  invariant(hash !== null, "a signed transaction has a hash")
  options.onSigned?.(hash as Hex)
  await broadcast(signer, raw, hash as Hex, where, options)
  return await mined(signer, hash as Hex, nonce, request, where, options)
}

/** How often the same bytes are sent, where it is not known whether they arrived. */
const mostSendings = 4

async function broadcast(
  { provider }: Signer,
  raw: string,
  hash: Hex,
  where: string,
  { pollMs = wait.pollMs }: SendOptions,
): Promise<void> {
  for (let sending = 1; ; sending++) {
    try {
      await provider?.broadcastTransaction(raw)
      return
    } catch (error) {
      const known = await isKnown(provider, hash)
      if (known === true) return
      const typed = asChainError(error, where)
      const refused = typed instanceof ChainError && typed.problem === "refused"
      // after the first time, a refusal may be that of bytes which did arrive
      if (known === false && refused && sending === 1) throw typed
      if (sending === mostSendings) throw unknown(hash, where)
    }
    await pause(pollMs * 2 ** (sending - 1))
  }
}

/** Whether a chain has seen a transaction; null if it cannot be asked. */
async function isKnown(provider: Signer["provider"], hash: Hex): Promise<boolean | null> {
  try {
    return (await provider?.getTransaction(hash)) !== null
  } catch {
    return null
  }
}

const unknown = (transaction: Hex, where: string): ChainError =>
  new ChainError(
    "unknown",
    {
      where,
      what: `it is not known whether transaction ${transaction} happens`,
      fix: "Look it up before you do this again",
    },
    { transaction },
  )

async function mined(
  signer: Signer,
  hash: Hex,
  nonce: number,
  request: TransactionRequest,
  where: string,
  options: SendOptions,
): Promise<Sent> {
  const { confirmations, waitMs, pollMs } = { ...wait, ...options }
  const { provider } = signer
  invariant(provider !== null, "a signer without a chain")
  for (const start = performance.now(); ; ) {
    if (options.signal?.aborted) throw unknown(hash, where)
    try {
      const receipt = await provider.getTransactionReceipt(hash)
      if (receipt !== null && (await receipt.confirmations()) >= confirmations)
        return await outcome(signer, receipt, request, where)
      if (receipt === null && (await isReplaced(signer, hash, nonce)))
        throw new ChainError(
          "refused",
          { where, what: `another transaction of the account took the place of ${hash}` },
          { transaction: hash },
        )
    } catch (error) {
      // what cannot be asked now can be asked again until the time is over
      const typed = asChainError(error, where)
      if (!(typed instanceof ChainError && typed.problem === "unreachable")) throw typed
    }
    if (performance.now() - start > waitMs) throw unknown(hash, where)
    await pause(pollMs)
  }
}

/** Whether the account's nonce was used by something else. The receipt is asked for last: it may have come meanwhile. */
async function isReplaced(signer: Signer, hash: Hex, nonce: number): Promise<boolean> {
  const { provider } = signer
  const used = (await provider?.getTransactionCount(await signer.getAddress(), "latest")) ?? 0
  return used > nonce && (await provider?.getTransactionReceipt(hash)) === null
}

async function outcome(
  signer: Signer,
  receipt: TransactionReceipt,
  request: TransactionRequest,
  where: string,
): Promise<Sent> {
  const { hash, blockNumber, gasUsed, fee, status } = receipt
  if (status !== 1) throw await failure(signer, receipt, request, where)
  return { hash: hash as Hex, block: blockNumber, gasUsed, fee, receipt }
}

/** Why a transaction failed in its block: the same call on top of the block before says it, mostly. */
async function failure(
  signer: Signer,
  { hash, blockNumber, from }: TransactionReceipt,
  request: TransactionRequest,
  where: string,
): Promise<ChainError> {
  const transaction = hash as Hex
  try {
    await signer.provider?.call({ ...request, from, blockTag: blockNumber - 1 })
  } catch (error) {
    const revert = decodeRevert((error as { data?: string | null }).data)
    if (revert) return refusal(revert, where, transaction)
  }
  return new ChainError(
    "refused",
    { where, what: `transaction ${transaction} failed: somebody was faster, or the gas was too little` },
    { transaction },
  )
}
