/**
 * What a prover leaves behind when it is closed: nothing. `npm run test:full` goes a hundred rounds. And what it does not
 * ask for.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { mappedB } from "#src/circuit/formats/mapped.js"
import { digestOf } from "#src/circuit/formats/r1cs.js"
import { compile } from "#src/compile/compile.js"
import { type Keys, openProver, type Prover, setup } from "#src/prover/open.js"
import type { Circuit } from "#src/systems/index.js"
import { amount } from "../support/amount.js"
import { mnist, type Network, perceptron } from "../support/networks.js"

const context = `0x${"35".repeat(32)}`
const rounds = amount(8, 100)

let collect: () => void
let network: Network
let circuit: Circuit
let keys: Keys
/** Every memory of kernels that was ever opened. */
const memories: WeakRef<WebAssembly.Memory>[] = []
const { Memory } = WebAssembly

beforeAll(async () => {
  setFlagsFromString("--expose-gc")
  collect = runInNewContext("gc") as () => void
  WebAssembly.Memory = new Proxy(Memory, {
    construct(target, [descriptor]: [WebAssembly.MemoryDescriptor]) {
      const memory = new target(descriptor)
      memories.push(new WeakRef(memory))
      return memory
    },
  })
  network = await perceptron([6, 5, 3], 6)
  circuit = await compile(network.graph)
  keys = await setup(circuit, { dev: true })
})
afterAll(() => {
  WebAssembly.Memory = Memory
})

async function round(): Promise<Prover> {
  const prover = await openProver(circuit, keys.provingKey)
  await prover.prove(network.input, { context, clampInputs: true })
  await prover.close()
  return prover
}

async function measure() {
  // what ended in this turn is let go of in the next ones
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    collect()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const alive = memories.filter((memory) => memory.deref() !== undefined).length
  return { heapUsed, arrayBuffers, alive, resources: process.getActiveResourcesInfo().length }
}

it(`${rounds} rounds of opening, proving and closing leave no memory, no thread and no handle`, async () => {
  for (let i = 0; i < 4; i++) await round()
  const before = await measure()
  for (let i = 0; i < rounds; i++) await round()
  const after = await measure()
  expect(memories.length).toBeGreaterThan(rounds)
  expect(after.alive).toBeLessThanOrEqual(before.alive)
  expect(after.resources).toBeLessThanOrEqual(before.resources)
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(2 ** 16)
  // machine code of what runs more often is held, too: 20 KB a round to begin with
  expect(after.heapUsed - before.heapUsed).toBeLessThan(2 ** 19 + rounds * 2 ** 15)
}, 600_000)

it("a prover that is held would be seen", async () => {
  const before = await measure()
  const held = [await round(), await round()]
  expect((await measure()).alive).toBe(before.alive + held.length)
}, 120_000)

it("side B, which is made when somebody reads it, is read for its digest and for nothing else", async () => {
  const { graph, input } = await mnist("mnist-lenet")
  const large = await compile(graph)
  expect(mappedB(large.linked.r1cs)?.maps.length).toBeGreaterThan(0)
  digestOf(large.linked.r1cs)
  const made = vi.spyOn(large.linked.r1cs, "b", "get")
  const { provingKey } = await setup(large, { dev: true })
  const prover = await openProver(large, provingKey)
  await prover.prove(input, { context, clampInputs: true })
  await prover.close()
  expect(made).not.toHaveBeenCalled()
}, 120_000)
