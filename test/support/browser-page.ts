/** What runs in the page of browser.test.ts, which calls it by name. */

import { openProver, type Prover, rebuildCircuit } from "#src/prover/index.js"
import { chooseModule } from "#src/prover/kernels/modules.js"
import { KernelPool } from "#src/prover/kernels/pool.js"
import { type Expected, explain, parseVerificationKey, type Receipt } from "#src/verifier/index.js"

const context = `0x${"5a".repeat(32)}`
const fetched = async (path: string): Promise<Response> => {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return response
}
const bytes = async (path: string) => new Uint8Array(await (await fetched(path)).arrayBuffer())
const json = async (path: string): Promise<unknown> => (await fetched(path)).json()

/** A prover for a folder that `countersign compile` and `setup` wrote, and what a test needs next to it. */
interface Opened {
  readonly prover: Prover
  readonly input: Record<string, number[]>
  readonly expected: Expected
}
const opened = new Map<string, Opened>()
const get = (folder: string): Opened => opened.get(folder) as Opened

async function open(folder: string): Promise<void> {
  const circuit = await rebuildCircuit({
    model: await bytes(`${folder}/model.bin`),
    circuit: await json(`${folder}/circuit.json`),
    gadgets: await json(`${folder}/gadgets.json`),
  })
  const prover = await openProver(circuit, await bytes(`${folder}/proving.key`))
  const input = (await json(`${folder}/input.json`)) as Opened["input"]
  const verificationKey = parseVerificationKey(await json(`${folder}/verification.json`))
  opened.set(folder, {
    prover,
    input,
    expected: { verificationKey, model: circuit.model, context, allowDev: true },
  })
}

/** A receipt, and why the verifier here refuses it, if it does. */
async function prove(folder: string): Promise<{ receipt: Receipt; reason: string | null }> {
  const { prover, input, expected } = get(folder)
  const receipt = await prover.prove(input, { context })
  return { receipt, reason: explain(receipt, expected) }
}

/** Calls `disturb` when a proof has its commitment, and returns what the proof fails with. */
async function disturbed(
  folder: string,
  disturb: (controller: AbortController) => void,
): Promise<{ name: string; message: string }> {
  const { prover, input } = get(folder)
  const controller = new AbortController()
  const onProgress = ({ stage, done }: { stage: string; done: number }) => {
    if (stage === "prove" && done === 1) setTimeout(() => disturb(controller))
  }
  return prover.prove(input, { context, signal: controller.signal, onProgress }).then(
    () => ({ name: "nothing", message: "the proof was made" }),
    ({ name, message }) => ({ name, message }),
  )
}

const api = {
  open,
  prove,
  close: async (folder: string) => get(folder).prover.close(),
  aborted: (folder: string) => disturbed(folder, (controller) => controller.abort()),
  killed: (folder: string) => disturbed(folder, () => startedWorkers.at(-1)?.terminate()),
  async platform() {
    const { name, wasm } = await chooseModule()
    const pool = await KernelPool.open({ wasm })
    await pool.close()
    return { isolated: crossOriginIsolated, variant: name, shared: pool.memory.shared, threads: pool.threads }
  },
  /** Milliseconds of proofs, after one that is not counted. */
  async times(folder: string, runs: number): Promise<number[]> {
    const list: number[] = []
    const { prover, input } = get(folder)
    for (let run = 0; run <= runs; run++) {
      const start = performance.now()
      await prover.prove(input, { context })
      if (run > 0) list.push(performance.now() - start)
    }
    return list
  },
}
export type PageApi = typeof api

/** Workers in the order they were started, kept by a script that runs before this one. */
declare const startedWorkers: Worker[]
Object.assign(globalThis, { countersign: api })
