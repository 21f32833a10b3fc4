/**
 * Proofs in Chromium, from the files that Node compiled: with threads where the page is cross-origin isolated, on
 * one thread where it is not.
 */

import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { describeCircuit } from "#src/compile/description.js"
import { setup } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import { type Expected, explain } from "#src/verifier/index.js"
import type { PageApi } from "../support/browser-page.js"
import { mnist } from "../support/networks.js"
import { bundle, type Files, isolated, launch, modules, serve } from "../support/pages.js"

const context = `0x${"5a".repeat(32)}`

const browser = await launch()

const expected = new Map<string, Expected>()
const circuits: Files = new Map()

/** Compiles and sets up a model of examples/, as a page is given it. */
async function prepare(folder: string): Promise<void> {
  const { graph, input } = await mnist(folder)
  const circuit = await compile(graph)
  const { provingKey, verificationKey } = await setup(circuit, { dev: true })
  circuits.set(`${folder}/model.bin`, serialize(graph))
  circuits.set(`${folder}/circuit.json`, JSON.stringify(describeCircuit(circuit)))
  circuits.set(`${folder}/gadgets.json`, JSON.stringify(circuit.gadgets))
  circuits.set(`${folder}/proving.key`, provingKey)
  circuits.set(`${folder}/verification.json`, JSON.stringify(verificationKey))
  circuits.set(
    `${folder}/input.json`,
    JSON.stringify(input, (_, value) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value,
    ),
  )
  expected.set(folder, { verificationKey, model: circuit.model, context, allowDev: true })
}

beforeAll(async () => {
  if (typeof browser === "string") return
  await prepare("mnist-mlp")
  await prepare("mnist-lenet")
})
afterAll(async () => {
  if (typeof browser !== "string") await browser.close()
})

const pages = [
  ["a bundle with both headers", bundle, isolated, { isolated: true, shared: true }],
  ["a bundle without them", bundle, {}, { isolated: false, shared: false }],
  ["modules and an import map, without headers", modules, {}, { isolated: false, shared: false }],
] as const

if (typeof browser === "string") {
  it("proves in a page", ({ skip }) => skip(browser))
} else {
  describe.each(pages)("%s", (_, make, headers, platform) => {
    let server: Server
    let page: Page
    const problems: string[] = []
    const call = <K extends keyof PageApi>(name: K, ...args: Parameters<PageApi[K]>) =>
      page.evaluate(
        ([key, list]) =>
          (
            globalThis as unknown as { countersign: Record<string, (...given: unknown[]) => unknown> }
          ).countersign[key](...list),
        [name, args] as const,
      ) as Promise<Awaited<ReturnType<PageApi[K]>>>

    /** Ends a worker in the middle of a proof. */
    const endWorker = async (folder: string) => {
      const failure = await call("killed", folder)
      expect(failure.name).toBe("CountersignError")
      expect(failure.message).toMatch(/^a worker died: it was ended/)
    }

    beforeAll(async () => {
      server = await serve(new Map([...circuits, ...(await make("browser-page.ts"))]), headers)
      page = await browser.newPage()
      page.on("pageerror", (error) => problems.push(String(error)))
      page.on("console", (message) => problems.push(message.text()))
      await page.addInitScript(() => {
        const startedWorkers: Worker[] = []
        const Started = class extends Worker {
          constructor(url: string | URL, options?: WorkerOptions) {
            super(url, options)
            startedWorkers.push(this)
          }
        }
        Object.assign(globalThis, { startedWorkers, Worker: Started })
      })
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.waitForFunction(() => "countersign" in globalThis)
    })
    afterAll(async () => {
      await page.close()
      server.close()
      expect(problems).toEqual([])
    })

    it("runs the relaxed module, on the memory and threads that the headers allow", async () => {
      const { threads, ...found } = await call("platform")
      expect(found).toEqual({ ...platform, variant: "relaxed" })
      if (!platform.shared) expect(threads).toBe(1)
      else expect(threads).toBe(await page.evaluate(() => navigator.hardwareConcurrency))
    })

    it.each(platform.shared ? ["mnist-mlp", "mnist-lenet"] : ["mnist-mlp"])(
      "proves %s, for the verifiers in the page and here",
      async (folder) => {
        await call("open", folder)
        // a first proof also fills tables that later ones find
        if (platform.shared) await endWorker(folder)
        for (let run = 0; run < 2; run++) {
          const { receipt, reason } = await call("prove", folder)
          expect(reason).toBeNull()
          expect(explain(receipt, expected.get(folder) as Expected)).toBeNull()
        }
      },
    )

    it("ends a proof on abort, and makes the next one", async () => {
      expect(await call("aborted", "mnist-mlp")).toMatchObject({ name: "AbortError" })
      expect((await call("prove", "mnist-mlp")).reason).toBeNull()
    })

    it.runIf(platform.shared)("fails a proof whose worker is ended, and makes the next one", async () => {
      await endWorker("mnist-lenet")
      expect((await call("prove", "mnist-lenet")).reason).toBeNull()
    })

    it("closes, and proves no more", async () => {
      await call("close", "mnist-mlp")
      await expect(call("prove", "mnist-mlp")).rejects.toThrow(/closed/)
    })
  })
}
