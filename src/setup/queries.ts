/**
 * What a proving key holds, without any secret: for each section the polynomials of the circuit (qap.ts) that its
 * points stand for, with which secrets. A proof system says it from its circuit; whoever knows the secrets, or
 * points of their powers, evaluates it.
 */
import type { R1cs } from "../circuit/formats/r1cs.js"
import type { ByteSource } from "../circuit/formats/source.js"
import type { Layers } from "../prover/kernels/points/windows.js"

/** Secrets beside the point τ at which polynomials are evaluated. */
export type Secret = "alpha" | "beta" | "delta" | "deltaC" | "deltaW"

/**
 * Polynomials of a wire: of sides A, B and C, and what side C of products adds to A·B − C where the
 * quotient is evaluated.
 */
export type Column = "u" | "v" | "w" | "oddProducts"

/** For each wire the sum of some of its polynomials, each times a secret, divided by one. */
export interface WireQuery {
  readonly group: "g1" | "g2"
  readonly wires: Uint32Array
  readonly sum: readonly { readonly column: Column; readonly times?: Secret }[]
  readonly over?: Secret | undefined
}

/** The Lagrange polynomials, over all points, of those of the quotient (basis.ts), layer k of them times 2^(bits·k). */
export interface QuotientQuery {
  readonly group: "g1"
  readonly layers: Layers
  readonly over: Secret
}

/** Secrets themselves. */
export interface SecretQuery {
  readonly group: "g1" | "g2"
  readonly secrets: readonly (Secret | "one")[]
}

export type Query = WireQuery | QuotientQuery | SecretQuery

/** K_i = β·u_i + α·v_i + w_i. */
export const publicColumns: WireQuery["sum"] = [
  { column: "u", times: "beta" },
  { column: "v", times: "alpha" },
  { column: "w" },
]

/** What makes a key of a circuit, but for its file. */
export interface KeyQueries {
  /** Points of the domain that the rows are on. */
  readonly domain: number
  /** In the order in which they are drawn. */
  readonly secrets: readonly Secret[]
  readonly queries: Readonly<Record<string, Query>>
}

/** Points of every query: affine Montgomery, 64 or 128 bytes each, as a key file has them. */
export type KeyPoints = Readonly<Record<string, Uint8Array>>

/** Makes points of queries about a system over a domain. Those who do know the secrets, or points of powers. */
export type Evaluator = <K extends string>(
  system: R1cs,
  domain: number,
  secrets: readonly Secret[],
  queries: Readonly<Record<K, Query>>,
) => Promise<Record<K, Uint8Array>>

/** Points that stand in a key file, for a query: what they have to be. */
export interface Claim {
  /** What errors call the section that has them. */
  readonly name: string
  readonly query: Query
  readonly points: Uint8Array | ByteSource
}
