/**
 * The messages of ONNX's onnx.proto (IR version 13, proto2) as a protobufjs reflection descriptor: names and
 * field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, names in camel case.
 * Enumerations are plain int32 here, so that an unknown value reaches the importer, which names it.
 */
import protobuf, { type INamespace } from "protobufjs/light.js"
import { invariant } from "../../errors.js"

/** A 64-bit integer as the decoder gives it. */
export type Int64 = number | { readonly low: number; readonly high: number; readonly unsigned: boolean }

export interface TensorProto {
  dims: Int64[]
  dataType: number
  segment?: object | null
  floatData: number[]
  int32Data: number[]
  stringData: Uint8Array[]
  int64Data: Int64[]
  name: string
  rawData: Uint8Array
  externalData: { key: string; value: string }[]
  dataLocation: number
  doubleData: number[]
  uint64Data: Int64[]
}

export interface DimensionProto {
  dimValue: Int64
  dimParam: string
  /** Which of the two is there, if any. */
  value?: "dimValue" | "dimParam"
}

export interface TypeProto {
  tensorType?: { elemType: number; shape?: { dim: DimensionProto[] } | null } | null
  /** Which kind of type it is, if any. */
  value?: "tensorType" | "sequenceType" | "mapType" | "optionalType" | "sparseTensorType" | "opaqueType"
}

export interface ValueInfoProto {
  name: string
  type?: TypeProto | null
}

export interface AttributeProto {
  name: string
  refAttrName: string
  type: number
  f: number
  i: Int64
  s: Uint8Array
  t?: TensorProto | null
  g?: GraphProto | null
  sparseTensor?: object | null
  tp?: TypeProto | null
  floats: number[]
  ints: Int64[]
  strings: Uint8Array[]
  tensors: TensorProto[]
  graphs: GraphProto[]
  sparseTensors: object[]
  typeProtos: TypeProto[]
}

export interface NodeProto {
  input: string[]
  output: string[]
  name: string
  opType: string
  domain: string
  overload: string
  attribute: AttributeProto[]
}

export interface GraphProto {
  node: NodeProto[]
  name: string
  initializer: TensorProto[]
  sparseInitializer: object[]
  input: ValueInfoProto[]
  output: ValueInfoProto[]
}

export interface FunctionProto {
  name: string
  domain: string
  overload: string
}

export interface ModelProto {
  irVersion: Int64
  opsetImport: { domain: string; version: Int64 }[]
  graph?: GraphProto | null
  trainingInfo: object[]
  functions: FunctionProto[]
}

/** `name: "rule type number"`; the rule is absent, `*` (repeated) or `+` (repeated, packed). */
const messages: Record<string, Record<string, string>> = {
  ModelProto: {
    irVersion: "int64 1",
    opsetImport: "*OperatorSetIdProto 8",
    producerName: "string 2",
    producerVersion: "string 3",
    domain: "string 4",
    modelVersion: "int64 5",
    docString: "string 6",
    graph: "GraphProto 7",
    metadataProps: "*StringStringEntryProto 14",
    trainingInfo: "*TrainingInfoProto 20",
    functions: "*FunctionProto 25",
    configuration: "*DeviceConfigurationProto 26",
  },
  GraphProto: {
    node: "*NodeProto 1",
    name: "string 2",
    initializer: "*TensorProto 5",
    sparseInitializer: "*SparseTensorProto 15",
    docString: "string 10",
    input: "*ValueInfoProto 11",
    output: "*ValueInfoProto 12",
    valueInfo: "*ValueInfoProto 13",
    quantizationAnnotation: "*TensorAnnotation 14",
    metadataProps: "*StringStringEntryProto 16",
  },
  NodeProto: {
    input: "*string 1",
    output: "*string 2",
    name: "string 3",
    opType: "string 4",
    domain: "string 7",
    overload: "string 8",
    attribute: "*AttributeProto 5",
    docString: "string 6",
    metadataProps: "*StringStringEntryProto 9",
    deviceConfigurations: "*NodeDeviceConfigurationProto 10",
  },
  AttributeProto: {
    name: "string 1",
    refAttrName: "string 21",
    docString: "string 13",
    type: "int32 20",
    f: "float 2",
    i: "int64 3",
    s: "bytes 4",
    t: "TensorProto 5",
    g: "GraphProto 6",
    sparseTensor: "SparseTensorProto 22",
    tp: "TypeProto 14",
    floats: "*float 7",
    ints: "*int64 8",
    strings: "*bytes 9",
    tensors: "*TensorProto 10",
    graphs: "*GraphProto 11",
    sparseTensors: "*SparseTensorProto 23",
    typeProtos: "*TypeProto 15",
  },
  TensorProto: {
    dims: "*int64 1",
    dataType: "int32 2",
    segment: "Segment 3",
    floatData: "+float 4",
    int32Data: "+int32 5",
    stringData: "*bytes 6",
    int64Data: "+int64 7",
    name: "string 8",
    rawData: "bytes 9",
    doubleData: "+double 10",
    uint64Data: "+uint64 11",
    docString: "string 12",
    externalData: "*StringStringEntryProto 13",
    dataLocation: "int32 14",
    metadataProps: "*StringStringEntryProto 16",
  },
  Segment: { begin: "int64 1", end: "int64 2" },
  SparseTensorProto: { values: "TensorProto 1", indices: "TensorProto 2", dims: "*int64 3" },
  ValueInfoProto: {
    name: "string 1",
    type: "TypeProto 2",
    docString: "string 3",
    metadataProps: "*StringStringEntryProto 4",
  },
  TypeProto: {
    tensorType: "TensorTypeProto 1",
    sequenceType: "SequenceTypeProto 4",
    mapType: "MapTypeProto 5",
    denotation: "string 6",
    opaqueType: "OpaqueTypeProto 7",
    sparseTensorType: "TensorTypeProto 8",
    optionalType: "SequenceTypeProto 9",
  },
  TensorTypeProto: { elemType: "int32 1", shape: "TensorShapeProto 2" },
  SequenceTypeProto: { elemType: "TypeProto 1" },
  MapTypeProto: { keyType: "int32 1", valueType: "TypeProto 2" },
  OpaqueTypeProto: { domain: "string 1", name: "string 2" },
  TensorShapeProto: { dim: "*DimensionProto 1" },
  DimensionProto: { dimValue: "int64 1", dimParam: "string 2", denotation: "string 3" },
  OperatorSetIdProto: { domain: "string 1", version: "int64 2" },
  StringStringEntryProto: { key: "string 1", value: "string 2" },
  TensorAnnotation: { tensorName: "string 1", quantParameterTensorNames: "*StringStringEntryProto 2" },
  TrainingInfoProto: {
    initialization: "GraphProto 1",
    algorithm: "GraphProto 2",
    initializationBinding: "*StringStringEntryProto 3",
    updateBinding: "*StringStringEntryProto 4",
  },
  FunctionProto: {
    name: "string 1",
    input: "*string 4",
    output: "*string 5",
    attribute: "*string 6",
    node: "*NodeProto 7",
    docString: "string 8",
    opsetImport: "*OperatorSetIdProto 9",
    domain: "string 10",
    attributeProto: "*AttributeProto 11",
    valueInfo: "*ValueInfoProto 12",
    overload: "string 13",
    metadataProps: "*StringStringEntryProto 14",
  },
  DeviceConfigurationProto: { name: "string 1", numDevices: "int32 2", device: "*string 3" },
  NodeDeviceConfigurationProto: {
    configurationId: "string 1",
    shardingSpec: "*ShardingSpecProto 2",
    pipelineStage: "int32 3",
  },
  ShardingSpecProto: {
    tensorName: "string 1",
    device: "*int64 2",
    indexToDeviceGroupMap: "*IntIntListEntryProto 3",
    shardedDim: "*ShardedDimProto 4",
  },
  IntIntListEntryProto: { key: "int64 1", value: "*int64 2" },
  ShardedDimProto: { axis: "int64 1", simpleSharding: "*SimpleShardedDimProto 2" },
  SimpleShardedDimProto: { dimValue: "int64 1", dimParam: "string 2", numShards: "int64 3" },
}

/** What a field holds: messages of another type, or numbers or text. */
export interface FieldKind {
  readonly message?: string
  readonly scalar?: string
}

interface Fields {
  readonly fields: ReadonlyMap<number, FieldKind>
  /** How many fields are lists, which a decoded message has even where they are empty. */
  readonly lists: number
}

const fieldTables = new Map<string, Fields>(
  Object.entries(messages).map(([name, texts]) => {
    const parsed = Object.values(texts).map(parseField)
    const fields = parsed.map(({ id, type }): [number, FieldKind] => [
      id,
      Object.hasOwn(messages, type) ? { message: type } : { scalar: type },
    ])
    return [name, { fields: new Map(fields), lists: parsed.filter(({ rule }) => rule !== "").length }]
  }),
)

/** The fields of a message type by number. */
export function fieldsOf(name: string): Fields {
  const found = fieldTables.get(name)
  invariant(found, `no message \`${name}\``)
  return found
}

function parseField(text: string): { rule: string; type: string; id: number } {
  const parts = /^([*+]?)(\w+) (\d+)$/.exec(text)
  invariant(parts, `field \`${text}\``)
  return { rule: parts[1], type: parts[2], id: Number(parts[3]) }
}

const oneofs: Record<string, string[]> = {
  TypeProto: ["tensorType", "sequenceType", "mapType", "optionalType", "sparseTensorType", "opaqueType"],
  DimensionProto: ["dimValue", "dimParam"],
}

function descriptor(): INamespace {
  const nested: Record<string, object> = {}
  for (const [message, fields] of Object.entries(messages)) {
    const entries = Object.entries(fields).map(([name, text]) => {
      const { rule, type, id } = parseField(text)
      const options = rule === "+" ? { packed: true } : {}
      return [name, { type, id, options, ...(rule ? { rule: "repeated" } : {}) }]
    })
    const choice = oneofs[message]
    nested[message] = {
      edition: "proto2",
      fields: Object.fromEntries(entries),
      ...(choice ? { oneofs: { value: { oneof: choice } } } : {}),
    }
  }
  return { nested }
}

const root = protobuf.Root.fromJSON(descriptor())

/** The message types by name, for encoding and decoding. */
export const messageType = (name: "ModelProto" | "TensorProto") => root.lookupType(name)

/** Deepest nesting the decoder accepts, whatever is asked. */
export const maxNesting = protobuf.Reader.recursionLimit

/** Decodes a message nested at most `nesting` deep; throws the decoder's errors on malformed bytes. */
export function decodeMessage(
  name: "ModelProto" | "TensorProto",
  bytes: Uint8Array,
  nesting: number,
): object {
  const type = messageType(name).setup()
  // The fourth argument is the depth the decoder starts counting from: not in its declared signature.
  const decode: (reader: Uint8Array, length?: number, end?: number, depth?: number) => object = type.decode
  return decode.call(type, bytes, undefined, undefined, Math.max(0, maxNesting - nesting))
}
