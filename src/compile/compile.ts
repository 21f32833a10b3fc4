/** Integer model to circuit: plan, compile the gadgets, link, and say what it costs. */

import { checkArgument, checkOptions, checkThing, kindOf } from "../arguments.js"
import { type PolicyDocument, parseDocument } from "../attest/document.js"
import { documentIn } from "../attest/predicate.js"
import { gadgetKey } from "../circuit/gadgets/families.js"
import { type BlockJson, parseBlock } from "../circuit/gadgets/poseidon.js"
import { type CompiledGadgets, type Gadget, reduceGadgets } from "../circuit/gadgets/reduce.js"
import { NONE, type Plan, planGadgets } from "../circuit/plan/plan.js"
import { defaults } from "../defaults.js"
import { FileError, type OnProgress, UsageError } from "../errors.js"
import { isNode } from "../platform.js"
import { modelDigest } from "../quantize/canonical/digest.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { hasSecrets, isPrivate } from "../quantize/integers/secrets.js"
import { type Circuit, proofSystems, systemOf } from "../systems/index.js"
import type { MirageCircuit } from "../systems/mirage/circuit.js"
import type { PlainCircuit } from "../systems/plain/circuit.js"
import type { ProofSystem } from "../systems/verifiers.js"
import {
  type CircuitEstimate,
  checkLimits,
  estimate,
  estimateFrom,
  type Limits,
  mebibytes,
} from "./estimate.js"
import { layoutOf, predicateIn } from "./layout.js"
import { withPredicate } from "./predicate.js"

export interface CompileOptions {
  /** Does the receipt show the input, keep it hidden, or commit to it? Default: private. */
  readonly input?: "private" | "public" | "committed"
  readonly output?: "public" | "committed"
  /** Prove whether the answer is within this document: one more output, a bit that is public in any case. */
  readonly within?: PolicyDocument
  /**
   * What the model was quantized for, and so the default: `fixed` weights are constants of the circuit; `private` ones are
   * its owner's alone, and the circuit is that of all weights of the architecture.
   */
  readonly weights?: Circuit["weights"]
  /** Default: mirage, two-phase Groth16 with lookups. Plain groth16 has neither lookups nor commitments. */
  readonly proofSystem?: ProofSystem
  /** Refuse circuits with more constraints than this. Default: as many as there is memory for. */
  readonly maxConstraints?: number
  /** Refuse circuits that linking takes more bytes for. Default: defaults.maxMemory. */
  readonly maxMemory?: number
  /** What circom made of the gadgets: `gadgets` of the same circuit. Without it circom runs, which takes Node. */
  readonly gadgets?: CompiledGadgets
  /** Is told what the circuit, its key and its proofs will take, before it is linked. */
  readonly onEstimate?: (estimate: CircuitEstimate) => void
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/**
 * Compiles an integer model.
 * @throws UsageError for options we do not have, and a policy that does not fit the model or says nothing of it; FileError
 * for a malformed policy, and if `gadgets` lack one of the circuit's; ModelError for a model whose numbers, or
 * coefficients made of them, are no safe integers; CountersignError when the circuit would be too large, with the estimate.
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
export async function compile(model: IntGraph, options: CompileOptions = {}): Promise<Circuit> {
  checkThing("model", model, "graph")
  const { input, output, ...limits } = checkCompileOptions(options)
  const weights = weightsFor(model, options)
  const { graph, plan, forms, system, expected } = planned(model, options)
  checkLimits(expected, limits, `model \`${graph.name}\``)
  options.onProgress?.({ stage: "compile gadgets", done: 0, total: plan.uses.length })
  const committed = input === "committed" || output === "committed"
  const compiled = options.gadgets ?? (await compileHere(plan, committed))
  const gadgets = reduceGadgets(plan.uses, compiled.gadgets)
  checkStamped(plan, gadgets, limits)
  options.signal?.throwIfAborted()
  options.onProgress?.({ stage: "link", done: 0, total: expected.constraints })
  const layout = layoutOf(graph, input === "private" ? "hidden" : input, output)
  if (committed && !compiled.poseidon)
    throw new FileError({ what: "the compiled gadgets lack Poseidon", fix: "Compile the model again" })
  const block = committed && compiled.poseidon ? parseBlock(compiled.poseidon) : undefined
  const common = { graph, model: modelDigest(graph), weights, input, output, layout, gadgets: compiled }
  const { nonzerosPerRow } = defaults
  const linking = { circuit: common, plan, gadgets, nonzerosPerRow, block }
  options.onEstimate?.(estimateFrom(expected, system.expects?.(linking, forms, expected)))
  const circuit = system.link(linking, forms)
  if (weights === "private" && hasSecrets(graph)) system.weights?.check(circuit)
  const { rows } = circuit.linked.r1cs
  options.onProgress?.({ stage: "link", done: rows, total: rows })
  return circuit
}

/** A model with the gadgets that a circuit of it would have, and what that would cost, before anything is compiled. */
export function planned(model: IntGraph, options: CompileOptions) {
  const { proofSystem } = checkCompileOptions(options)
  const graph = options.within === undefined ? model : withPredicate(model, options.within)
  checkNames(graph)
  const system = systemOf({ proofSystem })
  const forms = system.forms(graph)
  const plan = planGadgets(graph, forms)
  return { graph, plan, forms, system, expected: estimate(graph, plan, forms.rows) }
}

/** What becomes of the weights of a model. @throws UsageError for a model that was quantized for something else */
function weightsFor(graph: IntGraph, options: CompileOptions): Circuit["weights"] {
  const weights = isPrivate(graph) ? "private" : "fixed"
  if (options.weights !== undefined && options.weights !== weights) {
    throw new UsageError({
      what: "the model was quantized for something else than option `weights` says",
      where: `model \`${graph.name}\``,
      expected: `\`${options.weights}\` weights`,
      given: `\`${weights}\` weights`,
      fix: "Give option `weights` to `quantize`, or to `lower`, as well",
    })
  }
  checkCompileOptions({ ...options, weights })
  return weights
}

/** A model's own outputs are not called as predicates are. @throws UsageError */
function checkNames(graph: IntGraph): void {
  const own = predicateIn(graph) === null ? graph.outputs : graph.outputs.slice(1)
  const taken = own.find(({ name }) => documentIn(name) !== null)
  if (taken === undefined) return
  throw new UsageError({
    what: "an output of the model is called as if it said that a policy holds",
    where: `model \`${graph.name}\``,
    given: `\`${taken.name}\``,
    fix: "Give it another name",
  })
}

/** Whether stamping stays within the limit of memory: gadgets that were given may be of any length. @throws FileError */
function checkStamped(
  { uses, nodes }: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  { maxMemory }: Limits,
): void {
  const terms = uses.map((use) => {
    const { rows, requests } = gadgets.get(gadgetKey(use)) ?? { rows: [], requests: [] }
    const own = rows.reduce((sum, { a, b, c }) => sum + a.size + b.size + c.size, rows.length)
    return requests.reduce((sum, { lc }) => sum + lc.size, own)
  })
  let total = 0
  for (const node of nodes.values()) for (const use of node.uses) if (use !== NONE) total += terms[use]
  // an index and a coefficient each, and again while arrays grow
  const bytes = 16 * total
  if (bytes <= maxMemory) return
  throw new FileError({
    what: "the compiled gadgets are too long",
    expected: `at most ${mebibytes(maxMemory)} for their terms`,
    given: `${mebibytes(bytes)} for ${total} of them`,
    fix: "Compile the model again",
  })
}

/** What circom makes of the gadgets of a plan. @throws UsageError outside of Node */
async function compileHere({ uses }: Plan, committed: boolean): Promise<CompiledGadgets> {
  requireNode()
  const { compileGadgets } = await import("../circuit/gadgets/circom.js")
  const gadgets = await compileGadgets(uses)
  if (!committed) return { version: 1, gadgets }
  return { version: 1, gadgets, poseidon: await poseidonHere() }
}

/** What circom makes of Poseidon. @throws UsageError outside of Node */
export async function poseidonHere(): Promise<BlockJson> {
  requireNode()
  const { compilePoseidon } = await import("../circuit/gadgets/circom-poseidon.js")
  return await compilePoseidon()
}

function requireNode(): void {
  if (isNode) return
  throw new UsageError({
    what: "circom, which compiles the gadgets, runs in Node alone",
    fix: "Compile there and rebuild the circuit here, from the files or from `gadgets` of that circuit",
  })
}

/**
 * What a circuit will be by some options, defaults filled in; without doing anything else.
 * @throws UsageError for options we do not have, or that exclude each other; FileError for a malformed policy
 */
export function checkCompileOptions(options: CompileOptions): {
  readonly proofSystem: ProofSystem
  readonly input: Circuit["input"]
  readonly output: Circuit["output"]
} & Limits {
  checkOptions(options)
  const { maxConstraints = Number.POSITIVE_INFINITY, maxMemory = defaults.maxMemory, gadgets } = options
  const chosen = choice("proofSystem", options.proofSystem, proofSystems)
  const input = choice("input", options.input, ["private", "public", "committed"] as const)
  const output = choice("output", options.output, ["public", "committed"] as const)
  const weights = choice("weights", options.weights, ["fixed", "private"] as const)
  if (options.within !== undefined) parseDocument(options.within)
  if (!systemOf({ proofSystem: chosen }).commits && (input === "committed" || output === "committed")) {
    throw new UsageError({
      what: `plain ${chosen} has no commitments`,
      expected: "public or private values",
      fix: "Use option `proofSystem` mirage",
    })
  }
  if (weights === "private" && !systemOf({ proofSystem: chosen }).commits) {
    throw new UsageError({
      what: `private weights cannot be proven with ${chosen}`,
      expected: "proof system mirage",
      fix: "Use option `proofSystem` mirage, which commits to the weights, or fixed weights",
    })
  }
  checkArgument(maxConstraints > 0, "options.maxConstraints", "a positive number", maxConstraints)
  checkArgument(maxMemory > 0, "options.maxMemory", "a positive number of bytes", maxMemory)
  const known = gadgets === undefined || (typeof gadgets?.gadgets === "object" && gadgets.gadgets !== null)
  checkArgument(known, "options.gadgets", "`gadgets` of a circuit", gadgets)
  return { proofSystem: chosen, input, output, maxConstraints, maxMemory }
}

function choice<T extends string>(name: string, given: T | undefined, allowed: readonly [T, ...T[]]): T {
  const value = given ?? allowed[0]
  if (allowed.includes(value)) return value
  throw new UsageError({
    what: `option \`${name}\``,
    expected: allowed.join(" or "),
    given: kindOf(value),
  })
}
