/**
 * What the repository shows of its own figures follows from bench/results: pictures and the README's table are those that
 * drawing them again gives, whatever the figures are.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

type Rows = Record<string, Record<string, unknown>[]>
interface Drawing {
  resultsOf(directory?: string): Rows
  drawn(rows: Rows): Record<string, string>
  written(rows: Rows, read: (path: string) => string): Record<string, string>
  draw(directory?: string): Promise<void>
}
const root = fileURLToPath(new URL("../..", import.meta.url))
const { resultsOf, drawn, written, draw } = (await import(join(root, "bench/draw.mjs"))) as Drawing
const { between } = (await import(join(root, "bench/draw/markdown.mjs"))) as {
  between(text: string, name: string, content: string): string
}
const read = (path: string) => readFileSync(join(root, path), "utf8")
const mend = "run `npm run bench -- draw`"

const rows = resultsOf()
const pictures = drawn(rows)

describe("pictures", () => {
  it("are those of the results, and no others", () => {
    const names = readdirSync(join(root, "docs/pictures")).filter((name) => name.endsWith(".svg"))
    expect(names.sort(), mend).toEqual(
      Object.keys(pictures)
        .map((name) => `${name}.svg`)
        .sort(),
    )
  })

  it.each(Object.keys(pictures))("%s is what is drawn now", (name) => {
    expect(read(`docs/pictures/${name}.svg`) === pictures[name], mend).toBe(true)
  })

  it.each(Object.keys(pictures))(
    "%s says what it is, in light and in dark, with no figure that is none",
    (name) => {
      const text = pictures[name]
      expect(text).toMatch(/<title id="title">[^<]+<\/title>\n<desc id="description">[^<]+<\/desc>/)
      expect(text).toContain("@media (prefers-color-scheme:dark)")
      expect(text).not.toMatch(/NaN|undefined|null|Infinity/)
      for (const [, used] of text.matchAll(/var\((--\w+)\)/g)) expect(text.split(`${used}:`)).toHaveLength(3)
    },
  )
})

describe("tables", () => {
  const documents = Object.entries(written(rows, read))

  it("are in two documents", () => {
    expect(documents.map(([path]) => path)).toEqual(["README.md", "docs/BENCHMARKS.md"])
  })

  it.each(documents)("of %s are those of the results", (path, text) => {
    expect(text === read(path), mend).toBe(true)
    expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/)
  })

  it.each(documents)("of %s have as many cells in each row as in the head", (_, text) => {
    const parts = [...text.matchAll(/<!-- bench\S*:begin -->\n([\s\S]*?)<!-- bench\S*:end -->/g)]
    expect(parts.length).toBeGreaterThan(0)
    for (const [, part] of parts)
      for (const one of part.split("\n\n").filter((piece) => piece.startsWith("|"))) {
        const lines = one.trim().split("\n")
        for (const line of lines) expect(line.split("|"), line).toHaveLength(lines[0].split("|").length)
      }
  })

  it("have a row for each model in README.md", () => {
    for (const { name } of rows.models) expect(read("README.md")).toContain(`\n| ${name} |`)
  })

  it("have a place, or are refused", () => {
    const place = "<!-- bench:begin -->\nold\n<!-- bench:end -->"
    const whole = "a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nb"
    expect(between(`a\n${place}\nb`, "bench", "new")).toBe(whole)
    for (const text of ["", "<!-- bench:end --><!-- bench:begin -->", `${place}${place}`])
      expect(() => between(text, "bench", "new")).toThrow(/once each/)
  })
})

describe("results", () => {
  it("of another folder are drawn there; a file that lacks a column is refused with its name", async () => {
    const folder = mkdtempSync(join(tmpdir(), "countersign-figures-"))
    try {
      const scaling = read("bench/results/scaling.csv")
      writeFileSync(join(folder, "scaling.csv"), scaling)
      const before = read("README.md")
      await draw(folder)
      expect(readFileSync(join(folder, "scaling.svg"), "utf8")).toBe(pictures.scaling)
      expect(read("README.md")).toBe(before)
      writeFileSync(join(folder, "scaling.csv"), scaling.replace("peakBytes", "peak"))
      expect(() => resultsOf(folder)).toThrow("scaling.csv has no column peakBytes")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
