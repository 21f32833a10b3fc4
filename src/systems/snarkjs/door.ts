/**
 * The one door to snarkjs (GPL-3.0): the prover of plain circuits, and of PLONK and FFLONK also setup, verifier and
 * contract. It runs in a worker thread of ours and spreads its own work over threads of its own; those are ours too,
 * so that none of them can die unnoticed.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
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

/** What snarkjs calls the proof systems that it has. */
export type Protocol = "groth16" | "plonk" | "fflonk"
/** Those with a setup that is a function of circuit and powers of tau. */
export type UniversalProtocol = Exclude<Protocol, "groth16">

/** What snarkjs says before each part of a proof, in this order. */
const rounds = ["> ROUND 1", "> ROUND 2", "> ROUND 3", "> ROUND 4", "> ROUND 5"]
const parts: Readonly<Record<Protocol, readonly string[]>> = {
  groth16: [
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
  ],
  plonk: rounds,
  fflonk: rounds,
}

const ignore = () => undefined
const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** Proof and public signals as snarkjs's JSON has them. */
export interface Proven {
  readonly proof: object
  readonly publicSignals: string[]
}

/** Proves. `zkey` and `wtns` are the bytes of the files; `onPart` is called before each part. */
export async function prove(
  protocol: Protocol,
  zkey: Uint8Array,
  wtns: Uint8Array,
  onPart?: (done: number, total: number) => void,
): Promise<Proven> {
  let reached = 0
  const listen = (message: string) => {
    const part = parts[protocol].findIndex((text) => message.startsWith(text))
    if (part < reached) return
    reached = part + 1
    onPart?.(part, parts[protocol].length)
  }
  return await load()[protocol].prove(
    { type: "mem", data: zkey },
    { type: "mem", data: wtns },
    { ...quiet, debug: listen, info: listen },
  )
}

/** The `.zkey` of a constraint system (`.r1cs`) and powers of tau (`.ptau`), all as bytes of files. */
export async function makeKey(
  protocol: UniversalProtocol,
  r1cs: Uint8Array,
  ptau: Uint8Array,
): Promise<Uint8Array> {
  const made: { type: "mem"; data?: Uint8Array } = { type: "mem" }
  const files = [r1cs, ptau].map((data) => ({ type: "mem" as const, data }))
  const problems: string[] = []
  const error = (text: string) => void problems.push(text)
  await load()[protocol].setup(files[0], files[1], made, { ...quiet, error })
  if (made.data === undefined || problems.length > 0)
    throw new Error(problems.join("; ") || "no key was made")
  return made.data
}

/** Whether the equation of a proof holds; key, signals and proof as snarkjs's JSON has them. */
export const verify = (
  protocol: UniversalProtocol,
  key: object,
  signals: readonly string[],
  proof: object,
): Promise<boolean> => load()[protocol].verify(key, [...signals], proof, quiet)

/** The Solidity verifier of the `.zkey` of which only the header is read. */
export function contractOf(protocol: UniversalProtocol, zkey: Uint8Array): Promise<string> {
  const snarkjs = load()
  const folder = dirname(dirname(createRequire(import.meta.url).resolve("snarkjs")))
  const template = readFileSync(join(folder, "templates", `verifier_${protocol}.sol.ejs`), "utf8")
  return snarkjs.zKey.exportSolidityVerifier({ type: "mem", data: zkey }, { [protocol]: template }, quiet)
}
