/**
 * The boundary of a two-phase circuit (proof system `mirage`). Wire order: one, the challenge c, the
 * evaluation ev, then the committed wires (inputs, gadgets, multiplicities, commitments), then the final ones,
 * which depend on c, those of projections last. The values a statement shows are no public signals: they are packed into words p_j, and
 * ev = Σ p_j · c^(j+1) by Horner's rule.
 */

import type { Block } from "../../circuit/gadgets/poseidon.js"
import { lookups } from "../../circuit/gadgets/ranges.js"
import type { Gadget } from "../../circuit/gadgets/reduce.js"
import { type FieldLc, R1csBuilder } from "../../circuit/link/builder.js"
import { stampsOf } from "../../circuit/link/circuit.js"
import { type Commitment, linkCommitment } from "../../circuit/link/commitment.js"
import { LookupBuilder } from "../../circuit/link/lookup.js"
import { elementsOf, linkNodes } from "../../circuit/link/nodes.js"
import { ProjectionBuilder } from "../../circuit/link/projection.js"
import { rowOf, type TensorRows } from "../../circuit/link/rows.js"
import { linkWeights } from "../../circuit/link/secret.js"
import type { Plan } from "../../circuit/plan/plan.js"
import { rangeTables } from "../../circuit/plan/secret.js"
import type { TensorId } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { Layout } from "../../statement/layout.js"
import { packSide } from "../../statement/words.js"
import type { MirageLinked } from "./circuit.js"
import { checkPhases } from "./phases.js"
import { CHALLENGE, CONSTANT, EVALUATION, publicWires } from "./wires.js"

export interface MirageOptions {
  readonly layout: Layout
  readonly tableBits: number
  readonly nonzerosPerRow: number
  /** Poseidon's rows; needed where a layout has commitments. */
  readonly block?: Block | undefined
  /** Whether linear maps stay maps; rows are the same without, and made at once. Default: true. */
  readonly maps?: boolean
}

/** Builds the two-phase constraint system of an integer model and checks its wire groups. */
export function linkMirage(
  graph: IntGraph,
  plan: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  options: MirageOptions,
): MirageLinked {
  const stamps = stampsOf(plan, gadgets, lookups(options.tableBits))
  const builder = new R1csBuilder()
  builder.allocate(publicWires - 1)
  const lookup = new LookupBuilder(builder, CHALLENGE)
  const { tableBits } = options
  const own = rangeTables(plan.secrets, tableBits)
  const weights = linkWeights(plan.secrets.plans.values(), builder, lookup, { tableBits, ...own })
  const firstCommitted = builder.wires
  const inputs = graph.inputs.map((input) => builder.allocate(elementsOf(graph, input.tensor)))
  const projection = new ProjectionBuilder(builder, CHALLENGE)
  const { stamped, rowsOf } = linkNodes({
    graph,
    plan,
    stamps,
    builder,
    inputs,
    nonzerosPerRow: options.nonzerosPerRow,
    lookup,
    projection,
    weights,
    maps: options.maps ?? true,
  })
  const allInputs = graph.inputs.map(({ tensor }, index) => wires(inputs[index], elementsOf(graph, tensor)))
  const inputRows = (index: number): TensorRows => allInputs[index]
  const outputRows = (index: number): TensorRows => rowsOf(graph.outputs[index].tensor as TensorId)
  const { layout } = options
  const words: FieldLc[] = []
  const commitments: { output?: Commitment; input?: Commitment } = {}
  for (const [group, rows] of [
    ["output", outputRows],
    ["input", inputRows],
  ] as const) {
    const packed = (visibility: "public" | "committed") =>
      packSide(layout, group, visibility).map(({ tensor, first, count, lo, bits }) =>
        packedWord(rows(tensor), first, count, lo, bits),
      )
    for (const word of packed("public")) words.push(word)
    const committed = packed("committed")
    if (committed.length === 0) continue
    const commitment = linkCommitment(builder, committed, options.block)
    commitments[group] = commitment
    words.push(commitment.value)
  }
  const { queries, ...parts } = lookup.finish()
  const hornerRow = builder.rows
  const steps = builder.finals
  let after: number | undefined
  for (let j = words.length - 1; j >= 0; j--) {
    const target = j === 0 ? EVALUATION : builder.allocateFinal()
    const sum = new Map(words[j])
    if (after !== undefined) sum.set(after, 1)
    builder.fieldRow(sum, new Map([[CHALLENGE, 1]]), new Map([[target, 1]]))
    after = target
  }
  const firstFinal = builder.wires
  const r1cs = builder.finish(0, publicWires - 1, 0)
  checkPhases(r1cs, firstFinal, { polynomials: plan.secrets.plans.size > 0 })
  const large = Object.values(commitments).flatMap((commitment) => commitment.wires)
  return {
    r1cs,
    stamps,
    stamped,
    inputs,
    lookup: { ...parts, inverses: firstFinal, quotients: firstFinal + queries },
    weights: firstCommitted - publicWires,
    firstFinal,
    commitments,
    steps: firstFinal + steps,
    hornerRow,
    projected: projection.finish(r1cs.wires - builder.lates),
    large: Uint32Array.from(large).sort(),
  }
}

/** A tensor whose element i is wire first + i. */
function wires(first: number, count: number): TensorRows {
  return {
    rowPtr: Uint32Array.from({ length: count + 1 }, (_, i) => i),
    wires: Uint32Array.from({ length: count }, (_, i) => first + i),
    coefficients: new Float64Array(count).fill(1),
  }
}

/** Σ (element − lo) · 2^(bits·i) over `count` elements from `first` on. */
function packedWord(rows: TensorRows, first: number, count: number, lo: number, bits: number): FieldLc {
  const sum = new Map<number, bigint>()
  const add = (wire: number, coefficient: bigint) => {
    const value = (sum.get(wire) ?? 0n) + coefficient
    if (value === 0n) sum.delete(wire)
    else sum.set(wire, value)
  }
  for (let i = 0; i < count; i++) {
    const weight = 1n << BigInt(bits * i)
    const lc = rowOf(rows, first + i)
    for (let j = 0; j < lc.wires.length; j++) add(lc.wires[j], weight * BigInt(lc.coefficients[j]))
    add(CONSTANT, -weight * BigInt(lo))
  }
  return sum
}
