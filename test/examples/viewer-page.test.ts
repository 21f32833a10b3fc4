/**
 * The viewer in Chromium: documents that are dropped, chosen and pasted become words, a contract on a local chain is
 * asked, and every state of the page, the part that proves too, is without violations that axe knows of, in light and dark.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { CountersignVerifier } from "countersign/artifacts"
import type { BrowserContext, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { solidityKey } from "#src/verifier/index.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"
import { type Compiled, compileLenet, makePage } from "../../examples/page/make.js"
import { servePage } from "../../examples/page/serve.js"
import { launch } from "../support/pages.js"
import { documents, markup, policy } from "../support/viewer-documents.js"

const examples = fileURLToPath(new URL("../../examples", import.meta.url))
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
const browser = await launch()

type Made = Awaited<ReturnType<typeof documents>>
let made: Made
let compiled: Compiled
let chain: Chain
let context: BrowserContext
let page: Page
let url: string
/** An endpoint that lets no page of another place ask. */
let closed: Server
const folder = mkdtempSync(join(tmpdir(), "countersign-viewer-"))
const servers: Server[] = []
const problems: string[] = []
const at = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`

beforeAll(async () => {
  if (typeof browser === "string") return
  made = await documents()
  compiled = await compileLenet(examples)
  const out = join(folder, "page")
  await makePage(compiled, { root: join(examples, "page"), out })
  const served = await servePage(out, { port: 0 })
  url = at(served)
  closed = createServer((_, response) => response.end('{"jsonrpc":"2.0","id":1,"result":"0x1"}'))
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve))
  servers.push(served, closed)
  chain = await startChain()
  context = await browser.newContext({ colorScheme: "light" })
  page = await context.newPage()
  page.on("pageerror", (error) => problems.push(String(error)))
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text())
  })
  await page.goto(url)
})
afterAll(async () => {
  if (typeof browser !== "string") await browser.close()
  await chain?.close()
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

const file = (name: string, value: unknown) => ({
  name,
  mimeType: "application/json",
  buffer: Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
})
const choose = (files: Record<string, unknown>) =>
  page
    .locator("#view input[type=file]")
    .setInputFiles(Object.entries(files).map(([name, value]) => file(name, value)))
const status = () => page.locator("#view-status")
const card = (name: string) => page.locator(".report", { hasText: name }).first()
const empty = async () => {
  await page.locator("#view-clear").click()
  await expect.poll(() => page.locator(".report").count()).toBe(0)
}

/** What axe finds on the page as it is: all rules in light, and in dark those of colours, which alone differ. */
async function violations(): Promise<string[]> {
  const run = (options: object) =>
    page.evaluate(async (given) => {
      const { axe } = globalThis as unknown as {
        axe: {
          run(
            options: object,
          ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>
        }
      }
      const found = await axe.run(given)
      return found.violations.map(
        ({ id, nodes }) =>
          `${id}: ${nodes.map((x) => `${x.html.slice(0, 200)} ${x.failureSummary}`).join(" | ")}`,
      )
    }, options)
  const colours = { runOnly: ["color-contrast", "link-in-text-block"] }
  const light = await run({})
  await page.emulateMedia({ colorScheme: "dark" })
  const dark = await run(colours)
  await page.emulateMedia({ colorScheme: "light" })
  return [...light, ...dark.map((x) => `in dark: ${x}`)]
}
/** Whether something is wider than a narrow screen. */
async function overflow(): Promise<string[]> {
  const size = page.viewportSize()
  await page.setViewportSize({ width: 390, height: 800 })
  const wide = await page.evaluate(() =>
    document.documentElement.scrollWidth <= innerWidth
      ? []
      : [...document.querySelectorAll("main *")]
          .filter((x) => x.getBoundingClientRect().right > innerWidth + 1)
          .slice(0, 5)
          .map((x) => x.outerHTML.slice(0, 120)),
  )
  if (size) await page.setViewportSize(size)
  return wide
}
async function accessible(): Promise<void> {
  expect(await violations()).toEqual([])
  expect(await overflow()).toEqual([])
}

if (typeof browser === "string") it("views documents in a page", ({ skip }) => skip(browser))
else {
  describe("the part that proves is accessible", () => {
    beforeAll(async () => {
      await page.evaluate(axeSource)
      await page.locator("#loading").waitFor({ state: "hidden" })
    })

    it("empty, and with a digit", async () => {
      await accessible()
      await page.getByRole("button", { name: "A handwritten 3" }).click()
      await expect.poll(() => page.locator("#sees").textContent()).toMatch(/3/)
      await accessible()
    })

    it("while it proves", async () => {
      await page.locator("#prove-it").click()
      expect(await page.locator("#cancel").isVisible()).toBe(true)
      expect(await violations()).toEqual([])
      await page.locator("#receipt").waitFor()
    })

    it("proven, with the call of a contract, and tampered with", async () => {
      await page.locator("#call summary").click()
      await accessible()
      await page.locator("#tamper").click()
      await expect.poll(() => page.locator("#verdict").getAttribute("data-valid")).toBe("false")
      await accessible()
    })

    it("with an error", async () => {
      // another context, which has nothing kept
      const other = await browser.newContext({ colorScheme: "light", serviceWorkers: "block" })
      const broken = await other.newPage()
      await broken.route("**/files/proving-*", (route) => route.fulfill({ body: "another key" }))
      await broken.goto(url)
      await broken.locator("#trouble").waitFor()
      const usual = page
      page = broken
      await page.evaluate(axeSource)
      await accessible()
      page = usual
      await other.close()
    })
  })

  describe("the viewer", () => {
    it("is empty at first, and says what a dropped story says, in any order", async () => {
      await page.locator("#to-view").click()
      await page.locator("#view-choose").waitFor()
      await accessible()
      const { receipt, answer, signOff, key } = made
      const files = {
        "approval.json": signOff,
        "receipt.json": receipt,
        "answer.json": answer,
        "policy.json": policy,
        "key.json": key,
      }
      const transfer = await page.evaluateHandle(
        (given) => {
          const data = new DataTransfer()
          for (const [name, text] of given) data.items.add(new File([text], name))
          return data
        },
        Object.entries(files).map(([name, value]) => [name, JSON.stringify(value)] as const),
      )
      await page.dispatchEvent("#view-title", "drop", { dataTransfer: transfer })
      await expect.poll(() => status().textContent()).toMatch(/^5 documents: /)
      expect(await card("receipt.json").locator("h2").textContent()).toBe(
        "The proof verifies, under a key that is the word of whoever sent it.",
      )
      expect(await card("receipt.json").textContent()).toMatch(
        /Made for the attestation in answer.json. Signed by operator 0x/,
      )
      // years after these claims: they are over, and the page says so
      expect(await card("answer.json").textContent()).toMatch(/It is over/)
      await accessible()
    })

    it("shows what a document says as text, whatever it is", async () => {
      expect(await page.locator("table").first().textContent()).toContain(markup)
      await choose({
        [`${markup}.json`]: `{"${markup}":1}`,
        "list.json": "[1]",
        "p.json": made.inclusions[3],
      })
      await expect.poll(() => status().textContent()).toMatch(/^8 documents/)
      expect(await page.locator("#view").textContent()).toContain(markup)
      expect(await page.locator("#view img").count()).toBe(0)
      expect(await page.title()).not.toBe("1")
      await card("list.json").getByRole("button").click()
      await expect.poll(() => status().textContent()).toMatch(/^7 documents/)
      await empty()
    })

    it("proofs of a log, refused files and pasted text", async () => {
      await choose({
        "proof.json": made.inclusions[1],
        "checkpoint.json": made.checkpoint,
        "nothing.json": "{",
      })
      await expect.poll(() => status().textContent()).toMatch(/^4 documents/)
      expect(await card("proof.json").textContent()).toMatch(/agrees with checkpoint.json/)
      expect(await card("nothing.json").textContent()).toMatch(/is not JSON/)
      await accessible()
      await page.locator("#view details summary").click()
      await page.locator("#view-text").fill(JSON.stringify(made.key))
      await page.locator("#view-read").click()
      await expect
        .poll(() => page.locator(".report").first().textContent())
        .toMatch(/Verification key[\s\S]*pasted text 1/)
      await empty()
    })

    it("takes the receipt of this page, and asks a contract", async () => {
      const verifier = await deploy(CountersignVerifier, chain.signer)
      await (await verifier.registerDevKey(solidityKey(compiled.verificationKey))).wait()
      // returns 1 whatever it is asked
      const agreeable = await deploy(
        { abi: [], bytecode: "0x600a600c600039600a6000f3600160005260206000f3" },
        chain.signer,
      )
      const ask = async (address: unknown, endpoint = chain.url) => {
        await page.locator("#view-endpoint").fill(endpoint)
        await page.locator("#view-address").fill(`${address}`)
        await page.locator("#view-ask-it").click()
        await expect
          .poll(() => page.locator("#view-answer").textContent(), { timeout: 20_000 })
          .not.toBe("Asking…")
        return page.locator("#view-answer").textContent()
      }
      const own = card("the receipt of this page")
      const open = async (button: string) => {
        await page.locator("#to-prove").click()
        await page.locator(button).click()
        await page.locator("#open-view").click()
      }
      await open("#restore")
      await expect
        .poll(() => own.locator("h2").textContent())
        .toBe("The proof verifies, under a key for which somebody can forge.")
      expect(await own.textContent()).toMatch(/pinned in this page/)
      expect(await ask(verifier.target)).toMatch(/answers, for chain 31337/)
      expect(await own.textContent()).toMatch(
        /The contract agrees: verifyDevInference of 0x\w+ on chain 31337, at block \d+, says that it is valid/,
      )
      expect(await own.textContent()).toMatch(/the word of 127.0.0.1/)
      await accessible()

      await open("#tamper")
      await expect.poll(() => own.locator("h2").textContent()).toMatch(/^Not valid/)
      await ask(verifier.target)
      expect(await own.textContent()).toMatch(/The contract agrees: .* says that it is not valid/)
      await ask(agreeable.target)
      expect(await own.textContent()).toMatch(
        /The contract disagrees: .* says that it is valid, and here it is not/,
      )

      expect(problems).toEqual([])
      for (const dead of ["http://127.0.0.1:1", at(closed)])
        expect(await ask(verifier.target, dead)).toMatch(
          /^Not asked: 127.*cannot be reached.*asked 2 times.*\(CORS\)/,
        )
      expect(await own.textContent()).not.toMatch(/The contract/)
      expect(await ask(verifier.target, "ftp://x")).toMatch(/no address of an endpoint/)
      // a browser reports every answer that it did not let through
      expect(
        problems
          .splice(0)
          .filter((text) => !/ERR_UNSAFE_PORT|ERR_CONNECTION_REFUSED|ERR_FAILED|CORS/.test(text)),
      ).toEqual([])
    })
  })
}

it("leaves nothing in the console", () => expect(problems).toEqual([]))
