/** What a model file says, before anything is interpreted: nodes, attributes and constants by name. */

/** ONNX element types we read. Everything becomes doubles; integers beyond 2^53 saturate (Slice ends). */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int2"
  | "int4"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint2"
  | "uint4"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"

/** A constant tensor, row-major. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly data: Float64Array
  readonly dtype: DataType
}

export type Attribute = number | string | readonly number[] | readonly string[] | Tensor

export interface Node {
  /** The file's name for the node, or `#index` when it has none. */
  readonly name: string
  /** Operator type, e.g. `Conv`. */
  readonly operator: string
  /** Operator domain; the default ONNX domain is the empty string. */
  readonly domain: string
  /** Names; an empty string is an omitted optional input. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A graph input: `shape` has a number for a fixed dimension (symbolic ones have been given a value). */
export interface GraphInput {
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
}

/** Nodes are in topological order, names of tensors are unique (single assignment). */
export interface Graph {
  readonly name: string
  /** Opset version of the default ONNX domain. */
  readonly opset: number
  readonly inputs: readonly GraphInput[]
  readonly outputs: readonly string[]
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
}
