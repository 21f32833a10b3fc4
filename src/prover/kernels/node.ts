/** What the kernels ask of Node. Loaded there alone: package.json gives bundlers of pages nothing in its place. */
import { readFile } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { setFlagsFromString } from "node:v8"
import { parentPort, Worker } from "node:worker_threads"
import type { Endpoint } from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { invariant } from "../../errors.js"

export { availableParallelism, readFile }

/** Starts worker.ts, for threads.ts; `onEnd` is called when it ends, with the reason. */
export function startWorker(onEnd: (why: string) => void) {
  // Flags of the process, such as --input-type or a loader, are not for our modules.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { execArgv: [] })
  worker.on("error", (error) => onEnd(String(error)))
  worker.on("exit", (code) => onEnd(`exit code ${code}`))
  let ending = false
  return {
    endpoint: nodeEndpoint(worker),
    hold: (needed: boolean) => (needed || ending ? worker.ref() : worker.unref()),
    terminate: async () => {
      ending = true
      worker.ref()
      await worker.terminate()
    },
  }
}

/** Within a worker: the way to whoever started it. */
export function parentEndpoint(): Endpoint {
  invariant(parentPort, "this module is a worker")
  return nodeEndpoint(parentPort)
}

/** Switches relaxed SIMD on, which Node 20 has but hides. */
export const allowRelaxedSimd = (): void => setFlagsFromString("--experimental-wasm-relaxed-simd")
