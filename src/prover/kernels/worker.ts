/** Worker of the kernels: one instance of the module over the shared memory, working on programs. */
import * as Comlink from "comlink"
import { invariant } from "../../errors.js"
import { isNode } from "../../platform.js"
import { failed, kernelsOf, programBytes, stopProgram, work } from "./program.js"

let memory: WebAssembly.Memory | undefined
let exports: WebAssembly.Exports = {}

const api = {
  start(module: WebAssembly.Module, shared: WebAssembly.Memory): void {
    memory = shared
    exports = new WebAssembly.Instance(module, { env: { memory } }).exports
  },
  /** Works on the program at `at`; `names` are the kernels of its steps, `scratch` this thread's memory. */
  run(at: number, names: readonly string[], scratch: number): void {
    invariant(memory, "the worker was not started")
    const words = new Int32Array(memory.buffer, at, programBytes / 4)
    try {
      work(words, kernelsOf(exports, names), scratch)
    } catch (error) {
      stopProgram(words, failed)
      throw error
    }
  },
}
export type KernelWorker = typeof api

/** Serves whoever started this thread. */
async function serve(): Promise<void> {
  if (isNode) {
    const { parentEndpoint } = await import("./node.js")
    return Comlink.expose(api, parentEndpoint())
  }
  Comlink.expose(api)
  // See startThread: this thread holds a lock under its name for as long as it lives, then says so.
  const forEver = new Promise<never>(() => undefined)
  const ready = () => {
    postMessage(null)
    return forEver
  }
  navigator.locks.request(self.name, ready).catch(ready)
}

// not awaited at the top: a bundle of the worker need not be a module
void serve()
