/** What the README shows runs as it stands. */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { smallModel } from "../support/cli.js"

const root = new URL("../..", import.meta.url)
const readme = readFileSync(new URL("README.md", root), "utf8")
const snippet = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ""

/** The snippet as a module of somebody else's, with what it takes for granted. */
function moduleOf(code: string): string {
  const model = Buffer.from(smallModel(4, { input: "image" })).toString("base64")
  return `
    import { importOnnx, quantize, compile, setup, openProver, verify as check } from "countersign"
    const verify = (...args) => console.log(check(...args))
    const bytes = Buffer.from("${model}", "base64")
    const samples = [{ image: [1, -1, 1] }, { image: [0.5, 0, 0.25] }]
    const [image, context] = [[0.5, -0.5, 0.25], "0x${"11".repeat(32)}"]
    ${code}`
}

describe("the first snippet", () => {
  it.each([
    ["as it stands", snippet],
    ["without close", snippet.replace(/^await prover\.close.*$/m, "")],
  ])("%s gives a valid receipt, and its process ends by itself", (_, code) => {
    expect(code).toContain("openProver")
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "-e", moduleOf(code)],
      { cwd: root, encoding: "utf8", timeout: 60_000 },
    )
    expect(stderr).toBe("")
    expect({ status, stdout }).toEqual({ status: 0, stdout: "true\n" })
  })
})
