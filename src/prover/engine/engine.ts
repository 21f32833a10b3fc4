/**
 * What a prover needs of arithmetic on bn254: resident points, multi-scalar multiplications, and the
 * quotient of the constraint system. `kernelEngine` gives the fast one; `slowEngine` is the reference.
 */
import type { R1cs } from "../../circuit/formats/r1cs.js"
import type { ByteSource } from "../../circuit/formats/source.js"
import type { Entries } from "../kernels/points/grouping.js"
import type { PointPair } from "../kernels/points/pairing.js"
import type { LoadOptions, Multiples } from "../kernels/points/points.js"
import type { Layers } from "../kernels/points/windows.js"

/** Points kept in the engine's own form, or read whenever they are multiplied. */
export interface Points {
  readonly group: "g1" | "g2"
  /** Points, multiples included. */
  readonly count: number
}

export type { Entries, Layers, LoadOptions, Multiples, PointPair }

/** How a source of points is loaded; bytes are always kept. */
export interface EngineLoadOptions extends LoadOptions {
  /** Read once, and again if a worker died over them; else by every multiplication. */
  readonly resident?: boolean
}
export type QuotientOptions = Omit<EngineLoadOptions, "multiples">

/** Field elements kept in the engine's own form. */
export interface Fields {
  readonly count: number
}

/** One scalar per point: small integers (any sign, at most 2^53), or canonical field elements, given or kept. */
export type Scalars =
  | Float64Array
  | readonly bigint[]
  | { readonly fields: Fields; readonly index: Uint32Array }

/** Affine coordinates: [x, y] in G1, [x0, x1, y0, y1] in G2; null at infinity. */
export type Affine = readonly bigint[] | null

/** Rows of a constraint system, kept in the engine's own form. */
export interface Rows {
  readonly system: R1cs
}
/** Sums of every row over small wires. NaN, or without their large coefficients, where doubles do not reach. */
export interface RowSums {
  readonly a: Float64Array
  readonly b: Float64Array
  readonly c: Float64Array
}

/** An abort stops the work between two items; the engine can be used again. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined
}

/** Calls may overlap; what they have to share is queued. Each throws the reason of an abort. */
export interface Engine {
  /**
   * Loads affine Montgomery points as a key file has them, and adds multiples; all zeros is infinity. Of a source that is
   * not resident, only those with multiples are kept: the others are read in blocks by every multiplication, which throws
   * what reading throws, and for points that are refused: FileError, named by `nameOf`.
   */
  load(group: "g1" | "g2", points: Uint8Array | ByteSource, options?: EngineLoadOptions): Points
  /**
   * Loads points for `quotientMsm`, layer by layer: layer k is 2^(bits·k) times layer 0. Those of a source that is not
   * resident are not kept, and layer 0 is all that is read.
   */
  loadQuotient(points: Uint8Array | ByteSource, layers: Layers, options?: QuotientOptions): Points
  /** Waits until all points that stay are loaded, or are refused, of which whoever uses them is told. */
  loaded(): Promise<void>
  /** Loads the rows of a system. */
  loadRows(system: R1cs): Rows
  /** A·w, B·w and C·w for one small integer per wire. */
  rowSums(rows: Rows, wires: Float64Array, options?: WorkOptions): Promise<RowSums>
  /** Σ scalars[i] · points[i]. Throws FileError for points of a key that are none. */
  msm(points: Points, scalars: Scalars, options?: WorkOptions): Promise<Affine>
  /** Sums of points by group, as points: number g is the sum of ±points[point[i]] over entries i of group g. */
  sums(points: Points, entries: Entries, groups: number, options?: WorkOptions): Promise<Points>
  /**
   * A·B where the quotient of a domain is evaluated, and its product with `h`: Σ values[k] · h[k].
   * `rows` are the values of A and B on the domain, zero where absent; their number says which it is.
   */
  quotientMsm(h: Points, rows: QuotientRows, options?: WorkOptions): Promise<Affine>
  /**
   * Of a lookup argument with n entries t, integers, of multiplicities m: c − t, then 1/(c − t), then m/(c − t), n
   * field elements of each; c is none of the entries. Whatever uses them waits for them.
   */
  lookupFields(c: bigint, entries: Float64Array, multiplicities: Float64Array, options?: WorkOptions): Fields
  /**
   * Whether the product of the pairings of points is one. A point that is off its curve, or of the twist but outside
   * the subgroup of order r, makes it false; the pairing of infinity is one.
   */
  pairingsAreOne(pairs: readonly PointPair[]): boolean
  /** Gives the memory of points, fields or rows back, once work with them has ended; a source stays its owner's. */
  free(loaded: Points | Fields | Rows): Promise<void>
  /** Bytes that are held now, in points, rows and tables. */
  heldBytes(): number
  close(): Promise<void>
}

/** A vector on the domain: small integers, and field elements that replace them at some rows. */
export interface Vector {
  readonly small: Float64Array
  /** Row rows[j] has the value number index[j] of `kept` (QuotientRows), and after those of `fields`. */
  readonly rows: Uint32Array
  readonly index: Uint32Array
  readonly fields: readonly bigint[]
}
export interface QuotientRows {
  readonly a: Vector
  readonly b: Vector
  readonly kept: Fields
}
