/**
 * Powers of tau as snarkjs takes them for a key, prepared: in place of a download of some hundred megabytes. The secret is
 * drawn here and forgotten, so keys from them are development keys. What a key does not read is left out: the record of
 * contributions, and Lagrange points of other domains than its own, whose places are zeros.
 */
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createBinFile, encodeFields, writeField } from "../../dist/circuit/formats/container.js"
import { lagrangeBasis } from "../../dist/circuit/link/domain.js"
import { mod, q, r } from "../../dist/field.js"
import { openEngine } from "../../dist/prover/kernels/engine.js"

const pointBytes = { g1: 64, g2: 128 }
const draw = () => mod(BigInt(`0x${randomBytes(64).toString("hex")}`))

/** Writes a prepared file of 2^power powers, for circuits of just that domain. */
export async function writePowers(path, power) {
  const n = 2 ** power
  const [tau, alpha, beta] = [draw(), draw(), draw()]
  const powers = new Array(2 * n)
  for (let i = 0, value = 1n; i < 2 * n; i++, value = (value * tau) % r) powers[i] = value
  const basis = lagrangeBasis(n, tau)
  const times = (list, factor) => list.map((value) => (value * factor) % r)
  const engine = await openEngine({})
  try {
    const points = (group, values) => engine.fixedBase(group, encodeFields(values))
    /** Points of a domain at their place behind those of all smaller ones. */
    const placed = async (group, values) => {
      const bytes = new Uint8Array(pointBytes[group] * (2 * values.length - 1))
      bytes.set(await points(group, values), pointBytes[group] * (values.length - 1))
      return bytes
    }
    const ofTau = new Uint8Array(pointBytes.g1 * (4 * n - 1))
    ofTau.set(await points("g1", basis), pointBytes.g1 * (n - 1))
    ofTau.set(await points("g1", lagrangeBasis(2 * n, tau)), pointBytes.g1 * (2 * n - 1))
    const sections = [
      [1, header(power)],
      [2, await points("g1", powers)],
      [3, await points("g2", powers.slice(0, n))],
      [4, await points("g1", [alpha])],
      [5, await points("g1", [beta])],
      [6, await points("g2", [beta])],
      [12, ofTau],
      [13, await placed("g2", basis)],
      [14, await placed("g1", times(basis, alpha))],
      [15, await placed("g1", times(basis, beta))],
    ]
    const sizes = sections.map(([id, { length }]) => ({ id, bytes: length }))
    const { file, sections: places } = createBinFile("ptau", 1, sizes)
    sections.forEach(([, bytes], i) => {
      places[i].set(bytes)
    })
    writeFileSync(path, file)
  } finally {
    await engine.close()
  }
}

/** Width of a coordinate, the curve's prime, the power, and that of the ceremony. */
function header(power) {
  const bytes = new Uint8Array(44)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 32, true)
  writeField(view, 4, q)
  view.setUint32(36, power, true)
  view.setUint32(40, power, true)
  return bytes
}
