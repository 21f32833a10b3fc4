/**
 * How the key files of PLONK and FFLONK are laid out (keyfile.ts says what is in them), and how large they are for a
 * circuit: known before snarkjs makes one, and compared with whatever key is read.
 */
import { createBinFile, encodeFields, writePrime } from "../../circuit/formats/container.js"
import { montgomeryPoint } from "../../circuit/formats/points.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { CountersignError } from "../../errors.js"
import { mod, q, radix } from "../../field.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
import { publicCount } from "../../setup/qap.js"
import type { G1Json, G2Json } from "../../statement/points.js"
import { signalCount } from "../../statement/statement.js"
import { constantsOf } from "./constants.js"
import { type Gates, gatesOf, universalDomain } from "./gates.js"
import { permutations, selectors, type UniversalKey } from "./verify.js"

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
export function headerOf(form: KeyForm, { wires, gates, additions, domain, signals }: Counts) {
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
