/** Loaded into a process that proves: says what it holds, and ends its threads, when it is asked to. */
import { syncBuiltinESMExports } from "node:module"
import threads from "node:worker_threads"

const all = new Set()
const { Worker } = threads
threads.Worker = class extends Worker {
  constructor(...args) {
    super(...args)
    all.add(this)
    this.on("exit", () => all.delete(this))
  }
}
syncBuiltinESMExports()

process.on("message", async (asked) => {
  if (asked === "end threads") for (const worker of all) worker.terminate()
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  process.send({
    heap: process.memoryUsage().heapUsed,
    threads: all.size,
    resources: process.getActiveResourcesInfo(),
  })
})
process.channel.unref()
