/** Lagrange points of powers of tau against those of their secrets, and the files that keep them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { openPtauFile } from "#src/prover/ptau-file.js"
import { openLagrange } from "#src/setup/lagrange.js"
import { type LagrangeSection, lagrangeSections } from "#src/setup/lagrange-file.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { lagrangeScalars, pointsOf } from "../support/known-powers.js"
import { tauSecrets, uncontributedPtau } from "../support/ptau.js"

let engine: KernelEngine
let folder: string
beforeAll(async () => {
  engine = await openEngine({ threads: 2 })
  folder = mkdtempSync(join(tmpdir(), "countersign-lagrange-"))
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await engine.close()
})

const all = new Set(lagrangeSections)
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

/** Sections of points, read. */
async function sectionsOf(
  powers: Parameters<typeof openLagrange>[1],
  domain: number,
  needed: ReadonlySet<LagrangeSection>,
  options: Parameters<typeof openLagrange>[4] = {},
): Promise<Map<LagrangeSection, Uint8Array>> {
  const lagrange = await openLagrange(engine, powers, domain, needed, options)
  const read = new Map<LagrangeSection, Uint8Array>()
  for (const section of needed) {
    const source = lagrange.points(section)
    read.set(section, (await source.read(0, source.size)).slice())
  }
  await lagrange.close()
  return read
}

/** Sections as the secrets make them. */
async function expectedOf(
  domain: number,
  whole: boolean,
  secrets = tauSecrets,
): Promise<Map<LagrangeSection, Uint8Array>> {
  const scalars = lagrangeScalars(domain, secrets, whole)
  const made = new Map<LagrangeSection, Uint8Array>()
  for (const section of lagrangeSections) made.set(section, await pointsOf(engine, section, scalars[section]))
  return made
}

function expectEqual(
  given: Map<LagrangeSection, Uint8Array>,
  expected: Map<LagrangeSection, Uint8Array>,
): void {
  for (const [section, points] of given) {
    expect(equal(points, expected.get(section) as Uint8Array), section).toBe(true)
  }
}

describe("every section is what the secrets make of it", () => {
  test.each([
    ["2^1, with more powers", 2, 4],
    ["2^1, with just these powers", 2, 1],
    ["2^3, with more powers", 8, 4],
    ["2^3, with just these powers", 8, 3],
    ["3·2^2", 12, 4],
    ["9·2", 18, 5],
    ["2^3 + 2", 10, 4],
    ["3·2^3 + 2, with just these powers", 26, 5],
    ["3·2^3 + 3·2", 30, 6],
    ["9·2^4 + 3·2", 150, 8],
  ])("%s", async (_, domain, power) => {
    const powers = await openPtau(await uncontributedPtau(power))
    const made = await sectionsOf(powers, domain, all)
    expect([...made.keys()]).toEqual(lagrangeSections)
    expectEqual(made, await expectedOf(domain, 2 ** power > domain))
  })
})

test("too few powers: the power that is needed is named", async () => {
  const powers = await openPtau(await uncontributedPtau(3))
  const opened = openLagrange(engine, powers, 12, all)
  await expect(opened).rejects.toThrow(FileError)
  await expect(opened).rejects.toThrow(/power 4 or more; given power 3/)
})

describe("kept beside the powers", () => {
  const domain = 12
  const path = () => join(folder, "powers.ptau")
  const kept = () => `${path()}.lagrange-${domain}`
  let expected: Map<LagrangeSection, Uint8Array>
  beforeAll(async () => {
    writeFileSync(path(), await uncontributedPtau(4))
    expected = await expectedOf(domain, true)
  })

  /** Stages of progress that were reported: none where everything was kept. */
  async function work(needed: ReadonlySet<LagrangeSection> = all): Promise<string[]> {
    const file = await openPtauFile(path())
    const stages: string[] = []
    const onProgress = ({ stage }: { stage: string }) => stages.push(stage)
    const { lagrange: store } = file
    expectEqual(await sectionsOf(file, domain, needed, { store, onProgress }), expected)
    await file.close()
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([])
    return stages
  }

  test("points are computed once, and those that a circuit did not need when another does", async () => {
    expect(await work(new Set(["tauG1", "odd"]))).not.toEqual([])
    const first = readFileSync(kept())
    expect(await work(new Set(["tauG1"]))).toEqual([])
    expect(equal(readFileSync(kept()), first)).toBe(true)
    expect(await work()).not.toEqual([])
    expect(readFileSync(kept()).length).toBeGreaterThan(first.length)
    expect(await work()).toEqual([])
  })

  test("its form is what docs/FORMATS.md says", async () => {
    await work()
    const text = readFileSync(new URL("../../docs/FORMATS.md", import.meta.url), "utf8")
    const file = readFileSync(kept())
    expect(file.subarray(0, 4).toString()).toBe("cslp")
    expect(text).toContain("`cslp`")
    // header, table of eight sections, their contents
    expect(file.length).toBe(12 + 8 * 12 + 68 + 12 * (5 * 64 + 128) + 64)
    expect(file.readUInt32LE(24)).toBe(domain)
  })

  test.each([
    ["a byte of a point", (file: Buffer) => file.fill(file[300] ^ 1, 300, 301)],
    ["the domain", (file: Buffer) => file.fill(18, 24, 25)],
    ["the checksum", (file: Buffer) => file.fill(file[file.length - 1] ^ 128, file.length - 1)],
    ["the number of sections", (file: Buffer) => file.fill(7, 8, 9)],
    ["the end", (file: Buffer) => file.subarray(0, file.length - 1)],
    ["the second half", (file: Buffer) => file.subarray(0, file.length / 2)],
    ["everything", () => Buffer.alloc(0)],
    ["more at the end", (file: Buffer) => Buffer.concat([file, Buffer.alloc(1)])],
  ])("%s is changed: it is made again", async (_, change) => {
    await work()
    const sound = readFileSync(kept())
    writeFileSync(kept(), change(Buffer.from(sound)))
    expect(await work()).not.toEqual([])
    expect(equal(readFileSync(kept()), sound)).toBe(true)
  })

  test("it is of other powers: it is made again", async () => {
    await work()
    const theirs = join(folder, "other.ptau")
    writeFileSync(theirs, await uncontributedPtau(4, { ...tauSecrets, beta: 5n }))
    const file = await openPtauFile(theirs)
    await sectionsOf(file, domain, all, { store: file.lagrange })
    await file.close()
    writeFileSync(kept(), readFileSync(`${theirs}.lagrange-${domain}`))
    expect(await work()).not.toEqual([])
  })

  test("a folder has its name, so that nothing can be written: the points are the same", async () => {
    rmSync(kept(), { force: true })
    mkdirSync(kept())
    expect(await work()).not.toEqual([])
    expect(await work()).not.toEqual([])
    rmdirSync(kept())
  })

  test("an abort leaves nothing behind", async () => {
    rmSync(kept(), { force: true })
    const file = await openPtauFile(path())
    const controller = new AbortController()
    const opened = openLagrange(engine, file, domain, all, {
      store: file.lagrange,
      signal: controller.signal,
      onProgress: ({ done, total }) => done === total && controller.abort(),
    })
    await expect(opened).rejects.toMatchObject({ name: "AbortError" })
    await file.close()
    expect(readdirSync(folder).filter((name) => name.includes("powers.ptau.lagrange"))).toEqual([])
  })
})
