/**
 * Proving keys of PLONK and FFLONK: the `.zkey` of snarkjs, with two more sections that it ignores: 1000, the text of
 * how the key was made (`dev` or `universal`), and for `universal` 1001, for which circuit and from which powers of
 * tau, as canonical JSON (setup/ceremony/transcript.ts). A key is
 *
 *     1   protocol: 2 (plonk) or 10 (fflonk)
 *     2   header: both primes, counts, constants, the points of the verification key
 *     3 … the gates: folded sums, wires, selectors, permutations, Lagrange polynomials of the public signals
 *     14 (plonk), 16 (fflonk)   powers of tau, the only points of which a proof's commitments are made
 *
 * All but the powers follows from the circuit, and snarkjs makes it. What a reader must know by itself, because a
 * prover combines with hidden values whatever powers it finds: that they are powers of one τ, the verification key's,
 * and that τ is no root of unity of the small orders at which the multiples of vanishing polynomials that hide a
 * witness would themselves vanish.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { checkSection, createBinFile, readBinFile, readField } from "../../circuit/formats/container.js"
import { coordinates, coordinates2, montgomeryPoint } from "../../circuit/formats/points.js"
import { FileError } from "../../errors.js"
import { mod, power, r, radix } from "../../field.js"
import { platformRandom } from "../../platform.js"
import { kernelEngine } from "../../prover/engine/kernels.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
import {
  type CeremonyHead,
  ceremonySection,
  headFor,
  headJson,
  parseHead,
} from "../../setup/ceremony/transcript.js"
import { layoutJson } from "../../statement/layout.js"
import { encodeMark, markSection, type Provenance, parseMark } from "../../statement/provenance.js"
import type { PlainCircuit } from "../plain/circuit.js"
import type { KeyContent } from "../system.js"
import { headerOf, type KeyForm, sizesOf } from "./form.js"
import { permutations, selectors } from "./verify.js"

const where = "proving key"
const G1 = bn254.G1.Point

/** A proving key as the prover takes it. */
export interface HeldKey {
  readonly zkey: Uint8Array
  readonly content: KeyContent
  /** Powers of tau in G1, and τ in G2, as the file has them. */
  readonly powers: Uint8Array
  readonly x2: Uint8Array
}

/** The key that snarkjs made, with points of its header, and with how it was made. */
export function finishKey(
  form: KeyForm,
  { linked: { r1cs } }: PlainCircuit,
  made: Uint8Array,
  points: Readonly<Record<string, Uint8Array>>,
  head: CeremonyHead | "dev",
): Uint8Array {
  const sections = readBinFile(made, "zkey", 1)
  const { places } = headerOf(form, sizesOf(form, r1cs))
  const header = checkSection(sections.get(2), 2, where).slice()
  for (const [name, bytes] of Object.entries(points)) header.set(bytes, places.get(name))
  sections.set(2, header)
  sections.set(markSection, encodeMark(head === "dev" ? "dev" : "universal"))
  if (head !== "dev") sections.set(ceremonySection, new TextEncoder().encode(headJson(head)))
  const contents = [...sections].sort(([x], [y]) => x - y)
  const sizes = contents.map(([id, content]) => ({ id, bytes: content.length }))
  const { file, sections: places2 } = createBinFile("zkey", 1, sizes)
  contents.forEach(([, content], i) => {
    places2[i].set(content)
  })
  return file
}

/**
 * Reads a key: its sizes are the circuit's, it says how it was made, and for `universal` that it is this circuit's,
 * and its powers are powers of the τ of its verification key, which hides. That its gates are the circuit's is not
 * looked at: no proof leaves a prover that the verification key does not take, and `compare` of system.ts does.
 * @throws FileError naming what is damaged, another circuit's, or would tell of the input
 */
export async function readUniversalKey(
  form: KeyForm,
  circuit: PlainCircuit,
  zkey: Uint8Array,
): Promise<HeldKey> {
  const { r1cs } = circuit.linked
  const fix = "Run setup for this circuit again"
  const sections = readBinFile(zkey, "zkey", 1)
  const protocol = checkSection(sections.get(1), 1, where, 4)
  if (new DataView(protocol.buffer, protocol.byteOffset).getUint32(0, true) !== form.protocol)
    throw new FileError({ what: "is for another proof system", where, expected: form.proofSystem })
  const sizes = sizesOf(form, r1cs)
  const expected = headerOf(form, sizes)
  const header = checkSection(sections.get(2), 2, where, expected.bytes.length)
  if (Buffer.compare(header.subarray(0, expected.prefix), expected.bytes.subarray(0, expected.prefix)) !== 0)
    throw new FileError({ what: "belongs to another circuit: its header differs", where, fix })
  for (const [id, bytes] of sizes.sections) checkSection(sections.get(id), id, where, bytes)
  const point = (name: string, bytes: number): Uint8Array => {
    const at = expected.places.get(name) as number
    return header.subarray(at, at + bytes)
  }
  const x2 = point("x2", fileBytes.g2)
  const powers = sections.get(form.powersSection) as Uint8Array
  await checkPowers(
    powers,
    x2,
    form.vanishing.map((multiple) => multiple * sizes.domain),
  )
  const shown = form.points.filter((name) => name !== "x2")
  return {
    zkey,
    powers,
    x2,
    content: {
      setup: provenanceOf(form, circuit, sections),
      points: {
        domain: sizes.domain,
        x2: coordinates2(x2).map((pair) => pair.map(String)),
        ...Object.fromEntries(
          shown.map((name) => [name, coordinates(point(name, fileBytes.g1)).map(String)]),
        ),
      },
    },
  }
}

/** How a key says it was made. @throws FileError if it does not, or that it is another circuit's */
function provenanceOf(
  { proofSystem }: KeyForm,
  circuit: PlainCircuit,
  sections: ReadonlyMap<number, Uint8Array>,
): Provenance {
  if (parseMark(sections.get(markSection), where, ["dev", "universal"]) === "dev") return "dev"
  const head = parseHead(checkSection(sections.get(ceremonySection), ceremonySection, where), proofSystem)
  const { ptau, power: ofTwo } = head
  const own = headFor(circuit, { digest: ptau, power: ofTwo })
  const differs = (["model", "circuit", "layout"] as const).find((field) =>
    field === "layout" ? layoutJson(head.layout) !== layoutJson(own.layout) : head[field] !== own[field],
  )
  if (differs === undefined) return { ptau, power: ofTwo }
  throw new FileError({ what: `belongs to another circuit: its ${differs} differs`, where })
}

/**
 * Whether points are 1, τ, τ², … times the generator, with τ as in G2, but for a chance of 2^-120; and τ is such that
 * τ^n ≠ 1 for these n. @throws FileError
 */
async function checkPowers(points: Uint8Array, x2: Uint8Array, orders: readonly number[]): Promise<void> {
  const refuse = (what: string): never => {
    throw new FileError({
      what,
      where: `${where}: powers of tau`,
      fix: "Proofs with this key would tell of the input: take it from whoever made it, or run setup again",
    })
  }
  const at = (i: number) => points.subarray(64 * i, 64 * i + 64)
  if (Buffer.compare(at(0), montgomeryPoint([1n, 2n])) !== 0) refuse("the first is not the generator")
  for (const n of orders)
    if (Buffer.compare(at(n), at(0)) === 0) refuse(`τ^${n} is one: nothing hides a witness`)
  const count = points.length / 64
  const rho = Array.from({ length: count - 1 }, () =>
    platformRandom(16).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 1n),
  )
  const engine = await kernelEngine()
  try {
    const loaded = engine.load("g1", points, { nameOf: (i) => `number ${i}` })
    const [lower, upper] = await Promise.all([
      engine.msm(loaded, [...rho, 0n]),
      engine.msm(loaded, [0n, ...rho]),
    ])
    const [x0, x1, y0, y1] = coordinates(x2)
    const two = bn254.G2.Point.fromAffine({ x: { c0: x0, c1: x1 }, y: { c0: y0, c1: y1 } })
    const one = (affine: typeof lower) =>
      affine === null ? G1.ZERO : G1.fromAffine({ x: affine[0], y: affine[1] })
    const [a, b] = [one(lower), one(upper)]
    if (a.is0() || b.is0()) refuse("they are not powers")
    two.assertValidity()
    const product = bn254.pairingBatch([
      { g1: a.negate(), g2: two },
      { g1: b, g2: bn254.G2.Point.BASE },
    ])
    const { Fp12 } = bn254.fields
    if (!Fp12.eql(product, Fp12.ONE)) refuse("they are not the powers of one secret, the verification key's")
  } finally {
    await engine.close()
  }
}

/**
 * Commitments to the selectors and permutations of a PLONK key, from the coefficients that it has and its powers: as a
 * file has points, by name.
 */
export async function plonkCommitmentsOf(
  zkey: Uint8Array,
  powers: Uint8Array,
  domain: number,
): Promise<Record<string, Uint8Array>> {
  const sections = readBinFile(zkey, "zkey", 1)
  const unmontgomery = power(radix, r - 2n)
  const coefficients = (id: number, index: number): bigint[] => {
    const content = checkSection(sections.get(id), id, where)
    const view = new DataView(content.buffer, content.byteOffset, content.length)
    return Array.from({ length: domain }, (_, i) =>
      mod(readField(view, 32 * (5 * domain * index + i)) * unmontgomery),
    )
  }
  const places: [string, number, number][] = [
    ...selectors.map((name, i): [string, number, number] => [name, 7 + i, 0]),
    ...permutations.map((name, i): [string, number, number] => [name, 12, i]),
  ]
  const engine = await kernelEngine()
  try {
    const loaded = engine.load("g1", powers.subarray(0, 64 * domain))
    const commitments: Record<string, Uint8Array> = {}
    for (const [name, id, index] of places) {
      const point = await engine.msm(loaded, coefficients(id, index))
      commitments[name] = point === null ? new Uint8Array(64) : montgomeryPoint(point)
    }
    return commitments
  } finally {
    await engine.close()
  }
}
