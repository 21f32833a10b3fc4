/** The `.wtns` file of snarkjs, version 2: section 1 field and count, section 2 the values. */
import { createBinFile, writeField } from "../../circuit/formats/container.js"
import { fieldValue, type Witness } from "../../circuit/witness/witness.js"
import { r } from "../../field.js"

/** Bytes of a witness as canonical field elements. */
export function writeWtns(witness: Witness): Uint8Array {
  const count = witness.small.length
  const { file, sections } = createBinFile("wtns", 2, [
    { id: 1, bytes: 4 + 32 + 4 },
    { id: 2, bytes: 32 * count },
  ])
  const [header, values] = sections.map(
    ({ buffer, byteOffset, length }) => new DataView(buffer, byteOffset, length),
  )
  header.setUint32(0, 32, true)
  writeField(header, 4, r)
  header.setUint32(36, count, true)
  for (let wire = 0; wire < count; wire++) {
    const small = witness.small[wire]
    if (small >= 0 && !witness.large.has(wire)) {
      values.setUint32(32 * wire, small % 2 ** 32, true)
      values.setUint32(32 * wire + 4, Math.floor(small / 2 ** 32), true)
    } else writeField(values, 32 * wire, fieldValue(witness, wire))
  }
  return file
}
