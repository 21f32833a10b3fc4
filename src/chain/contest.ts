/**
 * What a watcher does about the deliveries that it knows of: the most urgent first, each by itself. A challenge is sent and
 * not waited for; the next round finds it in a block, or sent away, or made by somebody else.
 */
import { requestOfDelivery } from "./deliveries.js"
import { ChainError, onChain } from "./errors.js"
import { planChallenge, type RequestState, stateOf } from "./escrow.js"
import type { Watched } from "./place.js"
import { checkStake, unworthy } from "./stakes.js"
import { duesOf } from "./terms.js"
import { type Block, blockAt, judgedOf, keep, note, say, type Watching } from "./watching.js"

/** Challenges that are made in a round: what comes meanwhile, and is more urgent, is seen in the next. */
const mostTries = 64
/** Deliveries of unknown inputs that are told one by one in a round. */
const mostUnknownTold = 64

/** @internal Does what is to be done about each delivery now, the most urgent first. */
export async function attend(watching: Watching, latest: Block): Promise<void> {
  const open = [...watching.open.values()].filter(({ said }) => said !== "right" && said !== "missed")
  let [unknown, tries] = [0, 0]
  for (const watched of open.sort((a, b) => a.deadline - b.deadline)) {
    const said = await judgedOf(watching, watched)
    if (said instanceof Error)
      await fail(watching, watched, latest, new Error(`the judge failed: ${said.message}`))
    else if (said.verdict === "wrong") {
      if (watched.retryAt > latest.timestamp || tries >= mostTries) continue
      if (await tried(watching, watched, latest, said.reason)) tries++
    } else if (said.verdict !== "unknown") await say(watching, watched, "right", said.reason)
    else if (watched.said !== "unknown" && ++unknown > mostUnknownTold)
      note(watching, watched, { said: "unknown" })
    else await say(watching, watched, "unknown", said.reason)
  }
  if (unknown > mostUnknownTold)
    watching.skipped["their inputs are not known either"] = unknown - mostUnknownTold
}

/**
 * Tries to challenge, unless that has to wait or was done. What goes wrong with one is no reason to leave the others, unless
 * the endpoint is gone.
 */
async function tried(watching: Watching, watched: Watched, latest: Block, reason: string): Promise<boolean> {
  try {
    return await decide(watching, watched, latest, reason)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (error instanceof ChainError) {
      // a token or a transaction may look like an endpoint that fails
      await blockAt(watching.contracts, "latest")
      if (error.problem === "unknown") {
        await say(
          watching,
          watched,
          "waiting",
          "the challenge was sent, and waits for a block",
          error.transaction,
        )
        return true
      }
      const { contracts } = watching
      if (
        error.problem === "refused" &&
        (await isSettled(watching, watched, await stateOf(contracts, watched.id)))
      )
        return true
    }
    await fail(watching, watched, latest, error)
    return true
  }
}

/** Says that something failed, and leaves it for an eighth of the time that is left; an endpoint, for a moment. */
async function fail(watching: Watching, watched: Watched, { timestamp }: Block, error: Error): Promise<void> {
  const isPassing = error instanceof ChainError && error.problem === "unreachable"
  const wait = isPassing ? 12 : Math.max(12, Math.floor((watched.deadline - timestamp) / 8))
  note(watching, watched, { retryAt: timestamp + wait })
  await say(watching, watched, "failed", error.message)
}

/** Whether somebody has challenged it, which is said. */
async function isSettled(
  watching: Watching,
  watched: Watched,
  { state, attestation, challenger }: RequestState,
): Promise<boolean> {
  const { signer } = watching
  if (state !== "Challenged" || attestation !== watched.digest) return false
  if (challenger === (await signer.getAddress()).toLowerCase())
    await say(watching, watched, "challenged", "the challenge is in a block", watched.transaction)
  else {
    await say(watching, watched, "left", `${challenger} has challenged it`)
    const { stakes } = watching.place
    keep(watching, { stakes: stakes.filter(({ id, outcome }) => id !== watched.id || outcome !== "out") })
  }
  return true
}

/** Whether a challenge was due, which is made then. */
async function decide(watching: Watching, watched: Watched, latest: Block, reason: string): Promise<boolean> {
  const { contracts, options } = watching
  const { confirmations, marginSeconds } = options
  const found = await stateOf(contracts, watched.id)
  if (await isSettled(watching, watched, found)) return false
  // ended, or between two answers the chain may have taken the delivery back
  if (found.state !== "Delivered" || found.attestation !== watched.digest) return false
  const left = watched.deadline - latest.timestamp
  if (left < 0) {
    await say(watching, watched, "missed", `${reason}; the window closed ${-left} s ago`)
    return false
  }
  const deep = latest.number - watched.block >= confirmations
  const urgent = left <= marginSeconds
  const next = deep
    ? "to be challenged"
    : urgent
      ? `to be challenged before it has ${confirmations} blocks: ${left} s are left`
      : `to be challenged when it has ${confirmations} blocks`
  const isTakenBack = watched.said === "challenged" || watched.said === "left"
  if (watched.said === null || watched.said === "unknown" || isTakenBack)
    await say(
      watching,
      watched,
      "wrong",
      `${reason}; ${isTakenBack ? "the chain took the challenge back; " : ""}${next}`,
    )
  return (deep || urgent) && (await challenge(watching, watched, reason))
}

/** Challenges; false if that is under way, or not worth it. @throws whatever prevents it */
async function challenge(watching: Watching, watched: Watched, reason: string): Promise<boolean> {
  const { contracts, signer, options } = watching
  const { id, digest, deadline } = watched
  if (await isUnderWay(watching, watched)) {
    await say(
      watching,
      watched,
      "waiting",
      "the challenge was sent, and waits for a block",
      watched.transaction,
    )
    return false
  }
  const request = await requestOfDelivery(contracts, watched, options)
  const { terms } = request
  const never = unworthy(request, options)
  if (never !== null) {
    note(watching, watched, { retryAt: deadline + 1 })
    await say(watching, watched, "left", never)
    return false
  }
  checkStake(request, watching.place.stakes, options)
  const { approve } = options
  const plan = await planChallenge(contracts, signer, request, approve === undefined ? {} : { approve })
  const amount = `${duesOf(terms).challenge}`
  const { hash } = await plan.send({
    waitMs: 0,
    ...options.sending,
    onSigned: (transaction) => {
      const stake = { id, digest, token: terms.token, amount, until: deadline, outcome: "out" } as const
      const others = watching.place.stakes.filter((each) => each.id !== id)
      note(watching, watched, { transaction })
      keep(watching, { stakes: [...others, stake] })
      options.sending?.onSigned?.(transaction)
    },
  })
  await say(watching, watched, "challenged", `${reason}; staked ${amount}`, hash)
  return true
}

/** Whether a challenge that was sent may still come into a block, or has. */
async function isUnderWay({ contracts }: Watching, { transaction }: Watched): Promise<boolean> {
  if (transaction === null) return false
  const { provider } = contracts
  return await onChain("challenge", async () => {
    const sent = await provider.getTransaction(transaction)
    if (sent === null) return false
    if (sent.blockNumber === null) return true
    return (await provider.getTransactionReceipt(transaction))?.status !== 0
  })
}
