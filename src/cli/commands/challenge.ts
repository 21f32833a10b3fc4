/** `countersign challenge`: demands the proof of what was delivered. */
import { accountOf, carryOutStep, onContracts, readRequest, sendsTo } from "../chain.js"
import { command } from "../options.js"

export const challengeCommand = sendsTo(
  command("challenge", "demand the proof of what was delivered, with a stake"),
)
  .argument("<request>", "REQUEST.json")
  .option("--approve", "allow the escrow to take the tokens, if it may not yet")
  .action(async (path: string, options) => {
    const request = await readRequest(path)
    await onContracts(options, true, async (on) => {
      const { approve = false, dryRun = false } = options
      const plan = await on.chain.planChallenge(on.contracts, accountOf(on), request, { approve })
      await carryOutStep(on, plan, request, { dryRun })
    })
  })
