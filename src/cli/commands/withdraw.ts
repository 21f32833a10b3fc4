/** `countersign withdraw`: takes what one was paid out of the escrow. */
import { accountOf, amountText, carryOut, onContracts, sendsTo, unitOf } from "../chain.js"
import { command } from "../options.js"

export const withdrawCommand = sendsTo(command("withdraw", "take what you were paid out of the escrow"))
  .option("--token <address>", "ERC-20 token; default: ETH")
  .option("--to <address>", "where it goes; default: your account")
  .action(async (options) => {
    const { toAddress, zeroAddress } = await import("../../attest/index.js")
    const token = options.token === undefined ? zeroAddress : toAddress(options.token)
    const to = options.to === undefined ? undefined : toAddress(options.to)
    await onContracts(options, true, async (on) => {
      const plan = await on.chain.planWithdraw(on.contracts, accountOf(on), token, to)
      const unit = await unitOf(on, token)
      await carryOut(plan, {
        result: { receives: `${plan.receives}`, token, to: plan.to },
        lines: [`receives      ${amountText(plan.receives, unit)}, to ${plan.to}`],
        dryRun: options.dryRun === true,
      })
    })
  })
