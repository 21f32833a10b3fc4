/**
 * Groth16's keys (eprint 2016/260) in snarkjs's conventions: γ = 1, and H in the Lagrange basis of the odd half of
 * the domain of twice the size.
 */
import { readBinFile } from "../../circuit/formats/container.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { fileBytes as pointBytes } from "../../prover/kernels/points/points.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import {
  type Claim,
  type KeyPoints,
  type KeyQueries,
  publicColumns,
  type Secret,
} from "../../setup/queries.js"
import type { KeyOrigin } from "../system.js"
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

/** What the points of a `.zkey` have to be. */
export function plainClaims(system: R1cs, zkey: Uint8Array): Claim[] {
  const sections = readBinFile(zkey, "zkey", 1)
  const of = (name: keyof typeof zkeySections) => sections.get(zkeySections[name]) as Uint8Array
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
