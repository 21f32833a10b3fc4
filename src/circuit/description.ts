/**
 * A compiled circuit as three files, from which it is rebuilt anywhere, also in a page: model.bin, the canonical
 * integer model; circuit.json, how it was compiled; gadgets.json, what circom made of the gadgets. The constraints
 * themselves are in none of them: linking takes less time than loading them would.
 */
import { checkBytes, checkOptions, checkRecord, checkThing } from "../arguments.js"
import { defaults } from "../defaults.js"
import { FileError, InvariantError, type OnProgress } from "../errors.js"
import { deserialize } from "../quantize/digest.js"
import { type Circuit, compile, proofSystems } from "./compile.js"
import { lookupsOf } from "./inspect.js"
import { parseGadgets } from "./reduce-gadgets.js"

/** Content of circuit.json; a folder's has the accuracy that was measured as well. */
export interface CircuitInfo {
  readonly version: 1
  readonly model: string
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
    proofSystem: circuit.proofSystem,
    input: circuit.input,
    output: circuit.output,
    precision: circuit.graph.precision,
    constraints: circuit.linked.r1cs.rows,
    domain: circuit.domain,
    lookups: lookupsOf(circuit),
    nonzeros: circuit.nonzeros,
  }
}

/** Checks the content of circuit.json. @throws FileError naming the file `where` */
export function parseCircuitInfo(json: unknown, where: string): CircuitInfo {
  const info = (json ?? {}) as CircuitInfo
  if (
    info.version === 1 &&
    typeof info.model === "string" &&
    proofSystems.includes(info.proofSystem) &&
    ["private", "public", "committed"].includes(info.input) &&
    ["public", "committed"].includes(info.output) &&
    Number.isSafeInteger(info.constraints)
  )
    return info
  throw new FileError({ what: "is not a circuit description of this version", where })
}

/** The files of a circuit, JSON parsed. */
export interface CircuitFiles {
  readonly model: Uint8Array
  readonly circuit: unknown
  /** Without, circom runs, which takes Node. */
  readonly gadgets?: unknown
}

export interface RebuildOptions {
  /** What errors call the files. */
  readonly names?: { readonly model: string; readonly circuit: string; readonly gadgets: string }
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
  checkOptions(options)
  const { names = { model: "model.bin", circuit: "circuit.json", gadgets: "gadgets.json" }, ...rest } =
    options
  const { input, output, proofSystem, constraints, model } = parseCircuitInfo(files.circuit, names.circuit)
  const gadgets = files.gadgets === undefined ? undefined : parseGadgets(files.gadgets, names.gadgets)
  const graph = deserialize(files.model, names.model)
  // the limit was the caller's when the circuit was compiled
  const maxConstraints = Math.max(defaults.maxConstraints, 2 * constraints)
  let circuit: Circuit
  try {
    circuit = await compile(graph, {
      ...rest,
      input,
      output,
      proofSystem,
      maxConstraints,
      ...(gadgets ? { gadgets } : {}),
    })
  } catch (error) {
    if (!gadgets || !(error instanceof InvariantError)) throw error
    throw new FileError({
      what: `does not hold what circom makes of the gadgets: ${error.message}`,
      where: names.gadgets,
      fix: "Compile the model again",
    })
  }
  if (circuit.model === model) return circuit
  throw new FileError({
    what: "the model is not the one that was compiled",
    where: names.model,
    expected: model,
    given: circuit.model,
  })
}
