/** The command line as tests run it, and the small model that they give it. */
import { type ChildProcess, execFile, fork, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { encodeOnnx } from "./onnx-writer.js"
import { Random } from "./random.js"

/** The command, as `node` runs it. */
export const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url))

export interface Outcome {
  readonly code: number
  readonly json: Record<string, unknown>
  readonly stdout: string
  readonly stderr: string
}

const outcome = (
  args: readonly string[],
  said: { readonly code: number; readonly stdout: string; readonly stderr: string },
): Outcome => ({
  ...said,
  json: args.includes("--json") && said.stdout.startsWith("{") ? JSON.parse(said.stdout) : {},
})

/** Runs a command in a process of its own. */
export const runAlone = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : 0
      resolve(outcome(args, { code, stdout, stderr }))
    })
  })

let host: ChildProcess | undefined
/** Those who wait for the host, the first of whom it works for. */
const waiting: ((said: Parameters<typeof outcome>[1]) => void)[] = []

function startHost(): ChildProcess {
  const child = fork(fileURLToPath(new URL("./cli-host.mjs", import.meta.url)), {
    execArgv: [],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  })
  let printed = ""
  child.stderr?.on("data", (data) => {
    printed += data
  })
  child.on("message", (said: Parameters<typeof outcome>[1]) => waiting.shift()?.(said))
  child.on("exit", (code) => {
    host = undefined
    for (const done of waiting.splice(0)) done({ code: code ?? 3, stdout: "", stderr: printed })
  })
  return child
}

/** Runs a command, in a process that many share, one after the other. What a process does as such is `runAlone`'s. */
export const run = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    host ??= startHost()
    waiting.push((said) => resolve(outcome(args, said)))
    host.send({ args, env: process.env })
  })

/** What a shell runs for a line, in which `countersign` is ours. */
const lineOf = (line: string): readonly string[] => [
  "-c",
  `set -o pipefail\ncountersign() { "${process.execPath}" "${cli}" "$@"; }\n${line}`,
]

/** Runs a command line of a shell. */
export function shell(line: string): { readonly code: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync("bash", lineOf(line), { encoding: "utf8" })
  return { code: status, stderr }
}

/** Runs many, while this process goes on: a chain whose output nobody reads stands still. */
export const script = (lines: string): Promise<{ readonly code: number; readonly stderr: string }> =>
  new Promise((resolve) => {
    execFile("bash", lineOf(lines), { maxBuffer: 2 ** 26 }, (error, _, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stderr })
    })
  })

export interface Names {
  readonly input?: string
  readonly output?: string
  readonly node?: string
}

/** A small classifier; its weights follow from the seed. */
export function smallModel(seed: number, { input = "x", output = "y", node = "" }: Names = {}): Uint8Array {
  const random = new Random(seed)
  return encodeOnnx({
    inputs: [{ name: input, shape: ["batch", 3] }],
    outputs: [output],
    initializers: {
      w: { shape: [3, 4], data: random.reals(12) },
      v: { shape: [4, 2], data: random.reals(8) },
    },
    nodes: [
      { operator: "MatMul", inputs: [input, "w"], outputs: ["a"], ...(node ? { name: node } : {}) },
      { operator: "Relu", inputs: ["a"], outputs: ["b"] },
      { operator: "MatMul", inputs: ["b", "v"], outputs: [output] },
    ],
  })
}

export const writeModel = (path: string, seed: number): void => writeFileSync(path, smallModel(seed))

/** Ten inputs with labels, and one more whose input is a flat list. */
export function writeSamples(path: string, more: readonly object[] = []): void {
  const random = new Random(1)
  const samples = Array.from({ length: 10 }, (_, i) => ({
    inputs: { x: [random.reals(3, 1)] },
    label: i % 2,
  }))
  const last = { inputs: { x: [1, -1, 1] }, label: 0 }
  writeFileSync(path, JSON.stringify([...samples, last, ...more]))
}
