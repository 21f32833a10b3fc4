/** `.npy` files for tests. */

/** A `.npy` file, version 1. */
export function npy(descr: string, shape: readonly number[], data: Uint8Array, fortran = false): Uint8Array {
  const dimensions = shape.join(", ") + (shape.length === 1 ? "," : "")
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${dimensions}), }`
  const header = new TextEncoder().encode(`${text.padEnd(117)}\n`)
  const head = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, header.length, 0, ...header]
  const out = new Uint8Array(head.length + data.length)
  out.set(head)
  out.set(data, head.length)
  return out
}
