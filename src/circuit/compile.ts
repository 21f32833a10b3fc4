/** Integer model to circuit: plan, compile the gadgets, link, and say what it costs. */

import { defaults } from "../defaults.js"
import { CountersignError, FileError, type OnProgress, UsageError } from "../errors.js"
import type { TensorId } from "../ops/program.js"
import { isNode } from "../platform.js"
import { modelDigest } from "../quantize/digest.js"
import type { IntGraph } from "../quantize/intgraph.js"
import type { Layout, Visibility } from "../verifier/layout.js"
import { contextSignal } from "../verifier/statement.js"
import { describeRow, firstFailingRow } from "./check.js"
import { domainSize } from "./domain.js"
import { lookupForms } from "./forms.js"
import { gadgetKey } from "./gadgets.js"
import { estimate } from "./inspect.js"
import { linkPlain, type PlainLinked } from "./link.js"
import { linkMirage, type MirageLinked } from "./link-mirage.js"
import { bitForms, NONE, type Plan, planGadgets } from "./plan.js"
import { parseBlock } from "./poseidon.js"
import { type CompiledGadgets, type Gadget, reduceGadgets } from "./reduce-gadgets.js"
import { assignPlain, type TensorValues, type Witness } from "./witness.js"

export const proofSystems = ["mirage", "groth16"] as const
export type ProofSystem = (typeof proofSystems)[number]

export interface CompileOptions {
  /** Does the receipt show the input, keep it hidden, or commit to it? Default: private. */
  readonly input?: "private" | "public" | "committed"
  readonly output?: "public" | "committed"
  /** Weights are constants of the circuit. */
  readonly weights?: "fixed"
  /** Default: mirage, two-phase Groth16 with lookups. Plain groth16 has neither lookups nor commitments. */
  readonly proofSystem?: ProofSystem
  /** Refuse circuits with more constraints than this. Default: defaults.maxConstraints. */
  readonly maxConstraints?: number
  /** What circom made of the gadgets: `gadgets` of the same circuit. Without it circom runs, which takes Node. */
  readonly gadgets?: CompiledGadgets
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** Everything between the integer model and the keys that both proof systems have. */
interface CircuitBase {
  readonly graph: IntGraph
  /** keccak256 of the canonical integer model. */
  readonly model: string
  readonly input: "private" | "public" | "committed"
  readonly output: "public" | "committed"
  readonly layout: Layout
  readonly domain: number
  readonly nonzeros: number
  /** What circom made of its gadgets. */
  readonly gadgets: CompiledGadgets
}
export interface PlainCircuit extends CircuitBase {
  readonly proofSystem: "groth16"
  readonly linked: PlainLinked
}
export interface MirageCircuit extends CircuitBase {
  readonly proofSystem: "mirage"
  readonly linked: MirageLinked
  /** The range table has 2^tableBits rows. */
  readonly tableBits: number
}
/** A compiled model. */
export type Circuit = PlainCircuit | MirageCircuit

/**
 * Compiles an integer model.
 * @throws UsageError for options we do not have; FileError if `gadgets` lack one of the circuit's;
 * ModelError for a model whose numbers, or coefficients made of them, are no safe integers; CountersignError when
 * the circuit would be too large, with the estimate.
 */
export async function compile(
  graph: IntGraph,
  options: CompileOptions & { readonly proofSystem: "groth16" },
): Promise<PlainCircuit>
export async function compile(
  graph: IntGraph,
  options?: CompileOptions & { readonly proofSystem?: "mirage" },
): Promise<MirageCircuit>
export async function compile(graph: IntGraph, options?: CompileOptions): Promise<Circuit>
export async function compile(graph: IntGraph, options: CompileOptions = {}): Promise<Circuit> {
  const proofSystem = choice("proofSystem", options.proofSystem, proofSystems)
  const input = choice("input", options.input, ["private", "public", "committed"] as const)
  const output = choice("output", options.output, ["public", "committed"] as const)
  choice("weights", options.weights, ["fixed"] as const)
  if (proofSystem === "groth16" && (input === "committed" || output === "committed")) {
    throw new UsageError({
      what: "plain groth16 has no commitments",
      expected: "public or private values",
      fix: "Use proofSystem mirage",
    })
  }
  const limit = options.maxConstraints ?? defaults.maxConstraints
  const lookup = proofSystem === "mirage" ? lookupForms(graph) : undefined
  const plan = planGadgets(graph, lookup ?? bitForms)
  const expected = estimate(graph, plan, lookup?.rows)
  if (expected.constraints > limit || expected.nonzeros > defaults.maxNonzeros) {
    throw new CountersignError({
      what: `the circuit would have about ${expected.constraints} constraints and ${expected.nonzeros} non-zeros`,
      where: `model \`${graph.name}\``,
      expected: `at most ${limit} constraints and ${defaults.maxNonzeros} non-zeros`,
      fix: "Use a smaller model or lower precision, or raise maxConstraints if the machine has the memory",
    })
  }
  options.onProgress?.({ stage: "compile gadgets", done: 0, total: plan.uses.length })
  const committed = input === "committed" || output === "committed"
  const compiled = options.gadgets ?? (await compileHere(plan, committed))
  const gadgets = reduceGadgets(plan.uses, compiled.gadgets)
  checkStamped(plan, gadgets)
  options.signal?.throwIfAborted()
  options.onProgress?.({ stage: "link", done: 0, total: expected.constraints })
  const layout = layoutOf(graph, input === "private" ? "hidden" : input, output)
  const { nonzerosPerRow } = defaults
  const sizes = (linked: PlainLinked | MirageLinked) => {
    const { r1cs } = linked
    options.onProgress?.({ stage: "link", done: r1cs.rows, total: r1cs.rows })
    const publicRows = r1cs.publicInputs + r1cs.publicOutputs + 1
    return {
      domain:
        proofSystem === "mirage"
          ? domainSize(r1cs.rows + publicRows)
          : 2 ** Math.ceil(Math.log2(r1cs.rows + publicRows)),
      nonzeros: r1cs.a.wires.length + r1cs.b.wires.length + r1cs.c.wires.length,
    }
  }
  const base = { graph, model: modelDigest(graph), input, output, layout, gadgets: compiled }
  if (!lookup) {
    const linked = linkPlain(graph, plan, gadgets, { publicInputs: input === "public", nonzerosPerRow })
    return { ...base, proofSystem: "groth16", linked, ...sizes(linked) }
  }
  const { tableBits } = lookup
  if (committed && !compiled.poseidon)
    throw new FileError({ what: "the compiled gadgets lack Poseidon", fix: "Compile the model again" })
  const block = committed && compiled.poseidon ? parseBlock(compiled.poseidon) : undefined
  const linked = linkMirage(graph, plan, gadgets, { layout, tableBits, nonzerosPerRow, block })
  return { ...base, proofSystem: "mirage", linked, tableBits, ...sizes(linked) }
}

/** Whether stamping stays within the limit of non-zeros: gadgets that were given may be of any length. @throws FileError */
function checkStamped({ uses, nodes }: Plan, gadgets: ReadonlyMap<string, Gadget>): void {
  const terms = uses.map((use) => {
    const { rows, requests } = gadgets.get(gadgetKey(use)) ?? { rows: [], requests: [] }
    const own = rows.reduce((sum, { a, b, c }) => sum + a.size + b.size + c.size, rows.length)
    return requests.reduce((sum, { lc }) => sum + lc.size, own)
  })
  let total = 0
  for (const node of nodes.values()) for (const use of node.uses) if (use !== NONE) total += terms[use]
  if (total <= defaults.maxNonzeros) return
  throw new FileError({
    what: "the compiled gadgets are too long",
    expected: `at most ${defaults.maxNonzeros} non-zeros`,
    given: `${total}`,
    fix: "Compile the model again",
  })
}

/** What circom makes of the gadgets of a plan. @throws UsageError outside of Node */
async function compileHere({ uses }: Plan, committed: boolean): Promise<CompiledGadgets> {
  if (!isNode) {
    throw new UsageError({
      what: "circom, which compiles the gadgets, runs in Node alone",
      fix: "Compile there and rebuild the circuit here, from the files or from `gadgets` of that circuit",
    })
  }
  const { compileGadgets } = await import("./compile-gadgets.js")
  const gadgets = await compileGadgets(uses)
  if (!committed) return { version: 1, gadgets }
  const { compilePoseidon } = await import("./compile-poseidon.js")
  return { version: 1, gadgets, poseidon: await compilePoseidon() }
}

function choice<T extends string>(name: string, given: T | undefined, allowed: readonly [T, ...T[]]): T {
  const value = given ?? allowed[0]
  if (allowed.includes(value)) return value
  throw new UsageError({ what: `option \`${name}\``, expected: allowed.join(" or "), given: `\`${value}\`` })
}

/** Names, shapes, scales and ranges of the public side of a model, as the verification key carries them. */
function layoutOf(graph: IntGraph, input: Visibility, output: "public" | "committed"): Layout {
  const describe = ({ name, tensor }: { name: string; tensor: TensorId }) => {
    const { shape, scale } = graph.tensors[tensor]
    return { name, shape: [...shape], scale }
  }
  const range = (tensor: TensorId) => {
    const { lo, hi } = graph.tensors[tensor]
    const least = lo.reduce((a, b) => Math.min(a, b)) + 0 // never -0
    const most = hi.reduce((a, b) => Math.max(a, b))
    return { lo: least, bits: BigInt(most - least).toString(2).length }
  }
  return {
    // an input has the range that is checked, which may be wider than its tensor's bounds
    inputs: graph.inputs.map((entry) => ({
      ...describe(entry),
      lo: entry.lo,
      bits: entry.bits,
      visibility: input,
    })),
    outputs: graph.outputs.map((entry) => ({
      ...describe(entry),
      ...range(entry.tensor),
      visibility: output,
    })),
  }
}

/**
 * The witness of a plain circuit for given integers of every tensor, checked row by row.
 * @throws CountersignError naming gadget and tensor if a row fails
 */
export function witnessOf(circuit: PlainCircuit, values: TensorValues, context: string): Witness {
  const { graph, linked } = circuit
  const witness = assignPlain(graph, linked, values, contextSignal(context))
  const row = firstFailingRow(linked.r1cs, witness)
  if (row >= 0) {
    throw new CountersignError({
      what: `constraint ${row} does not hold: ${describeRow(graph, linked, row)}`,
      fix: "The integers given are not an execution of this model",
    })
  }
  return witness
}
