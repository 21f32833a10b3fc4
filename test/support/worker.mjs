/** A worker that works, fails or dies as it is told. */
import { parentPort } from "node:worker_threads"
import * as Comlink from "comlink"
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs"

let calls = 0
Comlink.expose(
  {
    square: (x) => x * x,
    calls: () => ++calls,
    fail: () => {
      throw new RangeError("a task failed")
    },
    exit: (code) => process.exit(code),
    crash: () =>
      setImmediate(() => {
        throw new Error("out of nowhere")
      }) && new Promise(() => {}),
    never: () => new Promise(() => {}),
    spin: () => {
      for (;;);
    },
  },
  nodeEndpoint(parentPort),
)
