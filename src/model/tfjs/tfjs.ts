/**
 * Models of tfjs, with the weights beside them: a LayersModel is Keras JSON, read as Keras's own files are; a GraphModel is
 * a graph of TensorFlow's operators.
 */
import { checkBytes, checkOptions, checkRecord } from "../../arguments.js"
import { ModelError } from "../../errors.js"
import type { Graph } from "../graph.js"
import { isRecord, shown } from "../keras/layer.js"
import { networkGraph } from "../keras/network.js"
import { isModel } from "../keras/topology.js"
import { NamedWeights } from "../keras/weights.js"
import { isGraphModel, readGraphModel } from "./graph-model.js"
import { readTfjsWeights } from "./weights.js"

export interface TfjsOptions {
  /** Values of open dimensions as `input:axis`; an open first dimension is 1. */
  readonly dimensions?: Readonly<Record<string, number>>
  readonly file?: string
}

/**
 * Reads a parsed `model.json` and the bytes of its weight files, concatenated in manifest order.
 * @throws ModelError naming every layer or operator that is not supported and every weight that is missing
 */
export function importTfjs(model: unknown, weights: Uint8Array, options: TfjsOptions = {}): Graph {
  checkBytes(weights, "weights")
  checkOptions(options)
  if (options.dimensions !== undefined) checkRecord(options.dimensions, "options.dimensions")
  const where = options.file ?? "tfjs model"
  const fail = (what: string): never => {
    throw new ModelError({
      what,
      where,
      expected: "model.json of a tfjs LayersModel or GraphModel",
      fix: "Save it with model.save, or convert it with tensorflowjs_converter",
    })
  }
  if (!isRecord(model) || !isRecord(model.modelTopology)) return fail("has no modelTopology")
  if (isGraphModel(model)) {
    const read = readTfjsWeights(model.weightsManifest, weights, where)
    return readGraphModel(model, read, where, options.dimensions ?? {})
  }
  const topology = isRecord(model.modelTopology.model_config)
    ? model.modelTopology.model_config
    : model.modelTopology
  const { class_name: className, config } = topology
  if (typeof className !== "string" || !isModel(className))
    return fail(`is no layers model (class \`${shown(className)}\`)`)
  const tensors = [...readTfjsWeights(model.weightsManifest, weights, where)]
  const named = tensors.map(([path, tensor]) => ({ path, read: () => tensor }))
  const held = tensors.reduce((sum, [, { data }]) => sum + data.length, 0)
  const version = String(model.modelTopology.keras_version ?? "").startsWith("3") ? 3 : 2
  return networkGraph(className, config, new NamedWeights(named, held), {
    where,
    version,
    dimensions: options.dimensions ?? {},
  })
}
