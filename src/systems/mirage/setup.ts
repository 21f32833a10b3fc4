/**
 * The key of the two-phase proof (MIRAGE, eprint 2020/278, with γ = 1). Secrets τ, α, β, δ_C, δ; for a wire i,
 * K_i = β·u_i(τ) + α·v_i(τ) + w_i(τ). δ_C is as secret as δ: whoever knows either can forge.
 */
import { wireRange } from "../../circuit/link/circuit.js"
import type { Layers } from "../../prover/kernels/points/windows.js"
import {
  type Claim,
  type KeyPoints,
  type KeyQueries,
  publicColumns,
  type Query,
  type Secret,
  type WireQuery,
} from "../../setup/queries.js"
import type { KeyOrigin } from "../system.js"
import type { MirageLinked } from "./circuit.js"
import {
  checkKeySize,
  checkMemory,
  type MirageProvingKey,
  type MirageSection,
  mirageDomain,
  quotientLayers,
  sectionName,
  supportOf,
  writeMirageKey,
} from "./keyfile.js"
import { type WireGroup, wireGroupsOf } from "./wires.js"

/** In the order in which they are drawn. */
const secrets: readonly Secret[] = ["alpha", "beta", "deltaC", "delta"]

/** Sections, but that of single points: these by group. */
type MirageQuery = Exclude<MirageSection, "points"> | "g1" | "g2"

function mirageQueries(linked: MirageLinked, layers: Layers): Record<MirageQuery, Query> {
  const { r1cs } = linked
  const wires = supportOf(r1cs, "b")
  const byGroup = Object.fromEntries(
    wireGroupsOf(linked).map(({ section, divisor, first, count }): [string, WireQuery] => {
      const own = wireRange(first, first + count)
      return [section, { group: "g1", wires: own, sum: publicColumns, over: divisor }]
    }),
  ) as Record<WireGroup["section"], WireQuery>
  return {
    b2: { group: "g2", wires, sum: [{ column: "v" }] },
    b1: { group: "g1", wires, sum: [{ column: "v" }] },
    a: { group: "g1", wires: supportOf(r1cs, "a"), sum: [{ column: "u" }] },
    ...byGroup,
    h: { group: "g1", layers, over: "delta" },
    c: { group: "g1", wires: supportOf(r1cs, "c"), sum: [{ column: "oddProducts" }], over: "delta" },
    g1: { group: "g1", secrets: ["alpha", "beta", "delta", "deltaC"] },
    g2: { group: "g2", secrets: ["beta", "delta", "deltaC"] },
  }
}

/**
 * What a key of a two-phase circuit is made of, over the domain that keys are made over now, or another that they may
 * have.
 * @throws CountersignError for a key that is too large to make or to prove with
 */
export function mirageKeyQueries(linked: MirageLinked, domain = mirageDomain(linked.r1cs)): KeyQueries {
  checkMemory(linked)
  checkKeySize(linked)
  return { domain, secrets, queries: mirageQueries(linked, quotientLayers(domain)) }
}

/** The proving key of evaluated queries. */
export function mirageKeyOf(
  linked: MirageLinked,
  points: KeyPoints,
  origin: KeyOrigin,
  domain = mirageDomain(linked.r1cs),
): Uint8Array {
  const { g1, g2, ...rest } = points as Record<MirageQuery, Uint8Array>
  const all = { ...rest, points: Buffer.concat([g1, g2]) }
  return writeMirageKey(linked, all, origin === "dev" ? "dev" : origin.head, { domain })
}

/** What the points of a key have to be. */
export function mirageClaims(linked: MirageLinked, key: MirageProvingKey): Claim[] {
  const { g1, g2, ...queries } = mirageQueries(linked, key.layers)
  const name = sectionName("points")
  const inG1 = "secrets" in g1 ? 64 * g1.secrets.length : 0
  return [
    { name, query: g1, points: key.points.subarray(0, inG1) },
    { name, query: g2, points: key.points.subarray(inG1) },
    ...Object.entries(queries).map(([section, query]) => ({
      name: sectionName(section as keyof typeof queries),
      query,
      points: key[section as keyof typeof queries],
    })),
  ]
}
