/** The weight manifest of tfjs: groups of named tensors, little endian, optionally quantized. */
import { ModelError } from "../errors.js"
import type { Tensor } from "./graph.js"
import { float16 } from "./onnx-tensor.js"

interface Entry {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: string
  readonly quantization?: { readonly dtype: string; readonly scale?: number; readonly min?: number }
}

const sizes: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  bool: 1,
  uint16: 2,
  float16: 2,
}

/** Tensors by name. @throws ModelError for unknown types, a wrong total size, or values that are not finite */
export function readTfjsWeights(manifest: unknown, bytes: Uint8Array, where: string): Map<string, Tensor> {
  const groups = Array.isArray(manifest) ? (manifest as { weights?: Entry[] }[]) : []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const result = new Map<string, Tensor>()
  const problems: string[] = []
  let at = 0
  for (const { name, shape, dtype, quantization } of groups.flatMap((group) => group.weights ?? [])) {
    const stored = quantization?.dtype ?? dtype
    const size = sizes[stored]
    const count = shape.reduce((product, dim) => product * dim, 1)
    if (size === undefined || at + count * size > bytes.length) {
      const reason =
        size === undefined ? `type \`${stored}\` is not supported` : "the weight data ends before it"
      throw new ModelError({ what: "the weights cannot be read:", where }, [`weight \`${name}\`: ${reason}`])
    }
    const data = Float64Array.from({ length: count }, (_, i) => {
      const raw = read(view, at + i * size, stored)
      return quantization?.scale === undefined ? raw : raw * quantization.scale + (quantization.min ?? 0)
    })
    if (!data.every(Number.isFinite)) problems.push(`weight \`${name}\` has values that are not finite`)
    result.set(name, { shape, data, dtype: "float32" })
    at += count * size
  }
  if (at !== bytes.length) problems.push(`${bytes.length} bytes of weights, ${at} in the manifest`)
  if (problems.length > 0) throw new ModelError({ what: "the weights cannot be read:", where }, problems)
  return result
}

function read(view: DataView, at: number, type: string): number {
  switch (type) {
    case "float32":
      return view.getFloat32(at, true)
    case "int32":
      return view.getInt32(at, true)
    case "uint16":
      return view.getUint16(at, true)
    case "float16":
      return float16(view.getUint16(at, true))
    default:
      return view.getUint8(at)
  }
}
