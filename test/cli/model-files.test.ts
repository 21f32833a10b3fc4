/** Weight files of tfjs: only regular files in the model's folder, of the size that the manifest says. */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { readModel } from "#src/cli/model-files.js"
import { CountersignError, FileError, ModelError, UsageError } from "#src/errors.js"
import { cli } from "../support/cli.js"

let folder: string
const path = (name: string) => join(folder, name)
const weights = new Uint8Array(Float32Array.of(2, -1, 0.5).buffer)

/** Writes model/model.json, a dense layer of three inputs, with weight files of those names; returns its path. */
function written(name: string, ...paths: unknown[]): string {
  const model = {
    modelTopology: {
      class_name: "Sequential",
      config: {
        name: "m",
        layers: [
          {
            class_name: "Dense",
            config: { name: "dense", batch_input_shape: [null, 3], units: 1, use_bias: false },
          },
        ],
      },
    },
    weightsManifest: [{ paths, weights: [{ name: "dense/kernel", shape: [3, 1], dtype: "float32" }] }],
  }
  writeFileSync(path(`model/${name}.json`), JSON.stringify(model))
  return path(`model/${name}.json`)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-files-"))
  mkdirSync(path("model/parts"), { recursive: true })
  mkdirSync(path("model-beside"))
  for (const name of ["outside.bin", "model-beside/w.bin", "model/whole.bin", "model/parts/whole.bin"])
    writeFileSync(path(name), weights)
  writeFileSync(path("model/first.bin"), weights.subarray(0, 5))
  writeFileSync(path("model/second.bin"), weights.subarray(5))
  writeFileSync(path("model/short.bin"), weights.subarray(1))
  writeFileSync(path("model/long.bin"), Uint8Array.from([...weights, 0]))
  symlinkSync("parts/whole.bin", path("model/inside.bin"))
  symlinkSync("../outside.bin", path("model/leads-out.bin"))
  symlinkSync("..", path("model/up"))
  symlinkSync("/dev/zero", path("model/zero.bin"))
  symlinkSync("nowhere", path("model/dangling.bin"))
  symlinkSync("circle.bin", path("model/circle.bin"))
  execFileSync("mkfifo", [path("model/pipe.bin")])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("weight files", () => {
  it.each([
    [["whole.bin"]],
    [["parts/whole.bin"]],
    [["./parts/whole.bin"]],
    [["first.bin", "second.bin"]],
    [["inside.bin"]],
  ])("%j are read", (paths) => {
    const graph = readModel(written("good", ...paths))
    expect(Array.from(graph.constants.get("dense/kernel")?.data ?? [])).toEqual([2, -1, 0.5])
  })

  it.each([
    ["../outside.bin", /lies outside the model's folder/],
    ["parts/../../outside.bin", /lies outside/],
    ["parts/../whole.bin", /lies outside/],
    ["..\\outside.bin", /lies outside/],
    ["..", /lies outside/],
    ["/dev/zero", /absolute path/],
    ["/etc/hostname", /absolute path/],
    ["C:\\weights.bin", /absolute path/],
    ["C:weights.bin", /absolute path/],
    ["leads-out.bin", /leads out/],
    ["up/outside.bin", /leads out/],
    ["up/model-beside/w.bin", /leads out/],
    ["zero.bin", /leads out/],
    ["circle.bin", /ELOOP/],
    ["dangling.bin", /does not exist/],
    ["missing.bin", /does not exist/],
    ["", /no name/],
    ["whole.bin\0", /no name/],
    ["whole.bin\nx", /does not exist/],
  ])("%j are refused", (name, message) => {
    const model = written("bad", name)
    expect(() => readModel(model)).toThrow(ModelError)
    expect(() => readModel(model)).toThrow(message)
  })

  it.each(["parts", "pipe.bin", "."])("%j is no regular file, and nothing waits for it", (name) => {
    const model = written("bad", name)
    expect(() => readModel(model)).toThrow(CountersignError)
    expect(() => readModel(model)).toThrow(/no regular file|leads out/)
  })

  it.each([["short.bin"], ["long.bin"], ["first.bin"], ["first.bin", "second.bin", "first.bin"]])(
    "%j %j %j have another size than the manifest says",
    (...paths) => {
      const model = written("bad", ...paths.filter(Boolean))
      expect(() => readModel(model)).toThrow(/expected 12 bytes; given \d+ bytes/)
    },
  )

  it("that are no names are refused", () => {
    for (const name of [null, 3, ["whole.bin"], {}])
      expect(() => readModel(written("bad", name))).toThrow(ModelError)
  })

  it("are named in messages without control characters", () => {
    const model = written("bad", "a\u001b[2Jb")
    expect(() => readModel(model)).toThrow(/a\\u001b\[2Jb/)
  })
})

describe("model files", () => {
  it("that are devices, pipes or folders are refused at once", () => {
    for (const name of ["/dev/zero", path("model/pipe.bin"), path("model")])
      expect(() => readModel(name)).toThrow(FileError)
    expect(() => readModel(path("none.onnx"))).toThrow(UsageError)
  })

  it("that are no JSON or no object are typed errors", () => {
    for (const text of ["", "{", "null", "3", "[]", '"text"']) {
      writeFileSync(path("model/foreign.json"), text)
      expect(() => readModel(path("model/foreign.json")), text).toThrow(CountersignError)
    }
  })

  it("make `compile` end with exit code 2, and not wait", () => {
    writeFileSync(path("samples.json"), JSON.stringify([{ inputs: { dense_input: [1, 2, 3] } }]))
    for (const name of ["/dev/zero", "../outside.bin", "pipe.bin"]) {
      const args = ["compile", written("bad", name), "--samples", path("samples.json"), "--out", path("out")]
      const { status, stderr } = spawnSync(process.execPath, [cli, ...args], { timeout: 20_000 })
      expect([name, status, String(stderr)]).toEqual([name, 2, expect.stringMatching(/weight file|regular/)])
    }
  })
})
