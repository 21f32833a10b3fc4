/** All that a folder says of its circuit: nodes and totals, what samples showed, its key, and what its files take. */
import type { Compilation } from "../compile/comparison.js"
import { measureSaturation } from "../compile/figures.js"
import { readWhole } from "../files.js"
import * as api from "../index.js"
import { verifierOf } from "../systems/verifiers.js"
import { heldKey, keyBytes, loadCircuit, nodeAccuracy, readInfo } from "./folder.js"
import { onProgress } from "./terminal.js"

export interface FolderInspection extends Compilation {
  readonly key: {
    readonly digest: string
    readonly model: string
    readonly setup: api.VerificationKey["setup"]
  } | null
  /** Whether the key is of another circuit. */
  readonly foreign: boolean
  /** How many samples figures of nodes are from: those of `compile`, and those that were given here. */
  readonly samples: { readonly compile: number | null; readonly given: number | null }
}

/** What a folder holds, and what its clamps do on samples of the file. @throws UsageError, FileError, InputError */
export async function inspectFolder(folder: string, samplesFile?: string): Promise<FolderInspection> {
  const info = readInfo(folder)
  const { model, proofSystem, input, output, precision, weights } = info
  if (samplesFile !== undefined && weights !== undefined)
    throw new api.UsageError({
      what: "how often clamps saturate says something of weights that are private",
      where: `\`${folder}\``,
      fix: "Leave --samples out",
    })
  const bytes = samplesFile === undefined ? undefined : readWhole(samplesFile)
  const circuit = await loadCircuit(folder, onProgress)
  const accuracy = nodeAccuracy(folder)
  const saturation = bytes && (await measured(circuit, bytes, samplesFile ?? ""))
  const key = heldKey(folder)
  return {
    ...api.inspect(circuit, { accuracy, saturation }),
    circuit: { model, proofSystem, input, output, precision, ...(weights && { weights }) },
    bytes: { ...keyBytes(folder), proof: proofBytes(proofSystem) },
    key: key && { digest: api.keyDigest(key), model: key.model, setup: key.setup },
    foreign: key !== null && (key.architecture ?? key.model) !== circuit.model,
    samples: { compile: accuracy?.samples ?? null, given: saturation?.samples ?? null },
  }
}

async function measured({ graph }: api.Circuit, bytes: Uint8Array, file: string) {
  const specs = graph.inputs.map(({ name, tensor }) => ({ name, shape: graph.tensors[tensor].shape }))
  return await measureSaturation(graph, api.parseSamples(bytes, file, specs).samples, { onProgress })
}

/** Bytes of a proof as contracts take it, by the type that they give it. */
function proofBytes(proofSystem: api.CircuitInfo["proofSystem"]): number {
  const words = /\[(\d+)\]$/.exec(verifierOf(proofSystem).solidity.types)?.[1]
  api.invariant(words, `the contract of ${proofSystem} takes a proof of fixed length`)
  return 32 * Number(words)
}
