/**
 * What a log costs: appending many small entries, one, opening it again, proofs, checking all of it; and how much memory.
 *
 *   npm run bench -- log [--entries 1000000]
 *
 * Figures are of this machine and its disk; a million entries take some minutes.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { leafOf, openLog, verifyConsistency, verifyInclusion, verifyLog } from "../dist/log/index.js"
import { median } from "./compare.mjs"

/** As many as are appended at once. */
const together = 4096
const rounds = 50
/** Enough for the slowest in a hundred to mean something. */
const appends = 1000

export async function logs({ entries: asked = "1000000" } = {}) {
  const entries = Number(asked)
  const home = mkdtempSync(join(tmpdir(), "log-"))
  const folder = join(home, "log")
  const rows = []
  const row = (name, against, ms) => rows.push({ name, against, ms })
  const timed = async (work) => {
    const started = performance.now()
    const result = await work()
    return [performance.now() - started, result]
  }
  const all = async (times, work) => {
    const spent = []
    for (let i = 0; i < times; i++) spent.push((await timed(() => work(i)))[0])
    return spent.sort((a, b) => a - b)
  }
  const many = async (work) => median(await all(rounds, work))
  const note = (i) => ({
    type: "note",
    body: { i, text: "an entry of some hundred bytes, as sign-offs are".repeat(3) },
  })
  try {
    let log = await openLog(folder, { create: true })
    const [filling] = await timed(async () => {
      for (let from = 1; from < entries; from += together) {
        const count = Math.min(together, entries - from)
        await log.append(Array.from({ length: count }, (_, i) => note(from + i)))
      }
    })
    row(`append ${entries} entries`, `${together} together, an entry`, filling / entries)
    await log.close()
    const [opening, opened] = await timed(() => openLog(folder))
    log = opened
    row("open", `${log.size} entries`, opening)
    const at = (i) => 1 + Math.floor(((i + 0.5) / rounds) * (entries - 2))
    const single = await all(appends, (i) => log.append(note(-i)))
    row("append one, synced", "", median(single))
    row("append one, synced", "slowest in a hundred", single[Math.floor(0.99 * appends)])
    row("append one, synced", "slowest", single[appends - 1])
    row("append one and its root", "", await many((i) => log.append(note(-i)).then(() => log.root())))
    row("prove inclusion", "", await many((i) => log.inclusionProof(at(i))))
    row("prove inclusion, earlier size", "", await many((i) => log.inclusionProof(at(i) >> 1, at(i))))
    row("prove consistency", "", await many((i) => log.consistencyProof(at(i))))
    row("read an entry", "", await many((i) => log.entry(at(i))))
    const [proof, head] = [log.inclusionProof(at(7)), log.head()]
    const holds = verifyInclusion(proof, leafOf(note(at(7))), head)
    const old = { size: at(9), root: log.root(at(9)) }
    if (!holds || !verifyConsistency(log.consistencyProof(old.size), old, head))
      throw new Error("a proof does not hold")
    row("verify inclusion", "", await many(() => verifyInclusion(proof, leafOf(note(at(7))), head)))
    await log.close()
    // as a process leaves it that ends with as much unsettled as there may be
    log = await openLog(folder)
    await log.append(Array.from({ length: together - 1 }, (_, i) => note(i)))
    const [reopening, other] = await timed(() => openLog(folder))
    row("open after a crash", `${together - 1} entries read again`, reopening)
    const last = other.head()
    await other.close()
    await log.close()
    const memory = process.resourceUsage().maxRSS / 1024
    const [checking, report] = await timed(() => verifyLog(folder))
    if (report.problem || report.root !== last.root)
      throw new Error(`the log is wrong: ${report.problem?.what}`)
    row("verify the whole log", "an entry", checking / report.size)
    row("memory at most (MiB)", "appending, opening, proofs", memory)
    row("memory at most (MiB)", "checking too", process.resourceUsage().maxRSS / 1024)
    const held = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, name)))
    const bytes = held.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)
    row("on the disk (MiB)", "all files", bytes / 2 ** 20)
    row("on the disk (MiB)", "entries", statSync(join(folder, "entries.jsonl")).size / 2 ** 20)
    return rows
  } finally {
    rmSync(home, { recursive: true })
  }
}
