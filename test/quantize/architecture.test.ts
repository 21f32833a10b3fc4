/** Canonical bytes of models with private weights: strict, whatever somebody writes there, and cheap to refuse. */
import { describe, expect, it } from "vitest"
import { FileError } from "#src/errors.js"
import type { LinearMap, LinearNode } from "#src/ops/program.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { privately, randomProgram } from "../support/programs.js"
import { Random } from "../support/random.js"

const none = new Float64Array(0)
const origin = { name: "layer", operator: "Gemm" }

/** y = Wx + b with one private dense map, as its parts are changed. */
function dense(
  change: {
    map?: Partial<LinearMap>
    node?: object
    secret?: object
    input?: object
    size?: [number, number]
  } = {},
): IntGraph {
  const [k, m] = change.size ?? [4, 3]
  const map = { kind: "dense", n: 1, k, m, weight: none, ...change.map } as LinearMap
  const secret = {
    weights: [{ lo: -8, bits: 4 }],
    bias: { lo: -64, bits: 7, count: m, inner: 1 },
    of: 1,
    ...change.secret,
  }
  const made = { kind: "linear", out: 1, terms: [{ source: 0, map }], origin, secret, ...change.node }
  const tensor = (name: string, size: number) => ({ name, shape: [size], scale: 1, lo: none, hi: none })
  return {
    name: "test",
    precision: 8,
    tensors: [tensor("x", k), tensor("y", m)],
    nodes: [{ kind: "input", out: 0, name: "x", origin }, made as LinearNode],
    inputs: [{ name: "x", tensor: 0, lo: 0, bits: 4, ...change.input }],
    outputs: [{ name: "y", tensor: 1 }],
  }
}

/** The bytes as somebody may write them who does not care. */
const read = (graph: IntGraph) => deserialize(serialize(graph))

describe("canonical bytes of an architecture", () => {
  it("are read as they are written, with bounds of the ranges alone", () => {
    const { tensors } = read(dense())
    // four products of [−8, 8) and [0, 16), and a bias
    expect([...tensors[1].lo]).toEqual([-8 * 15 * 4 - 64, -8 * 15 * 4 - 64, -8 * 15 * 4 - 64])
    expect([...tensors[1].hi]).toEqual([7 * 15 * 4 + 63, 7 * 15 * 4 + 63, 7 * 15 * 4 + 63])
  })

  it("have no weights beside ranges, no ranges that are none, and no secrets that are not there", () => {
    const faults: [Parameters<typeof dense>[0], RegExp][] = [
      [{ secret: { weights: [{ lo: -8, bits: 0 }] } }, /range of weights/],
      [{ secret: { weights: [{ lo: -8, bits: 41 }] } }, /range of weights/],
      [{ secret: { weights: [{ lo: -(2 ** 50), bits: 8 }] } }, /range of weights/],
      [{ secret: { bias: { lo: 0, bits: 0, count: 3, inner: 1 } } }, /range of biases/],
      [{ secret: { bias: { lo: 0, bits: 4, count: 2, inner: 1 } } }, /number of biases/],
      [{ secret: { bias: { lo: 0, bits: 4, count: 0, inner: 1 } } }, /number of biases/],
      [{ secret: { bias: { lo: 0, bits: 4, count: 3, inner: 2 ** 40 } } }, /number of biases/],
      [{ secret: { weights: [undefined], bias: undefined } }, /dense map sizes/],
      [{ map: { k: 5 } as Partial<LinearMap> }, /dense map sizes/],
    ]
    for (const [change, message] of faults)
      expect(() => read(dense(change)), String(message)).toThrow(message)
    // a public map with nothing secret beside it is none of this version
    const open = { map: { weight: new Float64Array(12).fill(1) } as Partial<LinearMap> }
    expect(() => read(dense({ ...open, secret: { weights: [undefined], bias: undefined } }))).toThrow(
      FileError,
    )
    // a bias that is said to be secret, and shown
    const bytes = serialize(dense({ secret: { bias: undefined }, node: { bias: Float64Array.of(1, 2, 3) } }))
    expect(deserialize(bytes).nodes[1]).toMatchObject({ bias: Float64Array.of(1, 2, 3) })
    for (const error of [() => read(dense({ secret: { weights: [] } }))]) expect(error).toThrow(FileError)
  })

  it("do not ask for memory by numbers that cost them nothing", () => {
    const size: [number, number] = [2 ** 20, 2 ** 20]
    const start = process.memoryUsage().arrayBuffers
    const bias = { lo: -64, bits: 7, count: 2 ** 20, inner: 1 }
    expect(() => read(dense({ size, secret: { bias } }))).toThrow(/budget/)
    expect(process.memoryUsage().arrayBuffers - start).toBeLessThan(2 ** 28)
    // sums that could outgrow exact integers
    const wide = { secret: { weights: [{ lo: -(2 ** 39), bits: 40 }] }, input: { bits: 32 } }
    expect(() => read(dense(wide))).toThrow(/beyond 52 bits/)
  })

  it("have one form, whichever byte somebody changes", async () => {
    const random = new Random(1)
    for (let seed = 1; seed <= 12; seed++) {
      const { program, samples } = randomProgram(seed)
      let bytes: Uint8Array
      try {
        bytes = serialize(await quantizeProgram(privately(program, seed), { samples }))
      } catch {
        continue
      }
      for (let i = 0; i < 24; i++) {
        const other = bytes.slice()
        const at = random.integer(0, bytes.length - 1)
        other[at] = (other[at] + random.pick([1, 127, 128, 255])) % 256
        try {
          expect(serialize(deserialize(other))).toEqual(other)
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }
      for (let length = 0; length < bytes.length; length += 97)
        expect(() => deserialize(bytes.subarray(0, length))).toThrow(FileError)
    }
  })

  it("of an older version cannot have secrets, and of this one have some", () => {
    const bytes = serialize(dense())
    expect(bytes[4]).toBe(5)
    for (const version of [1, 2, 3, 4, 6]) {
      const other = bytes.slice()
      other[4] = version
      expect(() => deserialize(other)).toThrow(FileError)
    }
  })
})
