/** Sparse integer rows times an integer vector, in float64: exact, or NaN where that is not certain. */

@unmanaged class SparseRows {
  /** First row of every item and, at the end, the number of rows. */
  bounds: usize
  /** First entry of every row and, at the end, the number of entries. */
  rowPtr: usize
  /** u32 index of the vector's element, for every entry. */
  wires: usize
  /** f64, for every entry. */
  coefficients: usize
  /** f64 each. */
  vector: usize
  out: usize
}

/**
 * out[row] = Σ coefficient · vector[wire], or NaN if the sum of the sizes of the terms reaches 2^53 or a term is
 * NaN. Below that no product and no partial sum was rounded: a size that reaches 2^53 does so in float64 too.
 */
export function sparseRows(item: usize, args: usize, _scratch: usize): void {
  const rows = changetype<SparseRows>(args)
  const vector = rows.vector
  const from = load<u32>(rows.bounds + item * 4)
  const end = load<u32>(rows.bounds + item * 4 + 4)
  let row: usize = from
  let entry: usize = load<u32>(rows.rowPtr + row * 4)
  for (; row < end; row++) {
    const last: usize = load<u32>(rows.rowPtr + row * 4 + 4)
    let wire = rows.wires + entry * 4
    let coefficient = rows.coefficients + entry * 8
    // two sums at a time: an addition waits for the one before it
    let sum0: f64 = 0
    let sum1: f64 = 0
    let size0: f64 = 0
    let size1: f64 = 0
    for (; entry + 1 < last; entry += 2) {
      const term0 = load<f64>(coefficient) * load<f64>(vector + <usize>load<u32>(wire) * 8)
      const term1 = load<f64>(coefficient, 8) * load<f64>(vector + <usize>load<u32>(wire, 4) * 8)
      sum0 += term0
      sum1 += term1
      size0 += abs(term0)
      size1 += abs(term1)
      wire += 8
      coefficient += 16
    }
    if (entry < last) {
      const term = load<f64>(coefficient) * load<f64>(vector + <usize>load<u32>(wire) * 8)
      sum0 += term
      size0 += abs(term)
      entry++
    }
    const exact = size0 + size1 < 9007199254740992
    // adding zero turns −0 into 0
    store<f64>(rows.out + row * 8, exact ? sum0 + sum1 + 0 : NaN)
  }
}
