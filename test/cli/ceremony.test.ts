/** `setup contribute` and `setup beacon`: what they leave in a folder, what they say, and interruptions. */
import { type ChildProcess, spawn } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { contribute } from "#src/ceremony/index.js"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import { compile } from "#src/compile/compile.js"
import { cli, run } from "../support/cli.js"
import { firstKey, memorySink } from "../support/first-keys.js"
import { perceptron } from "../support/networks.js"

let folder: string
const path = (...names: string[]) => join(folder, ...names)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-ceremony-"))
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  mkdirSync(path("first"))
  writeFileSync(path("first", "proving.key"), await firstKey(circuit))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A folder with nothing but the key of another. */
function handedOn(from: string, to: string): string {
  mkdirSync(path(to))
  copyFileSync(path(from, "proving.key"), path(to, "proving.key"))
  return path(to)
}

describe("a ceremony on the command line", () => {
  it("goes from folder to folder by its key alone", async () => {
    const hash = expect.stringMatching(/^0x[0-9a-f]{64}$/)
    const first = await run("setup", "contribute", handedOn("first", "a"), "--name", "Alice", "--json")
    expect(first).toMatchObject({
      code: 0,
      json: { number: 1, name: "Alice", before: hash, transcript: hash },
    })
    const second = await run("setup", "contribute", handedOn("a", "b"), "--name", "Bob", "--entropy", "x")
    expect(second.code).toBe(0)
    const last = await run("setup", "beacon", path("b"), "--value", "0xABCD", "--iterations", "10", "--json")
    expect(last).toMatchObject({ code: 0, json: { number: 3, name: "beacon" } })
    expect(readdirSync(path("b")).sort()).toEqual(["proving.key", "verification.json"])
    const key = JSON.parse(readFileSync(path("b", "verification.json"), "utf8"))
    expect(key.setup).toMatchObject({ contributors: ["Alice", "Bob"], transcript: last.json.transcript })
    const named = await run("setup", "contribute", path("a"), "--name", "two\nlines")
    expect(named).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: --name: not a name/) })
    const more = await run("setup", "contribute", path("b"), "--name", "Eve")
    expect(more).toMatchObject({ code: 2, stderr: expect.stringMatching(/the ceremony has ended/) })
  })
})

describe("an interrupted contribution", () => {
  /** As many bytes as the key of ResNet-20 has, most of them points at infinity: large, and quickly multiplied. */
  const keyBytes = 211 * 2 ** 20
  let large: Uint8Array
  beforeAll(() => {
    const first = readBinFile(readFileSync(path("first", "proving.key")), "csmk", 1)
    const half = new Uint8Array(keyBytes / 2)
    const final = Buffer.concat([half, first.get(8) as Uint8Array])
    const contents = [...first].map(
      ([id, bytes]) => [id, id === 4 ? half : id === 8 ? final : bytes] as const,
    )
    const sizes = contents.map(([id, { length }]) => ({ id, bytes: length }))
    const { file, sections } = createBinFile("csmk", 1, sizes)
    contents.forEach(([, bytes], i) => {
      sections[i].set(bytes)
    })
    large = file
  })
  const keyIn = (name: string) => {
    mkdirSync(path(name))
    writeFileSync(path(name, "proving.key"), large)
    return path(name)
  }
  const names = (name: string) => readdirSync(path(name)).sort()
  const holds = (name: string, bytes: Uint8Array) =>
    Buffer.compare(readFileSync(path(name, "proving.key")), bytes) === 0

  /** Starts a contribution, and calls `disturb` once so many bytes are in a file beside the key. */
  const started = (
    name: string,
    args: readonly string[],
    bytes: number,
    disturb: (child: ChildProcess) => void,
  ) =>
    new Promise<{ code: number | null; stderr: string; peak: number }>((resolve) => {
      const child = spawn(process.execPath, [
        cli,
        "setup",
        "contribute",
        path(name),
        "--name",
        "Alice",
        ...args,
      ])
      let stderr = ""
      let peak = 0
      let disturbed = false
      child.stderr.on("data", (text) => {
        stderr += text
      })
      const look = setInterval(() => {
        peak = Math.max(peak, residentPeak(child.pid))
        const under = readdirSync(path(name)).find((file) => file.endsWith(".tmp"))
        if (disturbed || under === undefined || statSync(path(name, under)).size < bytes) return
        disturbed = true
        disturb(child)
      }, 5)
      child.on("exit", (code) => {
        clearInterval(look)
        resolve({ code, stderr, peak })
      })
    })

  it("leaves the old key, and nothing else, if it is asked to stop", async () => {
    keyIn("stopped")
    const { code, stderr } = await started("stopped", [], 2 ** 24, (child) => child.kill("SIGINT"))
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: interrupted.*The key is as it was/)])
    expect(names("stopped")).toEqual(["proving.key"])
    expect(holds("stopped", large)).toBe(true)
  })

  it("goes on where it was killed, within 300 MB of memory, and makes the key it would have made", async () => {
    keyIn("killed")
    const resume = ["--resume", path("secret")]
    const killed = await started("killed", resume, 100 * 2 ** 20, (child) => child.kill("SIGKILL"))
    expect(killed.code).toBe(null)
    expect(holds("killed", large)).toBe(true)
    expect(names("killed")).toEqual([expect.stringMatching(/^\.[0-9a-f]{12}\.tmp$/), "proving.key"])
    expect(statSync(path("secret")).mode & 0o777).toBe(0o600)
    const text = readFileSync(path("secret"), "utf8")
    const { seed, done } = JSON.parse(text)
    expect(Number(done)).toBeGreaterThan(2 ** 26)

    const other = await run("setup", "contribute", path("killed"), "--name", "Bob", ...resume)
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/under another name/) })
    const elsewhere = await run(
      "setup",
      "contribute",
      handedOn("first", "else"),
      "--name",
      "Alice",
      ...resume,
    )
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/to another key/) })
    writeFileSync(path("damaged"), text.slice(0, -20))
    const damaged = await run(
      "setup",
      "contribute",
      path("killed"),
      "--name",
      "Alice",
      "--resume",
      path("damaged"),
    )
    expect(damaged.code).toBe(2)
    expect(readFileSync(path("secret"), "utf8")).toBe(text)

    const { code, peak } = await started("killed", resume, 0, () => undefined)
    expect(code).toBe(0)
    expect(existsSync(path("secret"))).toBe(false)
    expect(names("killed")).toEqual(["proving.key", "verification.json"])
    const sink = memorySink()
    await contribute(large, { name: "Alice", seed: Buffer.from(seed.slice(2), "hex"), sink })
    expect(holds("killed", sink.bytes())).toBe(true)
    expect(Math.max(peak, killed.peak)).toBeLessThan(300e6)
  })
})

/** Most bytes that a process has held; 0 where the platform does not say. */
function residentPeak(pid: number | undefined): number {
  try {
    return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0)
  } catch {
    return 0
  }
}
