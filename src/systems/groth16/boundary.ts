/**
 * The linker: stamps compiled gadgets as often as the integer model needs them and wires them to the
 * linear maps. Here is the boundary of a plain system, for any Groth16 prover. Wire order: one, outputs,
 * context, public inputs, then the wires of each node in model order. A private input has no wire: it is the
 * sum of its range check's bits.
 */

import type { R1cs } from "../../circuit/formats/r1cs.js"
import { gadgetKey } from "../../circuit/gadgets/families.js"
import { bits, type RangeStrategy, type Stamp } from "../../circuit/gadgets/ranges.js"
import type { Gadget } from "../../circuit/gadgets/reduce.js"
import { R1csBuilder } from "../../circuit/link/builder.js"
import { linkNodes, type StampGroup, sizeOf, type Trace } from "../../circuit/link/nodes.js"
import { rowOf } from "../../circuit/link/rows.js"
import type { Plan } from "../../circuit/plan/plan.js"
import { invariant } from "../../errors.js"
import type { IntGraph } from "../../quantize/intgraph.js"

/** What every linked circuit has. */
export interface LinkedNodes {
  readonly r1cs: R1cs
  readonly stamps: readonly Stamp[]
  readonly groups: readonly StampGroup[]
  /** First wire of each input, in model order; empty if they have none of their own. */
  readonly inputs: readonly number[]
}

/** A circuit for plain Groth16. */
export interface PlainLinked extends LinkedNodes {
  /** First wire of each public output, in model order; the context is one wire. */
  readonly outputs: readonly number[]
  readonly context: number
  /** The wire that holds the context's square, which ties the signal into a constraint. */
  readonly contextSquare: number
}

/** What decides the shape of a circuit besides the model. */
export interface LinkOptions {
  readonly publicInputs: boolean
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Told of everything that is linked, in order; for exports that write the circuit in other words. */
  readonly trace?: Trace
}

/** Applies a strategy to every gadget of a plan. */
export function stampsOf(
  plan: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  strategy: RangeStrategy,
): readonly Stamp[] {
  return plan.uses.map((use) => {
    const gadget = gadgets.get(gadgetKey(use))
    invariant(gadget, `gadget ${gadgetKey(use)} was not compiled`)
    return strategy(gadget)
  })
}

/** Builds the constraint system of an integer model, with range checks by bits. */
export function linkPlain(
  graph: IntGraph,
  plan: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  options: LinkOptions,
): PlainLinked {
  const stamps = stampsOf(plan, gadgets, bits)
  const builder = new R1csBuilder()
  const outputs = graph.outputs.map((output) => builder.allocate(sizeOf(graph, output.tensor)))
  const context = builder.allocate(1)
  const inputs = options.publicInputs
    ? graph.inputs.map((input) => builder.allocate(sizeOf(graph, input.tensor)))
    : []
  const publicInputs = builder.wires - context
  const privateInputs = options.publicInputs
    ? 0
    : graph.inputs.reduce((sum, input) => sum + sizeOf(graph, input.tensor) * input.bits, 0)
  const { groups, rowsOf } = linkNodes({
    graph,
    plan,
    stamps,
    builder,
    inputs: options.publicInputs ? inputs : undefined,
    nonzerosPerRow: options.nonzerosPerRow,
    trace: options.trace,
  })

  graph.outputs.forEach((output, index) => {
    const rows = rowsOf(output.tensor)
    for (let i = 0; i < sizeOf(graph, output.tensor); i++) {
      builder.equal(outputs[index] + i, rowOf(rows, i))
      options.trace?.define(outputs[index] + i, rowOf(rows, i))
    }
  })
  const contextSquare = builder.allocate(1)
  const contextLc = { wires: [context], coefficients: [1] }
  builder.row(contextLc, contextLc, { wires: [contextSquare], coefficients: [1] })
  const r1cs = builder.finish(context - 1, publicInputs, privateInputs)
  return { r1cs, stamps, groups, outputs, context, contextSquare, inputs }
}
