/** `countersign convict`: the proof of another output than was delivered. */

import { readWhole } from "../../files.js"
import { accountOf, carryOutStep, onContracts, readRequest, sendsTo } from "../chain.js"
import { deliveredClaim } from "../claims.js"
import { loadVerificationKey } from "../folder.js"
import { command } from "../options.js"
import { print } from "../terminal.js"

export const convictCommand = sendsTo(
  command("convict", "prove that another output is right; without a receipt: the context to prove it in"),
)
  .argument("<request>", "REQUEST.json")
  .argument("[receipt]", "a receipt for that context, which names you")
  .option("--key <file>", "verification key")
  .option("--attestation <file>", "what was delivered; default: as the chain's log has it")
  .action(async (requestPath: string, receiptPath: string | undefined, options) => {
    const request = await readRequest(requestPath)
    if (receiptPath === undefined) {
      await onContracts(options, true, async (on) => {
        const { toAddress } = await import("../../attest/index.js")
        const prover = toAddress(accountOf(on).address)
        const context = await on.chain.convictionContext(on.contracts, request.id, prover)
        print({ id: request.id, prover, context }, [
          `context       ${context}`,
          `Prove it with \`countersign prove FOLDER INPUT --context ${context}\`.`,
        ])
      })
      return
    }
    const receipt = new TextDecoder().decode(readWhole(receiptPath))
    const verificationKey = loadVerificationKey(options.key)
    const claim = await deliveredClaim(options.attestation)
    await onContracts(options, true, async (on) => {
      const { dryRun = false } = options
      const proof = { receipt, verificationKey }
      const plan = await on.chain.planConvict(on.contracts, accountOf(on), request, proof, claim)
      await carryOutStep(on, plan, request, { dryRun })
    })
  })
