/** `countersign answer`: the proof of what was delivered. */

import { readWhole } from "../../files.js"
import { accountOf, carryOutStep, onContracts, readRequest, sendsTo } from "../chain.js"
import { deliveredClaim } from "../claims.js"
import { loadVerificationKey } from "../folder.js"
import { command } from "../options.js"

export const answerCommand = sendsTo(command("answer", "prove what was delivered"))
  .argument("<request>", "REQUEST.json")
  .argument("<receipt>", "what `countersign prove --attestation` wrote")
  .needs("--key <file>", "verification key")
  .option("--attestation <file>", "what was delivered; default: as the chain's log has it")
  .action(async (requestPath: string, receiptPath: string, options) => {
    const request = await readRequest(requestPath)
    const receipt = new TextDecoder().decode(readWhole(receiptPath))
    const verificationKey = loadVerificationKey(options.key)
    const claim = await deliveredClaim(options.attestation)
    await onContracts(options, true, async (on) => {
      const { dryRun = false } = options
      const proof = { receipt, verificationKey }
      const plan = await on.chain.planAnswer(on.contracts, accountOf(on), request, proof, claim)
      await carryOutStep(on, plan, request, { dryRun })
    })
  })
