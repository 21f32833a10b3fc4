/**
 * snarkjs in a worker: a proving key that stays loaded there, and proofs against it, one after the other; and a worker
 * for a while, for everything else.
 */
import * as Comlink from "comlink"
import { type OnProgress, UsageError } from "../../errors.js"
import type { Protocol, Proven } from "./door.js"
import type { SnarkjsWorker } from "./worker.js"
import { WorkerPool } from "./workers.js"

export interface WitnessProver {
  /**
   * Proves the witness of a `.wtns` file.
   * @throws UsageError after `close`; the reason of an abort; CountersignError when the worker dies
   */
  prove(
    wtns: Uint8Array,
    options?: { onProgress?: OnProgress | undefined; signal?: AbortSignal | undefined },
  ): Promise<Proven>
  /** Anything else that the worker does, once proofs under way are made. @throws as `prove` */
  ask<T>(work: (worker: Comlink.Remote<SnarkjsWorker>) => Promise<T>): Promise<T>
  /** Stops the worker; a proof under way is rejected. */
  close(): Promise<void>
}

/** Starts a worker; whoever does closes it. */
export const startSnarkjs = (): WorkerPool<SnarkjsWorker> =>
  new WorkerPool(new URL("./worker.js", import.meta.url), 1)

/** Starts a worker with the `.zkey` of `provingKey`, of which it keeps a copy. */
export async function openReference(protocol: Protocol, provingKey: Uint8Array): Promise<WitnessProver> {
  let pool: WorkerPool<SnarkjsWorker> | undefined
  let closed = false
  const worker = async (): Promise<WorkerPool<SnarkjsWorker>> => {
    if (closed) throw new UsageError({ what: "the prover is closed", fix: "Open another one" })
    if (pool?.alive) return pool
    pool = startSnarkjs()
    try {
      await pool.map([provingKey], (remote, key) => remote.load(key))
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }
  await worker()

  let last: Promise<unknown> = Promise.resolve()
  const prove: WitnessProver["prove"] = async (wtns, { onProgress, signal } = {}) => {
    const settled = new AbortController()
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => reject(signal?.reason)
      if (signal?.aborted) abort()
      else signal?.addEventListener("abort", abort, { once: true, signal: settled.signal })
    })
    let parts = 1
    const report = (done: number, total: number) => {
      parts = total
      if (!settled.signal.aborted) onProgress?.({ stage: "prove", done, total })
    }
    const result = Promise.race([last, aborted]).then(async () => {
      const onPart = onProgress && Comlink.proxy(report)
      const current = await worker()
      const [proof] = await current.map([wtns], (remote, file) => remote.prove(protocol, file, onPart), {
        signal,
      })
      return proof
    })
    // Whoever comes next waits for this proof and for the ones before it, even if this one gave up waiting.
    last = Promise.allSettled([last, result])
    try {
      const proof = await result
      report(parts, parts)
      return proof
    } finally {
      settled.abort()
    }
  }
  const ask: WitnessProver["ask"] = async (work) => {
    await last
    const [result] = await (await worker()).map([work], (remote, asked) => asked(remote))
    return result
  }
  const close = async () => {
    closed = true
    await pool?.close()
  }
  return { prove, ask, close }
}
