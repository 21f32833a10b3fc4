/** `setup contribute` and `setup beacon`: what they leave in a folder, what they say, and interruptions. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { run } from "../support/cli.js"
import { firstKey } from "../support/first-keys.js"
import { perceptron } from "../support/networks.js"

let folder: string
const path = (...names: string[]) => join(folder, ...names)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-ceremony-"))
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  mkdirSync(path("first"))
  writeFileSync(path("first", "proving.key"), await firstKey(circuit))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder with nothing but the key of another. */
function handedOn(from: string, to: string): string {
  mkdirSync(path(to))
  copyFileSync(path(from, "proving.key"), path(to, "proving.key"))
  return path(to)
}

describe("a ceremony on the command line", () => {
  it("goes from folder to folder by its key alone", async () => {
    const hash = expect.stringMatching(/^0x[0-9a-f]{64}$/)
    const first = await run("setup", "contribute", handedOn("first", "a"), "--name", "Alice", "--json")
    expect(first).toMatchObject({
      code: 0,
      json: { number: 1, name: "Alice", before: hash, transcript: hash },
    })
    const second = await run("setup", "contribute", handedOn("a", "b"), "--name", "Bob", "--entropy", "x")
    expect(second.code).toBe(0)
    const last = await run("setup", "beacon", path("b"), "--value", "0xABCD", "--iterations", "10", "--json")
    expect(last).toMatchObject({ code: 0, json: { number: 3, name: "beacon" } })
    expect(readdirSync(path("b")).sort()).toEqual(["proving.key", "verification.json"])
    const key = JSON.parse(readFileSync(path("b", "verification.json"), "utf8"))
    expect(key.setup).toMatchObject({ contributors: ["Alice", "Bob"], transcript: last.json.transcript })
    const more = await run("setup", "contribute", path("b"), "--name", "Eve")
    expect(more).toMatchObject({ code: 2, stderr: expect.stringMatching(/the ceremony has ended/) })
  })
})
