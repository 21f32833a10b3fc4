/** Worker of the setup: fixed-base multiplications. */
import { parentPort } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { invariant } from "../errors.js"
import { FixedBase, type Group } from "./fixedbase.js"

const curve = new FixedBase()

const api = {
  /** Scalars times the generator; see FixedBase.multiply. */
  multiply(group: Group, scalars: Uint8Array): Uint8Array {
    const points = curve.multiply(group, scalars)
    scalars.fill(0)
    return Comlink.transfer(points, [points.buffer as ArrayBuffer])
  },
}
export type FixedBaseWorker = typeof api

invariant(parentPort, "this module is a worker")
Comlink.expose(api, nodeEndpoint(parentPort))
