/** `countersign watch`: compares what is delivered to an escrow with the model, and challenges what is wrong. */
import type { WatchEvent, WatchOptions } from "../../chain/index.js"
import { CountersignError } from "../../errors.js"
import { exists, readJson, writeWhole } from "../../files.js"
import { type Entry, openLog } from "../../log/index.js"
import { keystoreOption } from "../account.js"
import { accountOf, onContracts, readsChain } from "../chain.js"
import { nowSeconds } from "../claims.js"
import { loadOwned, loadVerificationKey, requireOwnKey, verificationKeyPath } from "../folder.js"
import { command, repeatable, wholeNumber } from "../options.js"
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
  .option("--most-stake <amount>", "largest stake, in wei or the smallest unit of its token")
  .option("--least-stake <amount>", "smallest stake that is worth a challenge, which brings as much", "0")
  .option("--budget <amount>", "most of one token that is staked at a time, lost stakes included")
  .addOption(repeatable("--token <address>", "a token that may be staked beside ETH"))
  .option("--approve", "allow the escrow to take tokens for a stake")
  .option("--once", "look once, and end")
  .action(async (options) => {
    const { toAddress } = await import("../../attest/index.js")
    const amount = (option: string, text: string) => BigInt(wholeNumber(option, text, 0))
    const { mostStake: most, budget } = options
    const limits: WatchOptions = {
      confirmations: wholeNumber("--confirmations", options.confirmations, 0),
      marginSeconds: wholeNumber("--margin", options.margin, 0),
      fromBlock: wholeNumber("--from", options.from, 0),
      leastStake: amount("--least-stake", options.leastStake),
      tokens: options.token.map(toAddress),
      ...(most === undefined ? {} : { mostStake: amount("--most-stake", most) }),
      ...(budget === undefined ? {} : { budget: amount("--budget", budget) }),
      ...(options.approve ? { approve: true } : {}),
    }
    const everyMs = 1000 * wholeNumber("--every", options.every, 1, 3600)
    const { judgeByStore } = await import("../../keep/index.js")
    const owned = await loadOwned(options.folder, onProgress)
    const { circuit } = owned
    const verificationKey = loadVerificationKey(verificationKeyPath(options.folder))
    requireOwnKey(owned, verificationKey)
    const judge = judgeByStore({ circuit, verificationKey }, options.keep)
    const log = await openLog(options.log, { create: true })
    // what a disk refuses while something more urgent is to be done is tried again the next time, and an error in the end
    const refused = new Map<string, Error>()
    const refuses = (what: string, error: unknown) => {
      if (!(error instanceof CountersignError)) throw error
      if (refused.get(what)?.message !== error.message)
        note(`the ${what} cannot be written: ${error.message}`)
      refused.set(what, error)
    }
    try {
      await onContracts(options, true, async (on) => {
        const { chain, contracts } = on
        const { place: path } = options
        const place = exists(path) ? chain.parsePlace(readJson(path), contracts) : chain.beginning(contracts)
        let events = 0
        const unwritten: Entry[] = []
        const asked: WatchOptions = {
          ...limits,
          save: (next) => {
            try {
              writeWhole(path, `${JSON.stringify(next)}\n`, { isDurable: true })
              refused.delete("place")
            } catch (error) {
              refuses("place", error)
            }
          },
          onEvent: async (event: WatchEvent) => {
            events++
            const { what, reason, id, transaction } = event
            const about = id === null ? [] : [`request ${id}:`]
            note([what, ...about, reason, ...(transaction === null ? [] : [transaction])].join(" "))
            unwritten.push({ type: "note", body: { watch: { ...event } }, time: nowSeconds() })
            try {
              for (; unwritten.length > 0; unwritten.shift()) await log.append(unwritten[0])
              refused.delete("log")
            } catch (error) {
              refuses("log", error)
            }
          },
        }
        const account = accountOf(on)
        const ended = options.once
          ? await chain.watchOnce(contracts, account, place, judge, asked)
          : await interruptible(
              (signal) => chain.watch(contracts, account, place, judge, { ...asked, everyMs, signal }),
              "It goes on from its place when it is started again",
            )
        const { trail, watched, stakes } = ended
        const block = trail.at(-1)?.number ?? null
        print({ events, block, watched, stakes }, [
          `${events} decisions and notices; done with block ${block ?? "none"}`,
          ...watched.map(({ id, said }) => `open     request ${id}: ${said ?? "not looked at"}`),
          ...stakes.map(({ id, amount: wei, outcome }) => `stake    ${wei} at request ${id}: ${outcome}`),
        ])
      })
    } finally {
      await log.close()
    }
    for (const error of refused.values()) throw error
  })
