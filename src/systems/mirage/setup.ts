/**
 * The key of the two-phase proof (MIRAGE, eprint 2020/278, with γ = 1). Secrets τ, α, β, δ_C, δ, and where weights are
 * private δ_W; for a wire i, K_i = β·u_i(τ) + α·v_i(τ) + w_i(τ). Every δ is as secret as the others: whoever knows one
 * can forge.
 */
import type { ByteSource } from "../../circuit/formats/source.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
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
  hasWeights,
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
const secretsOf = (linked: MirageLinked): readonly Secret[] => [
  ...(["alpha", "beta", "deltaC", "delta"] as const),
  ...(hasWeights(linked) ? (["deltaW"] as const) : []),
]

/** Sections of a key, but that of single points. */
type PointSection = Exclude<MirageSection, "points">
/** The single points, by group and in the order of their section; the last two where weights are private. */
type SingleQuery = "g1" | "g2" | "w1" | "w2"
type MirageQueries = Record<Exclude<PointSection, "weights"> | "g1" | "g2", Query> &
  Partial<Record<"weights" | "w1" | "w2", Query>>

function mirageQueries(linked: MirageLinked, layers: Layers): MirageQueries {
  const { r1cs } = linked
  const wires = supportOf(r1cs, "b")
  const byGroup = Object.fromEntries(
    wireGroupsOf(linked).map(({ section, divisor, first, count }): [string, WireQuery] => {
      const own = wireRange(first, first + count)
      return [section, { group: "g1", wires: own, sum: publicColumns, over: divisor }]
    }),
  ) as Record<Exclude<WireGroup["section"], "weights">, WireQuery>
  return {
    b2: { group: "g2", wires, sum: [{ column: "v" }] },
    b1: { group: "g1", wires, sum: [{ column: "v" }] },
    a: { group: "g1", wires: supportOf(r1cs, "a"), sum: [{ column: "u" }] },
    ...byGroup,
    h: { group: "g1", layers, over: "delta" },
    c: { group: "g1", wires: supportOf(r1cs, "c"), sum: [{ column: "oddProducts" }], over: "delta" },
    g1: { group: "g1", secrets: ["alpha", "beta", "delta", "deltaC"] },
    g2: { group: "g2", secrets: ["beta", "delta", "deltaC"] },
    ...(hasWeights(linked) && {
      w1: { group: "g1", secrets: ["deltaW"] },
      w2: { group: "g2", secrets: ["deltaW"] },
    }),
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
  const queries = { ...mirageQueries(linked, quotientLayers(domain)) }
  return { domain, secrets: secretsOf(linked), queries }
}

/** The proving key of evaluated queries. */
export function mirageKeyOf(
  linked: MirageLinked,
  points: KeyPoints,
  origin: KeyOrigin,
  domain = mirageDomain(linked.r1cs),
): Uint8Array {
  const { g1, g2, w1, w2, ...rest } = points as Record<PointSection | SingleQuery, Uint8Array>
  const all = { ...rest, points: Buffer.concat(hasWeights(linked) ? [g1, g2, w1, w2] : [g1, g2]) }
  return writeMirageKey(linked, all, origin === "dev" ? "dev" : origin.head, { domain })
}

/** What the points of a key have to be. */
export function mirageClaims(linked: MirageLinked, key: MirageProvingKey): Claim[] {
  const { g1, g2, w1, w2, ...queries } = mirageQueries(linked, key.layers)
  const name = sectionName("points")
  let at = 0
  const singles = [g1, g2, w1, w2].flatMap((query): Claim[] => {
    if (query === undefined || !("secrets" in query)) return []
    const from = at
    at += fileBytes[query.group] * query.secrets.length
    return [{ name, query, points: key.points.subarray(from, at) }]
  })
  return [
    ...singles,
    ...Object.entries(queries).map(([section, query]) => ({
      name: sectionName(section as PointSection),
      query,
      points: key[section as PointSection] as Uint8Array | ByteSource,
    })),
  ]
}
