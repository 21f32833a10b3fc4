/** Contributions in Chromium, checked here: with threads where the page is cross-origin isolated, and on one thread. */
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { contribute } from "#src/ceremony/index.js"
import { carriedKey, checkTranscript, readCeremonyKey } from "#src/ceremony/key.js"
import { compile } from "#src/compile/compile.js"
import { openProver } from "#src/prover/open.js"
import type { Circuit } from "#src/systems/index.js"
import { type VerificationKey, verify } from "#src/verifier/index.js"
import type { CeremonyPage } from "../support/ceremony-page.js"
import { firstKey, memorySink } from "../support/first-keys.js"
import { perceptron } from "../support/networks.js"
import { bundle, type Files, isolated, launch, modules, serve } from "../support/pages.js"

const context = `0x${"5a".repeat(32)}`
const browser = await launch()
const keys: Files = new Map()
let circuit: Circuit
beforeAll(async () => {
  const { graph } = await perceptron([2, 2], 6)
  circuit = await compile(graph)
  const sink = memorySink()
  await contribute(await firstKey(circuit), { name: "Node", sink })
  keys.set("mirage.key", sink.bytes())
  keys.set("groth16.key", await firstKey(await compile(graph, { proofSystem: "groth16" })))
})
afterAll(async () => {
  if (typeof browser !== "string") await browser.close()
})

const pages = [
  ["a bundle with both headers", bundle, isolated],
  ["modules and an import map, without headers", modules, {}],
] as const

if (typeof browser === "string") {
  it("contributes in a page", ({ skip }) => skip(browser))
} else {
  describe.each(pages)("%s", (_, make, headers) => {
    let server: Server
    let page: Page
    const problems: string[] = []
    const call = <K extends keyof CeremonyPage>(name: K, ...args: Parameters<CeremonyPage[K]>) =>
      page.evaluate(
        ([key, list]) =>
          (
            globalThis as unknown as { countersign: Record<string, (...given: unknown[]) => unknown> }
          ).countersign[key](...list),
        [name, args] as const,
      ) as Promise<Awaited<ReturnType<CeremonyPage[K]>>>
    beforeAll(async () => {
      server = await serve(new Map([...keys, ...(await make("ceremony-page.ts"))]), headers)
      page = await browser.newPage()
      page.on("pageerror", (error) => problems.push(String(error)))
      page.on("console", (message) => problems.push(message.text()))
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.waitForFunction(() => "countersign" in globalThis)
    })
    afterAll(async () => {
      await page.close()
      server.close()
      expect(problems).toEqual([])
    })

    it("contributes, and the key that it makes proves and verifies here", async () => {
      const made = await call("contributed", "mirage.key", "Page", "typed by a person")
      expect(made).toMatchObject({ number: 2, stages: ["check contributions", "multiply points"] })
      const key = await readCeremonyKey(new Uint8Array(Buffer.from(made.key, "base64")))
      expect(key.source.size).toBe(made.bytes)
      await checkTranscript(key)
      const verificationKey = carriedKey(key) as VerificationKey
      expect(verificationKey.setup).toMatchObject({
        contributors: ["Node", "Page"],
        transcript: made.transcript,
      })
      const prover = await openProver(circuit, key.source, { verificationKey })
      const receipt = await prover.prove({ x0: [0.5, 0.25] }, { context, clampInputs: true })
      await prover.close()
      expect(verify(receipt, { verificationKey, model: circuit.model, context })).toBe(true)
    })

    it("says that keys of plain groth16 are for Node, and loads nothing for them", async () => {
      expect(await call("refused", "groth16.key", "Page")).toMatch(/UsageError: .*in Node alone/)
    })
  })
}
