/** `countersign inspect`: a table of what each node of a circuit costs. */
import * as api from "../../index.js"
import { loadCircuit } from "../folder.js"
import { command } from "../options.js"
import { columns, onProgress, print } from "../terminal.js"

const heads = ["node", "operator", "primitive", "bits", "lookups", "constraints", "share", "gadgets"]

export const inspectCommand = command("inspect", "what each node costs")
  .argument("<folder>")
  .action(async (folder: string) => {
    const report = api.inspect(await loadCircuit(folder, onProgress))
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
    print({ ...report }, columns([heads, ...rows, total]))
  })
