/**
 * What proves, in a worker of the page: whatever it does, the page can be drawn on, and cancel is heard. Its files are those
 * that the page pins, by their SHA-256, whatever a server or a cache sends.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Comlink from "comlink"
import {
  type Circuit,
  execute,
  memoryEstimate,
  openProver,
  type Prover,
  rebuildCircuit,
} from "#src/prover/index.js"
import { type Receipt, realValues } from "#src/verifier/index.js"
import type { FileName, Pinned } from "./pin.js"

/** What is being done, in words, and how much of it, of 1. */
export type OnStage = (says: string, done: number) => void

/** Hexadecimal digits; browsers have their own hash only where the connection is secure. */
async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = globalThis.isSecureContext
    ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
    : sha256(bytes)
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

class Refused extends Error {
  override name = "Refused"
}

/** A file that is the pinned one. */
async function fetchPinned(
  { files }: Pinned,
  name: FileName,
  base: string,
  onStage: OnStage,
): Promise<Uint8Array<ArrayBuffer>> {
  const { path, bytes, sha256 } = files[name]
  const response = await fetch(new URL(path, base)).catch((error: unknown) => {
    throw new Refused(
      `${path} could not be fetched: ${error instanceof Error ? error.message : error}. Look whether there is a connection, and reload the page.`,
    )
  })
  if (!response.ok || !response.body)
    throw new Refused(
      `${path} could not be fetched: the server says ${response.status}. The folder of the page is not complete there.`,
    )
  const content = new Uint8Array(bytes)
  let done = 0
  const reader = response.body.getReader()
  for (;;) {
    const { value } = await reader.read()
    if (!value) break
    if (done + value.length <= bytes) content.set(value, done)
    done += value.length
    onStage(`Fetching ${name}: ${megabytes(done)} of ${megabytes(bytes)} MB`, Math.min(1, done / bytes))
  }
  const given = await digestOf(content)
  if (done === bytes && given === sha256) return content
  throw new Refused(
    `${path} is not the file that this page was built for, so nothing is proven with it. ` +
      (done === bytes
        ? `Expected SHA-256 ${sha256}, given ${given}.`
        : `Expected ${bytes} bytes, given ${done}.`),
  )
}

let pinned: Pinned
let base: string
let circuit: Circuit
let prover: Prover
let proving: AbortController | undefined

/** The ten scores that the integer model gives, as real numbers. */
const scoresOf = (receipt: Pick<Receipt, "statement">): number[] => {
  const [scores] = realValues(receipt.statement, pinned.verificationKey.layout).outputs
  return Array.from(scores.values)
}

const inputOf = (greys: Float32Array) => ({ [circuit.layout.inputs[0].name]: greys })

const api = {
  /** Fetches the model and rebuilds its circuit: from then on `run` works. */
  async load(given: Pinned, where: string, onStage: OnStage): Promise<void> {
    ;[pinned, base] = [given, where]
    if (typeof WebAssembly === "undefined")
      throw new Refused("This browser has no WebAssembly, which a proof takes.")
    const parts = (["model.bin", "circuit.json", "gadgets.json"] as const).map((name) =>
      fetchPinned(pinned, name, base, () => undefined),
    )
    const [model, info, gadgets] = await Promise.all(parts)
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
    onStage("Building the circuit", 0)
    circuit = await rebuildCircuit(
      { model, circuit: text(info), gadgets: text(gadgets) },
      { onProgress: ({ done, total }) => onStage("Building the circuit", done / total) },
    )
  },
  /** Fetches the proving key and opens it: from then on `prove` works. @returns bytes that proofs take, about */
  async open(onStage: OnStage): Promise<number> {
    const key = await fetchPinned(pinned, "proving.key", base, onStage)
    onStage("Loading the key", 1)
    prover = await openProver(circuit, key, { verificationKey: pinned.verificationKey })
    return memoryEstimate(circuit) ?? 0
  },
  /** What the model says of a digit. */
  run: (greys: Float32Array): number[] => scoresOf(execute(circuit, inputOf(greys), { clampInputs: true })),
  async prove(
    greys: Float32Array,
    context: string,
    onStage: OnStage,
  ): Promise<{ readonly receipt: Receipt; readonly scores: number[]; readonly ms: number }> {
    const start = performance.now()
    const { signal } = (proving = new AbortController())
    try {
      const receipt = await prover.prove(inputOf(greys), {
        context,
        clampInputs: true,
        signal,
        onProgress: ({ stage, done, total }) => onStage(stage, done / total),
      })
      return { receipt, scores: scoresOf(receipt), ms: performance.now() - start }
    } finally {
      proving = undefined
    }
  },
  cancel: () => proving?.abort(),
}
export type ProverApi = typeof api
Comlink.expose(api)
