/**
 * The one door to snarkjs (GPL-3.0), the reference prover. It runs in a worker thread of ours and spreads
 * its own work over threads of its own; those are ours too, so that none of them can die unnoticed.
 */
import { createRequire } from "node:module"
import { Worker } from "node:worker_threads"
import type * as Snarkjs from "snarkjs"

/**
 * What snarkjs's curve package starts threads with, in place of its `web-worker`: that one cannot be loaded
 * inside a worker thread (it takes itself for one of its own), and swallows the failure of a thread, so
 * that a proof would wait for ever. Here a failing thread brings down the worker that started it.
 */
class CurveThread {
  private readonly worker: Worker

  /** `source` is a data URL in base64: a script for a browser's worker. */
  constructor(source: string) {
    const script = Buffer.from(source.slice(source.indexOf(",") + 1), "base64").toString()
    this.worker = new Worker(`${scope};${script}`, { eval: true, execArgv: [] })
    this.worker.on("error", (error) => {
      throw error
    })
    this.worker.on("exit", (code) => {
      if (code !== 0) throw new Error(`a thread of the prover ended with code ${code}`)
    })
  }

  addEventListener(_type: "message", listener: (event: { data: unknown }) => void): void {
    this.worker.on("message", (data) => listener({ data }))
  }

  postMessage(data: unknown, transfer?: readonly ArrayBuffer[]): void {
    this.worker.postMessage(data, transfer)
  }
}

/** The part of a browser worker's global scope that the script uses; results are moved, not copied. */
const scope = `
const { parentPort } = require("node:worker_threads")
const self = {
  postMessage: (data) => parentPort.postMessage(data, (data ?? []).map((part) => part.buffer)),
  close: () => parentPort.close(),
}
parentPort.on("message", (data) => self.onmessage({ data }))
`

let loaded: typeof Snarkjs | undefined

/** Loads snarkjs with CurveThread where it would find `web-worker`; for use in worker threads only. */
function load(): typeof Snarkjs {
  if (loaded === undefined) {
    const here = createRequire(import.meta.url)
    const inSnarkjs = createRequire(here.resolve("snarkjs"))
    const path = createRequire(inSnarkjs.resolve("ffjavascript")).resolve("web-worker")
    const stub = new (here("node:module") as typeof import("node:module"))(path)
    stub.exports = CurveThread
    stub.loaded = true
    here.cache[path] = stub
    loaded = here("snarkjs") as typeof Snarkjs
  }
  return loaded
}

/** A Groth16 proof with affine points as decimal strings: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface ProofPoints {
  readonly a: [string, string]
  readonly b: [[string, string], [string, string]]
  readonly c: [string, string]
}

/** What snarkjs says before each part of its work, in this order. */
const parts = [
  "Building ABC",
  "IFFT_A",
  "IFFT_B",
  "IFFT_C",
  "Join ABC",
  "Reading A Points",
  "Reading B1 Points",
  "Reading B2 Points",
  "Reading C Points",
  "Reading H Points",
]

/** Proves with snarkjs. `zkey` and `wtns` are the bytes of the files; `onPart` is called before each part. */
export async function prove(
  zkey: Uint8Array,
  wtns: Uint8Array,
  onPart?: (done: number, total: number) => void,
): Promise<{ proof: ProofPoints; publicSignals: string[] }> {
  let reached = 0
  const debug = (message: string) => {
    const part = parts.findIndex((text) => message.startsWith(text))
    if (part < reached) return
    reached = part + 1
    onPart?.(part, parts.length)
  }
  const ignore = () => undefined
  const { proof, publicSignals } = await load().groth16.prove(
    { type: "mem", data: zkey },
    { type: "mem", data: wtns },
    { debug, info: ignore, warn: ignore, error: ignore },
  )
  const pair = (xs: string[]): [string, string] => [xs[0], xs[1]]
  return {
    proof: { a: pair(proof.pi_a), b: [pair(proof.pi_b[0]), pair(proof.pi_b[1])], c: pair(proof.pi_c) },
    publicSignals,
  }
}
