/** Worker of the prover: keeps one proving key and proves witnesses against it. */
import { parentPort } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { invariant } from "../../errors.js"
import { prove } from "./door.js"

let key: Uint8Array | undefined

const api = {
  load(zkey: Uint8Array): void {
    key = zkey
  },
  /** See `prove` in reference.ts. */
  async prove(
    wtns: Uint8Array,
    onPart?: ((done: number, total: number) => void) & Comlink.ProxyMarked,
  ): ReturnType<typeof prove> {
    invariant(key, "the prover has no key yet")
    const remote = onPart as (typeof onPart & { [Comlink.releaseProxy]?: () => void }) | undefined
    try {
      return await prove(key, wtns, onPart)
    } finally {
      remote?.[Comlink.releaseProxy]?.()
    }
  },
}
export type SnarkjsWorker = typeof api

invariant(parentPort, "this module is a worker")
Comlink.expose(api, nodeEndpoint(parentPort))
