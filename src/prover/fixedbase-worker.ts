/** Worker of the setup: fixed-base multiplications. */
import { parentPort } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"
import { invariant } from "../errors.js"
import { FixedBase, type Group } from "./fixedbase.js"

let curve: FixedBase | undefined

const api = {
  /** Scalars times the generator; `totals` is about how many this worker will see. See FixedBase. */
  multiply(group: Group, scalars: Uint8Array, totals: Readonly<Record<Group, number>>): Uint8Array {
    curve ??= new FixedBase(totals)
    const points = curve.multiply(group, scalars)
    scalars.fill(0)
    return Comlink.transfer(points, [points.buffer])
  },
}
export type FixedBaseWorker = typeof api

invariant(parentPort, "this module is a worker")
Comlink.expose(api, nodeEndpoint(parentPort))
