/** Worker behind which snarkjs runs: keeps one proving key, and does what the door has. */
import { parentPort } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { invariant } from "../../errors.js"
import { contractOf, makeKey, type Protocol, type Proven, prove, verify } from "./door.js"

let key: Uint8Array | undefined

const api = {
  load(zkey: Uint8Array): void {
    key = zkey
  },
  /** See `prove` in door.ts. */
  async prove(
    protocol: Protocol,
    wtns: Uint8Array,
    onPart?: ((done: number, total: number) => void) & Comlink.ProxyMarked,
  ): Promise<Proven> {
    invariant(key, "the prover has no key yet")
    const remote = onPart as (typeof onPart & { [Comlink.releaseProxy]?: () => void }) | undefined
    try {
      return await prove(protocol, key, wtns, onPart)
    } finally {
      remote?.[Comlink.releaseProxy]?.()
    }
  },
  makeKey,
  verify,
  contractOf,
}
export type SnarkjsWorker = typeof api

invariant(parentPort, "this module is a worker")
Comlink.expose(api, nodeEndpoint(parentPort))
