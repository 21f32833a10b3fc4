/**
 * What a prover needs of arithmetic on bn254: resident points, multi-scalar multiplications, and the
 * quotient of the constraint system. `kernelEngine` gives the fast one; `slowEngine` is the reference.
 */
import type { R1cs } from "../circuit/r1cs.js"

/** Points kept in the engine's own form. */
export interface Points {
  readonly group: "g1" | "g2"
  /** Points, multiples included. */
  readonly count: number
}

/**
 * Multiples of the m points from number `from` on: point `from + k·m + i` is 2^(bits·k) times point `from + i`,
 * for k < layers.
 */
export interface Multiples {
  readonly from: number
  readonly bits: number
  readonly layers: number
}

/** One scalar per point: small integers (any sign, at most 2^53), or canonical field elements. */
export type Scalars = Float64Array | readonly bigint[]

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

/** Points by their numbers, each in a group; a point may occur in several entries. */
export interface Entries {
  readonly group: Uint32Array
  /** Without, entry i is point i. */
  readonly point?: Uint32Array | undefined
}

/** An abort stops the work between two items; the engine can be used again. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined
}

/** Calls may overlap; what they have to share is queued. Each throws the reason of an abort. */
export interface Engine {
  /** Loads affine Montgomery points as a key file has them, and adds multiples; all zeros is infinity. */
  load(group: "g1" | "g2", bytes: Uint8Array, multiples?: Multiples): Points
  /** Loads points for `quotientMsm`; with multiples, which take time and memory now, that is faster later. */
  loadQuotient(bytes: Uint8Array, multiples: boolean): Points
  /** Loads the rows of a system. */
  loadRows(system: R1cs): Rows
  /** A·w, B·w and C·w for one small integer per wire. */
  rowSums(rows: Rows, wires: Float64Array, options?: WorkOptions): Promise<RowSums>
  /** Σ scalars[i] · points[i]. */
  msm(points: Points, scalars: Scalars, options?: WorkOptions): Promise<Affine>
  /** Sums of points by group, as points: number g is the sum of points[point[i]] over entries i of group g. */
  sums(points: Points, entries: Entries, groups: number, options?: WorkOptions): Promise<Points>
  /**
   * A·B at the odd points of the domain of twice the size, and its product with `h`: Σ values[k] · h[k].
   * `rows` are the values of A and B on the domain, zero where absent.
   */
  quotientMsm(h: Points, rows: QuotientRows, options?: WorkOptions): Promise<Affine>
  /** Gives the memory of points or rows back. */
  free(loaded: Points | Rows): Promise<void>
  /** Bytes that are held now, in points, rows and tables. */
  heldBytes(): number
  close(): Promise<void>
}

/** A vector on the domain: small integers, and field elements that replace them at some rows. */
export interface Vector {
  readonly small: Float64Array
  /** Row i has value fields[index[j]] where rows[j] = i. */
  readonly rows: Uint32Array
  readonly index: Uint32Array
  readonly fields: readonly bigint[]
}
export interface QuotientRows {
  readonly a: Vector
  readonly b: Vector
}
