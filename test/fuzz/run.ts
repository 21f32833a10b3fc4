/** Runs the fuzzer's workers, each of which may hang or die, and says what they found. */
import { spawn } from "node:child_process"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url))
/** A case that has not ended by then is ended; what it may take is 5 s of processor. */
const hangMs = 30_000
/** Megabytes of the heap of a worker. */
const heapMib = 768
/** Memory of a whole worker at which it is ended. */
const mostBytes = 2 ** 31

export interface Failure {
  readonly parser: string
  readonly n: number
  readonly failure: string
}

export interface Outcome {
  readonly parser: string
  readonly cases: number
  readonly accepted: number
  readonly refused: number
  readonly failures: readonly Failure[]
}

/** Runs cases of one parser for some seconds, or case `from` alone for none. */
export async function fuzz(
  parser: string,
  seeds: string,
  seed: number,
  seconds: number,
  from = 0,
): Promise<Outcome> {
  const folder = join(seeds, parser)
  const end = Date.now() + 1000 * seconds
  let total: Outcome = { parser, cases: 0, accepted: 0, refused: 0, failures: [] }
  for (let first = from; ; ) {
    const left = seconds === 0 ? 0 : Math.max(1, (end - Date.now()) / 1000)
    const { result, dead } = await work(folder, [parser, seeds, `${seed}`, `${first}`, `${left}`])
    if (result) {
      const failures = result.failures.map((failure) => ({ parser, ...failure }))
      total = {
        parser,
        cases: total.cases + result.cases,
        accepted: total.accepted + result.accepted,
        refused: total.refused + result.refused,
        failures: [...total.failures, ...failures],
      }
    }
    if (dead === undefined) return total
    const n = Number(readFileSync(join(folder, "progress"), "utf8"))
    total = {
      ...total,
      cases: total.cases + n - first,
      failures: [...total.failures, { parser, n, failure: dead }],
    }
    first = n + 1
    if (seconds === 0 || Date.now() >= end || total.failures.length >= 20) return total
  }
}

/** What a worker reports now and then, and when it is done. */
type Result = Omit<Outcome, "parser" | "failures"> & {
  readonly failures: readonly { n: number; failure: string }[]
  readonly done?: boolean
}

/** One worker's life: what it reports, or how it ended without. */
function work(folder: string, parameters: readonly string[]): Promise<{ result?: Result; dead?: string }> {
  const file = join(folder, "result.json")
  for (const left of [file, join(folder, "progress")]) rmSync(left, { force: true })
  return new Promise((resolve, reject) => {
    const flags = [`--max-old-space-size=${heapMib}`, "--expose-gc"]
    const child = spawn(process.execPath, [...flags, worker, ...parameters], {
      stdio: ["ignore", "ignore", "pipe"],
    })
    let printed = ""
    child.stderr.on("data", (data) => {
      printed = (printed + data).slice(-4000)
    })
    let killed: string | undefined
    let [at, since] = ["", Date.now()]
    const watch = setInterval(() => {
      const now = readIf(join(folder, "progress"))
      if (now !== at) [at, since] = [now, Date.now()]
      if (Date.now() - since > hangMs) killed = `did not end within ${hangMs} ms`
      const pages = Number(readIf(`/proc/${child.pid}/statm`).split(" ")[1] ?? 0)
      if (4096 * pages > mostBytes) killed = `took more than ${mostBytes / 2 ** 20} MiB`
      if (killed) child.kill("SIGKILL")
    }, 50)
    child.on("error", reject)
    child.on("exit", (code, signal) => {
      clearInterval(watch)
      const result = JSON.parse(readIf(file) || "{}") as Partial<Result>
      if (result.done) resolve({ result: result as Result })
      else if (at === "" && !killed) reject(new Error(`a worker did not begin: ${printed}`))
      else
        resolve({
          ...(result.cases ? { result: result as Result } : {}),
          dead: killed ?? `ended with ${signal ?? code}: ${printed}`,
        })
    })
  })
}

function readIf(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
