/**
 * Runs integer models on a backend whose packages are optional, in a process of its own: node backends-child.mjs BACKEND FOLDER FILE…
 * FOLDER is where the packages are, a FILE a serialized model. Prints one JSON object.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as tf from "@tensorflow/tfjs-core"
import { deserialize, openBackends, runInteger, runIntegers } from "../../dist/index.js"

const [name, folder, ...files] = process.argv.slice(2)
const require = createRequire(join(folder, "package.json"))
const load = (wanted) => import(pathToFileURL(require.resolve(wanted)))
const backend = openBackends(name, { load })

/** Whether all tensors are as loops give them, on inputs at the ends of what is admitted and between. */
async function same(graph) {
  const inputs = [0, 1, 2].map((run) =>
    Object.fromEntries(
      graph.inputs.map(({ name, tensor, lo, bits }) => [
        name,
        Float64Array.from(graph.tensors[tensor].lo, (_, i) =>
          run === 2 ? lo + 2 ** bits - 1 : lo + ((7919 * (i + 1 + run)) % 2 ** bits),
        ),
      ]),
    ),
  )
  const tensors = graph.nodes.map(({ out }) => out)
  const got = await runIntegers(graph, inputs, { backend, tensors })
  return inputs.every((input, i) =>
    [...runInteger(graph, input)].every(([id, values]) => values.every((x, j) => got[i].get(id)[j] === x)),
  )
}

const graphs = files.map((file) => deserialize(readFileSync(file), file))
const equal = []
for (const graph of graphs) equal.push(await same(graph))
const { chosen, passedOver: refused } = backend
const tensors = tf.engine().state.numTensors
// while a model runs its device goes
const device = tf.engine().registry[name]?.device
device?.destroy()
const after = device ? await same(graphs[0]) : undefined
const { passedOver } = backend
await backend.close()
// once more in the same process
const again = openBackends(name, { load })
const [graph] = graphs
const input = Object.fromEntries(
  graph.inputs.map(({ name, tensor, lo }) => [name, graph.tensors[tensor].lo.map(() => lo)]),
)
await runIntegers(graph, [input], { backend: again })
const second = again.chosen
await again.close()
console.log(JSON.stringify({ equal, chosen, refused, tensors, after, passedOver, second }))
