/**
 * Groth16's keys (eprint 2016/260) in snarkjs's conventions: γ = 1, and H in the Lagrange basis of the odd half of
 * the domain of twice the size.
 */
import { encodeFields, readBinFile } from "../../circuit/formats/container.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { wireRange } from "../../circuit/link/circuit.js"
import type { KernelEngine } from "../../prover/kernels/engine.js"
import { fileBytes as pointBytes } from "../../prover/kernels/points/points.js"
import type { PowersOfTau } from "../../setup/ptau/powers.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import {
  type Claim,
  type KeyPoints,
  type KeyQueries,
  publicColumns,
  type Secret,
} from "../../setup/queries.js"
import type { KeyOrigin, WorkOptions } from "../system.js"
import { recordsSection } from "./records.js"
import { type FirstKey, headerPlaces, writeZkey, type ZkeyPoints, zkeySections } from "./zkey.js"

/** In the order in which they are drawn. */
const secrets: readonly Secret[] = ["alpha", "beta", "delta"]

/** What each section of a key holds; the single points by group. */
function plainQueries(system: R1cs) {
  const all = wireRange(0, system.wires)
  const shown = publicCount(system) + 1
  return {
    b2: { group: "g2", wires: all, sum: [{ column: "v" }] },
    a: { group: "g1", wires: all, sum: [{ column: "u" }] },
    b1: { group: "g1", wires: all, sum: [{ column: "v" }] },
    ic: { group: "g1", wires: wireRange(0, shown), sum: publicColumns },
    c: { group: "g1", wires: wireRange(shown, system.wires), sum: publicColumns, over: "delta" },
    h: { group: "g1", layers: { bits: 256, count: 1 }, over: "delta" },
    one: { group: "g1", secrets: ["alpha", "beta", "delta"] },
    two: { group: "g2", secrets: ["beta", "one", "delta"] },
  } as const
}
type PlainQueries = ReturnType<typeof plainQueries>

/** What a key of a system is made of. */
export const plainKeyQueries = (system: R1cs): KeyQueries & { readonly queries: PlainQueries } => ({
  domain: plainDomain(system),
  secrets,
  queries: plainQueries(system),
})

/** The same points by the names of a key file. */
function namedPoints(points: KeyPoints): ZkeyPoints {
  const { one, two, ...rest } = points as Record<keyof PlainQueries, Uint8Array>
  return {
    ...rest,
    alpha1: one.subarray(0, 64),
    beta1: one.subarray(64, 128),
    delta1: one.subarray(128, 192),
    beta2: two.subarray(0, 128),
    gamma2: two.subarray(128, 256),
    delta2: two.subarray(256, 384),
  }
}

/** The `.zkey` of evaluated queries. */
export const plainKeyOf = (system: R1cs, points: KeyPoints, origin: "dev" | FirstKey): Uint8Array =>
  writeZkey(system, plainDomain(system), namedPoints(points), origin)

/** The same, wherever it comes from. @throws what reading the powers throws, for a hash of their differences */
export async function writePlainKey(system: R1cs, points: KeyPoints, origin: KeyOrigin): Promise<Uint8Array> {
  if (origin === "dev") return plainKeyOf(system, points, "dev")
  const { head, powers, engine } = origin
  // a page that proves has no use for it
  const { circuitHashOf } = await import("./circuit-hash.js")
  const circuitHash = await circuitHashOf(engine, powers, plainDomain(system), namedPoints(points))
  return plainKeyOf(system, points, { head, circuitHash })
}

/**
 * Whether a `.zkey` has the circuit hash of the first key that system and powers make: contributions of snarkjs are
 * bound to nothing else. All points of it are right, but those over δ tell nothing of what they were before, and are
 * made again.
 * @returns why not, or null
 */
export async function beginningOf(
  system: R1cs,
  zkey: Uint8Array,
  powers: PowersOfTau,
  engine: KernelEngine,
  options: WorkOptions,
): Promise<string | null> {
  const domain = plainDomain(system)
  const { c } = plainQueries(system)
  const queries = { c: { ...c, over: undefined } }
  const [{ evaluateByPowers, sectionsFor }, { openLagrange }, { circuitHashOf }] = await Promise.all([
    import("../../setup/powers.js"),
    import("../../setup/lagrange.js"),
    import("./circuit-hash.js"),
  ])
  const lagrange = await openLagrange(engine, powers, domain, sectionsFor(queries), options)
  try {
    const evaluate = evaluateByPowers(engine, powers, lagrange, options)
    const made = await evaluate(system, domain, secrets, queries)
    const one = await engine.fixedBase("g1", encodeFields([1n]))
    const { header, ...sections } = sectionsIn(zkey)
    const single = (name: keyof typeof headerPlaces) =>
      header.subarray(headerPlaces[name], headerPlaces[name] + pointBytes[name.endsWith("1") ? "g1" : "g2"])
    const hash = await circuitHashOf(engine, powers, domain, {
      ...sections,
      ...made,
      alpha1: single("alpha1"),
      beta1: single("beta1"),
      beta2: single("beta2"),
      gamma2: single("gamma2"),
      delta1: one,
      delta2: single("gamma2"),
    })
    const given = (readBinFile(zkey, "zkey", 1).get(recordsSection) as Uint8Array).subarray(0, hash.length)
    return Buffer.compare(given, hash) === 0
      ? null
      : `section ${recordsSection}: the circuit hash is another key's`
  } finally {
    await lagrange.close()
  }
}

/** Sections with points. */
function sectionsIn(zkey: Uint8Array): Record<keyof typeof zkeySections, Uint8Array> {
  const sections = readBinFile(zkey, "zkey", 1)
  const named = Object.entries(zkeySections).map(([name, id]) => [name, sections.get(id)])
  return Object.fromEntries(named)
}

/** What the points of a `.zkey` have to be. */
export function plainClaims(system: R1cs, zkey: Uint8Array): Claim[] {
  const sections = sectionsIn(zkey)
  const of = (name: keyof typeof zkeySections) => sections[name]
  const { one, two, ...queries } = plainQueries(system)
  const singles = (group: "g1" | "g2", names: readonly (keyof typeof headerPlaces)[]) => {
    const size = pointBytes[group]
    return Buffer.concat(
      names.map((name) => of("header").subarray(headerPlaces[name], headerPlaces[name] + size)),
    )
  }
  const header = `header (${zkeySections.header})`
  return [
    { name: header, query: one, points: singles("g1", ["alpha1", "beta1", "delta1"]) },
    { name: header, query: two, points: singles("g2", ["beta2", "gamma2", "delta2"]) },
    ...Object.entries(queries).map(([key, query]) => {
      const name = key as keyof typeof queries
      return { name: `${name.toUpperCase()} (${zkeySections[name]})`, query, points: of(name) }
    }),
  ]
}
