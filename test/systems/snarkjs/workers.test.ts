/** Workers: results in order, failures that reach the caller, aborts, and nothing left running. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { describe, expect, test } from "vitest"
import { CountersignError, UsageError } from "#src/errors.js"
import { writeWtns } from "#src/systems/plain/witnessfile.js"
import { openReference } from "#src/systems/snarkjs/prover.js"
import { WorkerPool } from "#src/systems/snarkjs/workers.js"
import { devSetup } from "../../support/plain-keys.js"
import { squarings } from "../../support/r1cs-systems.js"

interface Api {
  square(x: number): number
  calls(): number
  fail(): void
  exit(code: number): void
  crash(): void
  never(): void
  spin(): void
}

const url = new URL("../../support/worker.mjs", import.meta.url)
const open = (threads = 2) => new WorkerPool<Api>(url, threads)
const items = Array.from({ length: 20 }, (_, i) => i)

describe("pool", () => {
  test("results keep the order of the items, and progress counts them", async () => {
    const pool = open()
    const seen: number[] = []
    const squares = await pool.map(items, (remote, x) => remote.square(x), {
      onDone: (done) => seen.push(done),
    })
    expect(squares).toEqual(items.map((x) => x * x))
    expect(seen).toEqual(items.map((x) => x + 1))
    expect(pool.alive).toBe(true)
    await pool.close()
    expect(pool.alive).toBe(false)
  })

  test("an error of a task reaches the caller, starts no further task, and leaves the pool working", async () => {
    const pool = open(1)
    const failing = pool.map(items, async (remote, x) => (x === 3 ? remote.fail() : remote.calls()))
    await expect(failing).rejects.toThrow("a task failed")
    expect(await pool.map([0], (remote) => remote.calls())).toEqual([4])
    await pool.close()
  })

  test.each<
    [string, (remote: { [K in keyof Api]: (x: number) => Promise<unknown> }) => Promise<unknown>, RegExp]
  >([
    ["ends", (remote) => remote.exit(3), /a worker died: exit code 3/],
    ["ends in good order, but without an answer", (remote) => remote.exit(0), /a worker died: exit code 0/],
    ["throws outside of any task", (remote) => remote.crash(0), /a worker died: .*out of nowhere/],
  ])("a worker that %s rejects the work of all", async (_, task, message) => {
    const pool = open()
    const work = pool.map([0, 1], (remote, x) =>
      x === 0 ? task(remote as never) : (remote.never() as Promise<unknown>),
    )
    await expect(work).rejects.toThrow(CountersignError)
    await expect(work).rejects.toThrow(message)
    await expect(pool.map([1], (remote, x) => remote.square(x))).rejects.toThrow(message)
    await pool.close()
  })

  test("an abort stops a worker in a loop that never yields", async () => {
    const pool = open(1)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 50)
    const work = pool.map([0], (remote) => remote.spin(), { signal: controller.signal })
    await expect(work).rejects.toMatchObject({ name: "AbortError" })
    expect(pool.alive).toBe(false)
  })

  test("an abort that came before starts nothing", async () => {
    const pool = open(1)
    const tasks: number[] = []
    const work = pool.map([0], async () => tasks.push(0), { signal: AbortSignal.abort() })
    await expect(work).rejects.toMatchObject({ name: "AbortError" })
    expect(tasks).toEqual([])
    expect(await pool.map([2], (remote, x) => remote.square(x))).toEqual([4])
    await pool.close()
  })

  test("closing rejects the work under way, and may be repeated", async () => {
    const pool = open()
    const work = pool.map([0], (remote) => remote.never())
    const rejected = expect(work).rejects.toThrow("closed")
    await pool.close()
    await pool.close()
    await rejected
  })

  test.each([0, -1, 1.5, Number.NaN])("%s threads are refused", (threads) => {
    expect(() => open(threads)).toThrow(UsageError)
  })
})

describe("setup and prover", () => {
  const { system, witness } = squarings(3n, 40)
  const wtns = writeWtns(witness)

  test("a setup is aborted between its batches, and before it starts", async () => {
    const controller = new AbortController()
    const work = devSetup(system, { signal: controller.signal, onProgress: () => controller.abort() })
    await expect(work).rejects.toMatchObject({ name: "AbortError" })
    await expect(devSetup(system, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: "AbortError",
    })
  })

  test("an aborted proof leaves a prover that proves; the waiting ones are not harmed", async () => {
    const { zkey } = await devSetup(system)
    const prover = await openReference("groth16", zkey)
    const controller = new AbortController()
    const progress: number[] = []
    const aborted = prover.prove(wtns, { signal: controller.signal, onProgress: () => controller.abort() })
    const waiting = prover.prove(wtns, { onProgress: ({ done, total }) => progress.push(done / total) })
    const givenUp = prover.prove(wtns, { signal: AbortSignal.abort() })
    await expect(givenUp).rejects.toMatchObject({ name: "AbortError" })
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" })
    expect((await waiting).publicSignals).toEqual([String(witness.large.get(1))])
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    // a busy machine may deliver the steps in between late; the last one comes with the result
    expect(progress.length).toBeGreaterThan(0)
    expect(progress.at(-1)).toBe(1)
    await prover.close()
    await expect(prover.prove(wtns)).rejects.toThrow(UsageError)
  })

  test("a witness or a key that snarkjs refuses is an error, and the prover stays", async () => {
    const { zkey } = await devSetup(system)
    const prover = await openReference("groth16", zkey)
    await expect(prover.prove(wtns.subarray(0, 20))).rejects.toThrow()
    await expect(prover.prove(writeWtns(squarings(3n, 41).witness))).rejects.toThrow(/witness length/)
    expect((await prover.prove(wtns)).publicSignals).toHaveLength(1)
    await prover.close()
  })

  test("a process that has set up, proved and closed ends by itself", async () => {
    const source = (module: string) =>
      JSON.stringify(new URL(`../../../dist/${module}`, import.meta.url).href)
    const script = `
      import { plainKeyOf, plainKeyQueries } from ${source("systems/groth16/setup.js")}
      import { evaluateByTrapdoor } from ${source("setup/trapdoor.js")}
      import { openReference } from ${source("systems/snarkjs/prover.js")}
      import { readR1cs } from ${source("circuit/formats/r1csfile.js")}
      const [r1cs, wtns] = process.argv.slice(1).map((text) => new Uint8Array(Buffer.from(text, "base64")))
      const system = readR1cs(r1cs)
      const { domain, secrets, queries } = plainKeyQueries(system)
      const zkey = plainKeyOf(system, await evaluateByTrapdoor()(system, domain, secrets, queries), "dev")
      const prover = await openReference("groth16", zkey)
      const { publicSignals } = await prover.prove(wtns)
      await prover.close()
      console.log(publicSignals.join())`
    const { writeR1cs } = await import("#src/circuit/formats/r1csfile.js")
    const files = [writeR1cs(system), wtns].map((bytes) => Buffer.from(bytes).toString("base64"))
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--input-type=module", "-e", script, ...files],
      { timeout: 60_000 },
    )
    expect(stderr).toBe("")
    expect(stdout.trim()).toBe(String(witness.large.get(1)))
  })
})
