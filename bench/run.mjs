/**
 * What ours takes, and beside others on the same inputs, in one run.
 *
 *   npm run bench -- [SECTION …] [--quick] [--json] [--out DIR] [--only TEXT] [--peer NAME[=PATH]] …
 *   npm run bench -- draw                plots and the README's table, again, from bench/results
 *
 * Without a name the sections in `standard`. A run of all of a section writes bench/results/<section>.csv, or DIR/…, when that
 * section is done; `--quick` (a small choice of each, under five minutes on two cores) and `--only` (what has TEXT in its
 * name) write only with `--out`. Progress goes to standard error. Of `kernels`: `--variant scalar|relaxed`; `ceremony`:
 * `--ptau FILE`; `log`: `--entries N`; `transformer`: `--prove`.
 *
 * Ends with an error, and prints no figures, if a result differs from the other side's or a proof does not verify.
 */
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { table } from "./compare.mjs"
import { environment, leading, writeRows } from "./record.mjs"

/** Sections: a function of the options that gives rows, loaded when it is asked for. */
const sections = {
  models: async (options) => (await import("./stages.mjs")).models(options),
  nodes: async (options) => (await import("./nodes.mjs")).nodes(options),
  operators: async (options) => (await import("./costs.mjs")).operators(options),
  scaling: async (options) => (await import("./scaling.mjs")).scaling(options),
  page: async (options) => (await import("./page.mjs")).page(options),
  kernels: async (options) => (await import("./kernels.mjs")).kernels(options),
  lenet: async (options) => (await import("./proofs.mjs")).lenet(options),
  peers: async (options) => (await import("./peers.mjs")).peers(options),
  ceremony: async (options) => (await import("./ceremony.mjs")).ceremony(options),
  universal: async (options) => (await import("./universal.mjs")).universal(options),
  log: async (options) => (await import("./log.mjs")).logs(options),
  transformer: async (options) => (await import("./transformer.mjs")).transformer(options),
}
/** Those of a run without names, in this order. */
const standard = ["models", "nodes", "operators", "scaling", "peers", "kernels", "lenet"]

/** What whoever runs this can mend; everything else is shown with its stack. */
class Refusal extends Error {}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        out: { type: "string" },
        only: { type: "string" },
        peer: { type: "string", multiple: true, default: [] },
        variant: { type: "string" },
        ptau: { type: "string" },
        entries: { type: "string" },
        prove: { type: "boolean" },
      },
    })
  } catch (error) {
    throw new Refusal(error.message)
  }
}

/** Said at once, not when all other sections have run. */
async function checkPeers(names, list) {
  if (!names.includes("peers")) throw new Refusal("--peer is for the section `peers`, which is not asked for")
  const { parsePeers } = await import("./peers.mjs")
  try {
    parsePeers(list)
  } catch (error) {
    throw new Refusal(error.message)
  }
}

async function main() {
  const { values: options, positionals } = readArguments()
  const names =
    positionals.length > 0 ? positionals : standard.filter((name) => Object.hasOwn(sections, name))
  const known = [...Object.keys(sections), "draw"]
  for (const name of names)
    if (!known.includes(name)) throw new Refusal(`no benchmark \`${name}\`; there are: ${known.join(", ")}`)
  if (options.peer.length > 0) await checkPeers(names, options.peer)
  const results = fileURLToPath(new URL("./results", import.meta.url))
  const directory = options.out ?? (options.quick || options.only ? undefined : results)
  const where = environment()
  const rows = []
  for (const name of new Set(names)) {
    if (name === "draw") continue
    process.stderr.write(`${name}\n`)
    const some = await sections[name](options)
    if (some.length === 0) continue
    if (directory !== undefined) process.stderr.write(`${writeRows(directory, name, some)}\n`)
    rows.push(...some.map((row) => ({ ...row, ...where })))
    if (!options.json) console.log(`${table(some)}\n`)
  }
  if (rows.length === 0 && !names.includes("draw"))
    throw new Refusal(`nothing of ${names.join(", ")} has a name with \`${options.only}\``)
  // JSON has no undefined
  const begin = (row) => Object.fromEntries(leading.map((field) => [field, row[field] ?? null]))
  if (options.json)
    console.log(JSON.stringify({ rows: rows.map((row) => ({ ...row, ...begin(row) })) }, null, 2))
  else if (rows.length > 0) console.log(Object.values(where).join(", "))
  if (names.includes("draw") || directory !== undefined)
    await (await import("./draw.mjs")).draw(directory ?? results)
}

// whoever is told to end takes along what it started
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1))
try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Refusal ? `error: ${error.message}` : error.stack}\n`)
  process.exitCode = 1
}
