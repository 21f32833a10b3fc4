import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { encodeOnnx, type OnnxSpec } from "../../support/onnx-writer.js"
import { haveModels, models } from "../../support/upstream.js"

const good: OnnxSpec = {
  inputs: [{ name: "x", shape: ["batch", 3] }],
  outputs: ["y"],
  initializers: { w: { shape: [3, 2], data: [1, -2, 3, 0.5, 0, 4] } },
  nodes: [
    { operator: "MatMul", name: "product", inputs: ["x", "w"], outputs: ["a"] },
    { operator: "Relu", inputs: ["a"], outputs: ["y"] },
  ],
}

/** The problems a model is refused with, or none. */
function problems(spec: OnnxSpec, then: (bytes: Uint8Array) => unknown = importOnnx): string {
  try {
    then(encodeOnnx(spec))
    return ""
  } catch (error) {
    expect(error).toBeInstanceOf(ModelError)
    return (error as ModelError).message
  }
}

describe("importOnnx", () => {
  it("reads names, shapes and constants; an open first dimension is one", () => {
    const graph = importOnnx(encodeOnnx(good))
    expect(graph.inputs).toMatchObject([{ name: "x", shape: [1, 3] }])
    expect(graph.outputs).toEqual(["y"])
    expect(graph.nodes.map((node) => node.operator)).toEqual(["MatMul", "Relu"])
    expect(Array.from(graph.constants.get("w")?.data ?? [])).toEqual([1, -2, 3, 0.5, 0, 4])
    expect(importOnnx(encodeOnnx(good), { dimensions: { batch: 4 } }).inputs[0].shape).toEqual([4, 3])
  })

  it("sorts nodes and names what cannot be sorted", () => {
    expect(importOnnx(encodeOnnx({ ...good, nodes: [...good.nodes].reverse() })).nodes[0].operator).toBe(
      "MatMul",
    )
    const cycle = [
      { operator: "Relu", name: "first", inputs: ["b"], outputs: ["a"] },
      { operator: "Relu", name: "second", inputs: ["a"], outputs: ["b"] },
      { operator: "Add", inputs: ["x", "a"], outputs: ["y"] },
    ]
    expect(problems({ ...good, nodes: cycle })).toMatch(/cycle/i)
  })

  it("reports every problem of a file at once, with names", () => {
    const message = problems({
      ...good,
      inputs: [{ name: "x", shape: [1, "width"] }],
      initializers: {
        w: { shape: [3, 2], data: [1, Number.NaN, 0, 0, 0, 0] },
        v: { shape: [2, 2], data: [1] },
      },
      nodes: [{ operator: "Relu", name: "lost", inputs: ["nothing"], outputs: ["y"] }],
    })
    for (const part of ["`w`", "`v`", "`x`", "width", "lost", "nothing"]) expect(message).toContain(part)
  })

  it("refuses what the lowering cannot prove, all of it, naming node and operator", () => {
    const message = problems(
      {
        ...good,
        nodes: [
          { operator: "Multinomial", name: "draw", inputs: ["x"], outputs: ["a"] },
          { operator: "Foo", name: "custom", inputs: ["x"], outputs: ["b"] },
          { operator: "Add", inputs: ["a", "b"], outputs: ["y"] },
        ],
      },
      (bytes) => lower(importOnnx(bytes)),
    )
    for (const part of ["draw", "Multinomial", "custom", "`Foo`"]) expect(message).toContain(part)
  })

  it("keeps to its limits", () => {
    expect(() => importOnnx(encodeOnnx(good), { limits: { nodes: 1 } })).toThrow(/nodes/)
    expect(() => importOnnx(encodeOnnx(good), { limits: { bytes: 10 } })).toThrow(ModelError)
  })

  it("survives damage: truncated or changed bytes never fail in another way", () => {
    const bytes = encodeOnnx(good)
    for (let length = 0; length < bytes.length; length++) {
      try {
        importOnnx(bytes.subarray(0, length))
      } catch (error) {
        expect(error).toBeInstanceOf(ModelError)
      }
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const damaged = Uint8Array.from(bytes)
          damaged[at] ^= flip
          try {
            lower(importOnnx(damaged))
          } catch (error) {
            expect(error).toBeInstanceOf(ModelError)
          }
        },
      ),
      { numRuns: 400 },
    )
    for (const foreign of [new Uint8Array(), new TextEncoder().encode("hello"), new Uint8Array(1000)]) {
      expect(() => importOnnx(foreign)).toThrow(ModelError)
    }
  })
})

const folder = fileURLToPath(models)
const files = (path: string): string[] =>
  readdirSync(path).flatMap((name) => {
    const full = join(path, name)
    return statSync(full).isDirectory() ? files(full) : name.endsWith(".onnx") ? [full] : []
  })

describe.skipIf(!haveModels)("models of other people", () => {
  it("lower, or are refused with a reason that names a node, an input or an operator", () => {
    let lowered = 0
    for (const file of [...files(join(folder, "ezkl")), ...files(join(folder, "other"))]) {
      try {
        lower(importOnnx(readFileSync(file)))
        lowered++
      } catch (error) {
        expect(error, file).toBeInstanceOf(ModelError)
        const { problems } = error as ModelError
        expect(problems.length, file).toBeGreaterThan(0)
        for (const problem of problems) expect(problem, file).toMatch(/`[^`]+`/)
      }
    }
    expect(lowered).toBeGreaterThanOrEqual(75)
  })

  it("that should be refused are, with what is wrong", () => {
    for (const file of files(join(folder, "refuse"))) {
      expect(() => lower(importOnnx(readFileSync(file))), file).toThrow(/`\w+`|opset|sequence/)
    }
  })
})
