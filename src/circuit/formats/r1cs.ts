/**
 * Rank-1 constraint systems: (A·w)∘(B·w) = C·w over the scalar field, sparse rows, coefficients in a
 * dictionary (few distinct small integers). Wire 0 is the constant one; then public outputs, public
 * inputs, private wires, in the order of the iden3 `.r1cs` format.
 */
import { sha256 } from "@noble/hashes/sha2.js"

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

/** SHA-256 of a system's rows and coefficients. */
export function digestOf(system: R1cs): Uint8Array {
  const hash = sha256.create()
  const numbers = (list: Uint32Array) =>
    hash.update(new Uint8Array(list.buffer, list.byteOffset, list.byteLength))
  numbers(Uint32Array.of(system.wires, system.rows, system.values.length))
  const text = new TextEncoder()
  for (const value of system.values) hash.update(text.encode(`${value},`))
  for (const side of [system.a, system.b, system.c]) {
    numbers(side.rowPtr)
    numbers(side.wires)
    numbers(side.coefficients)
  }
  return hash.digest()
}
