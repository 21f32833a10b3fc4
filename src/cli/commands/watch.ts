/** `countersign watch`: compares what is delivered to an escrow with the model, and challenges what is wrong. */
import type { WatchEvent, WatchOptions } from "../../chain/index.js"
import { exists, readJson, writeWhole } from "../../files.js"
import { openLog } from "../../log/index.js"
import { keystoreOption } from "../account.js"
import { accountOf, onContracts, readsChain } from "../chain.js"
import { nowSeconds } from "../claims.js"
import { loadCircuit, loadVerificationKey, verificationKeyPath } from "../folder.js"
import { command, wholeNumber } from "../options.js"
import { interruptible, note, onProgress, print } from "../terminal.js"

export const watchCommand = readsChain(command("watch", "challenge wrong answers at an escrow, in time"))
  .addOption(keystoreOption)
  .needs("--folder <dir>", "circuit of the model, with its verification key")
  .needs("--keep <dir>", "store of the inputs that are known")
  .needs("--log <dir>", "log of what was decided, and why; made if there is none")
  .needs("--place <file>", "where the watcher keeps its place; made if there is none")
  .option("--confirmations <blocks>", "blocks on top of a delivery before it is challenged", "12")
  .option("--margin <seconds>", "when to wait for no more blocks before a window closes", "600")
  .option("--from <block>", "the first block to look at", "0")
  .option("--every <seconds>", "how often to look", "12")
  .option("--most-stake <amount>", "largest stake, in the smallest unit of its token")
  .option("--approve", "allow the escrow to take tokens for a stake")
  .option("--once", "look once, and end")
  .action(async (options) => {
    const most = options.mostStake
    const numbers = {
      confirmations: wholeNumber("--confirmations", options.confirmations, 0),
      marginSeconds: wholeNumber("--margin", options.margin, 0),
      fromBlock: wholeNumber("--from", options.from, 0),
      ...(most === undefined ? {} : { mostStake: BigInt(wholeNumber("--most-stake", most, 0)) }),
      ...(options.approve ? { approve: true } : {}),
    }
    const everyMs = 1000 * wholeNumber("--every", options.every, 1, 3600)
    const { judgeByStore } = await import("../../keep/index.js")
    const circuit = await loadCircuit(options.folder, onProgress)
    const verificationKey = loadVerificationKey(verificationKeyPath(options.folder))
    const judge = judgeByStore({ circuit, verificationKey }, options.keep)
    const log = await openLog(options.log, { create: true })
    try {
      await onContracts(options, true, async (on) => {
        const { chain, contracts } = on
        const { place: path } = options
        const place = exists(path) ? chain.parsePlace(readJson(path), contracts) : chain.beginning(contracts)
        let events = 0
        const asked: WatchOptions = {
          ...numbers,
          save: (next) => writeWhole(path, `${JSON.stringify(next)}\n`, { isDurable: true }),
          onEvent: async (event: WatchEvent) => {
            events++
            const { what, reason, id, transaction } = event
            const about = id === null ? [] : [`request ${id}:`]
            note([what, ...about, reason, ...(transaction === null ? [] : [transaction])].join(" "))
            await log.append({ type: "note", body: { watch: { ...event } }, time: nowSeconds() })
          },
        }
        const account = accountOf(on)
        const ended = options.once
          ? await chain.watchOnce(contracts, account, place, judge, asked)
          : await interruptible(
              (signal) => chain.watch(contracts, account, place, judge, { ...asked, everyMs, signal }),
              "It goes on from its place when it is started again",
            )
        const { trail, watched } = ended
        const block = trail.at(-1)?.number ?? null
        print({ events, block, watched }, [
          `${events} decisions and notices; done with block ${block ?? "none"}`,
          ...watched.map(({ id, said }) => `open     request ${id}: ${said ?? "not looked at"}`),
        ])
      })
    } finally {
      await log.close()
    }
  })
