/**
 * Setup of PLONK and FFLONK: no ceremony of a circuit's own, only powers of tau, and so the same key for whoever makes
 * it from the same circuit and powers. snarkjs makes the gates and their polynomials. It is given powers in memory,
 * as many as the key has and in the place where it looks for them: neither does it want the whole file then, nor one
 * that was prepared. Commitments to selectors and permutations it would make of Lagrange points; the kernels make them
 * of the coefficients and the powers themselves, which is the same points.
 */
import { createBinFile, readBinFile, writePrime } from "../../circuit/formats/container.js"
import { montgomeryPoint } from "../../circuit/formats/points.js"
import { writeR1cs } from "../../circuit/formats/r1csfile.js"
import { FileError, type OnProgress, UsageError } from "../../errors.js"
import { q, r } from "../../field.js"
import { platformRandom } from "../../platform.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
import { type CeremonyHead, headFor } from "../../setup/ceremony/transcript.js"
import type { PowersOfTau } from "../../setup/ptau/powers.js"
import { type DevSetupOptions, draw, multiplyParts } from "../../setup/trapdoor.js"
import { generator2 } from "../../statement/points.js"
import { setupKind, type UniversalFacts } from "../../statement/provenance.js"
import type { PlainCircuit } from "../plain/circuit.js"
import { checkSize, type KeyForm, sizesOf } from "./form.js"
import { finishKey, type HeldKey, plonkCommitmentsOf } from "./keyfile.js"

/** Powers of tau that a key is made of: τ^i in G1, and 1 and τ in G2, as a file has them. */
interface Powers {
  readonly one: Uint8Array
  readonly two: Uint8Array
}

const generator2Bytes = montgomeryPoint(generator2.flat().map(BigInt))

/** The least power of a file that has so many powers in G1. */
const powerFor = (count: number): number => Math.ceil(Math.log2(count + 1)) - 1

/** Makes a proving key (`UniversalKeys` of ../system.ts). */
export async function makeUniversalKey(
  form: KeyForm,
  circuit: PlainCircuit,
  { ptau, ...options }: DevSetupOptions & { readonly ptau?: PowersOfTau },
): Promise<Uint8Array> {
  const sizes = sizesOf(form, circuit.linked.r1cs)
  checkSize(form, sizes)
  options.signal?.throwIfAborted()
  if (ptau === undefined)
    return await keyOf(form, circuit, await drawnPowers(sizes.powers, options), "dev", options)
  const needed = powerFor(sizes.powers)
  if (ptau.power < needed)
    throw new UsageError({
      what: `too few powers of tau for ${form.proofSystem} over a domain of ${sizes.domain}`,
      expected: `a file of power ${needed} or more`,
      given: `power ${ptau.power}`,
      fix: "Take a larger file of the same ceremony, or a smaller model",
    })
  const [one, two] = await Promise.all([ptau.read("tauG1", 0, sizes.powers), ptau.read("tauG2", 0, 2)])
  return await keyOf(form, circuit, { one, two }, headFor(circuit, ptau), options)
}

/** Powers of a τ that is forgotten. */
async function drawnPowers(count: number, options: DevSetupOptions): Promise<Powers> {
  const tau = draw(options.random ?? platformRandom)
  const scalars: bigint[] = []
  for (let i = 0, value = 1n; i < count; i++, value = (value * tau) % r) scalars.push(value)
  const parts = { one: { group: "g1", scalars }, two: { group: "g2", scalars: [1n, tau] } } as const
  return await multiplyParts(parts, options)
}

/** The key of a circuit from powers. */
async function keyOf(
  form: KeyForm,
  circuit: PlainCircuit,
  powers: Powers,
  head: CeremonyHead | "dev",
  { onProgress, signal }: { readonly onProgress?: OnProgress; readonly signal?: AbortSignal },
): Promise<Uint8Array> {
  const { proofSystem } = form
  const { r1cs } = circuit.linked
  const { domain } = sizesOf(form, r1cs)
  // only here does the GPL come in
  const { startSnarkjs } = await import("../snarkjs/prover.js")
  const snarkjs = startSnarkjs()
  onProgress?.({ stage: "make gates", done: 0, total: 1 })
  try {
    const files = { r1cs: writeR1cs(r1cs), ptau: ptauOf(powers, domain) }
    const [made] = await snarkjs.map(
      [files],
      (remote, { r1cs: system, ptau }) => remote.makeKey(proofSystem, system, ptau),
      { signal },
    )
    onProgress?.({ stage: "make gates", done: 1, total: 1 })
    const points = form.points.includes("c0") ? {} : await plonkCommitmentsOf(made, powers.one, domain)
    return finishKey(form, circuit, made, points, head)
  } finally {
    await snarkjs.close()
  }
}

/** A file of powers with what snarkjs reads of it, in memory. */
function ptauOf({ one, two }: Powers, domain: number): Uint8Array {
  const { file, sections } = createBinFile("ptau", 1, [
    { id: 1, bytes: 44 },
    { id: 2, bytes: one.length },
    { id: 3, bytes: two.length },
    // Lagrange points of this domain come after those of all smaller ones; nothing is made of them
    { id: 12, bytes: fileBytes.g1 * (2 * domain - 1) },
  ])
  const header = new DataView(sections[0].buffer, sections[0].byteOffset, sections[0].length)
  const at = writePrime(header, 0, q)
  header.setUint32(at, Math.log2(domain), true)
  header.setUint32(at + 4, Math.log2(domain), true)
  sections[1].set(one)
  sections[2].set(two)
  return file
}

/**
 * Makes a key that was read again and compares all of it. The powers are those of a file or, without one, the key's
 * own, of which `readUniversalKey` knows that they are powers.
 * @returns how many points were compared
 * @throws FileError naming what differs
 */
export async function compareUniversalKey(
  form: KeyForm,
  circuit: PlainCircuit,
  held: HeldKey,
  ptau?: PowersOfTau,
  options: DevSetupOptions = {},
): Promise<number> {
  const { setup } = held.content
  if (ptau) await requirePowers(held, ptau)
  const head = typeof setup === "object" && !("transcript" in setup) ? originOf(circuit, setup) : "dev"
  const two = new Uint8Array([...generator2Bytes, ...held.x2])
  const made = readBinFile(await keyOf(form, circuit, { one: held.powers, two }, head, options), "zkey", 1)
  const given = readBinFile(held.zkey, "zkey", 1)
  const ids = new Set([...made.keys(), ...given.keys()])
  const differs = [...ids].find((id) => {
    const [ours, theirs] = [made.get(id), given.get(id)]
    return ours === undefined || theirs === undefined || Buffer.compare(ours, theirs) !== 0
  })
  if (differs === undefined) return held.powers.length / fileBytes.g1 + form.points.length
  throw new FileError({
    what: `section ${differs} is not what circuit and powers of tau give`,
    where: "proving key",
    fix: "Take the key from whoever made it, or run setup again",
  })
}

const originOf = (circuit: PlainCircuit, { ptau, power }: UniversalFacts): CeremonyHead =>
  headFor(circuit, { digest: ptau, power })

/** The powers of a key are those of a file, and it says so. @throws FileError */
async function requirePowers({ content: { setup }, powers, x2 }: HeldKey, ptau: PowersOfTau): Promise<void> {
  const refuse = (what: string, expected: string, given: string): never => {
    throw new FileError({
      what,
      where: "proving key",
      expected,
      given,
      fix: "Run setup with these powers again",
    })
  }
  if (typeof setup === "string" || "transcript" in setup)
    return refuse("does not say that it was made from powers of tau", "`universal`", setupKind(setup))
  if (setup.ptau !== ptau.digest)
    refuse("was made from other powers of tau", `those of digest ${ptau.digest}`, setup.ptau)
  if (setup.power !== ptau.power) refuse("says another power", `${ptau.power}`, `${setup.power}`)
  const count = powers.length / fileBytes.g1
  const [one, two] = await Promise.all([ptau.read("tauG1", 0, count), ptau.read("tauG2", 1, 1)])
  const isSame = Buffer.compare(one, powers) === 0 && Buffer.compare(two, x2) === 0
  if (!isSame) refuse("has other powers of tau than it says", "those of the file", "others")
}
