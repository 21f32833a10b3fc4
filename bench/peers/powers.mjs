/**
 * Powers of tau as snarkjs and EZKL take them, in place of downloads of some hundred megabytes. The secret is drawn here and
 * forgotten, so keys from them are development keys.
 */
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createBinFile, encodeFields, writeField } from "../../dist/circuit/formats/container.js"
import { inverse, inverseAll, mod, q, r, power as raised } from "../../dist/field.js"
import { openEngine } from "../../dist/prover/kernels/engine.js"

const pointBytes = { g1: 64, g2: 128 }
const draw = () => mod(BigInt(`0x${randomBytes(64).toString("hex")}`))

/** Generators that the roots of unity of snarkjs and of halo2, which EZKL stands on, are powers of. */
const generators = { snarkjs: 5n, halo2: 7n }

/** 1, τ, … τ^(count−1). */
function powersOf(tau, count) {
  const powers = new Array(count)
  for (let i = 0, value = 1n; i < count; i++, value = (value * tau) % r) powers[i] = value
  return powers
}

/** The Lagrange polynomials of n roots of unity at τ: ω^i (τ^n − 1) / (n (τ − ω^i)). */
function lagrange(n, tau, generator) {
  const roots = powersOf(raised(generator, (r - 1n) / BigInt(n)), n)
  const differences = roots.map((root) => mod(tau - root))
  inverseAll(differences)
  const factor = mod((raised(tau, BigInt(n)) - 1n) * inverse(BigInt(n)))
  return roots.map((root, i) => (((root * factor) % r) * differences[i]) % r)
}

/**
 * Writes a prepared `.ptau` of 2^power powers, for circuits of just that domain. What a key does not read is left out: the
 * record of contributions, and Lagrange points of other domains, whose places are zeros.
 */
export async function writePowers(path, power) {
  const n = 2 ** power
  const [tau, alpha, beta] = [draw(), draw(), draw()]
  const powers = powersOf(tau, 2 * n)
  const basis = lagrange(n, tau, generators.snarkjs)
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
    ofTau.set(await points("g1", lagrange(2 * n, tau, generators.snarkjs)), pointBytes.g1 * (2 * n - 1))
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

/** Writes the file that EZKL takes for circuits of 2^power rows: k, powers and Lagrange points in G1, and 1 and τ in G2. */
export async function writeKzgPowers(path, power) {
  const n = 2 ** power
  const tau = draw()
  const engine = await openEngine({})
  try {
    const points = (group, values) => engine.fixedBase(group, encodeFields(values))
    const k = new Uint8Array(Uint32Array.of(power).buffer)
    const parts = [
      k,
      await points("g1", powersOf(tau, n)),
      await points("g1", lagrange(n, tau, generators.halo2)),
    ]
    writeFileSync(path, Buffer.concat([...parts, await points("g2", [1n, tau])]))
  } finally {
    await engine.close()
  }
}
