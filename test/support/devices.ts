/** Devices for tests: one in plain loops over float32, and what can be wrong with one. */
import { expect } from "vitest"
import { type Backends, openBackends } from "#src/quantize/backends/backends.js"
import type { ConvShape, Device, Loaded } from "#src/quantize/backends/device.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { runInteger, runIntegers } from "#src/quantize/integers/run.js"

/** Numbers that a device holds; how many do at once is counted. */
class Held implements Loaded {
  static alive = 0
  constructor(
    readonly values: Float32Array,
    readonly shape: readonly number[],
  ) {
    Held.alive++
  }
  dispose(): void {
    Held.alive--
  }
}

/** Tensors that are held by devices of this file. */
export const held = (): number => Held.alive

/** What a device does with a factor before it multiplies, and with each number that it gives. */
interface Flaws {
  readonly factor?: (x: number) => number
  /** Called with the number of the product. */
  readonly result?: (values: Float32Array, call: number) => Float32Array
  readonly operations?: readonly ("matmul" | "conv" | "depthwise")[]
}

/** A factor as units for TF32 take it: eleven bits. */
export function elevenBits(x: number): number {
  if (x === 0) return 0
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10)
  return Math.round(x / unit) * unit
}

export function loopDevice({
  factor = (x) => x,
  result,
  operations,
}: Flaws = {}): Device & { closed: number } {
  let calls = 0
  const given = async (values: Float32Array) => result?.(values, calls++) ?? values
  const convolve = (x: Held, filter: Held, { strides, dilations }: ConvShape, depthwise: boolean) => {
    const [n, height, width, channels] = x.shape
    const [kh, kw, , outs] = filter.shape
    const [oh, ow] = [
      Math.floor((height - (kh - 1) * dilations[0] - 1) / strides[0]) + 1,
      Math.floor((width - (kw - 1) * dilations[1] - 1) / strides[1]) + 1,
    ]
    const many = depthwise ? channels * outs : outs
    const out = new Float32Array(n * oh * ow * many)
    for (let at = 0; at < out.length; at++) {
      const [o, column] = [at % many, Math.floor(at / many) % ow]
      const [row, image] = [Math.floor(at / many / ow) % oh, Math.floor(at / many / ow / oh)]
      for (let ky = 0; ky < kh; ky++)
        for (let kx = 0; kx < kw; kx++) {
          const [y, z] = [row * strides[0] + ky * dilations[0], column * strides[1] + kx * dilations[1]]
          for (let c = 0; c < channels; c++) {
            if (depthwise && c !== Math.floor(o / outs)) continue
            const value = x.values[((image * height + y) * width + z) * channels + c]
            const weight = filter.values[((ky * kw + kx) * channels + c) * outs + (depthwise ? o % outs : o)]
            out[at] += factor(value) * factor(weight)
          }
        }
    }
    return given(out)
  }
  return {
    name: "wasm",
    description: "loops",
    operations: new Set(operations ?? ["matmul", "conv", "depthwise"]),
    closed: 0,
    load: (values, shape) => new Held(values.slice(), shape),
    matmul(left, right) {
      const [x, y] = [left as Held, right as Held]
      const [batch, m, k] = x.shape
      const n = y.shape[2]
      const out = new Float32Array(batch * m * n)
      for (let b = 0; b < batch; b++)
        for (let i = 0; i < m; i++)
          for (let l = 0; l < k; l++)
            for (let j = 0; j < n; j++)
              out[(b * m + i) * n + j] +=
                factor(x.values[(b * m + i) * k + l]) *
                factor(y.values[((y.shape[0] === 1 ? 0 : b) * k + l) * n + j])
      return given(out)
    },
    conv: (x, filter, shape) => convolve(x as Held, filter as Held, shape, false),
    depthwise: (x, filter, shape) => convolve(x as Held, filter as Held, shape, true),
    async close() {
      this.closed++
    },
  }
}

/** WebAssembly, for all models of a test file. */
let wasm: Backends | undefined

/** Integers of every tensor, which WebAssembly gives as plain loops do. */
export async function runOnBoth(graph: IntGraph, quantized: Record<string, Float64Array>) {
  wasm ??= openBackends("wasm")
  const values = runInteger(graph, quantized)
  const [got] = await runIntegers(graph, [quantized], { backend: wasm, tensors: [...values.keys()] })
  for (const [id, expected] of values)
    if (!expected.every((x, i) => x === got.get(id)?.[i]))
      throw new Error(`tensor \`${graph.tensors[id].name}\` is another on WebAssembly`)
  // it was WebAssembly
  expect([wasm.chosen, wasm.passedOver]).toEqual(["wasm", []])
  return values
}
