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
import {
  checkSection,
  createBinFile,
  encodeFields,
  readBinFile,
  readField,
  writePrime,
} from "../../circuit/formats/container.js"
import { coordinates, coordinates2, montgomeryPoint } from "../../circuit/formats/points.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { CountersignError, FileError } from "../../errors.js"
import { mod, power, q, r, radix } from "../../field.js"
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
import { publicCount } from "../../setup/qap.js"
import { layoutJson } from "../../statement/layout.js"
import type { G1Json, G2Json } from "../../statement/points.js"
import { encodeMark, markSection, type Provenance, parseMark } from "../../statement/provenance.js"
import { signalCount } from "../../statement/statement.js"
import type { PlainCircuit } from "../plain/circuit.js"
import type { KeyContent } from "../system.js"
import { constantsOf } from "./constants.js"
import { type Gates, gatesOf, universalDomain } from "./gates.js"
import { permutations, selectors, type UniversalKey } from "./verify.js"

const where = "proving key"
const G1 = bn254.G1.Point

/** How the files of one system are laid out, and what they hold. */
export interface KeyForm {
  readonly proofSystem: "plonk" | "fflonk"
  readonly protocol: number
  /** Size of the domain for so many gates. */
  domain(gates: number): number
  /** Powers of tau in G1 that a key of that domain holds. */
  powers(domain: number): number
  /** Number of the section that holds them. */
  readonly powersSection: number
  /** Points of the header, in order. */
  readonly points: readonly string[]
  /** Field elements of the header, in order. */
  constants(domain: number): readonly bigint[]
  /** Sections of the gates but for 3 to 6, with their field elements. */
  fields(domain: number, signals: number): readonly (readonly [section: number, elements: number])[]
  /** τ^n for these multiples n of the domain must not be one. */
  readonly vanishing: readonly number[]
}

const polynomials = (first: number, count: number, domain: number): [number, number][] =>
  Array.from({ length: count }, (_, i) => [first + i, 5 * domain])

export const plonkForm: KeyForm = {
  proofSystem: "plonk",
  protocol: 2,
  domain: universalDomain,
  powers: (domain) => domain + 6,
  powersSection: 14,
  points: [...selectors, ...permutations, "x2"],
  constants: (domain) => {
    const { k1, k2 } = constantsOf(domain)
    return [k1, k2]
  },
  fields: (domain, signals) => [
    ...polynomials(7, 5, domain),
    [12, 15 * domain],
    [13, 5 * domain * Math.max(1, signals)],
  ],
  vanishing: [1],
}

export const fflonkForm: KeyForm = {
  proofSystem: "fflonk",
  protocol: 10,
  // two rows have nothing but what hides
  domain: (gates) => universalDomain(gates + 2),
  powers: (domain) => 9 * domain + 18,
  powersSection: 16,
  points: ["x2", "c0"],
  constants: (domain) => {
    const { k1, k2, w3, w4, w8, wr } = constantsOf(domain)
    return [k1, k2, w3, w4, w8, wr]
  },
  fields: (domain, signals) => [
    ...polynomials(7, 8, domain),
    [15, 5 * domain * Math.max(1, signals)],
    [17, 8 * domain],
  ],
  vanishing: [3, 8],
}

/** Sizes of everything in a key of a circuit. */
export interface KeySizes extends Gates {
  readonly wires: number
  readonly domain: number
  readonly signals: number
  /** Powers of tau in G1. */
  readonly powers: number
  /** Bytes of sections 3 and up. */
  readonly sections: ReadonlyMap<number, number>
}

export function sizesOf(form: KeyForm, system: R1cs): KeySizes {
  const { gates, additions } = gatesOf(system)
  const domain = form.domain(gates)
  const signals = publicCount(system)
  const powers = form.powers(domain)
  const sections = new Map([
    [3, 72 * additions],
    ...[4, 5, 6].map((id): [number, number] => [id, 4 * gates]),
    ...form.fields(domain, signals).map(([id, elements]): [number, number] => [id, 32 * elements]),
    [form.powersSection, fileBytes.g1 * powers],
  ])
  return { wires: system.wires, gates, additions, domain, signals, powers, sections }
}

/** No key that is larger is made: snarkjs, which would take some times as much memory, is for small circuits. */
const mostKeyBytes = 2 ** 30

/** @throws CountersignError for a key that is too large to make, with the figure */
export function checkSize(form: KeyForm, { sections, domain }: KeySizes): void {
  const bytes = [...sections.values()].reduce((sum, size) => sum + size, 0)
  if (bytes <= mostKeyBytes) return
  throw new CountersignError({
    what: `the key of ${form.proofSystem} would have ${bytes} bytes, over a domain of ${domain}`,
    expected: `at most ${mostKeyBytes}`,
    fix: "Use a smaller model, fewer public values, or the mirage proof system",
  })
}

/** What a header counts. */
type Counts = Pick<KeySizes, "gates" | "additions" | "domain" | "signals"> & { readonly wires: number }

/** Section 2 but for its points, and where each of these is. */
function headerOf(form: KeyForm, { wires, gates, additions, domain, signals }: Counts) {
  const constants = encodeFields(form.constants(domain).map((value) => mod(value * radix)))
  const places = new Map<string, number>()
  let at = 92 + constants.length
  for (const name of form.points) {
    places.set(name, at)
    at += name === "x2" ? fileBytes.g2 : fileBytes.g1
  }
  const bytes = new Uint8Array(at)
  const view = new DataView(bytes.buffer)
  writePrime(view, writePrime(view, 0, q))
  for (const [i, count] of [wires + additions, signals, domain, additions, gates].entries())
    view.setUint32(72 + 4 * i, count, true)
  bytes.set(constants, 92)
  return { bytes, places, prefix: 92 + constants.length }
}

/** A key with nothing but the header, of which contracts are made: what it counts of the circuit is not in those. */
export function headerKey(form: KeyForm, { layout, points }: UniversalKey): Uint8Array {
  const { bytes, places } = headerOf(form, {
    wires: 0,
    gates: 0,
    additions: 0,
    domain: points.domain,
    signals: signalCount(layout),
  })
  const named = points as unknown as Readonly<Record<string, G1Json | G2Json>>
  for (const [name, at] of places) bytes.set(montgomeryPoint(named[name].flat().map(BigInt)), at)
  const { file, sections } = createBinFile("zkey", 1, [
    { id: 1, bytes: 4 },
    { id: 2, bytes: bytes.length },
  ])
  sections[0][0] = form.protocol
  sections[1].set(bytes)
  return file
}

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
