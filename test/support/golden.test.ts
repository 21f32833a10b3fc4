import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { expectGolden } from "./golden.js"

describe("a golden file", () => {
  it("that is missing fails, and is not written", async () => {
    await expect(expectGolden("missing.csv", "model,constraints\n")).rejects.toThrow(
      "test/missing.csv is missing",
    )
    expect(existsSync(new URL("../missing.csv", import.meta.url))).toBe(false)
  })
})
