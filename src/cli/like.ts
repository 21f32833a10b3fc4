/** Another training of the model of a folder: what `compile --like` takes from there, which is everything but weights. */
import type { PolicyDocument } from "../attest/document.js"
import { predicateIn } from "../compile/layout.js"
import * as api from "../index.js"
import { loadArchitecture } from "./folder.js"

/** Options of `compile` that say what circuit it is to be. */
interface Asked {
  readonly input: string
  readonly output: string
  readonly weights: string
  readonly proofSystem: string
}

/** The architecture that a folder has, and the circuit's options by it. */
export interface Like {
  readonly graph: api.IntGraph
  readonly circuit: Pick<api.CircuitInfo, "input" | "output" | "proofSystem"> & {
    readonly weights: "private"
  }
}

const flags: Readonly<Record<keyof Asked, string>> = {
  input: "--input",
  output: "--output",
  weights: "--weights",
  proofSystem: "--proof-system",
}

/**
 * The architecture of a folder, for options of which `isGiven` says whether they were given.
 * @throws UsageError for a folder without private weights, and for options that would make another circuit; FileError
 */
export function readLike(
  folder: string,
  asked: Asked,
  isGiven: (name: string) => boolean,
  document: PolicyDocument | undefined,
): Like {
  const { info, graph } = loadArchitecture(folder)
  const { input, output, proofSystem } = info
  const circuit = { input, output, proofSystem, weights: "private" } as const
  for (const name of Object.keys(flags) as (keyof Asked)[])
    if (isGiven(name) && asked[name] !== circuit[name])
      throw another(folder, flags[name], circuit[name], asked[name])
  if (isGiven("targetAccuracy") || isGiven("calibration"))
    throw new api.UsageError({
      what: "scales and precision are those of the folder: there is nothing to search or calibrate",
      where: "--like",
      fix: "Leave --target-accuracy and --calibration out",
    })
  if (document) {
    const within = api.checkPredicate(graph, document)
    if ("problem" in within) throw another(folder, "--within", within.problem, "this document")
  }
  return { graph, circuit }
}

const another = (folder: string, flag: string, expected: string, given: string): api.UsageError =>
  new api.UsageError({
    what: `${flag} is not that of the circuit in \`${folder}\``,
    expected,
    given,
    fix: `Leave ${flag} out, or make a circuit of its own without --like`,
  })

/** A model without the output that a policy added. */
export const withoutPredicate = (graph: api.IntGraph): api.IntGraph =>
  predicateIn(graph) === null ? graph : { ...graph, outputs: graph.outputs.slice(1) }
