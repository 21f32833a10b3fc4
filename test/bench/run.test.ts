/** The command `npm run bench`: what it refuses, what it prints and what it leaves behind; and files of rows. */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"

type Row = Record<string, number | string | boolean | undefined | null>
interface Recording {
  toCsv(rows: readonly Row[]): string
  fromCsv(text: string): Row[]
  environment(): Record<string, string | number>
  writeRows(directory: string, section: string, rows: readonly Row[]): string
  readRows(directory: string, section: string): Row[]
}
const root = fileURLToPath(new URL("../..", import.meta.url))
const { toCsv, fromCsv, environment, writeRows, readRows } = (await import(
  join(root, "bench/record.mjs")
)) as Recording
const home = mkdtempSync(join(tmpdir(), "bench-"))
afterAll(() => rmSync(home, { recursive: true }))

interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly progress: string
}
const bench = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, "bench/run.mjs"), ...args])
    let [out, progress] = ["", ""]
    child.stdout.on("data", (text) => (out += text))
    child.stderr.on("data", (text) => (progress += text))
    child.once("close", (code) => resolve({ code, out, progress }))
  })

describe("npm run bench", () => {
  it.each([
    [["lenett"], "error: no benchmark `lenett`; there are: models, "],
    [["models", "--fast"], "error: Unknown option '--fast'"],
    [["models", "--only"], "error: Option '--only <value>' argument missing"],
    [["models", "--peer", "ezkl"], "error: --peer is for the section `peers`, which is not asked for"],
    [["models", "--only", "no such model"], "error: nothing of models has a name with `no such model`"],
  ])("%j is refused in words, and nothing is printed", async (args, words) => {
    const { code, out, progress } = await bench(...args)
    expect([code, out]).toEqual([1, ""])
    expect(progress).toContain(words)
    expect(progress).not.toMatch(/^\s+at /m)
  })

  it("gives a row of a model with what every stage took, and leaves it in a file", async () => {
    const only = "784-56-10"
    const { code, out, progress } = await bench("models", "--quick", "--json", "--only", only, "--out", home)
    expect(code, progress).toBe(0)
    const { rows } = JSON.parse(out) as { rows: Row[] }
    expect(rows).toHaveLength(1)
    const [row] = rows
    expect(row).toMatchObject({
      against: null,
      otherMs: null,
      ratio: null,
      weights: "trained",
      proofBytes: 320,
    })
    const figures = [
      "ms",
      "constraints",
      "lookups",
      "domain",
      "keyBytes",
      "verificationKeyBytes",
      "receiptBytes",
    ]
    for (const stage of ["compile", "setup", "open", "witness", "verify"])
      figures.push(`${stage}Ms`, `${stage}PeakBytes`)
    for (const name of [...figures, "peakBytes", "gas", "unseen"]) expect(row[name], name).toBeGreaterThan(0)
    expect(Number(row.leastMs)).toBeLessThanOrEqual(Number(row.ms))
    for (const name of ["accuracyFloat", "accuracyInteger", "agreement"])
      expect(row[name], name).toBeGreaterThan(0.8)
    expect(row).toMatchObject(environment())
    const [kept] = readRows(home, "models")
    expect(new Set(Object.keys(kept))).toEqual(new Set(Object.keys(row)))
    for (const [name, value] of Object.entries(row))
      if (typeof value === "number")
        expect(kept[name], name).toBeCloseTo(value, -Math.log10(Math.abs(value) + 1) + 4)
      else expect(kept[name], name).toBe(value ?? undefined)
  }, 300_000)
})

describe("networks of the list", () => {
  interface Networks {
    networks: {
      name: string
      load(): { file: Uint8Array; unseen: object[]; labels?: number[] } | Promise<never>
    }[]
  }
  interface Onnx {
    floatCount(file: Uint8Array): number
    explicit(file: Uint8Array): Uint8Array
  }

  it.each([
    ["784-56-10", 44_530],
    ["14_5_11_80_10_3", 4_966],
    ["28_6_16_10_5", 5_142],
    ["LeNet 28_6_16_120_84_10_5", 44_426],
  ])("%s has the weights that its name says, and unseen digits of all classes", async (name, parameters) => {
    const { networks } = (await import(join(root, "bench/networks.mjs"))) as Networks
    const { floatCount, explicit } = (await import(join(root, "bench/onnx.mjs"))) as Onnx
    const { file, unseen, labels } = await networks.find((network) => network.name === name)!.load()
    expect(floatCount(file)).toBe(parameters)
    expect(Buffer.compare(explicit(file), file)).toBe(0)
    expect(labels).toHaveLength(unseen.length)
    expect(new Set(labels).size).toBe(10)
  })
})

describe("files of rows", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom("", "1e5", "-3.5", "true", " x", "a,b", 'say "x"', "two\nlines", "\r\n"),
  )
  const value = fc.oneof(fc.integer(), text, fc.boolean(), fc.constant(undefined))
  const names = fc.constantFrom("name", "against", "a column", 'b,"')

  it("give back what was written, texts as texts and numbers as numbers", () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(names, value), { minLength: 1, maxLength: 4 }), (rows) => {
        const back = fromCsv(toCsv(rows))
        expect(back).toHaveLength(rows.length)
        for (const [i, row] of rows.entries()) {
          for (const [field, given] of Object.entries(row)) expect(back[i][field]).toBe(given)
          for (const field of Object.keys(back[i]))
            if (!(field in row)) expect(back[i][field]).toBeUndefined()
        }
      }),
      { numRuns: 300 },
    )
  })

  it("have the leading fields first, and six digits", () => {
    expect(
      toCsv([
        { name: "x", keyBytes: 12345678, ms: 1.23456789 },
        { name: "y", ratio: 2 },
      ]),
    ).toBe("name,against,ms,otherMs,ratio,keyBytes\nx,,1.23457,,,12345678\ny,,,,2,\n")
  })

  it("take no value that is none, and no line that is cut", () => {
    expect(() => toCsv([{ name: "x", ms: Number.NaN }])).toThrow("`ms` is NaN")
    expect(() => toCsv([{ name: {} as unknown as string }])).toThrow("rows are flat")
    expect(() => fromCsv("a,b\n1\n")).toThrow("line 2: 1 cells, and the head has 2")
    expect(() => fromCsv('a,b\n1,"x\n')).toThrow("a quote is not closed")
  })

  it("are written whole or not at all, with where they were measured", () => {
    expect(readRows(home, "section")).toEqual([])
    const path = writeRows(home, "section", [{ name: "1", ms: 2 }])
    expect(readRows(home, "section")).toMatchObject([{ name: "1", ms: 2, ...environment() }])
    const before = readFileSync(path, "utf8")
    expect(() => writeRows(home, "section", [{ name: "x" }, { name: "y", ms: Number.NaN }])).toThrow()
    expect(readFileSync(path, "utf8")).toBe(before)
    expect(readdirSync(home).filter((name) => name.startsWith("section"))).toEqual(["section.csv"])
    writeFileSync(path, `${before}x`)
    expect(() => readRows(home, "section")).toThrow(/section\.csv: line 3: 1 cells/)
  })
})
