/**
 * A log whose process ends, or whose disk refuses, at every single step: what was said to be appended is there, what
 * was appended together is there as a whole or not at all, and the log goes on.
 */
import { describe, expect, it } from "vitest"
import { UsageError } from "#src/errors.js"
import { openLogOn } from "#src/log/log.js"
import { verifyLogOn } from "#src/log/verify.js"
import { amount } from "../support/amount.js"
import { type Fault, FaultyDisk, processOn } from "../support/faulty-disk.js"
import { Random } from "../support/random.js"

const note = (text: string) => ({ type: "note", body: { text } }) as const
const texts = (...words: string[]) => words.map(note)
/** Longer than a sector, so that power failures tear them. */
const long = "long ".repeat(300)

/** What is appended together, one after the other; `open` opens the log again. */
const story: readonly (readonly string[] | "open")[] = [
  ["a"],
  ["b", long, "c"],
  "open",
  ["d"],
  [`${long}e`, "f"],
  "open",
  ["g"],
]

interface Ending {
  /** What was said to be appended. */
  readonly acknowledged: readonly string[]
  /** What was on its way when the process ended, or refused. */
  readonly asked: readonly string[]
}

/** Lives the story until something fails. */
async function live(disk: FaultyDisk): Promise<Ending & { readonly error?: unknown }> {
  const acknowledged: string[] = []
  let asked: readonly string[] = []
  const options = { create: true, waitMs: 0 }
  // synced often, so that it happens within the story: when it is closed, and once besides
  const open = () => openLogOn(processOn(disk, "process 1."), "log", options, { most: 3, atClose: 1 })
  try {
    let log = await open()
    for (const words of story) {
      if (words === "open") {
        await log.close()
        log = await open()
      } else {
        asked = words
        await log.append(texts(...words))
        acknowledged.push(...words)
        asked = []
      }
    }
    await log.close()
    return { acknowledged, asked }
  } catch (error) {
    return { acknowledged, asked, error }
  }
}

/** What a log holds, by a process that found it; null if there is none yet. */
async function found(disk: FaultyDisk): Promise<string[]> {
  const log = await openLogOn(processOn(disk, "process 2.", new Set(["process 1."])), "log", {
    create: true,
    waitMs: 0,
  })
  const words = Array.from({ length: log.size - 1 }, (_, i) => log.entry(i + 1).body.text as string)
  await log.append(note("after"))
  expect(log.entry(words.length + 1)).toEqual(note("after"))
  await log.close()
  const { problem, unfinished, size } = await verifyLogOn(processOn(disk, ""), "log")
  expect({ problem, unfinished, size }).toEqual({ problem: null, unfinished: 0, size: words.length + 2 })
  return words
}

function expectKept({ acknowledged, asked }: Ending, words: readonly string[]): void {
  const before = [...acknowledged]
  const after = [...acknowledged, ...asked]
  expect([before, after]).toContainEqual(words)
}

const steps = await (async () => {
  const disk = new FaultyDisk()
  const { error } = await live(disk)
  expect(error).toBeUndefined()
  return disk.steps
})()

const at =
  (step: number, fault: Fault) =>
  (now: number): Fault =>
    now === step ? fault : undefined

describe("a process that ends", () => {
  it("at any step leaves what was appended", async () => {
    for (let step = 0; step < steps; step++) {
      const disk = new FaultyDisk()
      disk.fault = at(step, "stop")
      const ending = await live(disk)
      expect(disk.isStopped, `step ${step}`).toBe(true)
      expectKept(ending, await found(disk.restarted()))
    }
  })

  it("with the power, too, whatever of the rest was kept", async () => {
    for (let step = 0; step < steps; step++) {
      const disk = new FaultyDisk()
      disk.fault = at(step, "stop")
      const ending = await live(disk)
      expectKept(ending, await found(disk.restarted(new Random(step))))
    }
  })

  it("and then another one, while it looks at what was left", async () => {
    let stopped = 0
    for (let step = 3; step < steps; step += 9) {
      const disk = new FaultyDisk()
      disk.fault = at(step, "stop")
      const ending = await live(disk)
      for (let second = 0; second < 12; second += 3) {
        const later = disk.restarted(new Random(step))
        later.fault = at(second, "stop")
        const other = processOn(later, "process 1.", new Set(["process 1."]))
        await openLogOn(other, "log", { create: true, waitMs: 0 }).catch(() => undefined)
        if (later.isStopped) stopped++
        expectKept(ending, await found(later.restarted(new Random(second))))
      }
    }
    expect(stopped).toBeGreaterThan(20)
  })
})

describe("who only reads", () => {
  const reader = (disk: FaultyDisk) => verifyLogOn(processOn(disk, ""), "log")

  it("finds nothing wrong at any step of who appends, and all that was said to be appended", async () => {
    let reports = 0
    for (let step = 0; step < steps; step++) {
      const disk = new FaultyDisk()
      disk.fault = at(step, "stop")
      const { acknowledged, asked } = await live(disk)
      const seen = disk.restarted()
      const report = await reader(seen).catch((error: Error) => error)
      expect(seen.steps, "steps of the reader").toBe(0)
      if (report instanceof Error) {
        expect(acknowledged).toEqual([])
        expect(report.message).toMatch(/is no log/)
        continue
      }
      reports++
      expect(report.problem, `step ${step}`).toBeNull()
      // before entry 0 is there, there is nothing
      const least = report.size === 0 ? 0 : 1 + acknowledged.length
      expect([least, least + asked.length]).toContain(report.size)
    }
    expect(reports).toBeGreaterThan(steps / 2)
  })

  it("checks a log on a disk that takes no writing; opening it to append is refused", async () => {
    const disk = new FaultyDisk()
    await live(disk)
    disk.fault = () => "refuse"
    expect((await reader(disk)).problem).toBeNull()
    const opening = openLogOn(processOn(disk, "process 2."), "log", { waitMs: 0 })
    await expect(opening).rejects.toThrow(UsageError)
    disk.fault = () => undefined
    expect((await reader(disk)).problem).toBeNull()
  })
})

describe("a checkpoint", () => {
  // who checks a log looks at the head alone, and signing takes time
  const signer = {
    getAddress: async () => `0x${"11".repeat(20)}`,
    signTypedData: async () => `0x${"22".repeat(65)}`,
  }
  /** A log with two checkpoints, and another one that goes wrong at a step. */
  async function sign(fault: Fault, step: number) {
    const disk = new FaultyDisk()
    const log = await openLogOn(processOn(disk, "process 1."), "log", { create: true })
    await log.append(note("a"))
    await log.checkpoint(signer, { time: 1 })
    await log.append(note("b"))
    await log.checkpoint(signer, { time: 2 })
    const from = disk.steps
    disk.fault = at(from + step, fault)
    const failed = await log.checkpoint(signer, { time: 3 }).then(
      () => false,
      () => true,
    )
    return { disk, failed, isOver: disk.steps <= from + step }
  }

  it.each(["stop", "refuse"] as const)(
    "that goes wrong (%s) at any step harms no other, nor the next",
    async (fault) => {
      for (let step = 0, isOver = false; !isOver; step++) {
        const signed = await sign(fault, step)
        isOver = signed.isOver
        for (let seed = 0; seed < amount(2, 24); seed++) {
          const disk = signed.disk.restarted(seed === 0 ? undefined : new Random(100 * step + seed))
          const check = async (kept: number) => {
            const { problem, heads } = await verifyLogOn(processOn(disk, ""), "log")
            expect(problem, `step ${step}, ${seed}`).toBeNull()
            expect(signed.failed ? [kept, kept + 1] : [kept + 1], `step ${step}, ${seed}`).toContain(heads)
          }
          await check(2)
          const platform = processOn(disk, "process 2.", new Set(["process 1."]))
          const log = await openLogOn(platform, "log", { waitMs: 0 })
          await log.checkpoint(signer, { time: 4 })
          await log.close()
          await check(3)
        }
      }
    },
  )
})

describe("a disk that refuses", () => {
  it("one step leaves the log as it was, or as it is after", async () => {
    for (let step = 0; step < steps; step++) {
      const disk = new FaultyDisk()
      disk.fault = at(step, "refuse")
      const ending = await live(disk)
      expectKept(ending, await found(disk.restarted()))
    }
  })

  it("everything from a step on does so too", async () => {
    for (let step = 0; step < steps; step += 3) {
      const disk = new FaultyDisk()
      disk.fault = (now) => (now >= step ? "refuse" : undefined)
      const ending = await live(disk)
      expectKept(ending, await found(disk.restarted()))
    }
  })

  it("is told to who appends, and who appends again has room later", async () => {
    const disk = new FaultyDisk()
    const log = await openLogOn(processOn(disk, "process 1."), "log", { create: true })
    const from = disk.steps
    let refused = 0
    for (let step = 0; step < 12; step++) {
      const size = log.size
      disk.fault = at(disk.steps + step, "refuse")
      const outcome = await log.append(note(`${step}`)).catch((error: Error) => error)
      disk.fault = () => undefined
      if (outcome instanceof Error) {
        refused++
        expect(outcome.message).toMatch(/no space is left/)
        expect(log.size).toBe(size)
        expect((await log.append(note(`${step} again`))).index).toBe(size)
      } else expect(outcome.index).toBe(size)
    }
    expect(disk.steps).toBeGreaterThan(from)
    expect(refused).toBeGreaterThan(4)
    await log.close()
    expect((await verifyLogOn(processOn(disk, ""), "log")).problem).toBeNull()
  })

  it("to take back what it refused to keep is not trusted further", async () => {
    const disk = new FaultyDisk()
    const log = await openLogOn(processOn(disk, "process 1."), "log", { create: true })
    // the sync of the entries, and all that would undo them
    let isSyncing = false
    disk.fault = () => (isSyncing ? "refuse" : undefined)
    const entries = disk.contents("log/entries.jsonl")
    disk.before = () => {
      isSyncing = entries.bytes.length > entries.kept.length
    }
    await expect(log.append(note("a"))).rejects.toThrow(/no space is left/)
    disk.fault = () => undefined
    await expect(log.append(note("b"))).rejects.toThrow(/the disk failed, and what is on it is not known/)
    expect(["", "a"]).toContain((await found(disk.restarted())).join())
  })
})
