/**
 * Ours against others on the same inputs, in one run.
 *
 *   npm run bench -- [kernels] [lenet] [ceremony] [universal] [log [--entries N]] [transformer [--prove]]
 *                    [--only TEXT]
 *                    [--variant scalar|relaxed] [--ptau FILE] [--json]
 *
 * Without a name kernels and lenet; ceremony waits a quarter of an hour for snarkjs, universal and log take some minutes.
 *
 * Ends with an error, and prints no figures, if a result differs from the other side's.
 */
import { parseArgs } from "node:util"
import { ceremony } from "./ceremony.mjs"
import { table } from "./compare.mjs"
import { kernels } from "./kernels.mjs"
import { logs } from "./log.mjs"
import { proofs } from "./proofs.mjs"
import { transformer } from "./transformer.mjs"
import { universal } from "./universal.mjs"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    variant: { type: "string" },
    ptau: { type: "string" },
    entries: { type: "string" },
    prove: { type: "boolean" },
    json: { type: "boolean" },
  },
})
const suites = { kernels, lenet: () => proofs(["mnist-lenet"]), ceremony, universal, log: logs, transformer }
const names = positionals.length > 0 ? positionals : ["kernels", "lenet"]
for (const name of names) {
  if (!Object.hasOwn(suites, name)) {
    throw new Error(`no benchmark \`${name}\`; there are: ${Object.keys(suites).join(", ")}`)
  }
}
const rows = []
for (const name of names) rows.push(...(await suites[name](values)))
console.log(values.json ? JSON.stringify({ rows }, null, 2) : table(rows))
