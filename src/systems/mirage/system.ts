/** The two-phase proof (MIRAGE, eprint 2020/278): lookups, packed words, commitments, the kernels. */
import { nonzerosOf } from "../../circuit/link/circuit.js"
import { type LookupForms, lookupForms } from "../../circuit/plan/forms.js"
import type { PointPair } from "../../prover/engine/engine.js"
import { kernelEngine } from "../../prover/engine/kernels.js"
import type { G1Point } from "../../statement/points.js"
import type { Statement } from "../../statement/statement.js"
import type { System } from "../system.js"
import { affine1, affine2 } from "./affine.js"
import { boundaryTargets, fullWitness, sectionsOf, wordDifferences } from "./audit.js"
import { linkMirage } from "./boundary.js"
import type { MirageCircuit } from "./circuit.js"
import { mirageExpects, mirageTakes } from "./expected.js"
import { keepMirage, restoreMirage } from "./kept.js"
import {
  checkMemory,
  hasWeights,
  keyDomains,
  type MirageProvingKey,
  mirageDomain,
  mirageMasks,
  mirageVerificationPoints,
  proverMemory,
  readMirageKey,
} from "./keyfile.js"
import { openMirage } from "./prove.js"
import { mirageClaims, mirageKeyOf, mirageKeyQueries } from "./setup.js"
import { type CheckedMirageKey, type MirageProofPoints, mirageFactors } from "./verify.js"
import { commitMirage, weightWires } from "./weights.js"
import { isIn, wireGroupsOf } from "./wires.js"
import { commitmentsOf, shownWords } from "./witness.js"

export const mirage: System<MirageCircuit, MirageProvingKey, CheckedMirageKey> = {
  commits: true,
  forms: lookupForms,

  link({ circuit, plan, gadgets, nonzerosPerRow, block }, forms) {
    const { tableBits } = forms as LookupForms
    const options = { layout: circuit.layout, tableBits, nonzerosPerRow, block }
    const linked = linkMirage(circuit.graph, plan, gadgets, options)
    const { r1cs } = linked
    const sizes = { domain: mirageDomain(r1cs), nonzeros: nonzerosOf(r1cs) }
    return { ...circuit, proofSystem: "mirage", linked, tableBits, ...sizes }
  },

  domains: ({ linked }) => keyDomains(linked.r1cs),

  expects: (linking, forms, linked) => mirageExpects(linking, forms as LookupForms, linked),
  takes: mirageTakes,
  keep: keepMirage,
  restore: (file, circuit, where) => restoreMirage(file, circuit, mirageDomain, where),

  lookup: ({ linked }) => linked.lookup,

  boundary({ linked: { lookup, hornerRow, r1cs, commitments } }) {
    const commitmentRows = Object.values(commitments).reduce((sum, { rows }) => sum + rows, 0)
    return [
      ...lookup.tables.map(({ key, entries }) => {
        return { name: key, primitive: "lookup table", constraints: entries.length + 1 }
      }),
      ...(commitmentRows > 0
        ? [{ name: "commitments", primitive: "commitment", constraints: commitmentRows }]
        : []),
      { name: "words", primitive: "word", constraints: r1cs.rows - hornerRow },
    ]
  },

  witness: fullWitness,
  targets: boundaryTargets,
  // rows of the challenge and of final wires are taken as they stand
  isFree: ({ linked }, wire) =>
    wireGroupsOf(linked).some(
      (group) => (group.name === "committed" || group.name === "weights") && isIn(group, wire),
    ),
  differences: wordDifferences,

  commit: commitmentsOf,
  keys: {
    kind: "contributed",
    queries: ({ linked }) => mirageKeyQueries(linked),
    write: async ({ linked }, points, origin) => mirageKeyOf(linked, points, origin),
    claims: ({ linked }, held) => mirageClaims(linked, held),
    domainOf: (_, held) => held.domain,
    sections: sectionsOf,
  },
  readKey: ({ linked }, provingKey, residentBytes) => readMirageKey(provingKey, linked, residentBytes),
  contentOf: (held) => ({
    setup: held.setup,
    points: mirageVerificationPoints(held),
  }),
  masks: mirageMasks,
  memory: ({ linked }) => proverMemory(linked),
  checkProvable: ({ linked }, options) => checkMemory(linked, options),

  weights: {
    check: (circuit) => void weightWires(circuit),
    isPrivate: ({ linked }) => hasWeights(linked),
    async commit(circuit, held, blinding, options) {
      const engine = await kernelEngine()
      try {
        const opening = { values: weightWires(circuit), blinding }
        return await commitMirage(circuit.linked, held, opening, engine, options)
      } finally {
        await engine.close()
      }
    },
  },

  async open(circuit, held, { engine: given, key, digest, blinding }) {
    const engine = given ?? (await kernelEngine())
    const pairsOf = (points: MirageProofPoints, ic: G1Point): PointPair[] =>
      mirageFactors(key, points, ic).map(([one, two]) => ({ one: affine1(one), two: affine2(two) }))
    const weights = blinding === undefined ? undefined : { values: weightWires(circuit), blinding }
    const prover = openMirage(circuit, held, engine, weights)
    await engine.loaded()
    return {
      async prove(values, statement, options) {
        const { input, output, context } = statement
        const commitments = { input: commitmentIn(input), output: commitmentIn(output) }
        const words = shownWords(circuit, values, commitments)
        let holds = false
        const onPoints = (points: MirageProofPoints, ic: G1Point) => {
          holds =
            Object.values(points).every((point) => !point.is0()) && engine.pairingsAreOne(pairsOf(points, ic))
          return holds
        }
        const { salts, onProgress, signal } = options
        const about = { key: digest, context, words }
        const proof = await prover.prove(values, about, { salts, onProgress, signal, onPoints })
        return { proof, holds }
      },
      close: () => (given ? prover.close() : engine.close()),
    }
  },
}

const commitmentIn = (claim: Statement["input"]): bigint | undefined =>
  claim.visibility === "committed" ? BigInt(claim.commitment) : undefined
