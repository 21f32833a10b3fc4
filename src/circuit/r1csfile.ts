/**
 * The standard `.r1cs` file (iden3 r1cs binary format, version 1): header, constraints, wire-to-label map.
 */
import { FileError } from "../errors.js"
import { r } from "../field.js"
import { getField, putField, readContainer, writeContainer } from "./binfile.js"
import type { R1cs, SparseRows } from "./r1cs.js"

const ids = { header: 1, constraints: 2, labels: 3 }
const headerLength = 4 + 32 + 16 + 8 + 4

/** Bytes of the standard file; labels are the wire numbers. */
export function writeR1cs(system: R1cs): Uint8Array {
  const header = new DataView(new ArrayBuffer(headerLength))
  header.setUint32(0, 32, true)
  putField(header, 4, r)
  const counts = [system.wires, system.publicOutputs, system.publicInputs, system.privateInputs]
  counts.forEach((count, i) => {
    header.setUint32(36 + 4 * i, count, true)
  })
  header.setBigUint64(52, BigInt(system.wires), true)
  header.setUint32(60, system.rows, true)

  const sides = [system.a, system.b, system.c]
  const entries = sides.reduce((sum, side) => sum + side.wires.length, 0)
  const constraints = new DataView(new ArrayBuffer(12 * system.rows + 36 * entries))
  const encoded = system.values.map((value) => {
    const view = new DataView(new ArrayBuffer(32))
    putField(view, 0, value)
    return new Uint8Array(view.buffer)
  })
  const target = new Uint8Array(constraints.buffer)
  let at = 0
  for (let row = 0; row < system.rows; row++) {
    for (const side of sides) {
      constraints.setUint32(at, side.rowPtr[row + 1] - side.rowPtr[row], true)
      at += 4
      for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
        constraints.setUint32(at, side.wires[j], true)
        target.set(encoded[side.coefficients[j]], at + 4)
        at += 36
      }
    }
  }
  const labels = new DataView(new ArrayBuffer(8 * system.wires))
  for (let wire = 0; wire < system.wires; wire++) labels.setBigUint64(8 * wire, BigInt(wire), true)
  return writeContainer("r1cs", 1, [
    { id: ids.header, content: new Uint8Array(header.buffer) },
    { id: ids.constraints, content: target },
    { id: ids.labels, content: new Uint8Array(labels.buffer) },
  ])
}

/**
 * Reads a standard file.
 * @throws FileError for another field, missing sections, wires out of range or trailing bytes
 */
export function readR1cs(bytes: Uint8Array, where = "r1cs file"): R1cs {
  const sections = readContainer(bytes, "r1cs", 1, where)
  const fail = (what: string): never => {
    throw new FileError({ what, where, fix: "The file is damaged or of another kind; make it again" })
  }
  const view = (id: number): DataView => {
    const content = sections.get(id) ?? fail(`has no section ${id}`)
    return new DataView(content.buffer, content.byteOffset, content.length)
  }
  const header = view(ids.header)
  if (header.byteLength !== headerLength || header.getUint32(0, true) !== 32) fail("has an unknown header")
  if (getField(header, 4) !== r) fail("is over another field than bn254's")
  const [wires, publicOutputs, publicInputs, privateInputs] = [36, 40, 44, 48].map((at) =>
    header.getUint32(at, true),
  )
  const rows = header.getUint32(60, true)

  const content = view(ids.constraints)
  const dictionary = new Map<bigint, number>()
  const values: bigint[] = []
  const lists = [0, 1, 2].map(() => ({
    rowPtr: new Uint32Array(rows + 1),
    wires: [] as number[],
    coefficients: [] as number[],
  }))
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (const list of lists) {
      if (at + 4 > content.byteLength) fail(`ends inside row ${row}`)
      const count = content.getUint32(at, true)
      at += 4
      if (at + 36 * count > content.byteLength) fail(`ends inside row ${row}`)
      for (let j = 0; j < count; j++, at += 36) {
        const wire = content.getUint32(at, true)
        const value = getField(content, at + 4)
        if (wire >= wires || value >= r) fail(`has a wire or coefficient out of range in row ${row}`)
        let index = dictionary.get(value)
        if (index === undefined) {
          index = values.push(value) - 1
          dictionary.set(value, index)
        }
        list.wires.push(wire)
        list.coefficients.push(index)
      }
      list.rowPtr[row + 1] = list.wires.length
    }
  }
  if (at !== content.byteLength) fail("has bytes after its last row")
  const [a, b, c] = lists.map(
    (list): SparseRows => ({
      rowPtr: list.rowPtr,
      wires: Uint32Array.from(list.wires),
      coefficients: Uint32Array.from(list.coefficients),
    }),
  )
  return { wires, publicOutputs, publicInputs, privateInputs, rows, values, a, b, c }
}
