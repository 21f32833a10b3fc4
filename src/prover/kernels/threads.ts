/** Threads in Node and in browsers behind the same few lines. worker.ts is the other end. */
import type { Endpoint } from "comlink"
import { CountersignError } from "../../errors.js"
import { isNode } from "../../platform.js"

export interface Thread {
  readonly endpoint: Endpoint
  /** Whether the process has to live on for this thread: while it works. An idle one keeps nobody waiting. */
  hold(needed: boolean): void
  /** Resolves when the thread has ended and touches no memory any more. */
  terminate(): Promise<void>
}

/** Starts worker.ts in a thread; `onDeath` is called with a typed error when it ends, whatever ends it. */
export async function startThread(onDeath: (error: CountersignError) => void): Promise<Thread> {
  const onEnd = (why: string) =>
    onDeath(
      new CountersignError({
        what: `a worker died: ${why}`,
        fix: "Free memory or use fewer threads, and run it again",
      }),
    )
  if (isNode) {
    const { startWorker } = await import("./node.js")
    return startWorker(onEnd)
  }
  const name = `countersign-${crypto.randomUUID()}`
  // Written out like this, so that a bundler finds the worker.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name })
  worker.addEventListener("error", ({ message }) =>
    onEnd(message || "its script did not load: serve worker.js with the headers of the page"),
  )
  await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }))
  // Browsers do not say when a worker has ended, which may be seconds after they were told to end it; but then
  // the lock that it holds comes free.
  const ended = navigator.locks.request(name, () => {
    onEnd("it was ended")
  })
  const over = ended.catch(() => undefined)
  return {
    endpoint: worker,
    hold: () => undefined, // a page does not wait for its workers
    terminate: () => {
      worker.terminate()
      return over
    },
  }
}

/** Threads that may work at the same time. */
export async function availableThreads(): Promise<number> {
  if (!isNode) return Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1)
  const { availableParallelism } = await import("./node.js")
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
