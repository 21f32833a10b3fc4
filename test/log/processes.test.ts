/** Real processes that append to one log at once, some of which are killed: what they said is there, once, in order. */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { nodePlatform } from "#src/log/disk.js"
import { openLog, verifyLog } from "#src/log/index.js"

const writer = fileURLToPath(new URL("../support/log-writer.mjs", import.meta.url))
let folder: string
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "log-")), "log")
})
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }))

interface Said {
  readonly name: string
  readonly index: number
  readonly i: number
}

/** Runs a writer, killed after it has said something `killAfter` times. */
const write = (name: string, count: number, killAfter = Number.POSITIVE_INFINITY): Promise<Said[]> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, folder, name, `${count}`], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let text = ""
    child.stdout.on("data", (data) => {
      text += data
      if (text.split("\n").length > killAfter) child.kill("SIGKILL")
    })
    child.on("error", reject)
    child.on("close", (code, signal) => {
      if (code !== 0 && signal !== "SIGKILL") reject(new Error(`${name} ended with ${code}`))
      const lines = text.split("\n").slice(0, -1)
      resolve(lines.map((line) => line.split(" ").map(Number)).map(([index, i]) => ({ name, index, i })))
    })
  })

it("nothing is lost", async () => {
  const said = (
    await Promise.all([
      write("a", 20),
      write("b", 20),
      write("c", 60, 5),
      write("d", 60, 9).then(async (first) => [...first, ...(await write("e", 10))]),
    ])
  ).flat()
  const log = await openLog(folder)
  const entries = Array.from({ length: log.size - 1 }, (_, i) => log.entry(i + 1).body)
  for (const { name, index, i } of said) expect(log.entry(index).body).toEqual({ name, i })
  // who was killed may have appended one that it did not come to say
  for (const name of ["a", "b", "c", "d", "e"]) {
    const own = entries.filter((body) => body.name === name).map((body) => body.i)
    expect(own).toEqual(own.map((_, i) => i))
    const mine = said.filter((one) => one.name === name).length
    expect([mine, mine + 1]).toContain(own.length)
  }
  expect(said.filter(({ name }) => name === "a" || name === "b")).toHaveLength(40)
  await log.close()
  expect(await verifyLog(folder)).toMatchObject({ size: entries.length + 1, problem: null, unfinished: 0 })
})

it("who checks meanwhile finds nothing wrong", async () => {
  let isWriting = true
  const writing = write("a", 60).finally(() => {
    isWriting = false
  })
  const sizes: number[] = []
  while (isWriting) {
    const report = await verifyLog(folder).catch(() => null)
    // before there is a log there is nothing to check
    if (report) expect(report.problem).toBeNull()
    if (report) sizes.push(report.size)
    await new Promise((resolve) => setTimeout(resolve))
  }
  await writing
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
  expect(new Set(sizes).size).toBeGreaterThan(2)
  expect((await verifyLog(folder)).size).toBe(61)
})

describe("a turn that somebody left", () => {
  const self = JSON.parse(nodePlatform.self)
  /** Leaves the turn of a process behind those that were taken. */
  const leave = (owner: object | string) => {
    const last = Math.max(...readdirSync(join(folder, "turns")).map(Number))
    const text = typeof owner === "string" ? owner : JSON.stringify(owner)
    writeFileSync(join(folder, "turns", `${last + 1}`), text)
  }
  beforeEach(async () => (await openLog(folder, { create: true })).close())
  const append = async () => {
    const log = await openLog(folder, { waitMs: 30 })
    try {
      return (await log.append({ type: "note", body: {} })).index
    } finally {
      await log.close()
    }
  }

  it("keeps nobody out when its process has ended, or its text was torn", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""])
    leave({ ...self, process: pid })
    expect(await append()).toBe(1)
    leave(nodePlatform.self.slice(0, 20))
    expect(await append()).toBe(2)
    // the number was used again since: the one that runs began at another time
    if (self.began !== null) leave({ ...self, began: "1" })
    expect(await append()).toBe(3)
  })

  it.each([
    ["runs", {}],
    ["is on another machine", { host: "elsewhere", process: 2 ** 30 }],
    ["is in another container", { space: "pid:[1]", process: 2 ** 30 }],
    ["ran before the machine was started again", { boot: "another", process: 2 ** 30 }],
  ])("is waited for when its process %s", async (_, change) => {
    leave({ ...self, ...change })
    await expect(append()).rejects.toThrow(/another process has been writing for 30 ms: .*empty that file/)
    const [last] = readdirSync(join(folder, "turns")).toSorted((a, b) => Number(b) - Number(a))
    writeFileSync(join(folder, "turns", last), "")
    expect(await append()).toBe(1)
  })
})

it("one process appends from many places at once", async () => {
  const [log, other] = [await openLog(folder, { create: true }), await openLog(folder)]
  const notes = Array.from({ length: 60 }, (_, i) => ({ type: "note", body: { i } }) as const)
  const appended = await Promise.all(notes.map((note, i) => (i % 3 ? log : other).append(note)))
  expect(new Set(appended.map(({ index }) => index)).size).toBe(60)
  await Promise.all([log.refresh(), other.refresh()])
  appended.forEach(({ index }, i) => {
    expect(log.entry(index)).toEqual(notes[i])
    expect(other.entry(index)).toEqual(notes[i])
  })
  expect(log.head()).toEqual(other.head())
  await Promise.all([log.close(), other.close()])
})

it("one place appends again at any time after it was told", async () => {
  const log = await openLog(folder, { create: true, sync: false })
  const note = { type: "note", body: {} } as const
  for (let ticks = 0; ticks < 30; ticks++) {
    await log.append(note)
    for (let i = 0; i < ticks; i++) await undefined
  }
  expect(log.size).toBe(31)
  await log.close()
})
