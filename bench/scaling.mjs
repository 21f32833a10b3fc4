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

async function inProcess(...args) {
  const { stdout } = await run(process.execPath, [child, ...args.map(String)], { maxBuffer: 2 ** 24 })
  return JSON.parse(stdout)
}

/**
 * A row for each size, runtime and number of threads. `quick`: up to 2^14; `only`: one power, as `2^16`.
 * @throws Error if a proof does not verify
 */
export async function scaling({ quick = false, only } = {}) {
  const powers = Object.keys(sizes)
    .map(Number)
    .filter((power) => (only?.startsWith("2^") ? only === `2^${power}` : !quick || power <= 14))
  const pages = await openPages()
  if (typeof pages === "string") say(`scaling: no pages: ${pages}`)
  const cores = availableParallelism()
  const rows = []
  for (const power of powers) {
    const folder = mkdtempSync(join(tmpdir(), "countersign-scaling-"))
    try {
      const { peakBytes: setupPeakBytes, ...circuit } = await inProcess("prepare", folder, power)
      const add = (runtime, threads, figures) => {
        const { times, firstMs, openMs, peakBytes, note, chromium } = figures
        const ms = times && median(times)
        const name = `2^${power}, ${runtime}, ${threads === 1 ? "1 thread" : `${threads} threads`}`
        const leastMs = times && Math.min(...times)
        const measured = { leastMs, firstMs, openMs, peakBytes, note, chromium }
        rows.push({
          ...{ name, against: undefined, ms, otherMs: undefined, ratio: undefined },
          ...{ power, runtime, threads, ...circuit, setupPeakBytes, ...measured },
        })
        const megabytes = peakBytes && `, ${Math.round(peakBytes / 2 ** 20)} MiB`
        say(`scaling ${name}: ${ms === undefined ? note : `${ms.toFixed(0)} ms${megabytes ?? ""}`}`)
      }
      for (const threads of new Set([cores, 1]))
        add("node", threads, await inProcess("prove", folder, threads))
      if (typeof pages === "string") continue
      for (const isIsolated of cores > 1 ? [true, false] : [false]) {
        const figures = await pages(folder, isIsolated, patience)
        add("chromium", figures.threads ?? cores, figures)
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return rows
}
