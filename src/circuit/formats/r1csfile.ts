/**
 * The iden3 `.r1cs` file: header, constraints, wire to label map. Written by us and by circom, read by
 * snarkjs. Source: https://github.com/iden3/r1csfile/blob/master/doc/r1cs_bin_format.md
 */
import { checkBytes, checkThing } from "../../arguments.js"
import { FileError, InvariantError } from "../../errors.js"
import { r } from "../../field.js"
import {
  checkPrime,
  createBinFile,
  encodeFields,
  readBinFile,
  readField,
  sectionView,
  writePrime,
} from "./container.js"
import type { R1cs, SparseRows } from "./r1cs.js"

const where = ".r1cs file"
const section = { header: 1, constraints: 2, wireToLabel: 3, customGates: 4, customGateUses: 5 }
const headerBytes = 64
const entryBytes = 36

/** The constraint system as a `.r1cs` file, version 1; labels are the wire numbers. */
export function writeR1cs(r1cs: R1cs): Uint8Array {
  checkThing("r1cs", r1cs, "r1cs")
  const sides = [r1cs.a, r1cs.b, r1cs.c]
  const entries = sides.reduce((sum, side) => sum + side.wires.length, 0)
  const { file, sections } = createBinFile("r1cs", 1, [
    { id: section.header, bytes: headerBytes },
    { id: section.constraints, bytes: 12 * r1cs.rows + entryBytes * entries },
    { id: section.wireToLabel, bytes: 8 * r1cs.wires },
  ])
  const [header, constraints, labels] = sections.map((s) => new DataView(s.buffer, s.byteOffset, s.length))
  let at = writePrime(header, 0)
  for (const count of [r1cs.wires, r1cs.publicOutputs, r1cs.publicInputs, r1cs.privateInputs]) {
    header.setUint32(at, count, true)
    at += 4
  }
  header.setBigUint64(at, BigInt(r1cs.wires), true)
  header.setUint32(at + 8, r1cs.rows, true)

  const encoded = encodeValues(r1cs.values)
  const bytes = sections[1]
  at = 0
  for (let row = 0; row < r1cs.rows; row++) {
    for (const { rowPtr, wires, coefficients } of sides) {
      constraints.setUint32(at, rowPtr[row + 1] - rowPtr[row], true)
      at += 4
      for (let k = rowPtr[row]; k < rowPtr[row + 1]; k++) {
        constraints.setUint32(at, wires[k], true)
        bytes.set(encoded[coefficients[k]], at + 4)
        at += entryBytes
      }
    }
  }
  for (let wire = 0; wire < r1cs.wires; wire++) labels.setUint32(8 * wire, wire, true)
  return file
}

function encodeValues(values: readonly bigint[]): Uint8Array[] {
  for (const value of values) {
    if (value < 0n || value >= r) throw new InvariantError(`coefficient ${value} is not a field element`)
  }
  const all = encodeFields(values)
  return values.map((_, i) => all.subarray(32 * i, 32 * i + 32))
}

/**
 * Reads a `.r1cs` file over bn254.
 * @throws FileError if it is truncated, foreign, over another field, or uses custom gates
 */
export function readR1cs(file: Uint8Array): R1cs {
  checkBytes(file, "file")
  const sections = readBinFile(file, "r1cs", 1)
  for (const [id, content] of sections) {
    // circom writes the sections of custom gates always; without any, each holds the count 0.
    const gates = id === section.customGates || id === section.customGateUses
    if (gates && content.every((byte) => byte === 0)) continue
    if (id > section.wireToLabel) {
      throw new FileError({
        what: gates ? "custom gates are not supported" : `unknown section ${id}`,
        where,
        fix: "Use a circuit of plain constraints",
      })
    }
  }
  const header = sectionView(sections, section.header, where, headerBytes)
  const at = checkPrime(header, 0, where)
  const [wires, publicOutputs, publicInputs, privateInputs] = [0, 4, 8, 12].map((o) =>
    header.getUint32(at + o, true),
  )
  const rows = header.getUint32(at + 24, true)
  if (publicOutputs + publicInputs + privateInputs >= wires) {
    throw new FileError({
      what: "more signals than wires",
      where,
      expected: `fewer than ${wires}`,
      given: `${publicOutputs + publicInputs + privateInputs}`,
    })
  }
  sectionView(sections, section.wireToLabel, where, 8 * wires)
  const constraints = sectionView(sections, section.constraints, where)
  return { wires, publicOutputs, publicInputs, privateInputs, rows, ...readRows(constraints, rows, wires) }
}

function readRows(view: DataView, rows: number, wires: number): Pick<R1cs, "values" | "a" | "b" | "c"> {
  const truncated = (row: number): never => {
    throw new FileError({ what: `constraint ${row} is cut off`, where, fix: "Make the file again" })
  }
  const counts = countEntries(view, rows, truncated)
  const sides = counts.map((count) => ({
    rowPtr: new Uint32Array(rows + 1),
    wires: new Uint32Array(count),
    coefficients: new Uint32Array(count),
  }))
  const intern = new Interner()
  const filled = [0, 0, 0]
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let side = 0; side < 3; side++) {
      const entries = view.getUint32(at, true)
      at += 4
      for (let k = 0; k < entries; k++, at += entryBytes) {
        const wire = view.getUint32(at, true)
        if (wire >= wires) {
          throw new FileError({
            what: `constraint ${row} names a wire that does not exist`,
            where,
            expected: `less than ${wires}`,
            given: `${wire}`,
          })
        }
        const index = intern.index(view, at + 4, row)
        sides[side].wires[filled[side]] = wire
        sides[side].coefficients[filled[side]++] = index
      }
      sides[side].rowPtr[row + 1] = filled[side]
    }
  }
  const [a, b, c]: SparseRows[] = sides
  return { values: intern.values, a, b, c }
}

/** Entries of each side; also checks that the rows fill the section exactly. */
function countEntries(view: DataView, rows: number, truncated: (row: number) => never): number[] {
  const counts = [0, 0, 0]
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let side = 0; side < 3; side++) {
      if (at + 4 > view.byteLength) truncated(row)
      const entries = view.getUint32(at, true)
      at += 4 + entryBytes * entries
      if (at > view.byteLength) truncated(row)
      counts[side] += entries
    }
  }
  if (at !== view.byteLength) {
    throw new FileError({
      what: "bytes after the last constraint",
      where,
      expected: `${at} bytes`,
      given: `${view.byteLength}`,
    })
  }
  return counts
}

/** Collects distinct coefficients; nearly all are below 2^32, so those avoid big integers. */
class Interner {
  readonly values: bigint[] = []
  private readonly small = new Map<number, number>()
  private readonly large = new Map<bigint, number>()

  index(view: DataView, at: number, row: number): number {
    let high = 0
    for (let word = 4; word < 32; word += 4) high |= view.getUint32(at + word, true)
    if (high === 0) {
      const value = view.getUint32(at, true)
      return this.small.get(value) ?? this.add(this.small, value, BigInt(value))
    }
    const value = readField(view, at)
    const known = this.large.get(value)
    if (known !== undefined) return known
    if (value >= r) {
      throw new FileError({
        what: `a coefficient of constraint ${row}`,
        where,
        expected: "less than r",
        given: `${value}`,
      })
    }
    return this.add(this.large, value, value)
  }

  private add<K>(map: Map<K, number>, key: K, value: bigint): number {
    map.set(key, this.values.length)
    return this.values.push(value) - 1
  }
}
