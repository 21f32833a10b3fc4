import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

const root = new URL("../..", import.meta.url)
const run = (code: string): string =>
  execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: root, encoding: "utf8" }).trim()

describe("the package as users import it", () => {
  it("exports the whole way from the main entry", () => {
    const names = run(
      'import * as api from "countersign"; console.log(Object.keys(api).sort().join())',
    ).split(",")
    for (const name of [
      "importOnnx",
      "importTfjs",
      "quantize",
      "compile",
      "setup",
      "openProver",
      "verify",
      "explain",
    ]) {
      expect(names).toContain(name)
    }
  })

  it.each([
    [
      "verifier",
      /dist\/(verifier\/|statement\/|systems\/verifiers|systems\/\w+\/(verify|solidity|snarkjs)\.|errors|arguments|field)|@noble\/(curves|hashes)\//,
    ],
    [
      "prover",
      /dist\/(?!cli|index|systems\/snarkjs\/|systems\/groth16\/circuit-hash|setup\/ptau|setup\/ceremony\/snarkjs|circuit\/gadgets\/circom)|@noble\/(curves|hashes)\/|\/comlink\//,
    ],
    [
      "ceremony",
      /dist\/(?!cli|index|systems\/snarkjs\/|setup\/ceremony\/snarkjs|circuit\/gadgets\/circom)|@noble\/(curves|hashes)\/|\/comlink\//,
    ],
  ])("has a %s entry that loads neither Node's modules nor GPL packages", (entry, allowed) => {
    // a loader hook that tells every module the entry reaches
    const hook =
      "export async function resolve(s, c, n) { const r = await n(s, c); process._rawDebug(r.url); return r }"
    const code = `
      import { register } from "node:module"
      register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hook)}))
      const { verify, openProver, contribute } = await import("countersign/${entry}")
      process._rawDebug(typeof (verify ?? openProver ?? contribute))`
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: root,
      encoding: "utf8",
    })
    const loaded = stderr.split("\n").filter((line) => /^(file|node):/.test(line))
    expect(stderr).toContain("function")
    expect(loaded.length).toBeGreaterThan(5)
    for (const url of loaded) expect(url).toMatch(allowed)
  })

  it.each([
    [
      "attest",
      /dist\/(attest|statement|verifier|systems\/(verifiers|\w+\/(verify|solidity|snarkjs)\.)|errors|arguments|field)/,
    ],
    ["log", /dist\/(log|attest|statement|verifier|systems\/|errors|arguments|field|platform)/],
    ["keep", /dist\/(?!cli|index|chain|log|systems\/snarkjs\/door)/],
    ["chain", /dist\/(chain|artifacts|attest|statement|verifier|systems\/|errors|arguments|field)/],
  ])("has a %s entry that loads no GPL packages, and of ours what it needs", (entry, own) => {
    const hook =
      "export async function resolve(s, c, n) { const r = await n(s, c); process._rawDebug(r.url); return r }"
    const code = `
      import { register } from "node:module"
      register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hook)}))
      await import("countersign/${entry}")`
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: root,
      encoding: "utf8",
    })
    const loaded = stderr.split("\n").filter((line) => /^file:/.test(line))
    expect(loaded.length, stderr).toBeGreaterThan(20)
    for (const url of loaded)
      if (url.includes("/node_modules/"))
        expect(url).not.toMatch(
          /\/(snarkjs|ffjavascript|wasmcurves|wasmbuilder|circom\w*|circomlib\w*|r1csfile)\//,
        )
      else if (/\/dist\//.test(url)) expect(url).toMatch(own)
  })

  it("gives the circuits to circom users", () => {
    const url = run('console.log(import.meta.resolve("countersign/circuits/gadgets/clamp.circom"))')
    expect(readFileSync(new URL(url), "utf8")).toContain("template Clamp(k, w, t)")
  })

  it("names the licences as they are", () => {
    const { license, dependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))
    expect(license).toBe("MIT")
    expect(Object.keys(dependencies)).toContain("snarkjs")
    expect(readFileSync(new URL("README.md", root), "utf8")).toMatch(/GPL-3\.0/)
  })
})
