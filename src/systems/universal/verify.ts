/**
 * The half of PLONK (eprint 2019/953) and FFLONK (eprint 2021/1167) that every verifier needs: what their keys and
 * proofs are made of, read strictly and checked point by point. The equation is not here. snarkjs has it, under its
 * own licence and in threads, and equation.ts asks it: once all that snarkjs would reduce, skip or believe was refused
 * here. Both systems are as snarkjs 0.7 has them: its transcript (keccak256 of 32-byte words, all of the key's
 * points, the public signals and the proof's), its order of polynomials, its constants.
 *
 * A key has no phase 2: its points are commitments to the circuit at the τ of universal powers, which `x2` has.
 */
import type { KeyFacts } from "../../statement/key.js"
import { inputVisibility, type Layout, outputVisibility } from "../../statement/layout.js"
import {
  type G1Json,
  type G2Json,
  g1,
  generator2,
  infinity1,
  parseG1,
  parseG2,
  requireG1,
  requireG2,
  sameOrOpposite,
  samePoint,
  wordsOfG1,
  wordsOfG2,
} from "../../statement/points.js"
import type { ReceiptFacts } from "../../statement/proof.js"
import { outputCount, signalCount } from "../../statement/statement.js"
import { fail, fields, scalar } from "../../statement/strict.js"

/** Commitments of a PLONK proof, in the order in which they are made. */
export const plonkCommitments = ["a", "b", "c", "z", "t1", "t2", "t3", "wxi", "wxiw"] as const
/** Its evaluations at ξ, and of z at ξω. */
export const plonkEvaluations = ["evalA", "evalB", "evalC", "evalS1", "evalS2", "evalZw"] as const
/** Commitments of an FFLONK proof: the combined polynomials C1 and C2, and both openings. */
export const fflonkCommitments = ["c1", "c2", "w1", "w2"] as const
/** Its evaluations at ξ; of z, t1 and t2 at ξω as well. */
export const fflonkEvaluations = [
  ...(["ql", "qr", "qm", "qo", "qc", "s1", "s2", "s3"] as const),
  ...(["a", "b", "c", "z", "zw", "t1w", "t2w"] as const),
] as const

/** Commitments as points, evaluations as decimal strings below r. */
type ProofOf<C extends string, E extends string> = { readonly [N in C]: G1Json } & {
  readonly [N in E]: string
}
export type PlonkProof = ProofOf<(typeof plonkCommitments)[number], (typeof plonkEvaluations)[number]>
export type FflonkProof = ProofOf<(typeof fflonkCommitments)[number], (typeof fflonkEvaluations)[number]>

export interface PlonkReceipt extends ReceiptFacts {
  readonly proofSystem: "plonk"
  readonly proof: PlonkProof
}
export interface FflonkReceipt extends ReceiptFacts {
  readonly proofSystem: "fflonk"
  readonly proof: FflonkProof
}

/** What keys of both have. */
interface UniversalPoints {
  /** Size of the domain, a power of two. */
  readonly domain: number
  /** τ in G2. */
  readonly x2: G2Json
}

/** Commitments of a PLONK key: selectors, which may be zero everywhere and then are infinity, and permutations. */
export const selectors = ["qm", "ql", "qr", "qo", "qc"] as const
export const permutations = ["s1", "s2", "s3"] as const
type PlonkPoint = (typeof selectors)[number] | (typeof permutations)[number]

export interface PlonkKey extends KeyFacts {
  readonly proofSystem: "plonk"
  readonly points: UniversalPoints & { readonly [N in PlonkPoint]: G1Json }
}
export interface FflonkKey extends KeyFacts {
  readonly proofSystem: "fflonk"
  /** `c0` commits to all selectors and permutations at once. */
  readonly points: UniversalPoints & { readonly c0: G1Json }
}
export type UniversalKey = PlonkKey | FflonkKey

/** Its points are checked, and given to snarkjs as they stand in its JSON. */
export interface CheckedPlonkKey {
  readonly proofSystem: "plonk"
  readonly key: PlonkKey
}
export interface CheckedFflonkKey {
  readonly proofSystem: "fflonk"
  readonly key: FflonkKey
}

/** The smallest domain that snarkjs makes, and the largest that the field has with room for four times as many. */
const leastDomain = 8
const mostDomain = 2 ** 26

/** Reads the fields that keys of both have. @throws FileError */
function parseUniversal(
  given: Record<"domain" | "x2", unknown>,
  layout: Layout,
  name: string,
): UniversalPoints {
  if (outputVisibility(layout) === "committed" || inputVisibility(layout) === "committed")
    fail("layout", { what: `${name} keys have no committed tensors`, fix: "Use the mirage proof system" })
  const { domain } = given
  const isSize = typeof domain === "number" && Number.isInteger(Math.log2(domain))
  if (!isSize || domain < leastDomain || domain > mostDomain || domain < signalCount(layout))
    fail("points.domain", {
      what: "not the size of a domain that has room for the public signals",
      expected: `a power of two from ${leastDomain} to ${mostDomain}`,
      given: `${domain}`,
    })
  return { domain, x2: parseG2(given.x2, "points.x2") }
}

/** Whether τ is a secret at all: 1 and −1 are none. @throws FileError */
function checkTau(x2: G2Json): void {
  requireG2(x2, "points.x2")
  if (sameOrOpposite(x2, generator2))
    fail("points.x2", {
      what: "nobody contributed to the powers of tau of this key",
      fix: "Anyone can forge proofs for it; take powers of a ceremony",
    })
}

/** Reads a proof: commitments, each canonical, and evaluations below r. @throws FileError */
function parseProof<C extends string, E extends string>(
  value: unknown,
  path: string,
  commitments: readonly C[],
  evaluations: readonly E[],
): ProofOf<C, E> {
  const given: Record<string, unknown> = fields<string>(value, path, [...commitments, ...evaluations])
  const entries: [string, G1Json | string][] = [
    ...commitments.map((name): [string, G1Json] => [name, parseG1(given[name], `${path}.${name}`)]),
    ...evaluations.map((name): [string, string] => [name, `${scalar(given[name], `${path}.${name}`)}`]),
  ]
  return Object.fromEntries(entries) as ProofOf<C, E>
}

/** Which commitment of a proof is no finite point of G1, or null. snarkjs lets infinity pass. */
const pointProblem = <C extends string>(proof: { readonly [N in C]: G1Json }, names: readonly C[]) => {
  const wrong = names.find((name) => g1(proof[name]) === null)
  return wrong === undefined ? null : `proof.${wrong} is not a point of G1, or the point at infinity`
}

const publicCounts = (layout: Layout) => ({ all: signalCount(layout), outputs: outputCount(layout) })
/** Keys of both are made from powers that serve every circuit, or for development. */
const setups = ["dev", "universal"] as const
const universalWords = ({ domain, x2 }: UniversalPoints) => [BigInt(domain), ...wordsOfG2(x2)]

/** What `Verifier` of ../verifiers.ts asks of a proof system. */
export const plonkVerifier = {
  setups,
  proofParts: [...plonkCommitments, ...plonkEvaluations],

  parsePoints(value: unknown, layout: Layout): PlonkKey["points"] {
    const given = fields(value, "points", ["domain", "x2", ...selectors, ...permutations])
    const points = [...selectors, ...permutations].map((name) => [
      name,
      parseG1(given[name], `points.${name}`),
    ])
    return { ...parseUniversal(given, layout, "plonk"), ...Object.fromEntries(points) }
  },

  checkKey(key: PlonkKey): CheckedPlonkKey {
    const { points } = key
    checkTau(points.x2)
    for (const name of selectors)
      if (!samePoint(points[name], infinity1)) requireG1(points[name], `points.${name}`)
    for (const name of permutations) requireG1(points[name], `points.${name}`)
    return { proofSystem: "plonk", key }
  },

  publicCounts,
  keyWords: ({ points }: PlonkKey) => [
    ...universalWords(points),
    ...[...selectors, ...permutations].flatMap((name) => wordsOfG1(points[name])),
  ],
  parseProof: (value: unknown, path: string): PlonkProof =>
    parseProof(value, path, plonkCommitments, plonkEvaluations),
  pointProblem: (proof: PlonkProof) => pointProblem(proof, plonkCommitments),
}

/** The same of FFLONK. */
export const fflonkVerifier = {
  setups,
  proofParts: [...fflonkCommitments, ...fflonkEvaluations],

  parsePoints(value: unknown, layout: Layout): FflonkKey["points"] {
    const given = fields(value, "points", ["domain", "x2", "c0"])
    return { ...parseUniversal(given, layout, "fflonk"), c0: parseG1(given.c0, "points.c0") }
  },

  checkKey(key: FflonkKey): CheckedFflonkKey {
    checkTau(key.points.x2)
    requireG1(key.points.c0, "points.c0")
    return { proofSystem: "fflonk", key }
  },

  publicCounts,
  keyWords: ({ points }: FflonkKey) => [...universalWords(points), ...wordsOfG1(points.c0)],
  parseProof: (value: unknown, path: string): FflonkProof =>
    parseProof(value, path, fflonkCommitments, fflonkEvaluations),
  pointProblem: (proof: FflonkProof) => pointProblem(proof, fflonkCommitments),
}
