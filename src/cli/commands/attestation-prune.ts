/** `countersign attestation prune`: what the operator has kept long enough goes. */
import { dateOf, nowSeconds } from "../claims.js"
import { command } from "../options.js"
import { invalid, print } from "../terminal.js"

export const pruneCommand = command("prune", "remove from your store what has been kept long enough")
  .argument("<dir>", "the store")
  .action(async (folder: string) => {
    const { pruneKept } = await import("../../keep/index.js")
    const now = nowSeconds()
    const { removed, unread } = pruneKept(folder, now)
    print({ removed, unread, now }, [
      `removed  ${removed.length} that had to stay until before ${dateOf(now)}`,
      ...removed.map((digest) => `  ${digest}`),
      ...unread.map(({ digest, reason }) => `stays    ${digest}: ${reason}`),
    ])
    if (unread.length > 0) invalid()
  })
