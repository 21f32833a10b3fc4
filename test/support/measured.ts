/**
 * What a file costs, measured from outside: every case runs in one process of its own, which says how each
 * ended, how long it took, and how far the memory of the process had risen by then.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

export type Action = "onnx" | "quantize" | "tfjs" | "samples" | "input"

export interface Case {
  readonly name: string
  readonly action: Action
  readonly bytes: Uint8Array
  /** Shape of the only input, `x`, of samples and inputs. */
  readonly shape?: readonly number[]
  /** Values of the only input to quantize with; zeros if absent. */
  readonly sample?: readonly number[]
}

export interface Outcome {
  readonly name: string
  /** Name and message of the error, or none. */
  readonly error: string | null
  readonly message: string
  /** Time on the clock or on the processors, whichever is less: others may be using them as well. */
  readonly ms: number
  /** Highest resident memory so far, in MiB, above what the process had before the first case. */
  readonly mib: number
}

const program = `
import { readFileSync } from "node:fs"
const api = await import(process.argv[1])
const cases = JSON.parse(readFileSync(0, "utf8"))
const peak = () => process.resourceUsage().maxRSS / 1024
const none = peak()
const quantized = async (graph, sample) => {
  const program = api.lower(graph)
  const zeros = (shape) => new Float64Array(shape.reduce((a, b) => a * b, 1))
  const inputs = graph.inputs.map(({ name, shape }) => [name, sample ?? zeros(shape)])
  await api.quantizeProgram(program, { samples: [Object.fromEntries(inputs)] })
}
const actions = {
  onnx: (bytes) => api.lower(api.importOnnx(bytes)),
  quantize: (bytes, _, sample) => quantized(api.importOnnx(bytes), sample),
  tfjs: (bytes) => {
    const { model, weights } = JSON.parse(new TextDecoder().decode(bytes))
    return api.lower(api.importTfjs(model, new Uint8Array(weights)))
  },
  samples: (bytes, shape) => api.parseSamples(bytes, "samples", [{ name: "x", shape }]),
  input: (bytes, shape) => api.parseInput(JSON.parse(new TextDecoder().decode(bytes)), [{ name: "x", shape }]),
}
for (const { name, action, bytes, shape, sample } of cases) {
  const content = Buffer.from(bytes, "base64")
  gc()
  const start = performance.now()
  const before = process.cpuUsage()
  let [error, message] = [null, ""]
  try {
    await actions[action](content, shape, sample)
  } catch (thrown) {
    error = thrown?.name ?? "unknown"
    message = String(thrown?.message).slice(0, 2000)
  }
  const { user, system } = process.cpuUsage(before)
  const ms = Math.min(performance.now() - start, (user + system) / 1000)
  process.stdout.write(JSON.stringify({ name, error, message, ms, mib: peak() - none }) + "\\n")
}
`

/** Runs the cases in order; a case that ends the process is reported as the error `gone`. */
export function measured(
  cases: readonly Case[],
  dist = new URL("../../dist/index.js", import.meta.url),
): Outcome[] {
  const input = JSON.stringify(
    cases.map(({ bytes, ...rest }) => ({ ...rest, bytes: Buffer.from(bytes).toString("base64") })),
  )
  const child = spawnSync(
    process.execPath,
    ["--expose-gc", "--input-type=module", "-e", program, fileURLToPath(dist)],
    { input, timeout: 60_000, maxBuffer: 2 ** 28 },
  )
  const outcomes = child.stdout
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Outcome)
  return cases.map(
    ({ name }, i) =>
      outcomes[i] ?? {
        name,
        error: i === outcomes.length ? "gone" : "not reached",
        message: child.stderr.toString().slice(-500),
        ms: Number.POSITIVE_INFINITY,
        mib: Number.POSITIVE_INFINITY,
      },
  )
}
