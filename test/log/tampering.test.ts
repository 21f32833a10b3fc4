/** Files of a log that somebody changed: the first entry that is wrong is named. */
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { nodePlatform } from "#src/log/disk.js"
import {
  checkpointSigner,
  explainCheckpoint,
  openLog,
  type SignedCheckpoint,
  verifyCheckpoint,
  verifyConsistency,
  verifyLog,
} from "#src/log/index.js"
import { openLogOn } from "#src/log/log.js"
import { addressOf, domains, operator, stranger } from "../support/attestations.js"

const note = (text: string) => ({ type: "note", body: { text } }) as const
const home = mkdtempSync(join(tmpdir(), "log-"))
const whole = join(home, "whole")
const folder = join(home, "log")
/** Of sizes 4, 9 and 12. */
const kept: SignedCheckpoint[] = []

beforeAll(async () => {
  // as large ones are closed: nothing is read again by who opens it
  const log = await openLogOn(nodePlatform, whole, { create: true }, { most: 2 ** 12, atClose: 0 })
  await log.append(["1", "2", "3"].map(note))
  kept.push(await log.checkpoint(operator, { time: 1 }))
  for (const text of ["4", "5", "6", "7", "8"]) await log.append(note(text))
  kept.push(await log.checkpoint(operator, { time: 2, domain: domains[0] }))
  await log.append(["9", "10", "11"].map(note))
  kept.push(await log.checkpoint(operator, { time: 3 }))
  await log.close()
})
afterAll(() => rmSync(home, { recursive: true }))
beforeEach(() => {
  rmSync(folder, { recursive: true, force: true })
  cpSync(whole, folder, { recursive: true })
})

const path = (name: string) => join(folder, name)
const entries = () => readFileSync(path("entries.jsonl"), "utf8").split("\n").slice(0, -1)
const writeEntries = (lines: readonly string[]) =>
  writeFileSync(path("entries.jsonl"), lines.map((line) => `${line}\n`).join(""))
/** Lines of entries and commits: entry 0, commit, entries 1 to 3, commit, entry 4, commit … */
const lineOf = (entry: number) => entries().indexOf(`{"body":{"text":"${entry}"},"type":"note"}`)
const change = (name: string, at: number, by = 1) => {
  const bytes = readFileSync(path(name))
  bytes[at] ^= by
  writeFileSync(path(name), bytes)
}

/** The log made anew from texts, by somebody who can write all files. */
async function rewrite(texts: readonly string[]): Promise<void> {
  const checkpoints = readFileSync(path("checkpoints.jsonl"))
  const [head] = entries()
  for (const name of ["state", "index", "tree", "turns", "checkpoints.jsonl"])
    rmSync(path(name), { recursive: true })
  writeEntries([head, entries()[1]])
  const log = await openLog(folder)
  await log.append(texts.map(note))
  await log.close()
  writeFileSync(path("checkpoints.jsonl"), checkpoints)
}
const all = Array.from({ length: 11 }, (_, i) => `${i + 1}`)

it("nothing is wrong with one that nobody changed", async () => {
  expect(await verifyLog(folder)).toMatchObject({ size: 12, heads: 3, problem: null })
})

describe("entries", () => {
  const moved = /taken out or moved: entry/
  const cases: Record<string, [() => void, number, RegExp]> = {
    edited: [
      () => writeEntries(entries().map((line) => line.replace('"6"', '"x"'))),
      6,
      /its text is not the one that was appended/,
    ],
    "edited, the first one": [
      () => writeEntries(entries().map((line) => line.replace(/"log":"0x./, '"log":"0xf'))),
      0,
      /its text is not/,
    ],
    "edited, the last one": [
      () => writeEntries(entries().map((line) => line.replace('"11"', '"x"'))),
      11,
      /its text/,
    ],
    "no JSON any more": [
      () => writeEntries(entries().map((line) => line.replace('"6"', "6}"))),
      6,
      /its text is not/,
    ],
    dropped: [() => writeEntries(entries().toSpliced(lineOf(2), 1)), 2, moved],
    "dropped, the last before a commit": [
      () => writeEntries(entries().toSpliced(lineOf(3), 1)),
      3,
      /it is missing: the commit behind it says 4 entries/,
    ],
    "dropped with its commit": [() => writeEntries(entries().toSpliced(lineOf(5), 2)), 5, moved],
    exchanged: [
      () => {
        const lines = entries()
        const [a, b] = [lineOf(5), lineOf(7)]
        ;[lines[a], lines[b]] = [lines[b], lines[a]]
        writeEntries(lines)
      },
      5,
      /moved: entry 7 stands in its place/,
    ],
    "put in": [
      () => writeEntries(entries().toSpliced(lineOf(5), 0, '{"body":{},"type":"note"}')),
      5,
      /its text is not/,
    ],
    twice: [
      () => writeEntries(entries().toSpliced(lineOf(6), 0, ...entries().slice(lineOf(5), lineOf(6)))),
      6,
      moved,
    ],
    "cut off": [
      () => writeEntries(entries().slice(0, lineOf(8))),
      8,
      /it is missing: the log had 12 entries/,
    ],
    "cut off within a line": [
      () => truncateSync(path("entries.jsonl"), entries().slice(0, lineOf(10)).join("\n").length + 5),
      10,
      /it is missing/,
    ],
    "all gone": [() => writeEntries([]), 0, /it is missing/],
  }
  it.each(Object.keys(cases))("%s are named", async (name) => {
    const [tamper, entry, what] = cases[name]
    tamper()
    const { problem } = await verifyLog(folder)
    expect(problem).toEqual({ entry, what: expect.stringMatching(what) })
  })
  it.each(["cut off", "cut off within a line", "all gone"])("%s are not taken for an end", async (name) => {
    cases[name][0]()
    await expect(openLog(folder)).rejects.toThrow(
      /`entries\.jsonl` is shorter than it was\. `countersign log verify`/,
    )
  })

  it("that are read are compared with what was appended", async () => {
    cases.exchanged[0]()
    const log = await openLog(folder)
    expect(log.entry(4)).toEqual(note("4"))
    expect(() => log.entry(5)).toThrow(/entry 5 was changed/)
    await log.close()
  })

  it("with their commit wrong are named by the last of them", async () => {
    writeEntries(entries().map((line) => (line.startsWith("[7,") ? line.replace(/0x../, "0xab") : line)))
    expect((await verifyLog(folder)).problem).toEqual({ entry: 6, what: "the commit behind it is wrong" })
  })

  it("that were not appended to their end are none", async () => {
    appendFileSync(path("entries.jsonl"), '{"body":{},"type":"note"}\n{"bo')
    expect(await verifyLog(folder)).toMatchObject({ size: 12, unfinished: 30, problem: null })
    const log = await openLog(folder)
    expect((await log.append(note("12"))).index).toBe(12)
    await log.close()
    expect(await verifyLog(folder)).toMatchObject({ size: 13, unfinished: 0, problem: null })
  })
})

describe("what is made of them", () => {
  it.each([
    ["tree/00", 32 * 6 + 31, 6, /node on level 0/],
    ["tree/01", 32 * 3, 6, /node on level 1/],
    ["tree/03", 31, 0, /node on level 3/],
    ["index", 16 * 4 + 7, 4, /`index` does not say where it stands/],
  ])("%s changed is told from the entries", async (name, at, entry, what) => {
    change(name, at)
    expect((await verifyLog(folder)).problem).toEqual({ entry, what: expect.stringMatching(what) })
  })

  it("is no ground for a checkpoint when it was changed", async () => {
    change("tree/02", 32 * 2)
    await expect(openLog(folder)).rejects.toThrow(/tree`: was changed\. Remove `index`, `state` and `tree`/)
  })

  it("gives no wrong proof when it was changed", async () => {
    change("tree/01", 32 * 1)
    const log = await openLog(folder)
    expect(() => log.inclusionProof(1)).toThrow(/`tree` was changed/)
    expect(log.inclusionProof(2).index).toBe(2)
    expect(() => log.consistencyProof(4)).not.toThrow()
    expect(() => log.consistencyProof(3)).not.toThrow()
    await log.close()
  })

  it("is made again when it was removed", async () => {
    for (const name of ["state", "index", "tree"]) rmSync(path(name), { recursive: true })
    const log = await openLog(folder)
    expect(log.root()).toBe(kept[2].root)
    await log.close()
    expect(await verifyLog(folder)).toMatchObject({ size: 12, heads: 3, problem: null })
  })

  it("does not hide an edit when it was removed", async () => {
    for (const name of ["state", "index", "tree"]) rmSync(path(name), { recursive: true })
    writeEntries(entries().map((line) => line.replace('"6"', '"x"')))
    expect((await verifyLog(folder)).problem).toMatchObject({ entry: 6 })
    await expect(openLog(folder)).rejects.toThrow(/it is not whole from entry 6 on/)
  })
})

describe("a log made anew", () => {
  const forks: Record<string, [string[], number, number]> = {
    "with an entry edited": [all.with(5, "x"), 4, 8],
    "with an early entry edited": [all.with(1, "x"), 0, 3],
    "with an entry dropped": [all.toSpliced(5, 1), 4, 8],
    "with entries exchanged": [["1", "3", "2", ...all.slice(3)], 0, 3],
    "from the last checkpoint but one on": [[...all.slice(0, 8), "fork", "of", "it"], 9, 11],
  }
  it.each(Object.keys(forks))("%s agrees with itself, not with checkpoints", async (name) => {
    const [texts, from, to] = forks[name]
    await rewrite(texts)
    const { problem } = await verifyLog(folder)
    expect(problem?.entry).toBe(from)
    expect(problem?.what).toMatch(new RegExp(`one of the entries up to ${to} is not the one`))
    // nothing else tells
    rmSync(path("checkpoints.jsonl"))
    expect((await verifyLog(folder)).problem).toBeNull()
    expect((await verifyLog(folder, { heads: kept })).problem).toEqual(problem)
  })

  it("that ends early misses what a checkpoint has", async () => {
    await rewrite(all.slice(0, 9))
    const { problem } = await verifyLog(folder)
    expect(problem).toEqual({ entry: 10, what: "it is missing: there is a checkpoint of size 12" })
  })

  it("and signed by whoever has its key is told from the log by that checkpoint, and no proof joins the two", async () => {
    const [texts] = forks["with an entry dropped"]
    await rewrite(texts)
    rmSync(path("checkpoints.jsonl"))
    const fork = await openLog(folder)
    const signed = await fork.checkpoint(operator, { time: 4 })
    await fork.close()
    expect(await verifyCheckpoint(signed, addressOf(operator))).toBe(true)
    const { problem } = await verifyLog(whole, { heads: [signed] })
    expect(problem).toMatchObject({
      entry: 9,
      what: expect.stringMatching(/entries up to 10 is not the one/),
    })
    const log = await openLog(whole)
    expect(signed.log).toBe(log.id)
    const proof = log.consistencyProof(signed.size)
    expect(verifyConsistency(proof, { size: signed.size, root: log.root(signed.size) }, log.head())).toBe(
      true,
    )
    expect(verifyConsistency(proof, signed, log.head())).toBe(false)
    await log.close()
  })

  it("under another name is not the one of the checkpoints", async () => {
    rmSync(folder, { recursive: true })
    await (await openLog(folder, { create: true })).close()
    const { problem } = await verifyLog(folder, { heads: [kept[0]] })
    expect(problem).toMatchObject({ entry: 1, what: "it is missing: there is a checkpoint of size 4" })
    const other = { ...kept[0], size: 1 }
    expect((await verifyLog(folder, { heads: [other] })).problem?.what).toMatch(
      /the checkpoint is of another log/,
    )
  })
})

describe("a checkpoint", () => {
  it("is its signer's", async () => {
    for (const checkpoint of kept) {
      expect(await verifyCheckpoint(JSON.stringify(checkpoint), addressOf(operator))).toBe(true)
      expect(checkpointSigner(checkpoint)).toBe(addressOf(operator))
      expect(await verifyCheckpoint(checkpoint, addressOf(stranger))).toBe(false)
    }
  })

  it("is nobody's with a field changed", async () => {
    const [checkpoint] = kept
    const changes = [
      { log: kept[0].root },
      { size: 5 },
      { root: kept[1].root },
      { time: 2 },
      { domain: domains[0] },
      { signature: kept[1].signature },
    ]
    expect(changes.map((change) => Object.keys(change)[0]).sort()).toEqual(Object.keys(checkpoint).sort())
    for (const change of changes)
      expect(await verifyCheckpoint({ ...checkpoint, ...change }, addressOf(operator))).toBe(false)
  })

  it.each([
    [{ size: "4" }, /size: no number of entries/],
    [{ root: `0x${"f".repeat(64)}` }, /no element of the field/],
    [{ time: -1 }, /time/],
    [{ more: 1 }, /unknown field/],
  ])("that is none is refused: %j", async (bad, message) => {
    expect(await explainCheckpoint({ ...kept[0], ...bad }, addressOf(operator))).toMatch(message)
  })

  it("that was not written to its end is written again", async () => {
    appendFileSync(path("checkpoints.jsonl"), '{"log":')
    const log = await openLog(folder)
    const last = await log.checkpoint(operator, { time: 4 })
    await log.close()
    const lines = readFileSync(path("checkpoints.jsonl"), "utf8").trimEnd().split("\n")
    expect(lines.map((line) => JSON.parse(line))).toEqual([...kept, last])
  })
})
