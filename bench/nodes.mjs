/**
 * Section `nodes`: what each node of a model costs, as `countersign inspect` says it. Nothing is timed but the way from the model
 * to the circuit, which every row of it has.
 */
import * as api from "../dist/index.js"
import { networks } from "./networks.mjs"

const shown = ["LeNet 28_6_16_120_84_10_5", "ResNet-20"]

/** Rows of all nodes that have constraints, in the order of the model; `quick`: of the first model alone. */
export async function nodes({ quick = false, only = "" } = {}) {
  const rows = []
  for (const name of quick ? shown.slice(0, 1) : shown) {
    if (!name.includes(only)) continue
    const network = networks.find((one) => one.name === name)
    if (network === undefined) throw new Error(`there is no network ${name} any more`)
    const { file, samples, options } = await network.load()
    const started = performance.now()
    const model = await api.quantize(api.importOnnx(file), { samples, ...options })
    const circuit = await api.compile(model, { maxConstraints: 2 ** 22 })
    const ms = performance.now() - started
    for (const [place, node] of api.inspect(circuit).nodes.entries()) {
      const { name: of, operator, primitive, lookups, constraints, accBits } = node
      if (constraints === 0) continue
      // those of the model as a whole have no operator: their name is what they are
      const label = operator === "" ? primitive : of
      rows.push({
        ...{ name: `${name}, ${place}`, against: undefined, ms, otherMs: undefined, ratio: undefined },
        ...{ model: name, place, nodeName: label, operator, primitive, constraints, lookups, accBits },
      })
    }
    process.stderr.write(`nodes: ${name}\n`)
  }
  return rows
}
