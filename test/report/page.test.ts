/** Pages of circuits: whole, closed to the world and to the names in them, and of use to hand, keyboard and screen reader. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Window } from "happy-dom"
import type { Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compareCompilations } from "#src/compile/comparison.js"
import { compile } from "#src/compile/compile.js"
import { measureSaturation } from "#src/compile/figures.js"
import { describeCircuit, inspect, type NodeReport } from "#src/index.js"
import { comparisonPage } from "#src/report/comparison.js"
import { groups, layOut } from "#src/report/layout.js"
import { type PageContent, pageOf } from "#src/report/page.js"
import { small } from "../support/networks.js"
import { launch } from "../support/pages.js"
import { Random } from "../support/random.js"

const none = { provingKey: null, verificationKey: null, proof: 320 }
const hostile = [
  "<script>window.owned = 1</script>",
  `"><img src=x onerror="window.owned = 1">`,
  "'><svg onload=window.owned=1>",
  "</title></style></script><b>",
  "{{window.owned = 1}}&lt;&#60;",
  "\u202e\u2066drawer\u2028\u0000\ud800 größe 尺寸尺寸尺寸尺寸尺寸尺寸尺寸尺寸尺寸尺寸",
  "x".repeat(10_000),
  "尺".repeat(10_000),
  "",
]

/** A model of so many nodes, each called as the list says, in a row with a shortcut now and then. */
function modelOf(names: readonly string[]): readonly NodeReport[] {
  const random = new Random(3)
  const primitives = ["linear", "rescale", "index", "table"]
  const model = names.map((name, i): NodeReport => {
    const sources = i === 0 ? [] : i % 5 === 4 ? [i - 1, i - 4] : [i - 1]
    const constraints = i % 2 === 1 ? random.integer(1, 5000) : 0
    const primitive = i === 0 ? "input" : primitives[i % primitives.length]
    const figures = i % 2 === 1 ? { saturation: { cut: 0.25, low: 0.5, high: 0 }, error: 0.001 } : {}
    return {
      ...{
        name,
        operator: name,
        primitive,
        gadget: constraints > 0 ? `Clamp(1)×${constraints} ${name}` : "",
      },
      ...{ accBits: 20, lookups: i, constraints, shape: [1, i], sources, ...figures },
      ...(i === names.length - 1 && { outputs: [name] }),
    }
  })
  const table = { ...model[0], name: "Range(8)", primitive: "lookup table", shape: null, sources: [] }
  return [...model, { ...table, constraints: 257 }]
}

function contentOf(nodes: readonly NodeReport[], title: string, made: string): PageContent {
  const constraints = nodes.reduce((sum, node) => sum + node.constraints, 0)
  return {
    ...{ title, nodes, bytes: none, samples: { compile: 6, given: 8 } },
    totals: { constraints, lookups: 7, nonzeros: 8, domain: 2 ** 14, wires: 9 },
    circuit: { model: "0x12", proofSystem: "mirage", input: "private", output: "public", precision: 10 },
    key: { digest: "0x34", made: [made] },
  }
}

const parsed = (page: string) => {
  const window = new Window({ settings: { disableJavaScriptEvaluation: true } })
  window.document.write(page)
  return window.document
}

let real: PageContent
let realPage: string
let hostilePage: string
let comparedPage: string
beforeAll(async () => {
  const { graph, input } = await small()
  const circuit = await compile(graph)
  const saturation = await measureSaturation(graph, [input as Record<string, number[]>])
  real = {
    ...inspect(circuit, { saturation }),
    ...{ title: "small", circuit: describeCircuit(circuit), bytes: none, key: null },
    samples: { compile: null, given: 1 },
  }
  realPage = await pageOf(real)
  const content = contentOf(modelOf(hostile), hostile[0], hostile[1])
  hostilePage = await pageOf(content)
  comparedPage = comparisonPage(compareCompilations(real, content), hostile[0], hostile[1])
})

describe("a page", () => {
  it("has a row for each node, a box for each of the model's, and the counts of inspect", () => {
    const document = parsed(realPage)
    const rows = [...document.querySelectorAll("#nodes tbody tr")]
    expect(rows).toHaveLength(real.nodes.length)
    const boxed = [...document.querySelectorAll("#graph .box")].map((box) => box.getAttribute("data-rows"))
    const ofModel = real.nodes.flatMap(({ shape }, i) => (shape === null ? [] : [`${i}`]))
    expect(boxed).toEqual(ofModel)
    const heads = [...document.querySelectorAll("#nodes thead th")].map((th) => th.getAttribute("data-sort"))
    const column = (name: string) =>
      rows.map((row) => Number(row.children[heads.indexOf(name)].getAttribute("data-value")))
    expect(column("constraints")).toEqual(real.nodes.map(({ constraints }) => constraints))
    expect(column("constraints").reduce((a, b) => a + b)).toBe(real.totals.constraints)
    expect(column("lookups")).toEqual(real.nodes.map(({ lookups }) => lookups))
    expect(column("bits")).toEqual(real.nodes.map(({ accBits }) => accBits))
    expect(column("high")).toEqual(real.nodes.map(({ saturation }) => saturation?.high ?? -1))
    // nothing was compared with a float model here
    expect(heads).not.toContain("error")
    expect(document.body.textContent).toContain("Error was not measured")
    expect(document.querySelector(".lead")?.textContent).toContain(`${real.totals.lookups} lookups`)
    for (const row of rows)
      for (const { id } of [...document.querySelectorAll("#graph .box")].filter(
        (box) => box.getAttribute("data-rows") === row.id.slice("row-".length),
      ))
        expect(row.querySelector("th a")?.getAttribute("href")).toBe(`#${id}`)
  })

  it("asks nobody for anything, and allows nothing but its own style and script", () => {
    for (const page of [realPage, hostilePage, comparedPage]) {
      const document = parsed(page)
      const digests = ["style", "script"].map((name) => {
        const elements = [...document.querySelectorAll(name)]
        expect(elements).toHaveLength(1)
        return createHash("sha256").update(elements[0].textContent).digest("base64")
      })
      const policy = document
        .querySelector('meta[http-equiv="Content-Security-Policy"]')
        ?.getAttribute("content")
      expect(policy).toBe(
        `default-src 'none'; style-src 'sha256-${digests[0]}'; script-src 'sha256-${digests[1]}'; base-uri 'none'; form-action 'none'`,
      )
      for (const element of document.querySelectorAll("*"))
        for (const { name, value } of element.attributes) {
          expect(name).not.toMatch(/^on|^src|^style$|^action$/)
          if (name === "href") expect(value).toMatch(/^#(row|box)-\d+$|^#table$/)
        }
      expect(document.querySelectorAll("img, b b, iframe, object, embed, link, base")).toHaveLength(0)
    }
  })

  it("shows names that are code as text, and long ones in part", () => {
    const document = parsed(hostilePage)
    const rows = [...document.querySelectorAll("#nodes tbody tr")]
    expect(rows).toHaveLength(hostile.length + 1)
    expect(document.querySelectorAll("#graph .box")).toHaveLength(hostile.length)
    expect(document.querySelector("h1")?.textContent).toBe(hostile[0])
    expect(document.querySelector("title")?.textContent).toContain(hostile[0])
    for (const [i, name] of hostile.slice(0, 5).entries()) {
      expect(rows[i].querySelector("th a")?.textContent).toBe(name)
      expect(rows[i].children[2].textContent).toBe(name)
    }
    expect(rows[5].textContent).toContain("\\u{202e}\\u{2066}drawer\\u{2028}\\u{0000}\\u{d800} größe 尺寸")
    expect(rows[8].querySelector("th a")?.textContent).toBe("(no name)")
    // a name of 10 kB is cut wherever it stands
    expect(hostilePage.length).toBeLessThan(80_000)
    expect(/[^\P{C}\n]/u.exec(hostilePage)).toBe(null)
  })
})

describe("a page of two circuits", () => {
  it("has a row for each node that differs, as text", () => {
    const document = parsed(comparedPage)
    const rows = [...document.querySelectorAll("#nodes tbody tr")]
    const names = rows.map((row) => row.children[0].textContent)
    for (const name of hostile.slice(0, 5)) expect(names).toContain(name)
    expect(rows).toHaveLength(hostile.length + 1 + real.nodes.length)
    const sum = rows.reduce((all, row) => all + Number(row.children[2].getAttribute("data-value")), 0)
    const constraints = modelOf(hostile).reduce((all, node) => all + node.constraints, 0)
    expect(sum).toBe(constraints - real.totals.constraints)
    expect(document.querySelector("h1")?.textContent).toBe(`${hostile[0]} and ${hostile[1]}`)
  })
})

describe("a drawing", () => {
  it("has each node in one box, those of an operator together where there are many", async () => {
    const names = Array.from({ length: 400 }, (_, i) => `/block.${Math.floor(i / 4)}/Conv`)
    const nodes = modelOf(names)
    const drawing = await layOut(nodes)
    expect(drawing?.boxes).toHaveLength(100)
    const places = drawing?.boxes.flatMap((box) => box.nodes).sort((x, y) => x - y)
    expect(places).toEqual(names.map((_, i) => i))
    // boxes do not lie over each other
    const boxes = drawing?.boxes ?? []
    for (const [i, one] of boxes.entries())
      for (const other of boxes.slice(i + 1))
        expect(Math.abs(one.x - other.x) >= 196 || Math.abs(one.y - other.y) >= 72).toBe(true)
    expect(groups(nodes.slice(0, 50)).map((each) => each.length)).toEqual(new Array(50).fill(1))
    expect((await pageOf(contentOf(nodes, "large", ""))).length).toBeLessThan(400_000)
  })

  it("is left out where nobody would see anything in it, and the table has everything", async () => {
    const nodes = modelOf(Array.from({ length: 2100 }, (_, i) => `n${i}`))
    expect(await layOut(nodes)).toBe(null)
    const page = await pageOf(contentOf(nodes, "huge", ""))
    expect(page).toContain("too many nodes for a drawing")
    expect(page.match(/<tr id="row-/g)).toHaveLength(2101)
  })
})

const browser = await launch()
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
describe.skipIf(typeof browser === "string")(
  `in Chromium (${typeof browser === "string" ? browser : "here"})`,
  () => {
    if (typeof browser === "string") return
    let page: Page
    const wrong: string[] = []
    beforeAll(async () => {
      page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
      page.on("pageerror", (error) => wrong.push(error.message))
      page.on("console", (message) => wrong.push(message.text()))
      page.on("request", ({ url }) => !url().startsWith("about:") && wrong.push(url()))
      page.on("dialog", (dialog) => wrong.push(dialog.message()))
    })
    afterAll(() => browser.close())

    it("hostile names stay text, and search, sorting, boxes and keys work", async () => {
      await page.setContent(hostilePage)
      const seen = () => page.locator("#nodes tbody tr:visible th").allTextContents()
      await page.fill("#search", "</title>")
      expect(await seen()).toEqual([hostile[3]])
      expect(await page.locator("#found").textContent()).toBe("1 of 10 nodes")
      expect(await page.locator(".box:not(.other)").count()).toBe(1)
      await page.fill("#search", "range")
      await page.check("#paid")
      expect(await seen()).toEqual(["Range(8)"])
      await page.fill("#search", "")
      expect(await seen()).toHaveLength(5)
      await page.uncheck("#paid")

      const head = page.locator("#nodes thead th", { hasText: "Constraints" })
      await head.locator("button").click()
      expect(await head.getAttribute("aria-sort")).toBe("descending")
      const values = await page
        .locator("#nodes tbody tr td:nth-child(2)")
        .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)))
      expect(values).toEqual(values.toSorted((x, y) => y - x))

      await page.locator("#row-1 th a").click()
      expect(await page.locator(".box.chosen").getAttribute("id")).toBe("box-1")
      expect(await page.locator("#row-1").getAttribute("class")).toBe("chosen")
      expect(await page.locator("#details h3").textContent()).toBe(hostile[1])
      const before = await page.locator("#graph").getAttribute("viewBox")
      await page.keyboard.press("ArrowDown")
      expect(await page.evaluate(() => document.activeElement?.id)).toBe("box-2")
      await page.keyboard.press("Enter")
      expect(await page.locator(".box.chosen").getAttribute("id")).toBe("box-2")
      await page.keyboard.press("+")
      await page.keyboard.press("Shift+ArrowRight")
      expect(await page.locator("#graph").getAttribute("viewBox")).not.toBe(before)
      expect(await page.evaluate(() => "owned" in window)).toBe(false)
      expect(wrong).toEqual([])
    })

    it.each([
      ["light", 1280, "of a circuit"],
      ["dark", 390, "of a circuit"],
      ["dark", 1280, "of two"],
    ] as const)("axe finds nothing, %s, %i wide, on a page %s", async (colorScheme, width, what) => {
      // axe is a script that the page's policy does not allow
      const context = await browser.newContext({ colorScheme, bypassCSP: true })
      const other = await context.newPage()
      await other.setViewportSize({ width, height: 844 })
      await other.setContent(what === "of two" ? comparedPage : realPage)
      if (what === "of a circuit") await other.locator("#nodes th a").nth(2).click()
      await other.evaluate(axe)
      const { violations } = (await other.evaluate("axe.run(document)")) as { violations: { id: string }[] }
      expect(violations.map(({ id }) => id)).toEqual([])
      // nothing but tables and drawing is wider than the screen
      expect(await other.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
      await context.close()
    })
  },
)
