/**
 * Pictures of what people look at, for people to look at: `npm run pictures` writes them to out/pictures, and README's to
 * docs/pictures, drawn anew. They are made of the page as it is built, in Chromium, in light, dark and on a narrow screen.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Browser, Page } from "playwright-core"
import { expect, it } from "vitest"
import { compileLenet, makePage } from "../../examples/page/make.js"
import { servePage } from "../../examples/page/serve.js"
import { runAlone } from "../support/cli.js"
import { drawn } from "../support/drawn.js"
import { launch } from "../support/pages.js"
import { documents, policy } from "../support/viewer-documents.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const out = join(root, "out/pictures")
/** `1` for all, or names of some. */
const asked = process.env.PICTURES?.split(",") ?? []
const isAsked = (scene: string): boolean => asked.includes("1") || asked.includes(scene)

const looks = {
  light: { colorScheme: "light", viewport: { width: 1080, height: 760 } },
  dark: { colorScheme: "dark", viewport: { width: 1080, height: 760 } },
  narrow: { colorScheme: "light", viewport: { width: 390, height: 780 } },
} as const
type Look = keyof typeof looks

/** A drawing by mouse, in cells of the sheet. */
async function draw(page: Page, digit: number): Promise<void> {
  const { x, y, width } = (await page.locator("#sheet").boundingBox())!
  const at = ([column, row]: readonly [number, number]) =>
    [x + (column * width) / 28, y + (row * width) / 28] as const
  for (const stroke of drawn[digit]) {
    await page.mouse.move(...at(stroke[0]))
    await page.mouse.down()
    for (const point of stroke.slice(1)) await page.mouse.move(...at(point), { steps: 2 })
    await page.mouse.up()
  }
}

/** What a picture is called, and how the page comes to look so. Those of `inspect` are of another page. */
const scenes: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  "page-empty": async (page) => page.locator("#loading").waitFor({ state: "hidden" }),
  "page-proven": async (page) => {
    await page.locator("#loading").waitFor({ state: "hidden" })
    await draw(page, 3)
    await page.locator("#sees", { hasText: "A 3" }).waitFor()
    await page.locator("#prove-it").click()
    await page.locator('#verdict[data-valid="true"]').waitFor()
  },
  "page-refused": async (page) => {
    await scenes["page-proven"](page)
    await page.locator("#tamper").click()
    await page.locator('#verdict[data-valid="false"]').waitFor()
  },
  "view-empty": async (page) => {
    await page.locator("#to-view").click()
    await page.locator("#view-choose").waitFor()
  },
  "view-claims": (page) =>
    view(page, ({ receipt, answer, signOff, key }) => ({
      "receipt.json": receipt,
      "answer.json": answer,
      "approval.json": signOff,
      "policy.json": policy,
      "verification.json": key,
    })),
  "view-log": (page) =>
    view(page, ({ inclusions, consistency, checkpoint, answer }) => ({
      "entry-1.json": inclusions[0],
      "answer.json": answer,
      "since.json": consistency,
      "checkpoint.json": checkpoint,
      "notes.json": { a: 1 },
    })),
}

/** The page that `countersign inspect --html` writes of LeNet. */
async function inspected(folder: string): Promise<string> {
  const model = join(root, "examples/mnist-lenet")
  const [dir, html] = [join(folder, "lenet"), join(folder, "lenet.html")]
  for (const args of [
    ["compile", join(model, "model.onnx"), "--samples", join(model, "samples.json"), "--out", dir],
    ["setup", dir, "--dev"],
    ["inspect", dir, "--samples", join(model, "samples.json"), "--html", html],
  ]) {
    const { code, stderr } = await runAlone(...args)
    expect(code, stderr).toBe(0)
  }
  return pathToFileURL(html).href
}

const names = ["ham", "spam", "neither"]
async function view(
  page: Page,
  files: (made: Awaited<ReturnType<typeof documents>>) => Record<string, unknown>,
): Promise<void> {
  await scenes["view-empty"](page)
  const given = Object.entries(files(await documents({ names, now: Math.floor(Date.now() / 1000) })))
  await page.locator("#view input[type=file]").setInputFiles(
    given.map(([name, value]) => ({
      name,
      mimeType: "application/json",
      buffer: Buffer.from(JSON.stringify(value)),
    })),
  )
  await page.locator("#view-status", { hasText: "documents" }).waitFor()
}

async function take(browser: Browser, url: string, scene: string, look: Look): Promise<void> {
  const page = await browser.newPage({ ...looks[look], reducedMotion: "reduce", deviceScaleFactor: 1 })
  await page.goto(url)
  await scenes[scene]?.(page)
  await page.mouse.move(0, 0)
  await page.evaluate(() => scrollTo(0, 0))
  const isReadmes = scene === "page-proven" && look !== "narrow"
  await page.screenshot({ path: join(out, `${scene}-${look}.png`), fullPage: true })
  if (isReadmes) {
    const name = look === "light" ? "page.png" : `page-${look}.png`
    const height = await page.evaluate(() => {
      const { bottom } = document.getElementById("verdict")!.getBoundingClientRect()
      return Math.ceil(bottom + scrollY + 10)
    })
    const clip = { x: 0, y: 0, width: looks[look].viewport.width, height }
    await page.screenshot({ path: join(root, "docs/pictures", name), fullPage: true, clip })
  }
  await page.close()
}

it.runIf(asked.length > 0)("pictures", { timeout: 600_000 }, async ({ skip }) => {
  const browser = await launch()
  if (typeof browser === "string") return skip(browser)
  const folder = mkdtempSync(join(tmpdir(), "countersign-pictures-"))
  mkdirSync(out, { recursive: true })
  await makePage(await compileLenet(join(root, "examples")), {
    root: join(root, "examples/page"),
    out: folder,
  })
  const server = await servePage(folder, { port: 0 })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  try {
    const html = isAsked("inspect") ? await inspected(folder) : undefined
    for (const look of Object.keys(looks) as Look[]) {
      for (const scene of Object.keys(scenes).filter(isAsked)) await take(browser, url, scene, look)
      if (html !== undefined) await take(browser, html, "inspect", look)
    }
  } finally {
    await browser.close()
    server.close()
    rmSync(folder, { recursive: true })
  }
})
