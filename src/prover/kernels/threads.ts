/** Threads in Node and in browsers behind the same few lines. */
import type { Endpoint } from "comlink"
import { CountersignError, invariant } from "../../errors.js"

export interface Thread {
  readonly endpoint: Endpoint
  terminate(): Promise<void>
}

export const isNode = typeof process === "object" && typeof process.versions?.node === "string"

/** Starts the module at `url` in a thread; `onDeath` is called with a typed error when it ends. */
export async function startThread(url: URL, onDeath: (error: CountersignError) => void): Promise<Thread> {
  if (isNode) {
    const { Worker } = await import("node:worker_threads")
    const { default: nodeEndpoint } = await import("comlink/dist/esm/node-adapter.mjs")
    // Flags of the process, such as --input-type or a loader, are not for our modules.
    const worker = new Worker(url, { execArgv: [] })
    worker.on("error", (error) => onDeath(died(String(error))))
    worker.on("exit", (code) => onDeath(died(`exit code ${code}`)))
    return {
      endpoint: nodeEndpoint(worker),
      terminate: async () => {
        await worker.terminate()
      },
    }
  }
  const worker = new Worker(url, { type: "module" })
  worker.addEventListener("error", (event) => onDeath(died(event.message)))
  return { endpoint: worker, terminate: async () => worker.terminate() }
}

/** Within a thread: the way to whoever started it. */
export async function parentEndpoint(): Promise<Endpoint> {
  if (!isNode) return globalThis as unknown as Endpoint
  const { parentPort } = await import("node:worker_threads")
  const { default: nodeEndpoint } = await import("comlink/dist/esm/node-adapter.mjs")
  invariant(parentPort, "this module is a worker")
  return nodeEndpoint(parentPort)
}

const died = (why: string): CountersignError =>
  new CountersignError({
    what: `a worker died: ${why}`,
    fix: "Free memory or use fewer threads, and run it again",
  })

/** Threads that may work at the same time. */
export async function availableThreads(): Promise<number> {
  if (!isNode) return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1)
  const { availableParallelism } = await import("node:os")
  return Math.max(1, availableParallelism())
}

/** Lets timers and messages of this thread through. */
export const yieldToEvents = (): Promise<void> =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(null)
  })

/** The next turn of the event loop, as soon as it comes. */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
