/**
 * Whether a contract agrees. An endpoint is asked for its chain, for the code at an address, and for a call that changes
 * nothing; what it answers is its word, and is told as such. This brings ethers and the contracts' errors with it, so the
 * viewer loads it when somebody asks.
 */

import { keccak256 } from "ethers"
import type { Accounts } from "#src/attest/index.js"
import type { Deployment } from "#src/chain/deployment.js"
import { connect } from "#src/chain/endpoint.js"
import { onChain } from "#src/chain/errors.js"
import {
  CountersignError,
  type Receipt,
  type VerificationKey,
  verificationCall,
} from "#src/verifier/index.js"
import { isForgeable } from "./view-receipt.js"
import { type Line, line, type Verdict } from "./view-report.js"

/** An endpoint that has said which chain it is of. Close it. */
export interface Chain {
  readonly chainId: number
  /** Its host: the address may hold a password. */
  readonly host: string
  readonly accounts: Accounts
  /** What a contract says of a receipt; `here` is what was found in the page. */
  ask(contract: Contract, receipt: Receipt, key: VerificationKey, here: Verdict): Promise<readonly Line[]>
  close(): void
}
/** Where a verifier is said to be. */
export interface Contract {
  readonly address: string
  /** The file that says so, if one does: it has the digest of the code. */
  readonly from?: Deployment
}

/** Milliseconds for an answer, and how often it is asked for. */
const patience = { timeoutMs: 8_000, attempts: 2 }

/** What stops browsers, and no other program, from asking. */
const browsersOnly =
  "If other programs reach it, the browser may be what stops this page: the endpoint has to allow pages to ask (CORS), and a page of https asks only https, or this machine."

/** @throws CountersignError in words, if there is no such endpoint or it does not answer */
export async function openChain(url: string): Promise<Chain> {
  let provider: Awaited<ReturnType<typeof connect>>
  try {
    provider = await connect(url, patience)
  } catch (error) {
    if (error instanceof CountersignError && error.name === "ChainError")
      throw new CountersignError({ ...error.facts, fix: browsersOnly })
    throw error
  }
  const { host } = new URL(url)
  const chainId = Number((await provider.getNetwork()).chainId)
  return {
    chainId,
    host,
    accounts: {
      getCode: (address) => onChain(host, () => provider.getCode(address)),
      call: (transaction) => provider.call(transaction),
    },
    close: () => provider.destroy(),
    async ask(contract, receipt, key, here) {
      try {
        return await asked()
      } catch (error) {
        if (error instanceof CountersignError)
          return [line("open", `No verdict of the contract: ${error.message}`)]
        throw error
      }
      async function asked(): Promise<readonly Line[]> {
        const { address, from } = contract
        if (from && from.chainId !== chainId)
          return [
            line(
              "open",
              `The contracts' file is of chain ${from.chainId}; ${host} is of chain ${chainId}. Nothing was asked.`,
            ),
          ]
        const code = await onChain(host, () => provider.getCode(address))
        if (code === "0x") return [line("open", `There is no contract at ${address} on chain ${chainId}.`)]
        const expected = from?.code.CountersignVerifier
        const isCode = expected !== undefined && keccak256(code) === expected
        if (expected !== undefined && !isCode)
          return [
            line(
              "fails",
              `At ${address} on chain ${chainId} lies other code than the contracts' file says. It was not asked.`,
            ),
          ]
        const { data, function: called } = verificationCall(receipt, key, { allowDev: true })
        const answer = await onChain(`contract ${address}`, () => provider.call({ to: address, data }))
        const block = await onChain(host, () => provider.getBlockNumber())
        return [
          verdictLine(
            answer,
            `${called.split("(")[0]} of ${address} on chain ${chainId}, at block ${block},`,
            here,
          ),
          ...(isForgeable(key)
            ? [
                line(
                  "caution",
                  "It was asked by its entry for keys that somebody can forge for; `verifyInference`, which contracts of value call, refuses such a key.",
                ),
              ]
            : []),
          line(
            "plain",
            `This is the word of ${host}, which can answer anything: ask an endpoint that you run, or trust.${isCode ? " The code there is the one that the contracts' file says." : " That the code there is a verifier of Countersign, nothing here shows."}`,
          ),
        ]
      }
    },
  }
}

/** An answer beside what was found here. */
function verdictLine(answer: string, who: string, here: Verdict): Line {
  const isWord = /^0x0{63}[01]$/.test(answer)
  if (!isWord) return line("open", `${who} gives no answer of a verifier.`)
  const isValid = answer.endsWith("1")
  if (here === "open")
    return line(isValid ? "holds" : "fails", `${who} says that it is ${isValid ? "valid" : "not valid"}.`)
  const isValidHere = here !== "fails"
  if (isValid !== isValidHere)
    return line(
      "fails",
      `The contract disagrees: ${who} says that it is ${isValid ? "valid" : "not valid"}, and here it is ${isValidHere ? "valid" : "not"}.`,
    )
  return isValid
    ? line("holds", `The contract agrees: ${who} says that it is valid.`)
    : line("plain", `The contract agrees: ${who} says that it is not valid.`)
}
