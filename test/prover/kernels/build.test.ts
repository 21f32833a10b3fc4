/** The modules are built from their sources alone: building again gives the same bytes. */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"
import { firstAddress } from "#src/prover/kernels/memory.js"
import { openModule, variants, wasmOf } from "../../support/kernels.js"

const builder = fileURLToPath(new URL("../../../out/kernels/build.js", import.meta.url))

test("building twice gives the same bytes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "countersign-kernels-"))
  try {
    await promisify(execFile)(process.execPath, [builder, folder], { cwd: folder })
    for (const variant of variants) {
      const { dataEnd } = (await openModule(variant)).exports as unknown as Record<string, WebAssembly.Global>
      expect(dataEnd.value).toBeLessThanOrEqual(firstAddress)
      const again = await readFile(join(folder, `${variant}.wasm`))
      expect(Buffer.compare(again, await wasmOf(variant)), variant).toBe(0)
      // memory comes from outside
      const module = await WebAssembly.compile(again)
      expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }])
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
