/** Structs that the engine writes by name are the classes that the kernels read, field by field. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { structs } from "#src/prover/kernels/structs.js"

const assembly = fileURLToPath(new URL("../../../kernels/assembly/", import.meta.url))
const sources = readdirSync(assembly, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(`${assembly}${name}`, "utf8"))
  .map((text) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""))
const classes = sources.flatMap((text) => [
  ...text.matchAll(/@unmanaged\s+(?:export )?class (\w+) \{([^}]*)\}/g),
])
const fieldsOf = (body: string): string[][] =>
  body
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => line.split(": "))

test("every class has its list, in the same order", () => {
  const found = classes.map(([, name, body]) => [name, fieldsOf(body).map(([field]) => field)] as const)
  expect(Object.fromEntries(found)).toEqual(structs)
  expect(found.length).toBe(Object.keys(structs).length)
  expect(sources.join("").match(/@unmanaged/g)?.length).toBe(found.length)
})

test("every field has 32 bits: a number or an address", () => {
  for (const [, name, body] of classes) {
    for (const [field, type] of fieldsOf(body)) {
      expect(["u32", "usize", ...Object.keys(structs)], `${name}.${field}`).toContain(type)
    }
  }
})
