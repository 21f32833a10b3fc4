/** `--backend`: the same circuit and the same integers on all, and a line on what is passed over. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { run, writeModel, writeSamples } from "../support/cli.js"

const folder = mkdtempSync(join(tmpdir(), "countersign-backend-"))
const path = (name: string) => join(folder, name)

const compile = (out: string, ...more: string[]) =>
  run("compile", path("model.onnx"), "--samples", path("samples.json"), "--out", path(out), ...more)

describe("--backend", () => {
  beforeAll(() => {
    writeModel(path("model.onnx"), 3)
    writeSamples(path("samples.json"))
    writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: [0.25, -0.5, 1] } }))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it("makes the same circuit and the same integers on all", async () => {
    const all = []
    for (const name of ["auto", "loops", "wasm"]) {
      const { json, code } = await compile(name, "--backend", name, "--json")
      const ran = await run("run", path(name), path("input.json"), "--backend", name, "--json")
      expect([code, ran.code]).toEqual([0, 0])
      expect(json).toMatchObject({ backend: name === "wasm" ? "wasm" : "loops", passedOver: [] })
      expect(json.device).toBe(name === "wasm" ? "WebAssembly, one thread" : undefined)
      all.push([json.model, readFileSync(path(`${name}/model.bin`), "hex"), ran.json])
    }
    expect(all[1]).toEqual(all[0])
    expect(all[2]).toEqual(all[0])
  })

  it("says what is passed over, and does it in loops", async () => {
    const { code, stdout, stderr } = await compile("none", "--backend", "node-gpu")
    expect(code).toBe(0)
    expect(stderr).toMatch(/backend node-gpu is passed over: `@tensorflow\/tfjs-node` is not installed/)
    expect(stdout).toMatch(/^backend {6}loops$/m)
  })

  it("is refused before any work if there is none of that name", async () => {
    const { code, stderr } = await compile("wrong", "--backend", "cuda")
    expect(code).toBe(2)
    expect(stderr).toMatch(/--backend.*expected auto, loops, wasm, webgpu, node-gpu; given string `cuda`/)
  })
})
