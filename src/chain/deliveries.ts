/**
 * Deliveries and requests as the chain's log has them. A log may be long, and whoever wants to hide something in it can
 * make it longer: an endpoint that refuses a range as too large is asked for halves of it, and what is found is handed on
 * range by range.
 */
import type { ContractEventName, EventLog } from "ethers"
import { UsageError } from "../errors.js"
import type { Hex } from "../statement/strict.js"
import type { Contracts } from "./contracts.js"
import { ChainError, onChain } from "./errors.js"
import { claimNames, type Delivery } from "./place.js"
import { type EscrowRequest, parseTerms, requestOf } from "./terms.js"

/** Events of the escrow in a range of blocks. @throws ChainError, also where one block alone is refused */
async function eventsIn(
  contracts: Contracts,
  filter: ContractEventName,
  from: number,
  to: number,
): Promise<EventLog[]> {
  const escrow = contracts.at.Escrow
  try {
    const found = await onChain("log of the escrow", () => escrow.queryFilter(filter, from, to))
    return found.filter((event): event is EventLog => "args" in event && !event.removed)
  } catch (error) {
    const tooLarge = error instanceof ChainError && error.problem === "refused" && from < to
    if (!tooLarge) throw error
    const middle = from + Math.floor((to - from) / 2)
    const first = await eventsIn(contracts, filter, from, middle)
    return [...first, ...(await eventsIn(contracts, filter, middle + 1, to))]
  }
}

/** What was delivered in a range of blocks, in its order. Times of attestations may be any: they are not looked at. */
export async function deliveriesIn(contracts: Contracts, from: number, to: number): Promise<Delivery[]> {
  const filter = contracts.at.Escrow.filters.Delivered()
  return (await eventsIn(contracts, filter, from, to)).map(({ args, blockNumber }) => ({
    id: args.id as Hex,
    digest: args.digest as Hex,
    block: blockNumber,
    deadline: Number(args.deadline),
    claim: Object.fromEntries(
      claimNames.map((name) => [name, args.getValue("attestation").getValue(name)]),
    ) as Record<(typeof claimNames)[number], Hex>,
  }))
}

/**
 * The request that was delivered for in a block: from the transaction that delivered, or, where a contract did, from the
 * log. Its id follows from its terms, so nobody can give other ones.
 * @throws UsageError if it was made before the first block that is looked at
 */
export async function requestOfDelivery(
  contracts: Contracts,
  { id, block }: Pick<Delivery, "id" | "block">,
  { fromBlock, blockSpan }: { readonly fromBlock: number; readonly blockSpan: number },
): Promise<EscrowRequest> {
  const escrow = contracts.at.Escrow
  const { provider } = contracts
  const [delivered] = await eventsIn(contracts, escrow.filters.Delivered(id), block, block)
  if (delivered !== undefined) {
    const sent = await onChain("delivery", () => provider.getTransaction(delivered.transactionHash))
    const request = sent && requestInCall(contracts, sent.data)
    if (request?.id === id) return request
  }
  // later than its delivery it was not made; the further back, the more at once
  for (let [to, span] = [block, blockSpan]; to >= fromBlock; to -= span, span *= 2) {
    const from = Math.max(fromBlock, to - span + 1)
    const event = (await eventsIn(contracts, escrow.filters.Requested(id), from, to)).at(-1)
    if (event) return requestIn(contracts, event.args.getValue("terms"))
  }
  throw new UsageError({
    what: "the request was made before the first block that is looked at",
    where: `request ${id}`,
    given: `block ${fromBlock}`,
    fix: "Begin earlier, with option `fromBlock`",
  })
}

/** The request of a call of `deliver`; null for any other data, however it looks. */
function requestInCall(contracts: Contracts, data: string): EscrowRequest | null {
  try {
    const call = contracts.at.Escrow.interface.parseTransaction({ data })
    return call?.name === "deliver" ? requestIn(contracts, call.args.getValue("terms")) : null
  } catch {
    return null
  }
}

const times = new Set(["deliverBy", "challengeWindow", "answerWindow"])

/** A request of terms as ethers has them. @throws FileError for times that are none */
function requestIn({ deployment }: Contracts, terms: { toObject(): unknown }): EscrowRequest {
  const given = Object.entries(terms.toObject() as Record<string, unknown>)
  const read = given.map(([name, value]) => {
    if (typeof value !== "bigint") return [name, (value as string).toLowerCase()]
    if (name === "modelId") return [name, `0x${value.toString(16).padStart(64, "0")}`]
    return [name, times.has(name) ? Number(value) : `${value}`]
  })
  return requestOf(parseTerms(Object.fromEntries(read)), deployment.chainId, deployment.contracts.Escrow)
}
