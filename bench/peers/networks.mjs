/** The models that are compared: two digit classifiers of those that are measured (networks.mjs), or others by name. */
import { networks } from "../networks.mjs"

const standard = ["784-56-10", "LeNet"]

/** Networks as prepared.mjs takes them: those with `only` in their names, or the standard ones; of a quick run the smaller. */
export async function networksFor({ quick, only }) {
  const names = quick ? standard.slice(0, 1) : standard
  const chosen = networks.filter(({ name }) =>
    only ? name.includes(only) : names.some((start) => name.startsWith(start)),
  )
  const loaded = []
  for (const { name, weights, load } of chosen) {
    const { file, samples, unseen, options } = await load()
    loaded.push({ name, weights, onnx: file, samples, input: unseen[0], options })
  }
  return loaded
}
