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

/** A name at the edge of a subgraph, with what the file says of it: undefined where it is silent. */
export interface Port {
  readonly name: string
  readonly dtype: DataType | undefined
  /** Dimensions, undefined where one is open. */
  readonly shape: readonly (number | undefined)[] | undefined
}

/**
 * A graph in an attribute of a node, as control flow has it. Names that it does not define are those of the graphs around
 * it; its own hide these. Nodes are in topological order.
 */
export interface Subgraph {
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  readonly nodes: readonly Node[]
  readonly constants: ReadonlyMap<string, Tensor>
  /** Names that it, or a graph within it, reads of the graphs around it. */
  readonly captures: readonly string[]
}

export type Attribute = number | string | readonly number[] | readonly string[] | Tensor | Subgraph

/** Whether an attribute is a graph. */
export const isSubgraph = (value: Attribute): value is Subgraph =>
  typeof value === "object" && "captures" in value

/** Names that a node reads: its inputs, and what its subgraphs read of the graphs around them. */
export const namesRead = ({ inputs, attributes }: Node): readonly string[] => [
  ...inputs,
  ...Object.values(attributes).flatMap((value) => (isSubgraph(value) ? value.captures : [])),
]

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
