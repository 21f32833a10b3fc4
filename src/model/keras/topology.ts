/**
 * A model's configuration as calls of layers: Sequential models, and functional ones with inbound nodes as Keras 2 writes
 * them (`[["a", 0, 0, {}], …]`, a list for each call) or Keras 3 (`{ args, kwargs }`, with tensors that say where they
 * come from).
 */
import { limits } from "../limits.js"
import { type Argument, type Config, isRecord, Refusal, Symbolic, shown } from "./layer.js"

/** An output of a call: the call's number among those of its layer, and the output's. */
export interface Reference {
  readonly layer: string
  readonly call: number
  readonly output: number
  readonly rank?: number
}

/** What a call is given; references stand where tensors will be. */
export type Given = Reference | readonly Given[] | string | number | boolean | null

export interface Call {
  readonly args: readonly Given[]
  readonly kwargs: Readonly<Record<string, Given>>
}

export interface Listed {
  readonly name: string
  readonly className: string
  readonly config: Config
  readonly isOperation: boolean
  readonly calls: readonly Call[]
  /** The layer's name among the attributes of its model, in files of Keras 3. */
  readonly attribute: string
}

export interface Topology {
  readonly name: string
  readonly layers: readonly Listed[]
  readonly inputs: readonly string[]
  readonly outputs: readonly Reference[]
}

export const isReference = (given: Given): given is Reference =>
  typeof given === "object" && given !== null && !Array.isArray(given)

/** Classes that are models themselves. */
export const isModel = (className: string): boolean =>
  className === "Sequential" || className === "Model" || className === "Functional"

/** Keras's name of a class as an attribute: `Conv2D` is `conv2d`, `MaxPooling2D` is `max_pooling2d`. */
export const snakeCase = (name: string): string =>
  // the one class that has another name inside of Keras
  (name === "GroupQueryAttention" ? "GroupedQueryAttention" : name)
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()

interface Entry {
  readonly name: string
  readonly className: string
  readonly config: Config
  readonly isOperation: boolean
  readonly inbound: readonly unknown[]
}

/** A layer's entry in the list of a model. */
export function readEntry(entry: unknown, version: 2 | 3): Entry {
  if (!isRecord(entry) || !isRecord(entry.config)) throw new Refusal("has no name, class or config")
  const { class_name: className, config, inbound_nodes = [], module } = entry
  const name = entry.name ?? config.name
  if (typeof name !== "string" || name === "" || typeof className !== "string")
    throw new Refusal("has no name, class or config")
  if (!Array.isArray(inbound_nodes)) throw new Refusal(`\`${name}\`: its inbound_nodes are no list`)
  const registered = entry.registered_name
  const isOperation =
    typeof module === "string"
      ? /^keras(\.src)?\.ops(\.|$)/.test(module)
      : version === 3 && !isModel(className) && config.trainable === undefined && config.dtype === undefined
  const isTheirs = typeof module !== "string" || /^(tf_)?keras(\.|$)/.test(module)
  if (!isTheirs || (typeof registered === "string" && registered.includes(">")))
    throw new Refusal(`\`${name}\` (${shown(className)}): a class of the model's own is not supported`)
  return { name, className, config, isOperation, inbound: inbound_nodes }
}

/** @throws Refusal for what is no model */
export function readTopology(className: string, config: unknown, version: 2 | 3): Topology {
  const listed = Array.isArray(config) ? config : isRecord(config) ? config.layers : undefined
  if (!isModel(className) || !Array.isArray(listed))
    throw new Refusal(`is no model of layers (class \`${shown(className)}\`)`)
  if (listed.length > limits.nodes) throw new Refusal(`has ${listed.length} layers (at most ${limits.nodes})`)
  const settings = isRecord(config) ? config : {}
  const name = typeof settings.name === "string" ? settings.name : ""
  const counts = new Map<string, number>()
  const entries = listed.map((entry, i) => {
    try {
      return readEntry(entry, version)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      throw new Refusal(`layer ${i} ${error.message}`)
    }
  })
  const attributes = entries.map((entry) => {
    const own = snakeCase(entry.className)
    const count = counts.get(own) ?? 0
    if (!entry.isOperation) counts.set(own, count + 1)
    return count === 0 ? own : `${own}_${count}`
  })
  if (className === "Sequential") return sequential(name, entries, attributes, settings)
  const known = new Map(entries.map((entry) => [entry.name, entry]))
  const layers = entries.map(({ inbound, ...entry }, i): Listed => {
    const calls = inbound.map((call) => readCall(entry.name, call, known))
    return { ...entry, calls, attribute: attributes[i] }
  })
  const outputs = references(settings.output_layers, known, "output_layers")
  const inputs =
    settings.input_layers === undefined
      ? entries.filter((entry) => entry.className === "InputLayer").map((entry) => entry.name)
      : references(settings.input_layers, known, "input_layers").map(({ layer }) => layer)
  if (outputs.length === 0) throw new Refusal("has no output_layers")
  return { name, layers, inputs, outputs }
}

/** A chain: each layer reads the one before it. */
function sequential(
  name: string,
  entries: readonly Entry[],
  attributes: readonly string[],
  settings: Config,
): Topology {
  const layers: Listed[] = []
  let last: string | undefined
  for (const [i, { inbound: _, ...entry }] of entries.entries()) {
    if (last === undefined && entry.className !== "InputLayer") {
      last = `${entry.name}_input`
      const shape =
        entry.config.batch_input_shape ??
        entry.config.batchInputShape ??
        entry.config.batch_shape ??
        settings.build_input_shape
      const config = {
        batch_input_shape: shape,
        dtype: entry.className === "Embedding" ? "int32" : "float32",
      }
      layers.push({
        name: last,
        className: "InputLayer",
        config,
        isOperation: false,
        calls: [],
        attribute: "",
      })
    }
    const calls: readonly Call[] =
      last === undefined ? [] : [{ args: [{ layer: last, call: 0, output: 0 }], kwargs: {} }]
    layers.push({ ...entry, calls, attribute: attributes[i] })
    last = entry.name
  }
  if (last === undefined) throw new Refusal("has no layers")
  return { name, layers, inputs: [layers[0].name], outputs: [{ layer: last, call: 0, output: 0 }] }
}

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * A layer, the number of its call, and of its output. A model's own outputs count as its call 0 where `isCounted`: in
 * Keras 2 and in lists of outputs.
 */
function reference(
  entry: readonly unknown[],
  known: ReadonlyMap<string, Entry>,
  isCounted: (className: string) => boolean,
): Reference | undefined {
  const [layer, call, output] = entry
  if (typeof layer !== "string" || !isIndex(call) || !isIndex(output)) return undefined
  const className = known.get(layer)?.className ?? ""
  return { layer, call: isCounted(className) ? call - 1 : call, output }
}

const isFunctional = (className: string) => className === "Functional" || className === "Model"

/** Outputs or inputs of a model: one `["a", 0, 0]`, a list of them, or an object that names them. */
function references(value: unknown, known: ReadonlyMap<string, Entry>, title: string): Reference[] {
  // Keras 3 writes its calls as objects, and does not count a Sequential model's own outputs
  const isNew = [...known.values()].some(({ inbound }) => inbound.some(isRecord))
  // Keras takes named outputs in the order of their names
  const list = isRecord(value)
    ? Object.keys(value)
        .sort()
        .map((key) => value[key])
    : value
  if (!Array.isArray(list)) throw new Refusal(`${title} are no layers`)
  const entries: readonly unknown[] = typeof list[0] === "string" ? [list] : list
  return entries.map((entry) => {
    const found = Array.isArray(entry) ? reference(entry, known, isNew ? isFunctional : isModel) : undefined
    if (!found) throw new Refusal(`${title} are no layers`)
    return found
  })
}

/** One call of a layer, in either format. */
function readCall(name: string, call: unknown, known: ReadonlyMap<string, Entry>): Call {
  if (isRecord(call)) {
    const args = (Array.isArray(call.args) ? call.args : []).map((arg) => newer(arg, known, 0))
    const kwargs = isRecord(call.kwargs) ? call.kwargs : {}
    if (!Array.isArray(call.args) || args.length > limits.nodes)
      throw new Refusal(`layer \`${name}\`: its inbound_nodes have no args`)
    return {
      args,
      kwargs: Object.fromEntries(Object.entries(kwargs).map(([key, arg]) => [key, newer(arg, known, 0)])),
    }
  }
  if (!Array.isArray(call)) throw new Refusal(`layer \`${name}\`: its inbound_nodes are not of Keras`)
  const list: readonly unknown[] = typeof call[0] === "string" ? [call] : call
  const kwargs: Record<string, Given> = {}
  const args = list.map((entry) => {
    const found = Array.isArray(entry) ? reference(entry, known, isModel) : undefined
    if (!found) throw new Refusal(`layer \`${name}\`: its inbound_nodes are not of Keras`)
    const named: unknown = (entry as unknown[])[3]
    if (isRecord(named)) for (const [key, value] of Object.entries(named)) kwargs[key] = older(value, known)
    return found
  })
  return { args: args.length === 1 ? args : [args], kwargs }
}

/** A named argument of Keras 2: a tensor is a list of a layer's name and two numbers. */
function older(value: unknown, known: ReadonlyMap<string, Entry>): Given {
  if (Array.isArray(value)) {
    const found = value.length >= 3 ? reference(value, known, isModel) : undefined
    if (found && known.has(found.layer)) return found
    return value.map((each) => older(each, known))
  }
  return plain(value)
}

/** An argument of Keras 3: tensors, arrays and tuples are objects that name their class. */
function newer(value: unknown, known: ReadonlyMap<string, Entry>, depth: number): Given {
  if (depth > limits.nesting) throw new Refusal("arguments are nested too deeply")
  if (Array.isArray(value)) return value.map((each) => newer(each, known, depth + 1))
  if (!isRecord(value)) return plain(value)
  const config = isRecord(value.config) ? value.config : {}
  if (value.class_name === "__keras_tensor__" && Array.isArray(config.keras_history)) {
    const found = reference(config.keras_history, known, () => false)
    if (found) return { ...found, ...(Array.isArray(config.shape) && { rank: config.shape.length }) }
  }
  if (value.class_name === "__tuple__" && Array.isArray(value.items))
    return value.items.map((each) => newer(each, known, depth + 1))
  if (value.class_name === "__numpy__" || value.class_name === "__tensor__")
    return newer(config.value, known, depth + 1)
  throw new Refusal(`an argument of class \`${shown(value.class_name)}\` is not supported`)
}

function plain(value: unknown): Given {
  if (value === undefined || value === null) return null
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value
  throw new Refusal("an argument that is an object is not supported")
}

/** What is given with tensors in the place of references; undefined while one of them is not there yet. */
export function resolve(
  given: Given,
  tensorOf: (reference: Reference) => string | undefined,
): Argument | undefined {
  if (Array.isArray(given)) {
    const parts: Argument[] = []
    for (const each of given as readonly Given[]) {
      const part = resolve(each, tensorOf)
      if (part === undefined) return undefined
      parts.push(part)
    }
    return parts
  }
  if (!isReference(given)) return given as Argument
  const tensor = tensorOf(given)
  return tensor === undefined ? undefined : new Symbolic(tensor, given.rank)
}
