/** The inputs of an ONNX graph: element types, and a number for every dimension the file leaves open. */
import type { GraphInput } from "../graph.js"
import { checkSize, type Limits } from "../limits.js"
import type { DimensionProto, ValueInfoProto } from "./schema.js"
import { dataTypeOf, toNumber, typeName } from "./tensor.js"

/** Values of open dimensions: by symbolic name, or by `input:axis`, which takes precedence. */
export type Dimensions = Readonly<Record<string, number>>

const kinds: Record<string, string> = {
  sequenceType: "a sequence",
  mapType: "a map",
  optionalType: "an optional value",
  sparseTensorType: "a sparse tensor",
  opaqueType: "an opaque value",
}

/** The number a file gives for a dimension, or undefined where it is symbolic or unknown. */
function fixedValue(dim: DimensionProto, axis: number): number | undefined {
  if (dim.value !== "dimValue") return undefined
  const value = toNumber(dim.dimValue)
  // A first dimension of 0 or −1 is how several exporters write "any batch".
  return value > 0 || (value === 0 && axis > 0) ? value : undefined
}

const symbolOf = (dim: DimensionProto): string => (dim.value === "dimParam" ? dim.dimParam : "")

/**
 * Inputs with all dimensions known. An open dimension takes its value from `dimensions`; the first one of
 * an input, and every other of the same symbolic name, is a batch and becomes 1; any other is a problem.
 */
export function readInputs(
  infos: readonly ValueInfoProto[],
  dimensions: Dimensions,
  limits: Limits,
  problems: string[],
): GraphInput[] {
  const shapes = infos.map((info) => info.type?.tensorType?.shape?.dim)
  const batchNames = new Set(shapes.flatMap((dims) => (dims?.length ? [symbolOf(dims[0])] : [])))
  const known = new Set<string>()

  const inputs: GraphInput[] = []
  infos.forEach((info, i) => {
    const where = `input \`${info.name}\``
    const dims = shapes[i]
    const type = info.type?.tensorType
    if (!type) {
      const kind = info.type?.value
      problems.push(`${where}: ${kind ? `${kinds[kind]}, only tensors can be inputs` : "has no type"}`)
      return
    }
    const dtype = dataTypeOf(type.elemType)
    // no file of inputs, nor onnxruntime's own bindings, has numbers of that type
    if (dtype === "bfloat16") {
      problems.push(
        `${where}: element type \`bfloat16\` is not supported; make it float32, and cast it in the model`,
      )
      return
    }
    if (!dtype || dtype === "string") {
      problems.push(`${where}: element type \`${typeName(type.elemType)}\` is not supported`)
      return
    }
    if (!dims) {
      problems.push(
        `${where}: has no shape; declare one before export, the number of dimensions must be known`,
      )
      return
    }
    const shape = dims.map((dim, axis) => {
      const key = `${info.name}:${axis}`
      const symbol = symbolOf(dim)
      const fixed = fixedValue(dim, axis)
      known.add(key)
      if (symbol) known.add(symbol)
      const given = Object.hasOwn(dimensions, key) ? dimensions[key] : undefined
      if (fixed !== undefined) {
        if (given !== undefined && given !== fixed)
          problems.push(
            `${where}: dimension ${axis} is ${fixed} in the file, the option \`${key}\` says ${given}`,
          )
        return fixed
      }
      const value = given ?? (Object.hasOwn(dimensions, symbol) ? dimensions[symbol] : undefined)
      if (value !== undefined) {
        if (Number.isSafeInteger(value) && value > 0) return value
        problems.push(`${where}: dimension ${axis} was given as ${value}; a positive integer is needed`)
        return 1
      }
      if (axis === 0 || (symbol && batchNames.has(symbol))) return 1
      const name = symbol ? `\`${symbol}\`` : "unknown"
      problems.push(
        `${where}: dimension ${axis} is ${name}; say how large, with option \`dimensions\` for \`${symbol || key}\``,
      )
      return 1
    })
    for (const problem of checkSize(shape, limits)) problems.push(`${where}: ${problem}`)
    inputs.push({ name: info.name, dtype, shape })
  })

  const open = [...known].filter((key) => !key.includes(":")).join(", ") || "none"
  for (const key of Object.keys(dimensions))
    if (!known.has(key))
      problems.push(`option \`dimensions\`: nothing is called \`${key}\`; symbolic dimensions: ${open}`)
  return inputs
}
