/** `countersign inspect` of two folders, and on samples. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { run, writeModel, writeSamples } from "../support/cli.js"

const example = fileURLToPath(new URL("../../examples/mnist-mlp/", import.meta.url))
const samples = join(example, "samples.json")
let folder: string
const path = (name: string) => join(folder, name)
const compiled = async (name: string, ...options: string[]) => {
  const made = ["compile", join(example, "model.onnx"), "--samples", samples, "--out", path(name)]
  const { code, stderr } = await run(...made, ...options)
  expect(code, stderr).toBe(0)
}
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-inspect-"))
  await compiled("ten")
  await compiled("eight", "--precision", "8")
  writeModel(path("small.onnx"), 5)
  writeSamples(path("small.json"))
  const small = ["compile", path("small.onnx"), "--samples", path("small.json")]
  const made = await run(...small, "--out", path("hidden"), "--weights", "private")
  expect(made.code, made.stderr).toBe(0)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("inspect of two folders", () => {
  it("says what differs, in the words of the golden text", async () => {
    const { code, stdout, stderr } = await run("inspect", path("ten"), path("eight"))
    expect(code, stderr).toBe(0)
    expect(stdout.replace(/…\S+-\w{6}\//g, "…/")).toMatchInlineSnapshot(`
      "                         …/ten  …/eight
      model                    0xb8368c3ab25e33c50eb32f4f4…  0x7cf1525b8f7451bed2f79c42a…
      precision                10                            8
      constraints              2157                          1388                          -769 (-35.7 %)
      lookups                  1059                          1059
      nonzeros                 54939                         51017                         -3922 (-7.1 %)
      domain                   2176                          1440                          -736 (-33.8 %)
      wires                    4193                          2656                          -1537 (-36.7 %)
      nodes                    7                             7
      proving key, bytes       none                          none
      verification key, bytes  none                          none
      proof, bytes             320                           320

      constraints of
      lookup table    1040  272  -768 (-73.8 %)
      word            2     1    -1 (-50.0 %)

      nodes: 5 changed, 2 added, 2 removed, 0 the same
         node                  operator  primitive     bits      lookups  constraints  difference        gadgets
      ~  image                           input         11 -> 9   784      784                            InRange(10)×784 -> InRange(8)×784
      ~  denseRelu1            Relu      rescale       35 -> 29  275      331                            Gated(20,10,10,9,5,5)×51 Complement(20,10,10)×5…
      ~  words                           word                    0        2 -> 1       -1 (-50.0 %)
      +  Range(8)                        lookup table            0        257          +257
      +  GatedTable(8,9,5,5)             lookup table            0        15           +15
      -  Range(10)                       lookup table            0        1025         -1025 (-100.0 %)
      -  GatedTable(10,9,5,5)            lookup table            0        15           -15 (-100.0 %)
      "
    `)
  })

  it("adds up to the difference of the totals", async () => {
    const { json } = await run("inspect", path("ten"), path("hidden"), "--json")
    const { totals, operators, nodes } = json as unknown as {
      totals: { name: string; a: number; b: number }[]
      operators: { a: number; b: number }[]
      nodes: Record<"added" | "removed" | "changed", Record<"a" | "b", { constraints: number } | undefined>[]>
    }
    const [{ name, a, b }] = totals
    expect(name).toBe("constraints")
    expect(operators.reduce((sum, each) => sum + each.b - each.a, 0)).toBe(b - a)
    const changes = [...nodes.added, ...nodes.removed, ...nodes.changed]
    const sum = changes.reduce(
      (all, each) => all + (each.b?.constraints ?? 0) - (each.a?.constraints ?? 0),
      0,
    )
    expect(sum).toBe(b - a)
  })

  it("finds no difference of a folder to itself", async () => {
    const { json } = await run("inspect", path("ten"), path("ten"), "--json")
    expect(json).toMatchObject({
      options: [],
      operators: [],
      nodes: { added: [], removed: [], changed: [], same: 7 },
    })
  })

  it("refuses what is no folder of a circuit, and samples for two", async () => {
    writeFileSync(path("file"), "x")
    for (const [args, message] of [
      [["inspect", path("ten"), path("nothing")], /circuit\.json.*does not exist.*countersign compile/],
      [["inspect", path("file"), path("ten")], /lies in what is a file/],
      [["inspect", path("ten"), path("eight"), "--samples", samples], /--samples is for one folder/],
      [["inspect", path("hidden"), "--samples", samples], /weights that are private/],
    ] as const)
      expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) })
  })

  it("refuses figures of nodes that are none", async () => {
    cpSync(path("ten"), path("odd"), { recursive: true })
    const info = JSON.parse(readFileSync(path("ten/circuit.json"), "utf8"))
    for (const [accuracy, message] of [
      [7, /accuracy.*object/],
      [{ ...info.accuracy, losses: [{ tensor: "a", node: "b", error: "<b>" }] }, /losses\[0\]\.error/],
      [{ ...info.accuracy, saturation: [{ tensor: 1, node: "b", share: 0 }] }, /saturation\[0\]/],
    ] as const) {
      writeFileSync(path("odd/circuit.json"), JSON.stringify({ ...info, accuracy }))
      const refused = await run("inspect", path("odd"), "--html", path("odd.html"))
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(message) })
    }
    expect(existsSync(path("odd.html"))).toBe(false)
  })
})

describe("inspect --html", () => {
  it("writes a page whole, over an older one, and says so", async () => {
    writeFileSync(path("page.html"), "an older page")
    const { json, code, stderr } = await run("inspect", path("ten"), "--html", path("page.html"), "--json")
    expect(code, stderr).toBe(0)
    const page = readFileSync(path("page.html"), "utf8")
    expect(json).toMatchObject({ html: path("page.html"), htmlBytes: Buffer.byteLength(page) })
    expect(page).toMatch(/^<!doctype html>.*<h1 id="title">ten<.h1>.*<.html>\n$/s)
    expect(page.match(/<tr id="row-/g)).toHaveLength((json.nodes as unknown[]).length)
    expect(page).toContain("2,157 constraints")
  })

  it("writes one of two folders", async () => {
    const { code, stdout } = await run("inspect", path("ten"), path("eight"), "--html", path("two.html"))
    expect(code).toBe(0)
    expect(stdout).toMatch(/\npage {5}\S*two\.html \(\d+ bytes\)\n?$/)
    expect(readFileSync(path("two.html"), "utf8")).toContain("Nodes that differ")
  })

  it("leaves nothing where it cannot, and the older page where the folder is wrong", async () => {
    writeFileSync(path("kept.html"), "kept")
    const wrong = await run("inspect", path("nothing"), "--html", path("kept.html"))
    expect(wrong.code).toBe(2)
    expect(readFileSync(path("kept.html"), "utf8")).toBe("kept")
    const refused = await run("inspect", path("ten"), "--html", path("eight"))
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("cannot be written: it is a folder"),
    })
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([])
  })
})

describe("inspect on samples", () => {
  it("says what clamps cut off, beside what compile measured", async () => {
    const { json, code, stderr } = await run("inspect", path("ten"), "--samples", samples, "--json")
    expect(code, stderr).toBe(0)
    const [relu] = (json.nodes as { name: string; saturation?: object; error?: number }[]).filter(
      ({ saturation }) => saturation !== undefined,
    )
    // a ReLU cuts off at zero what its model does, and nothing of the samples that its range was taken from at the top
    expect(relu).toMatchObject({ name: "denseRelu1", saturation: { cut: 0, high: 0 } })
    expect((relu.saturation as { low: number }).low).toBeGreaterThan(0.3)
    expect(relu.error).toBeGreaterThan(0)
    expect(relu.error).toBeLessThan(0.01)
  })
})
