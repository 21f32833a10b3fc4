/** Where a model's file keeps a layer's weights: under names, or at numbered places of a path of attributes. */
import type { Tensor } from "../graph.js"
import type { Hdf5 } from "../hdf5/hdf5.js"
import { type Part, Refusal } from "./layer.js"

/** A layer within its model, as names and as attributes of Keras's objects. */
export interface Place {
  readonly names: readonly string[]
  readonly attributes: readonly string[]
}

export interface Weights {
  /** Numbers of all weights together. */
  readonly held: number
  /** @throws Refusal if there is none, or more than one that might be meant */
  find(place: Place, suffixes: readonly string[], at: number, part: Part | undefined): Tensor
}

/** A weight under a name, which may be read later. */
export interface Named {
  /** The layer of the whole model that the file lists it under, if it does so. */
  readonly group?: string
  readonly path: string
  readonly read: () => Tensor
}

const missing = (suffix: string): never => {
  throw new Refusal(`weight \`${suffix}\` is missing`)
}

/** Weights whose names are paths with their layers' names in them, as of tfjs and of Keras's older files. */
export class NamedWeights implements Weights {
  /** By group and last part of the name; without groups, by each part of it, or by all before the last. */
  readonly #index = new Map<string, Named[]>()
  constructor(
    weights: readonly Named[],
    readonly held: number,
  ) {
    for (const weight of weights) {
      const parts = plainPath(weight).split("/")
      const end = parts.pop() ?? ""
      const owners = weight.group === undefined ? [...parts, parts.join("/")] : [weight.group]
      for (const key of new Set(owners.map((owner) => keyOf(owner, end)))) {
        const list = this.#index.get(key)
        if (list) list.push(weight)
        else this.#index.set(key, [weight])
      }
    }
  }

  find({ names }: Place, suffixes: readonly string[], _at: number, part: Part | undefined): Tensor {
    const own = names[names.length - 1]
    for (const suffix of suffixes) {
      const owners = [names[0], own, names[names.length - 2] ?? own]
      const all = [...new Set(owners.flatMap((owner) => this.#index.get(keyOf(owner, suffix)) ?? []))]
      const fitting = (isOwn: (weight: Named) => boolean) =>
        all.filter(
          (weight) =>
            isOwn(weight) &&
            (part?.name === undefined || plainPath(weight).endsWith(`${part.name}/${suffix}`)),
        )
      // a layer may have been given another name than its weights have; its group then says it all
      let found = fitting((weight) => names.length === 1 || mentions(weight, [own]))
      // wrappers may leave out the name of the layer inside
      if (found.length === 0)
        found = fitting((weight) => `/${plainPath(weight)}`.endsWith(`/${names[names.length - 2]}/${suffix}`))
      if (found.length > 1) found = found.filter((weight) => mentions(weight, [own]))
      if (found.length > 1) found = found.filter((weight) => mentions(weight, names))
      if (found.length > 1)
        throw new Refusal(`weight \`${suffix}\` might be any of ${found.length} in the file`)
      if (found.length === 1) return found[0].read()
    }
    return missing(suffixes[0])
  }
}

const keyOf = (owner: string, end: string): string => JSON.stringify([owner, end])

/** A name without TensorFlow's number of the output. */
const plainPath = ({ path }: Named): string => path.replace(/:\d+$/, "")

/** Whether the names of layers stand in a weight's name, one after another. */
function mentions(weight: Named, names: readonly string[]): boolean {
  const path = `/${plainPath(weight)}`
  let at = 0
  return names.every((name) => {
    const found = path.indexOf(`/${name}/`, at)
    at = found + name.length + 1
    return found >= 0
  })
}

/** Weights of Keras 3: variables by their number, in groups by attributes. */
export class PlacedWeights implements Weights {
  constructor(
    private readonly file: Hdf5,
    readonly held: number,
  ) {}

  find({ attributes }: Place, suffixes: readonly string[], at: number, part: Part | undefined): Tensor {
    // Keras 2 has an underscore before the names of such attributes
    const layers = part
      ? [part.attribute, `_${part.attribute}`].map((name) => [...attributes, name])
      : [attributes]
    const paths = layers.map((layer) => [...layer, "vars", String(at)])
    const path = paths.find((each) => this.file.find(each) !== undefined) ?? paths[0]
    const found = this.file.find(path)
    return found === undefined ? missing(suffixes[0]) : this.file.tensor(found, path.join("/"))
  }
}
