/** ONNX files for tests, through the schema the importer reads with. */
import { messageType } from "#src/model/onnx/schema.js"

export type AttributeSpec =
  | number
  | string
  | readonly number[]
  | { float: number }
  | { floats: readonly number[] }
  | { texts: readonly string[] }
  | { tensor: TensorSpec }
  | { graph: GraphSpec }

export interface TensorSpec {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
  /** Default float. */
  readonly dtype?: "float" | "double" | "int64" | "bool" | "int8" | "uint8" | "int16" | "uint16" | "int32"
}

export interface InputSpec {
  readonly name: string
  readonly shape: readonly (number | string)[]
  /** default: float */
  readonly dtype?: TensorSpec["dtype"]
  /** The integers that its samples have. */
  readonly within?: readonly [least: number, most: number]
}

/** A graph: a model's, or one in an attribute, which names what it reads of the graphs around it. */
export interface GraphSpec {
  /** Those of a subgraph may be without a shape. */
  readonly inputs: readonly (Omit<InputSpec, "shape"> & Partial<Pick<InputSpec, "shape">>)[]
  readonly outputs: readonly string[]
  readonly initializers?: Readonly<Record<string, TensorSpec>>
  readonly nodes: readonly {
    readonly operator: string
    readonly name?: string
    readonly domain?: string
    readonly inputs: readonly string[]
    readonly outputs: readonly string[]
    readonly attributes?: Readonly<Record<string, AttributeSpec>>
  }[]
}

export interface OnnxSpec extends GraphSpec {
  readonly opset?: number
  /** Version of the domain ai.onnx.ml, where a node is of it. */
  readonly mlOpset?: number
  readonly inputs: readonly InputSpec[]
}

// numbers of TensorProto.DataType and AttributeProto.AttributeType
const dataTypes = {
  float: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  double: 11,
}

function attribute(name: string, value: AttributeSpec): object {
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) }
  if (typeof value === "number") return { name, type: 2, i: value }
  if ("float" in value) return { name, type: 1, f: value.float }
  if ("floats" in value) return { name, type: 6, floats: [...value.floats] }
  if ("tensor" in value) return { name, type: 4, t: initializer("", value.tensor) }
  if ("texts" in value)
    return { name, type: 8, strings: value.texts.map((text) => new TextEncoder().encode(text)) }
  if ("graph" in value) return { name, type: 5, g: graphOf(value.graph) }
  return { name, type: 7, ints: [...value] }
}

function initializer(name: string, { shape, data, dtype = "float" }: TensorSpec): object {
  const values = Array.from(data)
  const dims = [...shape]
  if (dtype === "int64") return { name, dims, dataType: dataTypes.int64, int64Data: values }
  if (dtype === "double") return { name, dims, dataType: dataTypes.double, doubleData: values }
  if (dtype !== "float") return { name, dims, dataType: dataTypes[dtype], int32Data: values }
  return { name, dims, dataType: dataTypes.float, floatData: values }
}

function graphOf(spec: GraphSpec): object {
  const dims = (shape: readonly (number | string)[]) =>
    shape.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim }))
  return {
    name: "test",
    node: spec.nodes.map(({ operator, name, domain, inputs, outputs, attributes = {} }) => ({
      opType: operator,
      name: name ?? "",
      domain: domain ?? "",
      input: [...inputs],
      output: [...outputs],
      attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    })),
    initializer: Object.entries(spec.initializers ?? {}).map(([name, tensor]) => initializer(name, tensor)),
    input: spec.inputs.map(({ name, shape, dtype }) => ({
      name,
      type: {
        tensorType: { elemType: dataTypes[dtype ?? "float"], ...(shape && { shape: { dim: dims(shape) } }) },
      },
    })),
    output: spec.outputs.map((name) => ({ name })),
  }
}

/** Bytes of a model. */
export function encodeOnnx(spec: OnnxSpec): Uint8Array {
  const type = messageType("ModelProto")
  const message = {
    irVersion: 8,
    opsetImport: [
      { domain: "", version: spec.opset ?? 15 },
      ...(spec.nodes.some(({ domain }) => domain === "com.microsoft")
        ? [{ domain: "com.microsoft", version: 1 }]
        : []),
      ...(spec.nodes.some(({ domain }) => domain === "ai.onnx.ml")
        ? [{ domain: "ai.onnx.ml", version: spec.mlOpset ?? 3 }]
        : []),
    ],
    graph: graphOf(spec),
  }
  return type.encode(type.fromObject(message)).finish()
}
