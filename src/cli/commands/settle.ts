/** `countersign settle`: ends a request when its time is over, or when its operator contradicted itself. */

import { UsageError } from "../../errors.js"
import { accountOf, carryOut, carryOutStep, onContracts, readRequest, sendsTo } from "../chain.js"
import { readAttestation } from "../claims.js"
import { loadVerificationKey } from "../folder.js"
import { command } from "../options.js"
import { note } from "../terminal.js"

export const settleCommand = sendsTo(
  command("settle", "end a request: after its deadline, or when its operator contradicted itself"),
)
  .argument("<request>", "REQUEST.json")
  .option("--contradicts <file>", "file first that this attestation of the operator's contradicts the answer")
  .option("--key <file>", "verification key of both, with --contradicts")
  .option("--attestation <file>", "the answer; default: as the chain's log has it")
  .action(async (path: string, options) => {
    const request = await readRequest(path)
    const { dryRun = false } = options
    const { contradicts, key } = options
    if ((contradicts === undefined) !== (key === undefined))
      throw new UsageError({ what: "--contradicts and --key go together" })
    const other = contradicts === undefined ? null : await readAttestation(contradicts)
    const given = options.attestation === undefined ? undefined : await readAttestation(options.attestation)
    await onContracts(options, true, async (on) => {
      const { chain, contracts } = on
      if (other !== null) {
        const answer = given ?? (await chain.deliveredAttestation(contracts, request.id))
        const verificationKey = loadVerificationKey(key as string)
        const filing = await chain.planEquivocation(contracts, accountOf(on), answer, other, verificationKey)
        // whether it ends by that can be tried when it is filed
        if (dryRun) return await carryOut(filing, { result: { id: request.id }, dryRun })
        const { hash } = await filing.send()
        note(`filed         ${hash}`)
      }
      const plan = await chain.planSettle(contracts, accountOf(on), request)
      return await carryOutStep(on, plan, request, { dryRun })
    })
  })
