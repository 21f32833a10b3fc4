/**
 * A compiled circuit as three files, from which it is rebuilt anywhere, also in a page: model.bin, the canonical
 * integer model; circuit.json, how it was compiled; gadgets.json, what circom made of the gadgets. The constraints
 * themselves are in none of them: whoever sets up, audits or verifies links them again. For who proves there may be a fourth
 * file, of what was linked.
 */
import { checkBytes, checkOptions, checkRecord, checkThing } from "../arguments.js"
import { type CompiledGadgets, parseGadgets } from "../circuit/gadgets/reduce.js"
import { defaults } from "../defaults.js"
import { FileError, InvariantError, type OnProgress } from "../errors.js"
import { deserialize, modelDigest } from "../quantize/canonical/digest.js"
import { readWeights } from "../quantize/canonical/weights.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { isPrivate } from "../quantize/integers/secrets.js"
import { fromJson } from "../statement/strict.js"
import { type Circuit, proofSystems, systemOf } from "../systems/index.js"
import { compile, poseidonHere } from "./compile.js"
import { linkingMemory } from "./estimate.js"
import { queryCount } from "./inspect.js"
import { layoutOf } from "./layout.js"

/** Constraints that no circuit is refused for, whatever its description says that it has. */
const smallCircuit = 2 ** 20

/** Content of circuit.json; a folder's has the accuracy that was measured as well. */
export interface CircuitInfo {
  readonly version: 1
  /** Digest of the canonical integer model, or of its architecture if its weights are private. */
  readonly model: string
  /** Not there if they are fixed. */
  readonly weights?: "private"
  readonly proofSystem: Circuit["proofSystem"]
  readonly input: Circuit["input"]
  readonly output: Circuit["output"]
  readonly precision: number
  readonly constraints: number
  readonly domain: number
  readonly lookups: number
  readonly nonzeros: number
}

/** The content of circuit.json for a circuit. Its other files: `serialize(circuit.graph)` and `circuit.gadgets`. */
export function describeCircuit(circuit: Circuit): CircuitInfo {
  checkThing("circuit", circuit, "circuit")
  return {
    version: 1,
    model: circuit.model,
    ...(circuit.weights === "private" && { weights: circuit.weights }),
    proofSystem: circuit.proofSystem,
    input: circuit.input,
    output: circuit.output,
    precision: circuit.graph.precision,
    constraints: circuit.linked.r1cs.rows,
    domain: circuit.domain,
    lookups: queryCount(circuit),
    nonzeros: circuit.nonzeros,
  }
}

/**
 * What was linked of a circuit, as a file that spares a prover the linking; null for circuits of which nothing is kept: those
 * of other systems than mirage, and of private weights. Its reader does not depend on who wrote it (systems/mirage/kept.ts).
 */
export function keepCircuit(circuit: Circuit): Uint8Array | null {
  checkThing("circuit", circuit, "circuit")
  return systemOf(circuit).keep?.(circuit) ?? null
}

/** No circuit that a proof of ours has room for is larger in any of these. */
const mostOfAny = 2 ** 32

/** Checks the content of circuit.json (parsed JSON, or its text). @throws FileError naming the file `where` */
export function parseCircuitInfo(json: unknown, where: string): CircuitInfo {
  const parsed = fromJson(json, where)
  const info = (parsed ?? {}) as CircuitInfo & { readonly accuracy?: unknown }
  const { version, model, weights, proofSystem, input, output, precision, accuracy, ...counts } = info
  const { constraints, domain, lookups, nonzeros, ...others } = counts
  const isCount = (x: unknown) => Number.isSafeInteger(x) && Number(x) >= 0 && Number(x) < mostOfAny
  if (
    version === 1 &&
    typeof model === "string" &&
    /^0x[0-9a-f]{64}$/.test(model) &&
    (!("weights" in info) || weights === "private") &&
    // how well weights do says something of them
    (weights === undefined || accuracy === undefined) &&
    proofSystems.includes(proofSystem) &&
    ["private", "public", "committed"].includes(input) &&
    ["public", "committed"].includes(output) &&
    [precision, constraints, domain, lookups, nonzeros].every(isCount) &&
    Object.keys(others).length === 0
  )
    return info
  throw new FileError({ what: "is not a circuit description of this version", where })
}

/** The files of a circuit, JSON as text or parsed. */
export interface CircuitFiles {
  readonly model: Uint8Array
  readonly circuit: unknown
  /** Without, circom runs, which takes Node. */
  readonly gadgets?: unknown
  /**
   * What `keepCircuit` made of the circuit. Only to prove with, and not to set up, audit or verify by: it has the constraints
   * that the file says, and a proof of others than the key's is not given out.
   */
  readonly linked?: Uint8Array
  /** Bytes of weights.secret, without it, a circuit of private weights can be audited, not run. */
  readonly weights?: Uint8Array
}

export interface RebuildOptions {
  /** What errors call the files. */
  readonly names?: {
    readonly model: string
    readonly circuit: string
    readonly gadgets: string
    readonly weights?: string
    readonly linked?: string
  }
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/**
 * Rebuilds a circuit from its files. With `gadgets` it has the constraints that they say: prove with it, against a
 * key that it must fit, but set up and audit a circuit whose gadgets circom compiled where you are.
 * @throws FileError for files that are damaged, of another version, or do not belong together
 */
export async function rebuildCircuit(files: CircuitFiles, options: RebuildOptions = {}): Promise<Circuit> {
  checkRecord(files, "files", "an object with `model`, `circuit` and `gadgets`")
  checkBytes(files.model, "files.model")
  if (files.weights !== undefined) checkBytes(files.weights, "files.weights")
  if (files.linked !== undefined) checkBytes(files.linked, "files.linked")
  checkOptions(options)
  const { names = { model: "model.bin", circuit: "circuit.json", gadgets: "gadgets.json" }, ...rest } =
    options
  const info = parseCircuitInfo(files.circuit, names.circuit)
  const { model, weights = "fixed" } = info
  const gadgets = files.gadgets === undefined ? undefined : parseGadgets(files.gadgets, names.gadgets)
  const architecture = deserialize(files.model, names.model)
  const digest = modelDigest(architecture)
  if (digest !== model) {
    throw new FileError({
      what: "the model is not the one that was compiled",
      where: names.model,
      expected: model,
      given: digest,
    })
  }
  if ((weights === "private") !== isPrivate(architecture)) {
    throw new FileError({
      what: "does not say of the weights what the model says",
      where: names.circuit,
      expected: isPrivate(architecture) ? "private weights" : "fixed weights",
    })
  }
  const graph = files.weights
    ? readWeights(files.weights, architecture, names.weights ?? "weights.secret").graph
    : architecture
  const circuit =
    files.linked === undefined
      ? await linkAgain(graph, info, gadgets, names.gadgets, rest)
      : await restored(graph, info, files.linked, names.linked ?? "linked.bin")
  const counts = describeCircuit(circuit)
  const hasDomain = systemOf(circuit).domains?.(circuit).includes(info.domain) ?? false
  const isSame = (name: keyof CircuitInfo) => counts[name] === info[name] || (name === "domain" && hasDomain)
  const other = (Object.keys(counts) as (keyof CircuitInfo)[]).find((name) => !isSame(name))
  if (other === undefined) return circuit
  throw new FileError({
    what: `does not describe this circuit: \`${other}\` differs`,
    where: names.circuit,
    expected: `${counts[other]}`,
    given: `${info[other]}`,
    fix: "Compile the model again",
  })
}

/** Compiles a model as it was compiled before. */
async function linkAgain(
  graph: IntGraph,
  { input, output, proofSystem, constraints, nonzeros }: CircuitInfo,
  gadgets: CompiledGadgets | undefined,
  where: string,
  options: Pick<RebuildOptions, "onProgress" | "signal">,
): Promise<Circuit> {
  // the limits were the caller's when the circuit was compiled
  const maxConstraints = Math.max(smallCircuit, 2 * constraints)
  const maxMemory = Math.max(defaults.maxMemory, 2 * linkingMemory(constraints, nonzeros))
  try {
    return await compile(graph, {
      ...options,
      input,
      output,
      proofSystem,
      maxConstraints,
      maxMemory,
      ...(gadgets ? { gadgets } : {}),
    })
  } catch (error) {
    if (!gadgets || !(error instanceof InvariantError)) throw error
    throw new FileError({
      what: `does not hold what circom makes of the gadgets: ${error.message}`,
      where,
      fix: "Compile the model again",
    })
  }
}

/** The circuit that was kept of a model, whose digest is the description's. @throws FileError */
async function restored(
  graph: IntGraph,
  info: CircuitInfo,
  linked: Uint8Array,
  where: string,
): Promise<Circuit> {
  const { input, output, proofSystem } = info
  const weights = isPrivate(graph) ? "private" : "fixed"
  const layout = layoutOf(graph, input === "private" ? "hidden" : input, output)
  const model = info.model as Circuit["model"]
  const { restore } = systemOf({ proofSystem })
  if (weights === "private" || restore === undefined)
    throw new FileError({ what: "nothing is kept of such circuits", where, fix: "Remove the file" })
  const committed = input === "committed" || output === "committed"
  const poseidon = committed ? await poseidonHere() : undefined
  return restore(
    linked,
    { graph, model, weights, input, output, layout, ...(poseidon && { poseidon }) },
    where,
  )
}
