/**
 * What each backend takes for the accuracy of LeNet on the 10,000 handwritten digits of the package `mnist`: both models on
 * every digit, all that `measureAccuracy` counts. Loops come first; every integer that is said of the others has to be the same.
 *
 *     node bench/backends.mjs [COUNT] [BACKEND[=COUNT] …]
 *
 * `webgpu` and `node-gpu` need packages that are not installed by default, here or under the folder BACKENDS:
 * npm install --no-save webgpu @tensorflow/tfjs-backend-webgpu
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { runnerImport } from "vite"
import {
  importOnnx,
  lower,
  measureAccuracy,
  openBackends,
  parseSamples,
  quantizeProgram,
} from "../dist/index.js"

const { digits } = (await runnerImport(new URL("../examples/digits.ts", import.meta.url).pathname)).module
const read = (name) => readFileSync(new URL(`../examples/mnist-lenet/${name}`, import.meta.url))
const require = createRequire(
  `${process.env.BACKENDS ?? new URL("..", import.meta.url).pathname}/package.json`,
)
const load = (name) => import(pathToFileURL(require.resolve(name)))

const [first = "10000", ...named] = process.argv.slice(2)
const count = Number(first)
const wanted = (named.length > 0 ? named : ["loops", "wasm"]).map((each) => {
  const [name, own = count] = each.split("=")
  return { name, count: Number(own) }
})

const graph = importOnnx(read("model.onnx"))
const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
const program = lower(graph)
const model = await quantizeProgram(program, { samples, backend: "loops" })
const [{ name: input }] = model.inputs
// classes mixed, so that a part has all of them
const all = [...digits("train"), ...digits("test")]
const mixed = all.map((_, i) => all[(i * 7919) % all.length]).slice(0, count)
const given = mixed.map(({ pixels }) => ({ [input]: pixels }))
const labels = mixed.map(({ label }) => label)

const found = new Map()
for (const { name, count: own } of wanted) {
  const backend = openBackends(name, {
    load,
    onPassedOver: ({ backend, reason }) => console.log(`${backend} is passed over: ${reason}`),
  })
  const options = { labels: labels.slice(0, own), backend }
  const part = given.slice(0, own)
  // starts it, and compiles what it runs
  const begin = performance.now()
  await measureAccuracy(program, model, part.slice(0, 64), { labels: labels.slice(0, 64), backend })
  const startMs = performance.now() - begin
  const [cpu, wall] = [process.cpuUsage(), performance.now()]
  const { float, integer, agreement, saturation } = await measureAccuracy(program, model, part, options)
  const used = process.cpuUsage(cpu)
  const said = JSON.stringify({ float, integer, agreement, saturation })
  const expected = found.get(own) ?? said
  found.set(own, said)
  const seconds = (performance.now() - wall) / 1000
  const share = (x) => `${(100 * x).toFixed(2)} %`
  console.log(
    [
      name.padEnd(9),
      `${own} digits`,
      `${seconds.toFixed(2)} s`,
      `processor ${((used.user + used.system) / 1e6).toFixed(2)} s`,
      `${((1000 * seconds) / own).toFixed(3)} ms a digit`,
      `first batch ${startMs.toFixed(0)} ms`,
      `float ${share(float)}, integer ${share(integer)}`,
      said === expected ? "" : "NOT THE SAME",
      backend.chosen === name ? "" : `(ran on ${backend.chosen})`,
    ].join("  "),
  )
  await backend.close()
}
