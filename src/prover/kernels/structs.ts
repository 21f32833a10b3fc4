/**
 * What a kernel is told: a struct of 32-bit fields in the memory of the kernels, read and written by name. Each list
 * is a class of that name in kernels/assembly, where its fields are described, in the same order: a test compares them.
 */
import type { KernelMemory } from "./memory.js"

export const structs = {
  Multiplication: [
    "points",
    "count",
    "scalars",
    "small",
    "infinite",
    "bits",
    "windows",
    "offset",
    "rangeLength",
    "digits",
    "sorted",
    "starts",
    "buckets",
    "parts",
    "heads",
    "sums",
    "result",
    "partials",
    "layers",
    "foldParts",
    "folds",
    "centre",
    "sets",
    "refused",
  ],
  FixedBase: [
    "point",
    "bits",
    "windows",
    "entries",
    "lastEntries",
    "tables",
    "offset",
    "scalars",
    "count",
    "out",
    "refused",
  ],
  FilePoints: ["from", "to", "count", "infinite", "infinities", "rangeLength", "refused"],
  PointBytes: ["from", "to", "count", "rangeLength"],
  Multiples: ["points", "count", "layers", "bits", "refused"],
  PointStage: [
    "from",
    "to",
    "count",
    "rangeLength",
    "radix",
    "length",
    "scalars",
    "order",
    "stride",
    "whole",
    "constants",
  ],
  Pairings: ["count", "points", "frobenius", "digits", "digitCount", "result"],
  Transform: [
    "vectors",
    "leaf",
    "blocks",
    "chunks",
    "twiddles",
    "constants",
    "scale",
    "table",
    "out",
    "source0",
    "source1",
    "data0",
    "data1",
    "tableCount",
  ],
  TransformCosets: [
    "first",
    "second",
    "firstGroup",
    "secondGroup",
    "ratio",
    "order",
    "weights",
    "middle",
    "turn",
  ],
  TransformPass: ["job", "half", "stage"],
  TransformTables: ["vectors", "leaf", "chunk", "twiddles", "powers", "scale", "starts", "constants"],
  Elements: ["from", "to", "count", "chunk", "factor"],
  Lookup: ["entries", "multiplicities", "count", "constants", "out"],
  ColumnSums: ["from", "to", "targets", "starts", "count", "chunk", "indices", "coefficients", "constants"],
  MapSums: [
    "from",
    "limbs",
    "outputs",
    "chunk",
    "to",
    "targets",
    "positions",
    "channels",
    "groupIn",
    "groupOut",
    "weights",
    "taps",
    "starts",
    "readings",
    "inputs",
    "inputChunk",
    "constants",
  ],
  Combinations: ["numbers", "count", "chunk", "terms", "columns", "factors", "out", "first"],
  Lagrange: ["starts", "count", "constants", "factors", "period", "out"],
  SparseRows: ["bounds", "rowPtr", "wires", "coefficients", "vector", "out"],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type StructName = keyof typeof structs
type Field<Name extends StructName> = (typeof structs)[Name][number]
/** A number, or the address of something, for every field. */
export type Values<Name extends StructName> = Readonly<Record<Field<Name>, number>>

export const structBytes = (name: StructName): number => 4 * structs[name].length

/** Zero for every field. */
export const noFields = <Name extends StructName>(name: Name): Values<Name> =>
  Object.fromEntries(structs[name].map((field) => [field, 0])) as Values<Name>

/** A struct at an address; the memory there is its owner's. */
export class Struct<Name extends StructName> {
  readonly at: number
  private readonly memory: KernelMemory
  private readonly names: readonly Field<Name>[]

  constructor(memory: KernelMemory, name: Name, at: number) {
    this.memory = memory
    this.at = at
    this.names = structs[name]
  }

  write(fields: Values<Name>): void {
    this.memory.unsigned(this.at, this.names.length).set(this.names.map((name) => fields[name]))
  }

  get(name: Field<Name>): number {
    return this.memory.unsigned(this.at, this.names.length)[this.names.indexOf(name)]
  }

  set(name: Field<Name>, value: number): void {
    this.memory.unsigned(this.at, this.names.length)[this.names.indexOf(name)] = value
  }
}
