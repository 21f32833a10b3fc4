/**
 * The page of examples/page as people use it, in Chromium: drawn by mouse and by keys, proven with and without threads,
 * changed and refused, without a network, on a narrow screen, and with files that are not those that it was built for.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { execute } from "#src/prover/execute.js"
import { setup } from "#src/prover/open.js"
import { explain, parseReceipt, verificationCall } from "#src/verifier/index.js"
import { fromBytes, toDigit } from "../../examples/page/digit.js"
import {
  type Compiled,
  compileLenet,
  foreignIn,
  type Page as Made,
  makePage,
  writeServiceWorker,
} from "../../examples/page/make.js"
import { filesIn, servePage } from "../../examples/page/serve.js"
import { drawn } from "../support/drawn.js"
import { launch } from "../support/pages.js"

const examples = fileURLToPath(new URL("../../examples", import.meta.url))
const root = join(examples, "page")
const browser = await launch()

let compiled: Compiled
let made: Made
const folder = mkdtempSync(join(tmpdir(), "countersign-page-"))
const out = join(folder, "page")
const servers: Server[] = []

async function serve(path: string, isolated: boolean): Promise<string> {
  const server = await servePage(path, { port: 0, isolated })
  servers.push(server)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

beforeAll(async () => {
  compiled = await compileLenet(examples)
  made = await makePage(compiled, { root, out })
})
afterAll(async () => {
  if (typeof browser !== "string") await browser.close()
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

it("goes only where nothing else would be lost", () => {
  expect(foreignIn(out)).toBeUndefined()
  const copy = join(folder, "copy")
  cpSync(out, copy, { recursive: true })
  writeFileSync(join(copy, "files/notes.txt"), "mine")
  expect(foreignIn(copy)).toBe("files/notes.txt")
  const site = join(folder, "site")
  mkdirSync(site)
  expect(foreignIn(site)).toBeUndefined()
  for (const worker of ["", "const FILES = {\n", "const FILES = null\n"]) {
    writeFileSync(join(site, "sw.js"), worker)
    expect(foreignIn(site)).toBe("sw.js")
  }
})

describe("a drawing", () => {
  const largest = (greys: Float32Array): number => {
    const { output } = execute(compiled.circuit, { image: greys }, { clampInputs: true }).statement
    if (output.visibility !== "public") throw new Error("the output is public")
    const scores = output.values.logits.map(Number)
    return scores.indexOf(Math.max(...scores))
  }

  it.each(drawn.map((strokes, digit) => [`${digit}`, strokes] as const))(
    "of a %s is read",
    (digit, strokes) => {
      expect(largest(toDigit(strokes))).toBe(Number(digit))
    },
  )

  it("is the same of any size and anywhere", () => {
    const moved = drawn[3].map((stroke) => stroke.map(([x, y]) => [0.4 * x + 9, 0.4 * y + 1] as const))
    const greys = toDigit(moved)
    toDigit(drawn[3]).forEach((grey, i) => {
      expect(greys[i]).toBeCloseTo(grey, 4)
    })
  })

  it("has its mass in the middle, and all of it on the sheet", () => {
    for (const strokes of drawn) {
      const greys = toDigit(strokes)
      const mass = greys.reduce((a, b) => a + b)
      const middle = (of: (i: number) => number) =>
        greys.reduce((sum, grey, i) => sum + grey * of(i), 0) / mass
      expect(Math.abs(middle((i) => i % 28) - 13.5)).toBeLessThan(0.6)
      expect(Math.abs(middle((i) => Math.floor(i / 28)) - 13.5)).toBeLessThan(0.6)
      expect(mass).toBeGreaterThan(45)
      expect(mass).toBeLessThan(150)
    }
  })

  it("of nothing is empty, and a dot stays small", () => {
    expect(toDigit([]).every((grey) => grey === 0)).toBe(true)
    expect(toDigit([[[3, 3]]]).filter((grey) => grey > 0).length).toBeLessThan(20)
    expect(fromBytes("AP8=")).toEqual(Float32Array.of(0, 1))
  })
})

describe("the folder", () => {
  it("has code of packages that may be given away, and not much of it", () => {
    for (const name of made.packages) {
      const { license } = JSON.parse(
        readFileSync(join(examples, "../node_modules", name, "package.json"), "utf8"),
      )
      expect(license, name).toMatch(/^(MIT|0BSD|ISC|BSD-[23]-Clause|Apache-2\.0)$/)
    }
    expect(made.packages).toContain("@noble/curves")
    const bytes = filesIn(out)
      .filter((path) => !path.endsWith(".key"))
      .map((path) => gzipSync(readFileSync(join(out, path))).length)
    expect(bytes.reduce((a, b) => a + b)).toBeLessThan(700_000)
  })

  it("has relative addresses alone", () => {
    const html = readFileSync(join(out, "index.html"), "utf8")
    for (const [, address] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^(\.\/|#)/)
  })
})

if (typeof browser === "string") {
  it("proves what is drawn", ({ skip }) => skip(browser))
} else {
  /** What nobody wants to see in a console, and what leaves this machine. */
  const problems: string[] = []
  const open = async (
    url: string,
    options: BrowserContextOptions = {},
    prepare?: (context: BrowserContext) => Promise<unknown>,
  ): Promise<Page> => {
    const context = await browser.newContext(options)
    onTestFinished(() => context.close())
    // the machine may have other things to do
    context.setDefaultTimeout(60_000)
    context.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text())
    })
    context.on("request", (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin && !request.url().startsWith("blob:"))
        problems.push(request.url())
    })
    await prepare?.(context)
    const page = await context.newPage()
    page.on("pageerror", (error) => problems.push(String(error)))
    await page.goto(url)
    return page
  }
  const noProblems = () => expect(problems.splice(0)).toEqual([])
  const loaded = async (page: Page) => {
    await page.locator("#loading").waitFor({ state: "hidden" })
    await page.getByText("This page is kept on this device").waitFor()
  }
  /** By mouse, in cells of the sheet. */
  async function draw(page: Page, strokes: (typeof drawn)[number]): Promise<void> {
    const { x, y, width } = (await page.locator("#sheet").boundingBox())!
    const at = (point: readonly [number, number]) =>
      [x + (point[0] * width) / 28, y + (point[1] * width) / 28] as const
    for (const stroke of strokes) {
      await page.mouse.move(...at(stroke[0]))
      await page.mouse.down()
      for (const point of stroke.slice(1)) await page.mouse.move(...at(point))
      await page.mouse.up()
    }
  }
  const sees = (page: Page, words: string) =>
    page.locator("#sees", { hasText: new RegExp(`^${words}$`) }).waitFor()
  const verdict = async (page: Page, isValid: boolean, words: RegExp | string) => {
    const shown = page.locator(`#verdict[data-valid="${isValid}"]`, { hasText: words })
    await shown.waitFor()
    expect(await shown.textContent()).toMatch(isValid ? /^Valid/ : /^Refused/)
  }
  /** The receipt that is on the page, verified here too. */
  const verified = async (page: Page) => {
    const receipt = parseReceipt(await page.inputValue("#text"))
    const { verificationKey } = compiled
    const { context } = receipt.statement
    expect(explain(receipt, { verificationKey, model: made.model, context, allowDev: true })).toBeNull()
    return receipt
  }

  it("reads, proves and verifies what is drawn by mouse, and refuses what is changed", async () => {
    const page = await open(await serve(out, true))
    await loaded(page)
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true)
    await page.getByText(/^Proofs run on (one thread|\d+ threads)\.$/).waitFor()
    expect(await page.isDisabled("#prove-it")).toBe(true)
    await draw(page, drawn[7])
    await sees(page, "A 7")
    await page.click("#clear")
    await draw(page, drawn[3])
    await sees(page, "A 3")
    expect(await page.locator(".logits li[data-best]").textContent()).toMatch(/^3/)

    await page.evaluate(() => {
      for (const id of ["prove-it", "cancel"]) document.getElementById(id)?.click()
    })
    await page.getByText("Cancelled: nothing was proven.").waitFor()
    await page.click("#prove-it")
    await verdict(page, true, "Verified on this page in")
    const receipt = await verified(page)
    const original = await page.inputValue("#text")
    expect(await page.inputValue("#calldata")).toBe(
      verificationCall(receipt, compiled.verificationKey, { allowDev: true }).data,
    )
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")])
    expect(readFileSync(await download.path(), "utf8")).toBe(original)

    await page.click("#tamper")
    await verdict(page, false, "The statement was changed")
    await page.click("#restore")
    await verdict(page, true, "Verified")
    for (const [from, to, reason] of [
      [receipt.statement.context, `0x${"11".repeat(32)}`, "The receipt is for context 0x1111"],
      [receipt.statement.model, `0x${"22".repeat(32)}`, "The receipt is for model 0x2222"],
      ["{", "", "Malformed receipt"],
      ['"proof"', '"prove"', "Malformed receipt"],
    ]) {
      await page.fill("#text", original.replace(from, to))
      await verdict(page, false, reason)
    }
    await page.fill("#text", original.replaceAll("\n", "\n\n"))
    await verdict(page, true, "What you changed does not change what it says")

    await page.click("#open-view")
    await page.locator("#view").waitFor()
    expect(page.url()).toMatch(/#view$/)
    expect(await page.isHidden("#prove")).toBe(true)
    noProblems()
  })

  it("is slower without isolation, says so, and has it from the second visit on; works without a network; takes a newer version", async () => {
    const copy = join(folder, "copy")
    cpSync(out, copy, { recursive: true })
    // not at the root of its server
    const page = await open(`${await serve(folder, false)}copy/`)
    await loaded(page)
    await page.getByText("Proofs run on one thread").waitFor()
    await draw(page, drawn[1])
    await sees(page, "A 1")
    // a proof on one thread hears it too
    await page.evaluate(() => {
      document.getElementById("prove-it")?.click()
      setTimeout(() => document.getElementById("cancel")?.click(), 60)
    })
    await page.getByText("Cancelled: nothing was proven.").waitFor()
    await page.click("#prove-it")
    await verdict(page, true, "Verified")
    await verified(page)

    await page.context().setOffline(true)
    await page.getByRole("button", { name: "Reload with all threads" }).click()
    await page.getByText(/^Proofs run on (one thread|\d+ threads)\.$/).waitFor()
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true)
    await page.locator("#loading").waitFor({ state: "hidden" })
    await page.getByRole("button", { name: "A handwritten 5" }).click()
    await sees(page, "A 5")
    await page.click("#prove-it")
    await verdict(page, true, "Verified")
    await verified(page)
    await page.context().setOffline(false)
    // what else a server has below it stays the server's
    const beside = await page.context().newPage()
    expect((await beside.goto(`${page.url().split("#")[0]}something-else`))?.status()).toBe(404)
    problems.splice(0) // that the network is away is said there

    const html = readFileSync(join(copy, "index.html"), "utf8")
    writeFileSync(join(copy, "index.html"), html.replace(/<title>[^<]*/, "<title>A newer one"))
    await writeServiceWorker(root, copy)
    await page.reload()
    expect(await page.title()).not.toBe("A newer one")
    await page.getByRole("button", { name: "Load it" }).click()
    await page.waitForFunction(() => document.title === "A newer one")
    await page.locator("#loading").waitFor({ state: "hidden" })
    expect(await page.evaluate(async () => (await caches.keys()).length)).toBe(1)
    expect(await page.isHidden("#newer")).toBe(true)
    noProblems()
  })

  it("works by keyboard alone, on a narrow screen, without moving anything", async () => {
    const page = await open(await serve(out, true), {
      viewport: { width: 390, height: 780 },
      colorScheme: "dark",
      reducedMotion: "reduce",
    })
    const fits = async () =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
    await loaded(page)
    await fits()
    const focused = () => page.evaluate(() => document.activeElement?.id || document.activeElement?.ariaLabel)
    /** Goes to an element by Tab, and looks whether it shows that it is where the keyboard is. */
    const tabTo = async (name: string) => {
      for (let presses = 0; (await focused()) !== name; presses++) {
        expect(presses, name).toBeLessThan(40)
        await page.keyboard.press("Tab")
      }
      const outline = await page.evaluate(
        () => getComputedStyle(document.activeElement as Element).outlineStyle,
      )
      expect(outline, name).toBe("solid")
    }
    await tabTo("sheet")
    await page.keyboard.press("Space")
    for (let row = 0; row < 16; row++) await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Space")
    expect(await page.textContent("#sheet-says")).toBe("Row 23, column 15, pen up")
    await sees(page, "A 1")
    expect(await page.getAttribute("#small", "aria-label")).toBe("Your drawing, 1 stroke")
    await page.keyboard.press("Backspace")
    await sees(page, "Draw something, or take a digit")
    await tabTo("A handwritten 8")
    await page.keyboard.press("Enter")
    await sees(page, "A 8")
    await tabTo("prove-it")
    await page.keyboard.press("Enter")
    await verdict(page, true, "Verified")
    expect(await focused()).toBe("prove-it")
    await tabTo("tamper")
    await page.keyboard.press("Space")
    await verdict(page, false, "The statement was changed")
    await tabTo("restore")
    await page.keyboard.press("Enter")
    await verdict(page, true, "Verified")
    expect(await focused()).toBe("tamper")
    for (const summary of await page.locator("summary").all()) await summary.press("Enter")
    await fits()
    noProblems()
  })

  it("proves with the key that it was built for, and says of any other that it is not", async () => {
    const url = await serve(out, false)
    const key = Buffer.from(compiled.files["proving.key"])
    const flipped = Buffer.from(key)
    flipped[key.length >> 1] ^= 1
    // another setup of the same circuit; by default a few bytes of it have to do
    const other = process.env.FULL
      ? Buffer.from((await setup(compiled.circuit, { dev: true })).provingKey)
      : Buffer.from(key).fill(7, 100, 200)
    let answer = { status: 200, body: flipped }
    const page = await open(url, { serviceWorkers: "block" }, (context) =>
      context.route("**/proving-*.key", (route) => route.fulfill(answer)),
    )
    for (const [status, body, words] of [
      [200, flipped, /not the file that this page was built for.*Expected SHA-256 [0-9a-f]{64}, given/],
      [200, other, /not the file that this page was built for.*Expected SHA-256 [0-9a-f]{64}, given/],
      [200, key.subarray(0, -1), /not the file.*Expected \d+ bytes, given \d+/],
      [404, Buffer.from("no"), /the server says 404/],
    ] as const) {
      answer = { status, body: Buffer.from(body) }
      await page.reload()
      await page.getByRole("alert").filter({ hasText: words }).waitFor()
      // the model is there, and only proofs are not
      await page.getByRole("button", { name: "A handwritten 2" }).click()
      await sees(page, "A 2")
      expect(await page.isDisabled("#prove-it")).toBe(true)
    }
    expect(problems.splice(0).filter((text) => !/404|service worker/i.test(text))).toEqual([])
  })

  it("says what it lacks", async () => {
    const url = await serve(out, false)
    const worker = filesIn(out).find((path) => /prover-worker/.test(path)) as string
    const code = readFileSync(join(out, worker), "utf8")
    const without = `${code};globalThis.WebAssembly = undefined`
    let answer = { status: 200, contentType: "text/javascript", body: without }
    const page = await open(url, { serviceWorkers: "block" }, (context) =>
      context.route("**/prover-worker-*.js", (route) => route.fulfill(answer)),
    )
    await page.getByRole("alert").filter({ hasText: "This browser has no WebAssembly" }).waitFor()
    expect(await page.textContent("#sees")).toBe("The page cannot prove here")
    const full = `globalThis.WebAssembly.Memory = class { constructor() { throw new RangeError("no room") } }`
    answer = { ...answer, body: `${code};${full}` }
    await page.reload()
    await page.getByRole("alert").filter({ hasText: "There is too little memory to prove here" }).waitFor()
    answer = { status: 404, contentType: "text/plain", body: "no" }
    await page.reload()
    await page.getByRole("alert").filter({ hasText: "What proves has stopped" }).waitFor()
    problems.splice(0)
  })
}
