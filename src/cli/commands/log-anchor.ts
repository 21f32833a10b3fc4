/** `countersign log anchor`: the root of a log on a chain, where nobody can change it any more. */
import { accountOf, carryOut, onContracts, sendsTo } from "../chain.js"
import { command } from "../options.js"

export const anchorCommand = sendsTo(command("anchor", "write size and root of a log to a chain"))
  .argument("<log>", "the log's folder")
  .action(async (folder: string, options) => {
    const { openLog } = await import("../../log/index.js")
    const log = await openLog(folder)
    try {
      const head = log.head()
      await onContracts(options, true, async (on) => {
        const plan = await on.chain.planAnchor(on.contracts, accountOf(on), head)
        await carryOut(plan, {
          result: head,
          lines: [`log           ${head.log}`, `size          ${head.size}`, `root          ${head.root}`],
          dryRun: options.dryRun === true,
        })
      })
    } finally {
      await log.close()
    }
  })
