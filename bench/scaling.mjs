/**
 * Section `scaling`: time and memory of a proof against constraints, from 2^12 to 2^20, on one thread and on as many as
 * there are cores, in Node and in a page of headless Chromium. Each in a process of its own, which reads the files that a
 * first one wrote: what is measured is what somebody has who opens a key and proves. Medians of up to seven proofs after one
 * that does not count; for few seconds each.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { median } from "./compare.mjs"
import { openPages } from "./scaling/chromium.mjs"
import { sizes } from "./scaling/networks.mjs"

const run = promisify(execFile)
const child = fileURLToPath(new URL("scaling/child.mjs", import.meta.url))
const say = (text) => process.stderr.write(`${text}\n`)

/** What of a page may take no longer, ms: the largest takes some tens of seconds. */
const patience = 300_000

/** Figures of a process of its own, which ends with this one. */
async function inProcess(...args) {
  const running = run(process.execPath, [child, ...args.map(String)], { maxBuffer: 2 ** 24 })
  const end = () => running.child.kill()
  process.once("exit", end)
  try {
    return JSON.parse((await running).stdout)
  } finally {
    process.off("exit", end)
  }
}

/** What is measured of a size: in which runtime, on how many threads. */
function runsOf(power, cores, hasPages) {
  const threads = cores > 1 ? [cores, 1] : [1]
  const runtimes = hasPages ? ["node", "chromium"] : ["node"]
  return runtimes.flatMap((runtime) =>
    threads.map((n) => ({
      ...{ power, runtime, threads: n },
      name: `2^${power}, ${runtime}, ${n === 1 ? "1 thread" : `${n} threads`}`,
    })),
  )
}

/**
 * A row for each size, runtime and number of threads; where a page cannot do it, `note` says why. `quick`: up to 2^14; `only`: what
 * has it in its name, as "2^16" or "chromium".
 * @throws Error if a proof does not verify
 */
export async function scaling({ quick = false, only = "" } = {}) {
  const pages = await openPages()
  const hasPages = typeof pages !== "string"
  if (!hasPages) say(`scaling: no pages: ${pages}`)
  const cores = availableParallelism()
  const rows = []
  for (const power of Object.keys(sizes).map(Number)) {
    const runs = runsOf(power, cores, hasPages).filter(({ name }) => name.includes(only))
    if (runs.length === 0 || (quick && power > 14)) continue
    const folder = mkdtempSync(join(tmpdir(), "countersign-scaling-"))
    // a process that is told to end leaves nothing behind
    const forget = () => rmSync(folder, { recursive: true, force: true })
    process.once("exit", forget)
    try {
      const { peakBytes: setupPeakBytes, ...circuit } = await inProcess("prepare", folder, power)
      for (const { name, ...one } of runs) {
        const { runtime, threads } = one
        const figures =
          runtime === "node"
            ? await inProcess("prove", folder, threads)
            : await pages(folder, threads > 1, patience)
        rows.push(rowOf(name, { ...one, ...circuit, setupPeakBytes }, figures))
      }
    } finally {
      process.off("exit", forget)
      forget()
    }
  }
  return rows
}

function rowOf(name, facts, { times, firstMs, openMs, peakBytes, note, chromium }) {
  const ms = times && median(times)
  const leastMs = times && Math.min(...times)
  const taken = ms === undefined ? note : `${ms.toFixed(0)} ms, ${Math.round(peakBytes / 1e6)} MB`
  say(`scaling: ${name}: ${taken}`)
  return {
    ...{ name, against: undefined, ms, otherMs: undefined, ratio: undefined },
    ...{ ...facts, leastMs, firstMs, openMs, peakBytes, note, chromium },
  }
}
