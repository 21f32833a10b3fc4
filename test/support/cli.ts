/** The command line as tests run it, and the small model that they give it. */
import { type ChildProcess, execFile, fork, spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isFull } from "./amount.js"
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
/** Where shells reach it. */
let port: Promise<number>
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
  port = new Promise((resolve) => {
    child.on("message", (message: { port: number } | { said: Parameters<typeof outcome>[1] }) => {
      if ("port" in message) resolve(message.port)
      else waiting.shift()?.(message.said)
    })
  })
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

/** `countersign` as a process of its own, for a shell. */
const alone = `countersign() { "${process.execPath}" "${cli}" "$@"; }`

/** The same by the host, for commands that read files alone. */
const hosted = (at: number): string => `countersign() {
  local code out err
  exec 9<>/dev/tcp/127.0.0.1/${at}
  { printf '%s\\0' "$PWD" "$#" "$@"; env -0; printf '\\0'; } >&9
  read -r code <&9; read -r out <&9; read -r err <&9
  exec 9>&-
  printf %s "$out" | base64 -d
  printf %s "$err" | base64 -d >&2
  return "$code"
}`

/** What a shell runs for a line, in which `countersign` is ours. */
const lineOf = (line: string, countersign = alone): readonly string[] => [
  "-c",
  `set -o pipefail\n${countersign}\n${line}`,
]

/** Runs a command line of a shell. */
export function shell(line: string): { readonly code: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync("bash", lineOf(line), { encoding: "utf8" })
  return { code: status, stderr }
}

/**
 * Runs many, while this process goes on: a chain whose output nobody reads stands still. Commands are processes of
 * their own in the full run; else they share one.
 */
export async function script(lines: string): Promise<{ readonly code: number; readonly stderr: string }> {
  if (!isFull) host ??= startHost()
  const given = lineOf(lines, isFull ? alone : hosted(await port))
  return new Promise((resolve) => {
    execFile("bash", given, { maxBuffer: 2 ** 26 }, (error, _, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stderr })
    })
  })
}

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
