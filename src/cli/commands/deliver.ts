/** `countersign deliver`: the operator's signed answer to a request, with the bond. */
import { accountOf, carryOutStep, onContracts, readRequest, sendsTo } from "../chain.js"
import { readAttestation } from "../claims.js"
import { command } from "../options.js"

export const deliverCommand = sendsTo(
  command("deliver", "answer a request with a signed attestation, and bond for it"),
)
  .argument("<request>", "REQUEST.json")
  .argument("<attestation>", "what `countersign attest --request` wrote")
  .option("--approve", "allow the escrow to take the tokens, if it may not yet")
  .action(async (requestPath: string, path: string, options) => {
    const request = await readRequest(requestPath)
    const attestation = await readAttestation(path)
    await onContracts(options, true, async (on) => {
      const { approve = false, dryRun = false } = options
      const plan = await on.chain.planDeliver(on.contracts, accountOf(on), request, attestation, { approve })
      await carryOutStep(on, plan, request, { dryRun })
    })
  })
