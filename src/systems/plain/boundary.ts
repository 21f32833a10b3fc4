/**
 * The linker: stamps compiled gadgets as often as the integer model needs them and wires them to the
 * linear maps. Here is the boundary of a plain system, for any Groth16 prover. Wire order: one, outputs,
 * context, public inputs, then the wires of each node in model order. A private input has no wire: it is the
 * sum of its range check's bits.
 */

import { bits } from "../../circuit/gadgets/ranges.js"
import type { Gadget } from "../../circuit/gadgets/reduce.js"
import { R1csBuilder } from "../../circuit/link/builder.js"
import { stampsOf } from "../../circuit/link/circuit.js"
import { elementsOf, linkNodes } from "../../circuit/link/nodes.js"
import { rowOf } from "../../circuit/link/rows.js"
import type { Trace } from "../../circuit/link/stamping.js"
import type { Plan } from "../../circuit/plan/plan.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { PlainLinked } from "./circuit.js"

/** What decides the shape of a circuit besides the model. */
export interface LinkOptions {
  readonly publicInputs: boolean
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Told of everything that is linked, in order; for exports that write the circuit in other words. */
  readonly trace?: Trace
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
  const outputs = graph.outputs.map((output) => builder.allocate(elementsOf(graph, output.tensor)))
  const context = builder.allocate(1)
  const inputs = options.publicInputs
    ? graph.inputs.map((input) => builder.allocate(elementsOf(graph, input.tensor)))
    : []
  const publicInputs = builder.wires - context
  const privateInputs = options.publicInputs
    ? 0
    : graph.inputs.reduce((sum, input) => sum + elementsOf(graph, input.tensor) * input.bits, 0)
  const { stamped, rowsOf } = linkNodes({
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
    for (let i = 0; i < elementsOf(graph, output.tensor); i++) {
      builder.equal(outputs[index] + i, rowOf(rows, i))
      options.trace?.define(outputs[index] + i, rowOf(rows, i))
    }
  })
  const contextSquare = builder.allocate(1)
  const contextLc = { wires: [context], coefficients: [1] }
  builder.row(contextLc, contextLc, { wires: [contextSquare], coefficients: [1] })
  const r1cs = builder.finish(context - 1, publicInputs, privateInputs)
  return { r1cs, stamps, stamped, outputs, context, contextSquare, inputs }
}
