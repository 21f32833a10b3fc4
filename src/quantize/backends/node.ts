/** What of the backends is Node's alone; pages have no such file. */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

/** The folder with the modules of tfjs's WebAssembly backend. */
export const wasmFolder = (): string =>
  join(dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")), "/")
