/**
 * What a prover needs of arithmetic on bn254: resident points, multi-scalar multiplications, and the
 * quotient of the constraint system. `openKernels` gives the fast one; `slowEngine` is the reference.
 */

/** Points kept in the engine's own form. */
export interface Points {
  readonly group: "g1" | "g2"
  readonly count: number
}

/** One scalar per point: small integers (any sign, at most 2^53), or canonical field elements. */
export type Scalars = Float64Array | readonly bigint[]

/** Affine coordinates: [x, y] in G1, [x0, x1, y0, y1] in G2; null at infinity. */
export type Affine = readonly bigint[] | null

export interface Engine {
  /** Loads affine Montgomery points as a key file has them; all zeros is infinity. */
  load(group: "g1" | "g2", bytes: Uint8Array): Points
  /** Σ scalars[i] · points[i]. */
  msm(points: Points, scalars: Scalars): Promise<Affine>
  /** Σ scalars[group[i]] · points[i], for few groups: points are added by group first. */
  groupedMsm(points: Points, group: Uint32Array, scalars: readonly bigint[]): Promise<Affine>
  /**
   * (A·B − C) at the odd points of the domain of twice the size, and its product with `h`: Σ values[k] · h[k].
   * `rows` are the values of A, B, C on the domain, zero where absent.
   */
  quotientMsm(h: Points, rows: QuotientRows): Promise<Affine>
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
  readonly c: Vector
}
