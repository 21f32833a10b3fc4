/** The witness of a two-phase circuit: what is committed to, and what the challenge adds. */
import { commitBy } from "../../circuit/gadgets/poseidon.js"
import { assignCommitments, type Salts, sideWords } from "../../circuit/witness/commitment.js"
import { secretConstants } from "../../circuit/witness/secret.js"
import { assignNodes, type TensorValues, type Witness } from "../../circuit/witness/witness.js"
import { CountersignError, invariant } from "../../errors.js"
import { r } from "../../field.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { evaluation } from "../../statement/words.js"
import type { Committed } from "../system.js"
import type { MirageCircuit, MirageLinked } from "./circuit.js"
import { withoutQueries } from "./own-rows.js"
import { assignProjected, type ProjectedRows } from "./projected.js"
import { CHALLENGE, EVALUATION, publicWires } from "./wires.js"

/** What is known of a two-phase witness before its challenge. */
export interface CommittedWitness extends Witness {
  /** Per query the entry it hits, numbered over all tables. */
  readonly entries: Uint32Array
}

/**
 * Assigns the committed wires of a two-phase circuit.
 * @throws CountersignError if a query hits no entry: the integers are not an execution of the model
 */
export function assignCommitted(
  graph: IntGraph,
  linked: MirageLinked,
  values: TensorValues,
): CommittedWitness {
  const { lookup } = linked
  const small = new Float64Array(linked.r1cs.wires)
  const entries = new Uint32Array(lookup.table.length)
  const { table, scale, tables, tableStart } = lookup
  const constants = secretConstants(graph, linked, publicWires)
  small.set(constants.wires, publicWires)
  entries.set(constants.entries)
  let query = constants.entries.length
  assignNodes(graph, linked, values, small, (sums, group, i) => {
    for (let k = 0; k < sums.length; k++) {
      const value = sums[k] / scale[query]
      const entry = tables[table[query]].rowOf(value)
      if (entry < 0) {
        throw new CountersignError({
          what: `query ${query} finds no entry of ${tables[table[query]].key}`,
          where: `tensor \`${graph.tensors[group.tensor].name}\`[${i}] (node \`${group.node.origin.name}\`)`,
          given: `${value}`,
          fix: "The integers given are not an execution of this model",
        })
      }
      entries[query] = tableStart[table[query]] + entry
      query++
    }
  })
  for (const entry of entries) small[lookup.multiplicities + entry]++
  return { small, large: new Map(), entries }
}

/** All committed wires, those of commitments too. @throws CountersignError as `assignCommitted` */
export function committedWitness(
  circuit: MirageCircuit,
  values: TensorValues,
  salts?: Salts,
): CommittedWitness {
  const { graph, linked } = circuit
  const committed = assignCommitted(graph, linked, values)
  const large = new Map<number, bigint>()
  assignCommitments(circuit, linked.commitments, values, large, salts)
  return { ...committed, large }
}

/** A witness of which the challenge is known, and what the rows of projections come to. */
export interface ChallengedWitness extends Witness {
  readonly projected: ProjectedRows
}

/**
 * What joins a committed witness once the challenge is known: c, ev, the Horner steps, the wires of projections; and, if
 * `inverse` gives 1 / (c − t) for each entry t, the inverses and quotients of the lookup argument.
 */
export function challengedWitness(
  linked: MirageLinked,
  committed: CommittedWitness,
  words: readonly bigint[],
  c: bigint,
  inverse?: readonly bigint[],
): ChallengedWitness {
  const { lookup, steps, projected } = linked
  const large = new Map(committed.large)
  large.set(CHALLENGE, c)
  large.set(EVALUATION, evaluation(words, c))
  // the linker allocates the step of the last word first
  let step = 0n
  for (let j = words.length - 1; j > 0; j--) {
    step = ((words[j] + step) * c) % r
    large.set(steps + words.length - 1 - j, step)
  }
  if (inverse) {
    inverse.forEach((value, entry) => {
      const multiplicity = committed.small[lookup.multiplicities + entry]
      if (multiplicity > 0) large.set(lookup.quotients + entry, (value * BigInt(multiplicity)) % r)
    })
    committed.entries.forEach((entry, query) => {
      large.set(lookup.inverses + query, inverse[entry])
    })
  }
  const rows = assignProjected(withoutQueries(linked), projected, committed.small, large, c)
  return { small: committed.small, large, projected: rows }
}

/** The commitments of an execution. */
export function commitmentsOf(circuit: MirageCircuit, values: TensorValues, salts: Salts): Committed {
  const { commitments } = circuit.linked
  return Object.fromEntries(
    (["input", "output"] as const).flatMap((side) => {
      const commitment = commitments[side]
      if (!commitment) return []
      return [
        [
          side,
          commitBy(commitment.block, sideWords(circuit, values, side, "committed"), salts[side] as bigint),
        ],
      ]
    }),
  )
}

/** The public words of an execution. */
export const statementWords = (circuit: MirageCircuit, values: TensorValues, salts: Salts): bigint[] =>
  shownWords(circuit, values, commitmentsOf(circuit, values, salts))

/** The public words of an execution with these commitments. */
export function shownWords(circuit: MirageCircuit, values: TensorValues, committed: Committed): bigint[] {
  return (["output", "input"] as const).flatMap((side) => {
    const words = sideWords(circuit, values, side, "public")
    if (circuit[side] !== "committed") return words
    const commitment = committed[side]
    invariant(commitment !== undefined, `the ${side} has a commitment`)
    return [...words, commitment]
  })
}
