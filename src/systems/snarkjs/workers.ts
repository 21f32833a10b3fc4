/**
 * Worker threads behind comlink. Whoever opens a pool closes it; a worker that dies fails the work it had
 * with a clear error, and nothing waits for it for ever.
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { CountersignError, UsageError } from "../../errors.js"
import { Failure } from "../../failure.js"

/** Threads to use when the caller does not say. */
export const defaultThreads = (): number => Math.max(1, availableParallelism())

export class WorkerPool<T> {
  private readonly members: { worker: Worker; remote: Comlink.Remote<T> }[] = []
  private readonly failure = new Failure()
  private holders = 0

  /** Starts `threads` workers of the module at `url`, each exposing a T. */
  constructor(url: URL, threads: number) {
    if (!Number.isInteger(threads) || threads < 1) {
      throw new UsageError({ what: "number of threads", expected: "a positive integer", given: `${threads}` })
    }
    for (let i = 0; i < threads; i++) {
      // Flags of the process, such as --input-type or a loader, are not for our modules.
      // What others' code says on the way is not for our caller's output.
      const worker = new Worker(url, { execArgv: [], stdout: true })
      worker.stdout.resume()
      worker.on("error", (error) => this.failure.fail(died(String(error))))
      worker.on("exit", (code) => this.failure.fail(died(`exit code ${code}`)))
      this.members.push({ worker, remote: Comlink.wrap<T>(nodeEndpoint(worker)) })
    }
  }

  /** Counts what the workers are needed for: idle ones do not keep the process alive. */
  private hold(change: 1 | -1): void {
    this.holders += change
    for (const { worker } of this.members) this.holders > 0 ? worker.ref() : worker.unref()
  }

  /** Whether the pool can still work: not closed, no worker died, no work was aborted. */
  get alive(): boolean {
    return !this.failure.hasCome
  }

  /**
   * Runs `task` for every item on whichever worker is free; results keep the order of the items. An abort,
   * like the death of a worker, stops all workers at once and for good.
   * @throws the first error of a task, the reason of the abort, or CountersignError when a worker dies
   */
  async map<I, O>(
    items: readonly I[],
    task: (remote: Comlink.Remote<T>, item: I, index: number) => Promise<O>,
    options: { signal?: AbortSignal | undefined; onDone?: (done: number) => void } = {},
  ): Promise<O[]> {
    const { signal, onDone } = options
    this.failure.throwIfCome()
    signal?.throwIfAborted()
    const abort = () => this.failure.fail(signal?.reason)
    signal?.addEventListener("abort", abort, { once: true })
    const results = new Array<O>(items.length)
    let next = 0
    let done = 0
    const work = async ({ remote }: { remote: Comlink.Remote<T> }) => {
      while (next < items.length && this.alive) {
        const index = next++
        results[index] = await task(remote, items[index], index)
        if (this.alive) onDone?.(++done)
      }
    }
    this.hold(1)
    try {
      await this.failure.orFail(Promise.all(this.members.map(work)))
    } catch (error) {
      next = items.length
      if (!this.alive) await this.close()
      throw error
    } finally {
      signal?.removeEventListener("abort", abort)
      this.hold(-1)
    }
    return results
  }

  /** Stops all workers; work under way is rejected. */
  async close(): Promise<void> {
    this.failure.fail(new CountersignError({ what: "the workers were closed" }))
    this.hold(1)
    await Promise.all(this.members.map(({ worker }) => worker.terminate()))
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
