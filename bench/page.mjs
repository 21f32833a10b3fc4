/**
 * The page of examples/page, as `npm run page` left it in out/page: what passes between the press of a button and a receipt
 * that is verified, and how long the page takes before that. Each visit is in a browser context of its own, which has
 * kept nothing of the one before; its first proof and the later ones are told apart.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import chromiumFile from "@sparticuz/chromium"
import { chromium } from "playwright-core"
import { median } from "./compare.mjs"

const folder = fileURLToPath(new URL("../out/page", import.meta.url))
const served = new URL("../examples/page/serve.js", import.meta.url)

const variants = [
  ["isolated", true],
  ["not isolated", false],
]

/** What a visitor downloads: code and model compressed, the key as it is. */
function sizes() {
  const files = readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
  const [keys, others] = [[], []]
  for (const path of files) (path.endsWith(".key") ? keys : others).push(path)
  const sum = (list) => list.reduce((a, b) => a + b, 0)
  return {
    keyBytes: sum(keys.map((path) => statSync(path).size)),
    otherBytes: sum(others.map((path) => statSync(path).size)),
    otherGzipBytes: sum(others.map((path) => gzipSync(readFileSync(path)).length)),
  }
}

/** Draws a 7, then proves it; in the page, milliseconds until it says that the receipt is valid. */
async function visit(browser, url, proofs) {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    const start = performance.now()
    await page.goto(url)
    await page.locator("#loading").waitFor({ state: "hidden" })
    const loadMs = performance.now() - start
    const { x, y, width } = await page.locator("#sheet").boundingBox()
    const go = (cx, cy, steps) => page.mouse.move(x + (cx * width) / 28, y + (cy * width) / 28, { steps })
    await go(6, 6, 1)
    await page.mouse.down()
    for (const [cx, cy] of [
      [21, 6],
      [17, 13],
      [12, 23],
    ])
      await go(cx, cy, 5)
    await page.mouse.up()
    await page.locator("#sees", { hasText: "A 7" }).waitFor()
    const times = []
    for (let i = 0; i < proofs; i++) times.push(await page.evaluate(provenOnce))
    return { loadMs, times, threads: await page.textContent("#threads") }
  } finally {
    await context.close()
  }
}

/** Runs in the page. */
async function provenOnce() {
  const verdict = document.getElementById("verdict")
  delete verdict.dataset.valid
  const button = document.getElementById("prove-it")
  // a proof that is under way ends with the button
  while (button.ariaDisabled === "true") await new Promise((resolve) => setTimeout(resolve, 5))
  const start = performance.now()
  const said = new Promise((resolve) =>
    new MutationObserver(() => resolve(verdict.dataset.valid)).observe(verdict, { attributes: true }),
  )
  button.click()
  if ((await said) !== "true") throw new Error(`the page refuses its own receipt: ${verdict.textContent}`)
  return performance.now() - start
}

/** Rows: isolated, and not. `ms` is the median of a later proof, verified; `firstMs` of the first after loading. */
export async function page({ quick, only }) {
  if (!existsSync(served) || !existsSync(join(folder, "sw.js")))
    throw new Error("there is no page in out/page: run `npm run page` first")
  const { servePage } = await import(served.href)
  chromiumFile.setGraphicsMode = false
  const browser = await chromium.launch({
    executablePath: await chromiumFile.executablePath(),
    args: ["--no-sandbox"],
    headless: true,
  })
  const rows = []
  try {
    for (const [name, isolated] of variants.filter(([name]) => !only || name.includes(only))) {
      const server = await servePage(folder, { port: 0, isolated })
      const visits = []
      for (let i = 0; i < (quick ? 1 : 3); i++) {
        process.stderr.write(`  ${name}, visit ${i + 1}\n`)
        visits.push(await visit(browser, `http://127.0.0.1:${server.address().port}/`, quick ? 3 : 6))
      }
      server.close()
      const firstMs = median(visits.map(({ times }) => times[0]))
      const ms = median(visits.flatMap(({ times }) => times.slice(1)))
      const loadMs = median(visits.map((each) => each.loadMs))
      const threads = Number(/(\d+) threads/.exec(visits[0].threads)?.[1] ?? 1)
      const chromiumVersion = browser.version()
      rows.push({ name, ms, firstMs, loadMs, threads, ...sizes(), chromium: chromiumVersion })
    }
  } finally {
    await browser.close()
  }
  return rows
}
