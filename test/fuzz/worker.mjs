/**
 * Runs cases of one parser: `node worker.mjs PARSER SEEDS SEED FROM SECONDS`, or one case with SECONDS 0. Which case
 * runs stands in the file `progress`, so that whoever waits for this process knows what ended it.
 */
import { openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { CountersignError } from "#src/errors.js"
import { Random } from "./mutate.mjs"
import { targets } from "./targets.mjs"

const [name, seeds, seed, from, seconds] = process.argv.slice(2)
const mostBytes = 512 * 2 ** 20
const mostMs = 5000

const { parts, prepare, parse } = targets[name]
const folder = join(seeds, name)
const read = (path) =>
  path.endsWith(".txt") ? readFileSync(path, "utf8") : new Uint8Array(readFileSync(path))
/** Files, each a list of its parts. */
const files = readdirSync(folder)
  .filter((file) => /^\d+$/.test(file))
  .sort()
  .map((file) => parts.map((_, part) => read(join(folder, file, `${part}`))))
const context = Object.fromEntries(
  readdirSync(folder)
    .filter((file) => file.startsWith("with-"))
    .map((file) => {
      const value = read(join(folder, file))
      const [, key] = /^with-(\w+)/.exec(file)
      return [key, file.endsWith(".json.txt") ? JSON.parse(value) : value]
    }),
)
const state = prepare ? await prepare(context) : { ...context, scratch: folder }

const progress = openSync(join(folder, "progress"), "w")
const seen = new Set()
const counts = { cases: 0, accepted: 0, refused: 0, failures: [] }

/** The parts of case n: those of one file, one of them mutated. */
function caseOf(n) {
  const random = new Random(`${seed} ${name} ${n}`)
  const file = random.pick(files)
  const part = random.below(parts.length)
  const other = random.pick(files)[part]
  return file.map((bytes, i) => (i === part ? parts[i](bytes, random, other) : bytes))
}

async function run(n) {
  writeSync(progress, `${n}`.padEnd(16), 0)
  const given = caseOf(n)
  const bytes = given.reduce((sum, part) => sum + part.length, 0)
  const before = process.memoryUsage.rss()
  if (before > 256 * 2 ** 20) globalThis.gc?.()
  const base = process.memoryUsage.rss()
  const peakBefore = process.resourceUsage().maxRSS * 1024
  const cpu = process.cpuUsage()
  let failure
  try {
    await parse(given, state)
    counts.accepted++
  } catch (error) {
    if (error instanceof CountersignError) counts.refused++
    else failure = `${error?.name}: ${error?.message}\n${error?.stack ?? ""}`
  }
  const { user, system } = process.cpuUsage(cpu)
  const ms = (user + system) / 1000
  const peak = process.resourceUsage().maxRSS * 1024
  if (ms > mostMs) failure ??= `took ${Math.round(ms)} ms`
  if (peak > peakBefore && peak - base > mostBytes + bytes)
    failure ??= `took ${Math.round((peak - base) / 2 ** 20)} MiB`
  counts.cases++
  if (!failure) return
  // what fails in one place is one failure
  const place = failure.split("\n").slice(0, 4).join("\n")
  if (seen.has(place)) return
  seen.add(place)
  counts.failures.push({ n, failure })
  given.forEach((part, i) => {
    writeFileSync(join(folder, `failure-${n}-${i}`), part)
  })
}

const report = () => writeFileSync(join(folder, "result.json"), JSON.stringify(counts))

// what is mutated is accepted as it is
for (const file of files) await parse(file, state)
if (Number(seconds) === 0) {
  await run(Number(from))
} else {
  const end = Date.now() + 1000 * Number(seconds)
  for (let n = Number(from); Date.now() < end && counts.failures.length < 20; n++) {
    await run(n)
    if (counts.cases % 256 === 0) report()
  }
}
counts.done = true
report()
