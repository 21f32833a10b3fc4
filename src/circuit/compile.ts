/** Integer model to circuit: plan, compile the gadgets, link, and say what it costs. */

import { defaults } from "../defaults.js"
import { CountersignError, type OnProgress, UsageError } from "../errors.js"
import type { TensorId } from "../ops/program.js"
import { modelDigest } from "../quantize/digest.js"
import type { IntGraph } from "../quantize/intgraph.js"
import type { Layout } from "../verifier/layout.js"
import { contextSignal } from "../verifier/statement.js"
import { describeRow, firstFailingRow } from "./check.js"
import { compileGadgets } from "./compile-gadgets.js"
import { estimate } from "./inspect.js"
import { type Linked, link } from "./link.js"
import { planGadgets } from "./plan.js"
import { bits } from "./ranges.js"
import { assignWitness, type Witness } from "./witness.js"

export interface CompileOptions {
  /** Does the receipt show the input, or keep it hidden? Default: private. */
  readonly input?: "private" | "public"
  readonly output?: "public"
  /** Weights are constants of the circuit. */
  readonly weights?: "fixed"
  readonly proofSystem?: "groth16"
  /** Refuse circuits with more constraints than this. Default: defaults.maxConstraints. */
  readonly maxConstraints?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** A compiled model: everything between the integer model and the keys. */
export interface Circuit {
  readonly graph: IntGraph
  /** keccak256 of the canonical integer model. */
  readonly model: string
  readonly proofSystem: "groth16"
  readonly input: "private" | "public"
  readonly layout: Layout
  readonly linked: Linked
  readonly domain: number
  readonly nonzeros: number
}

/**
 * Compiles an integer model.
 * @throws UsageError for options we do not have; CountersignError when the circuit would be too large,
 * with the estimate.
 */
export async function compile(graph: IntGraph, options: CompileOptions = {}): Promise<Circuit> {
  const input = choice("input", options.input, ["private", "public"] as const)
  choice("output", options.output, ["public"] as const)
  choice("weights", options.weights, ["fixed"] as const)
  const proofSystem = choice("proofSystem", options.proofSystem, ["groth16"] as const)
  const limit = options.maxConstraints ?? defaults.maxConstraints
  const plan = planGadgets(graph)
  const expected = estimate(graph, plan)
  if (expected.constraints > limit || expected.nonzeros > defaults.maxNonzeros) {
    throw new CountersignError({
      what: `the circuit would have about ${expected.constraints} constraints and ${expected.nonzeros} non-zeros`,
      where: `model \`${graph.name}\``,
      expected: `at most ${limit} constraints and ${defaults.maxNonzeros} non-zeros`,
      fix: "Use a smaller model or lower precision, or raise maxConstraints if the machine has the memory",
    })
  }
  options.onProgress?.({ stage: "compile gadgets", done: 0, total: plan.uses.length })
  const gadgets = await compileGadgets(plan.uses)
  options.signal?.throwIfAborted()
  options.onProgress?.({ stage: "link", done: 0, total: expected.constraints })
  const linked = link(graph, plan, gadgets, {
    publicInputs: input === "public",
    strategy: bits,
    nonzerosPerRow: defaults.nonzerosPerRow,
  })
  options.onProgress?.({ stage: "link", done: linked.r1cs.rows, total: linked.r1cs.rows })
  const { r1cs } = linked
  const publicRows = r1cs.publicInputs + r1cs.publicOutputs + 1
  return {
    graph,
    model: modelDigest(graph),
    proofSystem,
    input,
    layout: layoutOf(graph, input),
    linked,
    domain: 2 ** Math.ceil(Math.log2(r1cs.rows + publicRows)),
    nonzeros: r1cs.a.wires.length + r1cs.b.wires.length + r1cs.c.wires.length,
  }
}

function choice<T extends string>(name: string, given: T | undefined, allowed: readonly [T, ...T[]]): T {
  const value = given ?? allowed[0]
  if (allowed.includes(value)) return value
  throw new UsageError({ what: `option \`${name}\``, expected: allowed.join(" or "), given: `\`${value}\`` })
}

/** Names, shapes, scales and ranges of the public side of a model, as the verification key carries them. */
function layoutOf(graph: IntGraph, input: "private" | "public"): Layout {
  const describe = ({ name, tensor }: { name: string; tensor: TensorId }) => {
    const { shape, scale, lo, hi } = graph.tensors[tensor]
    const least = lo.reduce((a, b) => Math.min(a, b)) + 0 // never -0
    const most = hi.reduce((a, b) => Math.max(a, b))
    const bits = BigInt(most - least).toString(2).length
    return { name, shape: [...shape], scale, lo: least, bits }
  }
  return {
    inputs: graph.inputs.map((entry) => ({
      ...describe(entry),
      visibility: input === "public" ? "public" : "hidden",
    })),
    outputs: graph.outputs.map((entry) => ({ ...describe(entry), visibility: "public" })),
  }
}

/**
 * The witness for given integers of every tensor, checked row by row.
 * @throws CountersignError naming gadget and tensor if a row fails
 */
export function witnessOf(
  circuit: Circuit,
  values: ReadonlyMap<TensorId, Float64Array>,
  context: string,
): Witness {
  const { graph, linked } = circuit
  const witness = assignWitness(graph, linked, values, contextSignal(context))
  const row = firstFailingRow(linked.r1cs, witness)
  if (row >= 0) {
    throw new CountersignError({
      what: `constraint ${row} does not hold: ${describeRow(graph, linked, row)}`,
      fix: "The integers given are not an execution of this model",
    })
  }
  return witness
}
