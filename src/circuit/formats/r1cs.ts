/**
 * Rank-1 constraint systems: (A·w)∘(B·w) = C·w over the scalar field, sparse rows, coefficients in a
 * dictionary (few distinct small integers). Wire 0 is the constant one; then public outputs, public
 * inputs, private wires, in the order of the iden3 `.r1cs` format.
 */

/** Compressed sparse rows; coefficient j of a row is `values[coefficients[j]]`. */
export interface SparseRows {
  readonly rowPtr: Uint32Array
  readonly wires: Uint32Array
  readonly coefficients: Uint32Array
}

export interface R1cs {
  readonly wires: number
  readonly publicOutputs: number
  readonly publicInputs: number
  readonly privateInputs: number
  readonly rows: number
  /** Canonical field elements in [0, r). */
  readonly values: readonly bigint[]
  readonly a: SparseRows
  readonly b: SparseRows
  readonly c: SparseRows
}
