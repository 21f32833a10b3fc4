/**
 * Backends whose packages are not installed: WebGPU on a software adapter, in Node; and what stands for a package of TensorFlow. With
 * BACKENDS, the folder that the packages are in, what is missing fails (`npm run backends`); without it, it is left out.
 */
import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as tf from "@tensorflow/tfjs-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openBackends } from "#src/quantize/backends/backends.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import { quantizeInput, runInteger, runIntegers } from "#src/quantize/integers/run.js"
import { mnist, perceptron, small } from "../../support/networks.js"

const given = process.env.BACKENDS
const folder = resolve(given ?? fileURLToPath(new URL("../../..", import.meta.url)))

/** Debian's Chromium brings a loader of Vulkan and a driver in software. */
const vulkan = "/usr/lib/chromium"
const driver = join(vulkan, "vk_swiftshader_icd.json")

/** Why WebGPU cannot be tried in Node, if it cannot. */
function missing(): string | undefined {
  const require = createRequire(join(folder, "package.json"))
  for (const name of ["webgpu", "@tensorflow/tfjs-backend-webgpu"])
    try {
      require.resolve(name)
    } catch {
      return `\`${name}\` is not installed`
    }
  return existsSync(driver) ? undefined : `there is no ${driver}`
}

describe("WebGPU in Node", () => {
  const models = mkdtempSync(join(tmpdir(), "countersign-backends-"))
  const files: string[] = []
  beforeAll(async () => {
    const networks = [await small(), await perceptron([40, 30, 3], 12), await mnist("mnist-mlp")]
    for (const [i, { graph }] of networks.entries()) {
      files.push(join(models, `${i}.bin`))
      writeFileSync(files[i], serialize(graph))
    }
  })
  afterAll(() => rmSync(models, { recursive: true }))

  const child = async (environment: Record<string, string>) => {
    const script = fileURLToPath(new URL("../../support/backends-child.mjs", import.meta.url))
    const env = { ...process.env, ...environment }
    const { stdout } = await promisify(execFile)(process.execPath, [script, "webgpu", folder, ...files], {
      env,
    })
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "")
  }

  it("gives the integers of the loops, and is passed over when its device is lost", async ({ skip }) => {
    const reason = missing()
    if (reason !== undefined && given === undefined) skip(reason)
    expect(reason).toBeUndefined()
    const loader = { LD_LIBRARY_PATH: dirname(driver), VK_ICD_FILENAMES: driver }
    expect(await child(loader)).toMatchObject({
      equal: [true, true, true],
      chosen: "webgpu",
      refused: [],
      tensors: 0,
      after: true,
      passedOver: [{ backend: "webgpu", missing: false }],
      second: "webgpu",
    })
  }, 300_000)

  it("is passed over without a package or an adapter, and nothing else changes", async () => {
    const ran = await child({ LD_LIBRARY_PATH: "", VK_ICD_FILENAMES: "/nowhere" })
    if (ran.chosen === "webgpu") return
    expect(ran).toMatchObject({ equal: [true, true, true], chosen: "loops" })
    expect(ran.refused).toEqual([
      {
        backend: "webgpu",
        missing: expect.any(Boolean),
        reason: expect.stringMatching(/not installed|no WebGPU adapter/),
      },
    ])
  })
})

describe("node-gpu", () => {
  it("is what the package of TensorFlow registers, and loads the one for the processor without the other", async () => {
    await using wasm = openBackends("wasm")
    const { graph, input } = await small()
    const quantized = quantizeInput(graph, input)
    await runIntegers(graph, [quantized], { backend: wasm })
    const asked: string[] = []
    const load = async (name: string) => {
      asked.push(name)
      if (name.endsWith("-gpu")) throw Object.assign(new Error("none"), { code: "ERR_MODULE_NOT_FOUND" })
      // stands for the package: the kernels of another backend under the name of TensorFlow's
      tf.copyRegisteredKernels("wasm", "tensorflow")
      tf.registerBackend("tensorflow", () => tf.findBackend("wasm"))
    }
    const backend = openBackends("node-gpu", { load })
    const tensors = graph.nodes.map(({ out }) => out)
    const [values] = await runIntegers(graph, [quantized], { backend, tensors })
    expect(values).toEqual(runInteger(graph, quantized))
    expect([backend.chosen, backend.passedOver]).toEqual(["node-gpu", []])
    expect(asked).toEqual(["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"])
    await backend.close()
  })

  it("is passed over for what the package throws", async () => {
    tf.removeBackend("tensorflow")
    const { graph, input } = await small()
    const run = async (load: (name: string) => Promise<unknown>) => {
      const backend = openBackends("node-gpu", { load })
      await runIntegers(graph, [quantizeInput(graph, input)], { backend })
      expect(backend.chosen).toBe("loops")
      return backend.passedOver
    }
    const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" })
    expect(await run(() => Promise.reject(missing))).toEqual([
      { backend: "node-gpu", reason: "`@tensorflow/tfjs-node` is not installed", missing: true },
    ])
    const broken = async (name: string) => {
      throw name.endsWith("-gpu") ? new Error("libcudart.so.11.0: cannot open shared object file") : missing
    }
    expect(await run(broken)).toEqual([
      {
        backend: "node-gpu",
        reason: expect.stringMatching(/-gpu` does not load: libcudart/),
        missing: false,
      },
    ])
    expect(await run(async () => ({}))).toEqual([
      { backend: "node-gpu", reason: expect.stringMatching(/belongs to another tfjs/), missing: false },
    ])
  })
})
