/**
 * Rank-1 constraint systems: (A·w)∘(B·w) = C·w over the scalar field, sparse rows, coefficients in a
 * dictionary (few distinct small integers). Wire 0 is the constant one; then public outputs, public
 * inputs, private wires, in the order of the iden3 `.r1cs` format.
 */
import { sha256 } from "../../platform.js"

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

/** Digests of systems, none of which changes: one of 37 million entries takes 0.2 to 2 seconds. */
const digests = new WeakMap<R1cs, Uint8Array>()

/** SHA-256 of a system's rows and coefficients. */
export function digestOf(system: R1cs): Uint8Array {
  const known = digests.get(system) ?? hashed(system)
  digests.set(system, known)
  return known.slice()
}

/** Takes somebody's word for the digest of a system: what depends on it must be checked in another way. */
export function trustDigest(system: R1cs, digest: Uint8Array): void {
  digests.set(system, digest.slice())
}

function hashed(system: R1cs): Uint8Array {
  const hash = sha256()
  const numbers = (list: Uint32Array) => {
    for (let at = 0; at < list.length; at += block) {
      const part = list.subarray(at, at + block)
      hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength))
    }
  }
  numbers(Uint32Array.of(system.wires, system.rows, system.values.length))
  const text = new TextEncoder()
  hash.update(text.encode(system.values.map((value) => `${value},`).join("")))
  for (const side of [system.a, system.b, system.c]) {
    numbers(side.rowPtr)
    numbers(side.wires)
    numbers(side.coefficients)
  }
  return hash.digest()
}

/** Numbers that are hashed at once. */
const block = 2 ** 26
