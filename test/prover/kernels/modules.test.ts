/** The choice of a module: only one that multiplies correctly is taken. */
import { describe, expect, test } from "vitest"
import { chooseModule, givesKnownAnswers, loadModule, openTrial } from "#src/prover/kernels/modules.js"
import { variants } from "../../support/kernels.js"

describe.each(variants)("%s", (variant) => {
  test("gives the known answers", async () => {
    const trial = await openTrial(await loadModule(variant))
    expect(givesKnownAnswers(trial)).toBe(true)
  })

  test.each(["fqMul2", "frMul2"])("is not taken if %s is wrong once in the last place", async (name) => {
    const trial = await openTrial(await loadModule(variant))
    let calls = 0
    const wrong = (z: number, x: number, y: number): number => {
      trial.exports[name](z, x, y)
      if (++calls === 77) new Uint8Array(trial.memory.memory.buffer)[z] ^= 1
      return 0
    }
    const exports = { ...trial.exports, [name]: wrong }
    expect(givesKnownAnswers({ ...trial, exports })).toBe(false)
  })
})

test("the choice is one of the modules", async () => {
  const { name, wasm } = await chooseModule()
  expect(Buffer.compare(wasm, await loadModule(name))).toBe(0)
  // and is made once
  expect((await chooseModule()).wasm).toBe(wasm)
})
