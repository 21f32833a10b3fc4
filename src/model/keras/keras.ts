/**
 * Keras's own files: `.keras` (Keras 3, and 2 from 2.12 on: a zip archive of config.json, metadata.json and
 * model.weights.h5) and whole models in HDF5 (`.h5`, Keras 2 and 3: the configuration is an attribute, weights have names).
 * Nothing of a file is executed: layers are known by name, and what holds code is refused.
 */
import { unzipSync } from "fflate"
import { checkBytes, checkOptions, checkRecord } from "../../arguments.js"
import { allowanceFor, Budget } from "../../budget.js"
import { ModelError } from "../../errors.js"
import type { Graph } from "../graph.js"
import { Hdf5, isHdf5 } from "../hdf5/hdf5.js"
import { limits } from "../limits.js"
import { isRecord } from "./layer.js"
import { networkGraph } from "./network.js"
import { type Named, NamedWeights, PlacedWeights, type Weights } from "./weights.js"

export interface KerasOptions {
  /** Values of open dimensions as `input:axis`; an open first dimension is 1. */
  readonly dimensions?: Readonly<Record<string, number>>
  /** The file's name, for errors. */
  readonly file?: string
}

/** Bytes of a configuration: those of the largest models of Keras have a few million. */
const mostConfig = 2 ** 24

/** No deflated byte stands for more bytes than this. */
const mostRatio = 1032

const members = ["config.json", "metadata.json", "model.weights.h5"] as const

/** Whether a file is a zip archive or HDF5, by its first bytes. */
export const isKeras = (bytes: Uint8Array): boolean =>
  isHdf5(bytes) || [0x50, 0x4b, 3, 4].every((byte, i) => bytes[i] === byte)

/**
 * Reads the bytes of a `.keras` file or of a whole model in HDF5.
 * @throws ModelError for malformed files, and naming every layer that is not supported
 */
export function importKeras(bytes: Uint8Array, options: KerasOptions = {}): Graph {
  checkBytes(bytes, "bytes")
  checkOptions(options)
  if (options.dimensions !== undefined) checkRecord(options.dimensions, "options.dimensions")
  const where = options.file ?? "Keras model"
  if (bytes.length > limits.bytes) fail(where, `has ${bytes.length} bytes (at most ${limits.bytes})`)
  if (!isKeras(bytes)) fail(where, "is neither a .keras file nor HDF5")
  const held = Math.ceil(bytes.length / 4)
  const budget = new Budget(allowanceFor(held))
  const { model, version, weights } = isHdf5(bytes)
    ? wholeModel(bytes, where, budget, held)
    : archive(bytes, where, budget, held)
  if (!isRecord(model) || typeof model.class_name !== "string")
    return fail(where, "has a configuration that is no model")
  return networkGraph(model.class_name, model.config, weights, {
    where,
    version,
    dimensions: options.dimensions ?? {},
  })
}

function fail(where: string, what: string): never {
  throw new ModelError({
    what,
    where,
    expected: "a model as Keras's `model.save` writes it, .keras or .h5",
    fix: "Save the model again with Keras",
  })
}

interface Parts {
  readonly model: unknown
  readonly version: 2 | 3
  readonly weights: Weights
}

const versionOf = (text: unknown): 2 | 3 => (/^[012]\./.test(String(text)) ? 2 : 3)

function parsed(text: string, where: string, title: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return fail(where, `its ${title} is no JSON`)
  }
}

/** The three members of a `.keras` file. */
function archive(bytes: Uint8Array, where: string, budget: Budget, held: number): Parts {
  const files = unzipped(bytes, where, budget)
  const text = (name: string) => {
    const file = files.get(name) ?? fail(where, `has no ${name}`)
    budget.elements(file.length, where)
    return parsed(new TextDecoder().decode(file), where, name)
  }
  const model = text("config.json")
  const metadata = text("metadata.json")
  const version = versionOf(isRecord(metadata) ? metadata.keras_version : undefined)
  const data = files.get("model.weights.h5") ?? fail(where, "has no model.weights.h5")
  const weights = new PlacedWeights(new Hdf5(data, `${where}, model.weights.h5`, budget), held)
  return { model, version, weights }
}

/** Members by name; each is charged to the budget before it is unpacked. */
function unzipped(bytes: Uint8Array, where: string, budget: Budget): ReadonlyMap<string, Uint8Array> {
  const sizes = new Map<string, number>()
  let count = 0
  const filter = ({ name, size, originalSize, compression }: Listing): boolean => {
    if (++count > 1000) fail(where, "has more than 1000 files inside")
    if (!(members as readonly string[]).includes(name)) return false
    if (sizes.has(name)) fail(where, `has ${name} twice`)
    if (name !== "model.weights.h5" && originalSize > mostConfig)
      fail(where, `its ${name} has ${originalSize} bytes (at most ${mostConfig})`)
    if (size > bytes.length || originalSize > (compression === 0 ? size : mostRatio * (size + 1)))
      fail(where, `its ${name} says that ${size} bytes are ${originalSize}`)
    budget.elements(originalSize / 8, `${where}, ${name}`)
    budget.work((compression === 0 ? 1 : mostRatio) * size, `${where}, ${name}`)
    sizes.set(name, originalSize)
    return true
  }
  let files: Record<string, Uint8Array>
  try {
    files = unzipSync(bytes, { filter })
  } catch (error) {
    if (error instanceof ModelError) throw error
    return fail(where, "is a damaged zip archive")
  }
  const found = new Map(Object.entries(files))
  for (const [name, size] of sizes)
    if (found.get(name)?.length !== size) fail(where, `its ${name} does not have the size that it says`)
  return found
}

/** What fflate says of a member before it unpacks it. */
interface Listing {
  readonly name: string
  readonly size: number
  readonly originalSize: number
  readonly compression: number
}

/** A model whose configuration is an attribute of the file. */
function wholeModel(bytes: Uint8Array, where: string, budget: Budget, held: number): Parts {
  const file = new Hdf5(bytes, where, budget)
  const root = file.find([]) ?? fail(where, "has no root")
  const [config] = file.text(root, "model_config") ?? []
  if (config === undefined)
    fail(where, "holds weights without a model: `save_weights` writes such files, `save` whole models")
  if (config.length > mostConfig) fail(where, `its configuration has ${config.length} characters`)
  budget.elements(config.length, where)
  const version = versionOf(file.text(root, "keras_version")?.[0])
  const at = file.find(["model_weights"]) ?? fail(where, "has no weights")
  const named: Named[] = []
  for (const group of texts(file, at, "layer_names")) {
    const path = ["model_weights", ...group.split("/")]
    const layer = file.find(path)
    if (layer === undefined) continue
    for (const name of texts(file, layer, "weight_names")) {
      budget.elements(16 + name.length, where)
      const read = () => {
        const found =
          file.find(name.split("/"), layer) ?? fail(where, `has no weight \`${name.slice(0, 200)}\``)
        return file.tensor(found, name.slice(0, 200))
      }
      named.push({ group, path: name, read })
    }
  }
  return { model: parsed(config, where, "configuration"), version, weights: new NamedWeights(named, held) }
}

/** Texts of an attribute, which Keras splits in numbered parts where it is long. */
function texts(file: Hdf5, at: number, name: string): string[] {
  const whole = file.text(at, name)
  if (whole) return whole
  const parts: string[] = []
  for (let i = 0; ; i++) {
    const part = file.text(at, `${name}${i}`)
    if (!part) return parts
    for (const text of part) parts.push(text)
  }
}
