/**
 * What a two-phase circuit will take, from its plan before it is linked, or from itself: constraints, bytes of the key,
 * and memory and time of each stage. A key is counted point by point. Memory and time are sums of what grows with the
 * circuit, each fitted to measurements (docs/decisions/circuit.md has them).
 */
import { blockWords } from "../../circuit/gadgets/poseidon.js"
import { lookups } from "../../circuit/gadgets/ranges.js"
import { nonzerosOf, stampsOf } from "../../circuit/link/circuit.js"
import { fittingDomain } from "../../circuit/link/domain.js"
import { elementsOf } from "../../circuit/link/nodes.js"
import type { LookupForms } from "../../circuit/plan/forms.js"
import { NONE } from "../../circuit/plan/plan.js"
import { depthOf } from "../../ops/program.js"
import { packSide, wordCount } from "../../statement/words.js"
import type { Expectation, Linking } from "../system.js"
import type { MirageCircuit } from "./circuit.js"
import { quotientLayers, supportOf } from "./keyfile.js"
import { publicWires } from "./wires.js"

/** How many wires there are of each kind, and on each side of products. */
interface Shape {
  readonly constraints: number
  readonly committed: number
  readonly final: number
  readonly a: number
  readonly b: number
  readonly c: number
}

/** Points in G1 and G2, and what else a key file has. */
const [one, two, others] = [64, 128, 2048]

/** What a circuit takes, which is there already. */
export function mirageTakes({ linked }: MirageCircuit): Expectation {
  const { r1cs, firstFinal } = linked
  const support = (side: "a" | "b" | "c") => supportOf(r1cs, side).length
  const shape = {
    constraints: r1cs.rows,
    committed: firstFinal - publicWires,
    final: r1cs.wires - firstFinal,
    a: support("a"),
    b: support("b"),
    c: support("c"),
  }
  return expectationOf(shape, { nonzeros: nonzerosOf(r1cs), memory: 0 })
}

/** Non-zeros, and the bytes that linking takes. */
interface Linked {
  readonly nonzeros: number
  readonly memory: number
}

/** What a circuit will take; `linked`: as estimated. */
export function mirageExpects(linking: Linking, forms: LookupForms, linked: Linked): Expectation {
  const { circuit, plan, gadgets, block } = linking
  const { graph, layout } = circuit
  const stamps = stampsOf(plan, gadgets, lookups(forms.tableBits))
  const counts = new Uint32Array(stamps.length)
  for (const { uses } of plan.nodes.values()) for (const use of uses) if (use !== NONE) counts[use]++
  const tables = new Map<string, number>()
  let [wires, queries, rows, products] = [0, 0, 0, 0]
  for (const [use, stamp] of stamps.entries()) {
    if (counts[use] === 0) continue
    wires += counts[use] * stamp.wires
    queries += counts[use] * stamp.queries.length
    rows += counts[use] * stamp.rows.length
    products += counts[use] * stamp.rows.filter(({ a }) => a.size > 0).length
    for (const { table } of stamp.queries) tables.set(table.key, table.entries.length)
  }
  const entries = Array.from(tables.values()).reduce((sum, count) => sum + count, 0)
  const words = wordCount(layout)
  const hashed = (["input", "output"] as const).reduce((sum, side) => {
    const packed = packSide(layout, side, "committed")
    return sum + packed.length + (block?.rows.length ?? 0) * blockWords(packed, undefined).length
  }, 0)
  const constraints = forms.rows + words + hashed
  // of projections, sorts, tables of rows and secret weights: nearly all define a final wire
  const special = Math.max(0, constraints - rows - queries - entries - tables.size - words - hashed)
  const shown = graph.nodes.reduce((sum, node) => {
    if (node.kind === "sort") return sum + elementsOf(graph, node.out)
    if (node.kind === "rows") return sum + elementsOf(graph, node.out) + depthOf(node)
    return node.kind === "contraction" && plan.projected.has(node) ? sum + elementsOf(graph, node.out) : sum
  }, 0)
  const inputs = graph.inputs.reduce((sum, { tensor }) => sum + elementsOf(graph, tensor), 0)
  const own = inputs + wires + shown + hashed
  const final = queries + entries + words + special
  const shape = {
    constraints,
    committed: own + entries,
    final,
    a: publicWires + final + products + hashed,
    b: own,
    c: 1 + entries + words + products + special + hashed,
  }
  return expectationOf(shape, linked)
}

/** What a stage takes of memory whatever the circuit: code, workers, and what is drawn for small ones. */
const mebi = 2 ** 20

function expectationOf(
  { constraints, committed, final, a, b, c }: Shape,
  { nonzeros, memory }: Linked,
): Expectation {
  const domain = fittingDomain(constraints + publicWires)
  const layers = quotientLayers(domain).count
  const points = publicWires + committed + final + a + b + c + domain * layers
  const keyBytes = one * points + two * b + others
  return {
    constraints,
    nonzeros,
    domain,
    keyBytes,
    memory: {
      compile: 10 * mebi + memory,
      setup: 24 * mebi + 2.8 * keyBytes,
      prove: 32 * mebi + 2.6 * keyBytes + 450 * domain,
    },
    seconds: {
      compile: 0.3 + 3.5e-6 * constraints + 1.5e-8 * nonzeros,
      setup: 0.5 + 1.7e-5 * domain,
      prove: 0.03 + 3.4e-6 * domain,
    },
  }
}
