/** Backends in a page: nothing of Node's is in it, WebAssembly gives the integers of the loops, and so does WebGPU where there is one. */
import { existsSync, readFileSync } from "node:fs"
import type { Server } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { build } from "vite"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import type { BackendsPage } from "../../support/backends-page.js"
import { small } from "../../support/networks.js"
import { type Files, launch, serve } from "../../support/pages.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const given = process.env.BACKENDS
const require = createRequire(join(resolve(given ?? root), "package.json"))

const webgpu = "@tensorflow/tfjs-backend-webgpu"
const installed = () => {
  try {
    return require.resolve(webgpu)
  } catch {
    return undefined
  }
}

/** A page, bundled; a package of an optional backend is one more entry, which shares the tfjs of the first. */
async function bundled(): Promise<{ files: Files; modules: readonly string[] }> {
  const optional = installed()
  const module = optional && join(optional, "../../dist/index.js")
  const page = join(root, "test/support/backends-page.ts")
  const result = await build({
    root,
    configFile: false,
    logLevel: "silent",
    publicDir: false,
    resolve: { dedupe: ["@tensorflow/tfjs-core"] },
    build: {
      write: false,
      rolldownOptions: {
        input: { page, ...(module && { webgpu: module }) },
        preserveEntrySignatures: "strict",
        output: { entryFileNames: "[name].js" },
      },
    },
  })
  const { output } = (Array.isArray(result) ? result[0] : result) as Extract<
    typeof result,
    { output: unknown }
  >
  const files: Files = new Map()
  for (const file of output) files.set(file.fileName, file.type === "chunk" ? file.code : file.source)
  const wasm = join(createRequire(join(root, "package.json")).resolve("@tensorflow/tfjs-backend-wasm"), "..")
  for (const name of ["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm"])
    files.set(name, readFileSync(join(wasm, name)))
  files.set("", `<!doctype html><script type="module" src="/page.js"></script>`)
  const modules = output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
  return { files, modules }
}

/** Chromium of the system, which has a driver of WebGPU in software; else that of the tests, which has none. */
async function open(): Promise<Browser | string> {
  const executablePath = "/usr/bin/chromium"
  if (!existsSync(executablePath)) return await launch()
  const features = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"]
  return await chromium.launch({ executablePath, args: ["--no-sandbox", ...features], headless: true })
}

const browser = await open()

if (typeof browser === "string") {
  it("runs a model in a page", ({ skip }) => skip(browser))
} else {
  describe("a page", () => {
    let server: Server
    let page: Page
    let graph: IntGraph
    let modules: readonly string[]
    let inputs: Record<string, number[]>[]
    let expected: number[][]

    beforeAll(async () => {
      const network = await small()
      graph = network.graph
      const { lo, bits } = graph.inputs[0]
      const quantized = quantizeInput(graph, network.input)
      inputs = [0, 1, 2].map((run) => ({
        x: Array.from(quantized.x, (q, i) => (run === 0 ? q : lo + ((7919 * (i + run)) % 2 ** bits))),
      }))
      const { tensor } = graph.outputs[0]
      expected = inputs.map((input) => Array.from(runInteger(graph, input).get(tensor) ?? []))
      const made = await bundled()
      modules = made.modules
      made.files.set("model.bin", serialize(graph)).set("inputs.json", JSON.stringify(inputs))
      server = await serve(made.files, {})
      page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.waitForFunction(() => "countersign" in globalThis)
    }, 120_000)
    afterAll(async () => {
      await browser.close()
      server.close()
    })

    const run = (name: Parameters<BackendsPage["run"]>[0]) =>
      page.evaluate(
        (backend) =>
          (globalThis as unknown as { countersign: BackendsPage }).countersign.run(
            backend,
            "model.bin",
            "inputs.json",
          ),
        name,
      )

    it("has nothing of Node's", () => {
      // a stub stands for a file of ours that is Node's, and would be named if it were for a module of Node's
      expect(modules.filter((id) => /external:|^node:|quantize\/backends\/node\.js$/.test(id))).toEqual([])
      expect(modules.some((id) => id.includes("@tensorflow/tfjs-core"))).toBe(true)
    })

    it.each(["loops", "wasm"] as const)("runs integers on %s", async (name) => {
      expect(await run(name)).toEqual({ chosen: name, passedOver: [], outputs: expected })
    })

    it("passes over what is for Node", async () => {
      const { chosen, passedOver, outputs } = await run("node-gpu")
      expect([chosen, outputs]).toEqual(["loops", expected])
      expect(passedOver).toEqual([{ backend: "node-gpu", reason: "it is for Node", missing: true }])
    })

    it("runs integers on WebGPU, or says why not", async ({ skip }) => {
      const { chosen, passedOver, outputs } = await run("webgpu")
      expect(outputs).toEqual(expected)
      if (chosen === "webgpu") return expect(passedOver).toEqual([])
      expect(passedOver).toEqual([
        { backend: "webgpu", reason: expect.any(String), missing: expect.any(Boolean) },
      ])
      if (given === undefined) return skip(passedOver[0].reason)
      expect(passedOver).toEqual([])
    }, 120_000)
  })
}
