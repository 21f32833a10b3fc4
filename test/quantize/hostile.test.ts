/** Small files that ask for much: refused with the figure, before memory or time is spent. */
import { describe, expect, it } from "vitest"
import { FileError } from "#src/errors.js"
import type { IntNode, LinearMap } from "#src/ops/program.js"
import { graphBounds } from "#src/quantize/bounds.js"
import { ByteWriter } from "#src/quantize/bytes.js"
import { deserialize, serialize } from "#src/quantize/digest.js"
import { extremesOf } from "#src/quantize/extremes.js"
import type { IntGraph } from "#src/quantize/intgraph.js"
import { Random } from "../support/random.js"

const origin = { name: "n", operator: "O" }
const none = new Float64Array()

/** The file of a graph of which only shapes and nodes matter: an input of 8 bits, and one output. */
function fileOf(shapes: readonly (readonly number[])[], nodes: readonly IntNode[] = []): Uint8Array {
  return serialize({
    name: "g",
    precision: 8,
    tensors: shapes.map((shape, i) => ({ name: `t${i}`, shape, scale: 1, lo: none, hi: none })),
    nodes: [{ kind: "input", out: 0, name: "x", origin }, ...nodes],
    inputs: [{ name: "x", tensor: 0, lo: 0, bits: 8 }],
    outputs: [{ name: "y", tensor: shapes.length - 1 }],
  })
}
const linear = (out: number, map: LinearMap, terms = 1): IntNode => ({
  kind: "linear",
  out,
  terms: Array.from({ length: terms }, () => ({ source: 0, map })),
  origin,
})
const dense = (n: number, k: number, m: number): LinearMap => ({
  kind: "dense",
  n,
  k,
  m,
  weight: new Float64Array(k * m).fill(1),
})
const conv = (change: Partial<Extract<LinearMap, { kind: "conv" }>>): LinearMap => ({
  kind: "conv",
  n: 1,
  groups: 1,
  inChannels: 1,
  outChannels: 1,
  inSize: [4],
  kernel: [1],
  outSize: [4],
  strides: [1],
  padsBegin: [0],
  dilations: [1],
  weight: Float64Array.of(1),
  ...change,
})

const budget = /needs more than the budget of/
describe("model.bin", () => {
  it.each<[string, Uint8Array, RegExp]>([
    ["an input of 2^27 elements", fileOf([[2 ** 27]]), budget],
    ["an input of 2^29 elements", fileOf([[2 ** 29]]), budget],
    ["an input of 2^40 elements", fileOf([[2 ** 40]]), budget],
    ["an input without elements", fileOf([[0]]), /shape of tensor 0 is inconsistent/],
    ["a shape whose product is no integer", fileOf([Array(40).fill(2 ** 20)]), /shape of tensor 0/],
    ["a shape of too many axes", fileOf([Array(33).fill(1)]), /shape of tensor 0/],
    ["a dense map of 2^26 rows", fileOf([[2 ** 26], [2 ** 26]], [linear(1, dense(2 ** 26, 1, 1))]), budget],
    [
      "a convolution beyond its input",
      fileOf([[4], [2 ** 26]], [linear(1, conv({ outSize: [2 ** 26] }))]),
      budget,
    ],
    [
      "a convolution of a large kernel at every position",
      fileOf(
        [[1], [2 ** 20]],
        [
          linear(
            1,
            conv({ inSize: [1], outSize: [2 ** 20], kernel: [4096], weight: new Float64Array(4096).fill(1) }),
          ),
        ],
      ),
      budget,
    ],
    [
      "a thousand terms of one large source",
      fileOf([[2 ** 20], [2 ** 20]], [linear(1, dense(2 ** 20, 1, 1), 1000)]),
      budget,
    ],
    [
      "a thousand copies of one large source",
      fileOf(
        [[2 ** 20], [1]],
        [{ kind: "index", out: 1, sources: Array(1000).fill(0), fill: 0, map: Int32Array.of(5), origin }],
      ),
      budget,
    ],
    [
      "a stride that positions cannot hold",
      fileOf([[4], [4]], [linear(1, conv({ strides: [2 ** 40] }))]),
      /geometry/,
    ],
    [
      "a padding that positions cannot hold",
      fileOf([[4], [4]], [linear(1, conv({ padsBegin: [2 ** 40] }))]),
      /geometry/,
    ],
  ])("with %s is refused", (_, file, message) => {
    expect(() => deserialize(file, "model.bin")).toThrow(FileError)
    expect(() => deserialize(file, "model.bin")).toThrow(message)
  })

  it("may not name one output twice", () => {
    const file = serialize({
      ...deserialize(fileOf([[4]])),
      outputs: [
        { name: "y", tensor: 0 },
        { name: "y", tensor: 0 },
      ],
    })
    expect(() => deserialize(file)).toThrow(/output declared twice/)
  })

  /** A file of one node whose fields `write` writes. */
  const raw = (kind: number, write: (w: ByteWriter) => void): Uint8Array => {
    const w = new ByteWriter()
    for (const c of "CSIM") w.byte(c.charCodeAt(0))
    w.byte(1)
    w.text("g")
    w.uint(8)
    w.uint(2)
    for (const name of ["a", "b"]) {
      w.text(name)
      w.uints([4])
      w.float(1)
    }
    w.uint(2)
    for (const [out, k] of [0, kind].entries()) {
      w.byte(k)
      w.uint(out)
      w.text("n")
      w.text("o")
      if (out === 0) w.text("x")
      else write(w)
    }
    w.uint(1)
    w.text("x")
    w.uint(0)
    w.int(0)
    w.uint(8)
    w.uint(1)
    w.text("y")
    w.uint(1)
    return w.bytes()
  }
  const index = (map: number[]) =>
    raw(1, (w) => {
      w.uints([0])
      w.int(0)
      w.deltas(map)
    })
  const sparse = (lengths: number[], columns: number[]) =>
    raw(2, (w) => {
      w.uint(1)
      w.uint(0)
      w.byte(2)
      w.uints(lengths)
      w.deltas(columns)
      w.ints(columns.map(() => 1))
      w.byte(0)
    })

  it("holds no index that an array would wrap", () => {
    expect(deserialize(index([0, 1, 2, -1])).nodes).toHaveLength(2)
    expect(deserialize(sparse([1, 1, 1, 1], [0, 1, 2, 3])).nodes).toHaveLength(2)
    expect(() => deserialize(index([0, 1, 2, 2 ** 32]))).toThrow(
      /an integer is out of range.*given 4294967296/,
    )
    expect(() => deserialize(index([0, 1, 2, -2]))).toThrow(/an integer is out of range/)
    expect(() => deserialize(sparse([1, 1, 1, 1], [0, 1, 2, 2 ** 32]))).toThrow(/an integer is out of range/)
    expect(() => deserialize(sparse([1, 1, 1, 1], [0, 1, 2, -1]))).toThrow(/an integer is out of range/)
    expect(() => deserialize(sparse([2 ** 32, 1, 1, 2], [0, 1, 2, 3]))).toThrow(/a row is too long/)
    expect(() => deserialize(sparse([2 ** 31, 2 ** 31, 1, 3], [0, 1, 2, 3]))).toThrow(/a row is too long/)
  })

  it("holds no integer that could not be written again", () => {
    for (const x of [2 ** 53, 2 ** 53 + 2]) {
      const w = new ByteWriter()
      w.uint(x)
      const bytes = w.bytes()
      const file = raw(1, (out) => {
        out.uints([0])
        for (const b of bytes) out.byte(b)
        out.deltas([0, 1, 2, 3])
      })
      if (x === 2 ** 53) expect(() => deserialize(file)).not.toThrow(TypeError)
      else expect(() => deserialize(file)).toThrow(/an integer is too large/)
    }
  })
})

describe("bounds of tables", () => {
  it("are those of all entries between, in time that does not grow with them", () => {
    const random = new Random(4)
    const values = Float64Array.from({ length: 300 }, () => random.integer(-9, 9))
    const extremes = extremesOf(values)
    for (let from = 0; from < values.length; from += 7)
      for (let to = from; to < values.length; to++) {
        const part = values.subarray(from, to + 1)
        expect(extremes(from, to)).toEqual([Math.min(...part), Math.max(...part)])
      }
  })

  it("of 60,000 elements with ranges of their own take no minute", () => {
    // element i of the source lies in [−i, i] of 14 bits
    const [size, half] = [60_000, 8191]
    const radius = (i: number) => 1 + (i % half)
    const lo = Float64Array.from({ length: size }, (_, i) => -radius(i) - Math.floor(i / half))
    const hi = Float64Array.from({ length: size }, (_, i) => radius(i))
    const least = Math.min(...lo.subarray(0, size))
    const entries = Math.max(...hi) - least + 1
    const weight = Float64Array.from({ length: size }, (_, i) => hi[i] - lo[i])
    const graph: Pick<IntGraph, "tensors" | "nodes" | "inputs"> = {
      tensors: [[1], [size], [size]].map((shape, i) => ({
        name: `t${i}`,
        shape,
        scale: 1,
        lo: none,
        hi: none,
      })),
      nodes: [
        { kind: "input", out: 0, name: "x", origin },
        {
          kind: "linear",
          out: 1,
          terms: [{ source: 0, map: { kind: "dense", n: 1, k: 1, m: size, weight } }],
          bias: lo,
          origin,
        },
        {
          kind: "table",
          out: 2,
          source: 1,
          lo: least,
          values: Float64Array.from({ length: entries }, (_, i) => i % 97),
          origin,
        },
      ],
      inputs: [{ name: "x", tensor: 0, lo: 0, bits: 1 }],
    }
    const start = performance.now()
    const bounds = graphBounds(graph)[2]
    expect(performance.now() - start).toBeLessThan(5000)
    for (let i = 0; i < size; i += 997) {
      expect(bounds.lo[i]).toBeLessThanOrEqual(bounds.hi[i])
      expect(bounds.hi[i]).toBeLessThanOrEqual(96)
    }
  })
})
