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
  readmeTable(rows: Rows): string
  withTable(text: string, table: string): string
  draw(directory?: string): Promise<void>
}
const root = fileURLToPath(new URL("../..", import.meta.url))
const { resultsOf, drawn, readmeTable, withTable, draw } = (await import(
  join(root, "bench/draw.mjs")
)) as Drawing
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

describe("the README's table", () => {
  it("is the one of the results", () => {
    const readme = read("README.md")
    expect(withTable(readme, readmeTable(rows)) === readme, mend).toBe(true)
  })

  it("has a row for each model, of as many cells as the head", () => {
    const lines = readmeTable(rows).split("\n\n")[0].split("\n")
    expect(lines).toHaveLength(rows.models.length + 2)
    for (const line of lines) expect(line.split("|")).toHaveLength(lines[0].split("|").length)
  })

  it("is refused a text without its place, or with two", () => {
    const place = "<!-- bench:begin -->\nold\n<!-- bench:end -->"
    expect(withTable(`a\n${place}\nb`, "new")).toBe("a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nb")
    for (const text of ["", "<!-- bench:end --><!-- bench:begin -->", `${place}${place}`])
      expect(() => withTable(text, "new")).toThrow(/README.md needs/)
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
