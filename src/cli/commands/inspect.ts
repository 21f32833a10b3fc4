/** `countersign inspect`: a table of what each node of a circuit costs, and how its key was made. */
import * as api from "../../index.js"
import { heldKey, loadCircuit } from "../folder.js"
import { command } from "../options.js"
import { columns, onProgress, print } from "../terminal.js"
import { madeBy } from "../words.js"

const heads = ["node", "operator", "primitive", "bits", "lookups", "constraints", "share", "gadgets"]

export const inspectCommand = command("inspect", "what each node costs, and how the key was made")
  .argument("<folder>")
  .action(async (folder: string) => {
    const circuit = await loadCircuit(folder, onProgress)
    const report = api.inspect(circuit)
    const { constraints, lookups, domain } = report.totals
    const share = (count: number) => `${((100 * count) / constraints).toFixed(1)} %`
    const rows = report.nodes
      .filter((node) => node.constraints > 0 || node.primitive === "linear")
      .map((n) => [
        n.name,
        n.operator,
        n.primitive,
        String(n.accBits || ""),
        String(n.lookups || ""),
        String(n.constraints),
        share(n.constraints),
        n.gadget,
      ])
    const total = ["total", "", "", "", String(lookups), String(constraints), "", `domain ${domain}`]
    const key = heldKey(folder)
    const foreign = key && (key.architecture ?? key.model) !== circuit.model ? " (of another model)" : ""
    const facts = key && { digest: api.keyDigest(key), model: key.model, setup: key.setup }
    const made = facts
      ? [`key      ${facts.digest}${foreign}`, ...madeBy(facts.setup, "made by  ")]
      : ["no key"]
    print({ ...report, key: facts }, [...columns([heads, ...rows, total]), "", ...made])
  })
