/** What runs in the page of pages.test.ts, which calls it by name: an integer model on a backend. */
import { type BackendChoice, openBackends, type PassedOver } from "#src/quantize/backends/backends.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { runIntegers } from "#src/quantize/integers/run.js"

interface Ran {
  readonly chosen: string | undefined
  readonly passedOver: readonly PassedOver[]
  /** Of each input the first output. */
  readonly outputs: readonly (readonly number[])[]
}

/** Runs a model that is a file on inputs that are one. */
async function run(name: BackendChoice, model: string, inputs: string): Promise<Ran> {
  const bytes = new Uint8Array(await (await fetch(model)).arrayBuffer())
  const given = (await (await fetch(inputs)).json()) as Record<string, number[]>[]
  const graph = deserialize(bytes, model)
  const webgpu = "/webgpu.js"
  const backend = openBackends(name, { load: () => import(/* @vite-ignore */ webgpu) })
  const results = await runIntegers(graph, given, { backend })
  const { chosen, passedOver } = backend
  await backend.close()
  return {
    chosen,
    passedOver,
    outputs: results.map((values) => Array.from(values.get(graph.outputs[0].tensor) ?? [])),
  }
}

const page = { run }
export type BackendsPage = typeof page
Object.assign(globalThis, { countersign: page })
