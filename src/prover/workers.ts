/**
 * Worker threads behind comlink. Whoever opens a pool closes it; a worker that dies fails the work it had
 * with a clear error, and nothing waits for it for ever.
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { CountersignError } from "../errors.js"

/** Threads to use when the caller does not say. */
export const defaultThreads = (): number => Math.max(1, availableParallelism())

export class WorkerPool<T> {
  private readonly members: { worker: Worker; remote: Comlink.Remote<T>; busy: boolean }[] = []
  private failure: Error | undefined
  private readonly failed: Promise<never>
  private fail: (error: Error) => void = () => undefined

  /** Starts `threads` workers of the module at `url`, each exposing a T. */
  constructor(url: URL, threads: number) {
    this.failed = new Promise((_, reject) => {
      this.fail = (error) => {
        this.failure ??= error
        reject(error)
      }
    })
    this.failed.catch(() => undefined)
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(url)
      worker.on("error", (error) => this.fail(died(String(error))))
      worker.on("exit", (code) => this.fail(died(`exit code ${code}`)))
      this.members.push({ worker, remote: Comlink.wrap<T>(nodeEndpoint(worker)), busy: false })
    }
  }

  /**
   * Runs `task` for every item on whichever worker is free; results keep the order of the items.
   * @throws the first error of a task, an AbortError, or CountersignError when a worker dies
   */
  async map<I, O>(
    items: readonly I[],
    task: (remote: Comlink.Remote<T>, item: I, index: number) => Promise<O>,
    options: { signal?: AbortSignal | undefined; onDone?: (done: number) => void } = {},
  ): Promise<O[]> {
    if (this.failure) throw this.failure
    options.signal?.throwIfAborted()
    const results = new Array<O>(items.length)
    let next = 0
    let done = 0
    const work = this.members.map(async ({ remote }) => {
      while (next < items.length) {
        options.signal?.throwIfAborted()
        const index = next++
        results[index] = await task(remote, items[index], index)
        options.onDone?.(++done)
      }
    })
    const all = Promise.all(work)
    all.catch(() => undefined)
    await Promise.race([all, this.failed, aborted(options.signal)])
    return results
  }

  /** Stops all workers; work under way is rejected. */
  async close(): Promise<void> {
    this.fail(new CountersignError({ what: "the worker pool was closed" }))
    await Promise.all(
      this.members.map(({ worker, remote }) => {
        remote[Comlink.releaseProxy]()
        return worker.terminate()
      }),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const died = (why: string): CountersignError =>
  new CountersignError({
    what: `a worker died: ${why}`,
    fix: "Free memory or use fewer threads, and run it again",
  })

/** Rejects when the signal aborts; never resolves. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true })
  })
}
