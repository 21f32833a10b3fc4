/** `countersign run`: what the integer model says, without a proof. */
import * as api from "../../index.js"
import { backendOption, backendsOf } from "../backend.js"
import { clampOption, loadWithInput } from "../input.js"
import { command } from "../options.js"
import { print } from "../terminal.js"

export const runCommand = command("run", "run the integer model without proving")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .addOption(clampOption)
  .addOption(backendOption)
  .action(async (folder: string, inputPath: string, { clamp = false, backend: name }) => {
    await using backend = backendsOf(name)
    const { owned, quantized } = await loadWithInput(folder, inputPath, clamp)
    const { circuit } = owned
    const { graph } = circuit
    const [values] = await api.runIntegers(graph, [quantized], { backend })
    const integers: Record<string, number[]> = {}
    const outputs: Record<string, number[]> = {}
    for (const { name, tensor } of graph.outputs) {
      integers[name] = Array.from(values.get(tensor) as Float64Array)
      outputs[name] = Array.from(api.dequantize(graph.tensors[tensor], integers[name]))
    }
    print(
      { outputs, integers },
      Object.entries(outputs).map(([name, xs]) => `${name}: ${xs.map((x) => x.toPrecision(6)).join(" ")}`),
    )
  })
