/** The page's side of the worker that proves: its calls, and that it may end at any time. */
import * as Comlink from "comlink"
import type { Pinned } from "./pin.js"
import type { OnStage, ProverApi } from "./prover-worker.js"

export type { OnStage } from "./prover-worker.js"
export type Proven = Awaited<ReturnType<ProverApi["prove"]>>

/** Threads that proofs have here: memory that threads share is only for pages that no other page can reach into. */
export const threads = (): number => (crossOriginIsolated ? Math.max(1, navigator.hardwareConcurrency) : 1)

export class PageProver {
  readonly #remote: Comlink.Remote<ProverApi>
  /** Rejects when the worker ends. */
  readonly #end: Promise<never>

  constructor() {
    const worker = new Worker(new URL("./prover-worker.ts", import.meta.url), { type: "module" })
    this.#remote = Comlink.wrap<ProverApi>(worker)
    this.#end = new Promise((_, reject) =>
      worker.addEventListener("error", ({ message }) =>
        reject(new Error(message || "the worker that proves could not be loaded from the server")),
      ),
    )
    this.#end.catch(() => undefined)
  }

  #race<T>(call: Promise<T>): Promise<T> {
    return Promise.race([call, this.#end])
  }
  load = (pinned: Pinned, base: string, onStage: OnStage) =>
    this.#race(this.#remote.load(pinned, base, Comlink.proxy(onStage)))
  open = (onStage: OnStage) => this.#race(this.#remote.open(Comlink.proxy(onStage)))
  run = (greys: Float32Array) => this.#race(this.#remote.run(greys))
  prove = (greys: Float32Array, context: string, onStage: OnStage): Promise<Proven> =>
    this.#race(this.#remote.prove(greys, context, Comlink.proxy(onStage)))
  cancel = () => this.#race(this.#remote.cancel())
}

/** What went wrong, in words for who only looks at the page. */
export function troubleOf(error: unknown): string {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) }
  if (/memory/i.test(message) || name === "RangeError")
    return `There is too little memory to prove here: ${message}. Close other pages, or take a device with more.`
  if (/worker/i.test(message)) return `What proves has stopped: ${message}. Reload the page.`
  return message
}
