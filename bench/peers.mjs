/**
 * Ours beside other provers: the same model, the same input, the same run, one after the other in rounds; medians and least
 * times of the rounds. Input private, weights constants of the circuit, output public, on every side.
 *
 *   npm run bench -- peers [--quick] [--only TEXT] [--peer NAME[=PATH]] …
 *
 *   always                     circom + snarkjs, and snarkjs on our own plain circuit
 *   --peer ezkl[=PYTHON]       EZKL, in a virtual environment that is made in .cache, or by that Python
 *   --peer zkey-prover=PATH    a program called as rapidsnark is: PATH circuit.zkey witness.wtns proof.json public.json
 *   --peer arkworks            such a program of ours (peers/arkworks), which cargo builds first
 *
 * Rows are of two modes. `resident`: model and key are in memory, from the input to the proof. `process`: a whole process,
 * with reading all of it. Either is beside ours in the same mode (docs/BENCHMARKS.md says what each includes).
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { median } from "./compare.mjs"
import { arkworksProver } from "./peers/arkworks.mjs"
import { ezklPython, ezklSides } from "./peers/ezkl.mjs"
import { networksFor } from "./peers/networks.mjs"
import { openOurs } from "./peers/ours.mjs"
import { prepare } from "./peers/prepared.mjs"
import { closeSnarkjs, snarkjsSides } from "./peers/snarkjs.mjs"
import { ofCircom, ofPlain } from "./peers/statements.mjs"
import { zkeyProverSides } from "./peers/zkey-prover.mjs"

/** Rounds: at least three, up to nine within a minute and a half. */
const [fewest, most, enoughMs] = [3, 9, 90_000]
const known = "ezkl, ezkl=PYTHON, zkey-prover=PATH, arkworks"

/** What `--peer` names: { ezkl: Python or true, provers: paths, arkworks }. @throws Error for what there is not */
export function parsePeers(list = []) {
  const asked = { ezkl: undefined, provers: [], arkworks: false }
  for (const text of list) {
    const [name, path] = text.includes("=") ? text.split(/=(.*)/s) : [text, undefined]
    if (path === "") throw new Error(`--peer ${text}: there is no path behind the =`)
    if (name === "ezkl") asked.ezkl = path ?? true
    else if (name === "zkey-prover" && path !== undefined) asked.provers.push(path)
    else if (name === "zkey-prover") throw new Error("--peer zkey-prover: say which, as zkey-prover=PATH")
    else if (name === "arkworks" && path === undefined) asked.arkworks = true
    else throw new Error(`no peer \`${text}\`; there are: ${known}`)
  }
  return asked
}

/** A row for each peer and mode of each network. @throws Error if a proof does not verify or shows something else */
export async function peers({ quick = false, only = "", peer = [] } = {}) {
  const asked = parsePeers(peer)
  const say = (text) => process.stderr.write(`peers: ${text}\n`)
  const python = asked.ezkl === true ? await ezklPython(say) : asked.ezkl
  const provers = [...asked.provers, ...(asked.arkworks ? [await arkworksProver(say)] : [])]
  const rows = []
  try {
    for (const network of await networksFor({ quick, only }))
      rows.push(
        ...(await rowsOf(network, { python, provers, quick }, (text) => say(`${network.name}: ${text}`))),
      )
  } finally {
    await closeSnarkjs()
  }
  return rows
}

async function rowsOf(network, { python, provers, quick }, say) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-peers-"))
  // gigabytes, which nobody is to be left with, whoever ends this
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once("exit", remove)
  let ours
  try {
    const prepared = await prepare(network, folder)
    say("ours")
    ours = await openOurs(prepared)
    const made = [await ofCircom(prepared, say), await ofPlain(prepared)]
    const statements = made.filter((statement) => statement !== undefined)
    const sides = []
    for (const statement of statements) sides.push(...(await snarkjsSides(statement)))
    for (const path of provers)
      for (const statement of statements) sides.push(...(await zkeyProverSides(path, statement)))
    if (python !== undefined) sides.push(...(await ezklSides(python, prepared, say)))
    return await measure(prepared.name, ours, sides, { quick, say })
  } finally {
    await ours?.close()
    process.off("exit", remove)
    remove()
  }
}

/** Runs all sides in rounds; gives a row for each of the others'. `ours`: { resident, command }. */
export async function measure(name, ours, sides, { quick = false, say = () => undefined } = {}) {
  const all = [
    { ...ours.resident, mode: "resident", warmUp: true },
    { ...ours.command, mode: "process" },
    ...sides,
  ]
  const taken = all.map(() => [])
  // engines compile what runs often anew: whoever stays in this process has a round that is not counted
  if (!quick) for (const side of all) if (side.warmUp) await side.run()
  const started = performance.now()
  const [few, many] = quick ? [1, 1] : [fewest, most]
  for (let round = 0; round < many; round++) {
    if (round >= few && (performance.now() - started) * ((round + 1) / round) > enoughMs) break
    say(`round ${round + 1}`)
    for (const [i, side] of all.entries()) {
      const result = await side.run()
      if (result !== undefined) taken[i].push(result)
    }
  }
  const summaries = taken.map(summary)
  return sides.flatMap((side, k) => {
    const theirs = summaries[k + 2]
    // of a program that does not say what a proof took by itself there is no such row
    if (theirs === undefined) return []
    const mine = all.findIndex(({ mode }) => mode === side.mode)
    return [row(name, side, { ...all[mine].facts, ...summaries[mine] }, { ...side.facts, ...theirs })]
  })
}

/** Medians of what runs gave, and the least of their times. */
function summary(runs) {
  if (runs.length === 0) return undefined
  const fields = Object.keys(runs[0])
  const result = { rounds: runs.length, leastMs: Math.min(...runs.map(({ ms }) => ms)) }
  for (const field of fields) {
    const values = runs.map((run) => run[field]).filter((value) => value !== undefined)
    if (values.length === runs.length)
      result[field] = field === "peakBytes" ? Math.max(...values) : median(values)
  }
  return result
}

/** What both sides have, in this order; of the other side it begins with `other`. */
const compared = [
  "leastMs",
  "constraints",
  "compileMs",
  "setupMs",
  "verifyMs",
  "provingKeyBytes",
  "verificationKeyBytes",
  "proofBytes",
  "peakBytes",
  "compilePeakBytes",
  "setupPeakBytes",
  "error",
  "sameClass",
]
/** What only others have. */
const theirsAlone = ["witnessMs", "proveMs", "rows", "usedRows", "assignments", "scaleBits", "powersBytes"]
const prefixed = (field) => `other${field[0].toUpperCase()}${field.slice(1)}`

function row(name, { against, mode, peer, peerVersion, note }, ours, theirs) {
  const { ms, rounds, proofSystem } = ours
  const fields = { name, against, ms, otherMs: theirs.ms, ratio: theirs.ms / ms }
  Object.assign(fields, { mode, peer, peerVersion, note, proofSystem, rounds })
  for (const field of compared)
    Object.assign(fields, { [field]: ours[field], [prefixed(field)]: theirs[field] })
  for (const field of theirsAlone) fields[prefixed(field)] = theirs[field]
  return fields
}
