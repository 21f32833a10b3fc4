/** The input of a model as `prove` and `run` take it. */
import { Option } from "commander"
import { readJson } from "../files.js"
import * as api from "../index.js"
import { loadOwned, type Owned } from "./folder.js"
import { onProgress } from "./terminal.js"

export const clampOption = new Option("--clamp", "move inputs outside the calibrated range to its edge")

/**
 * The circuit of a folder, with what opens a prover of it, and an input for it, as it was given and as integers. An input
 * that does not fit is refused here, and a file that cannot be read before the circuit is built.
 * @throws UsageError, FileError, InputError
 */
export async function loadWithInput(
  folder: string,
  inputPath: string,
  clampInputs: boolean,
  load: (folder: string, onProgress: api.OnProgress) => Promise<Owned> = loadOwned,
) {
  const given = readJson(inputPath)
  const owned = await load(folder, onProgress)
  const { graph } = owned.circuit
  const specs = graph.inputs.map(({ name, tensor }) => ({ name, shape: graph.tensors[tensor].shape }))
  const input = api.parseInput(given, specs, inputPath)
  return { owned, input, quantized: api.quantizeInput(graph, input, { clampInputs }) }
}
