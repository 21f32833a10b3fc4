/**
 * Which module of the kernels to use. `relaxed` multiplies in float64 with fused multiply-add, two products
 * side by side: more than twice as fast, but its instruction may also be carried out unfused, and not every
 * engine has it. So it must give known answers, and must not be slower, before it is taken. `scalar` runs
 * everywhere.
 */
import { FileError } from "../../errors.js"
import { mod, power, q, r, radix } from "../../field.js"
import { isNode } from "../../platform.js"
import { KernelMemory, pageBytes } from "./memory.js"
import { withPlainMemory } from "./pool.js"

export type Variant = "scalar" | "relaxed"

/** The module's bytes, from beside this file. @throws FileError in a page whose server has no such file */
export async function loadModule(name: Variant): Promise<Uint8Array<ArrayBuffer>> {
  // both written out, so that a bundler finds them
  const url =
    name === "scalar" ? new URL("./scalar.wasm", import.meta.url) : new URL("./relaxed.wasm", import.meta.url)
  if (url.protocol === "file:") {
    const { readFile } = await import("./node.js")
    return readFile(url)
  }
  const response = await fetch(url).catch((error: unknown) => ({ ok: false, status: String(error) }) as const)
  const bytes = response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined
  // servers of applications answer with a page for what they do not have
  if (bytes && String.fromCharCode(...bytes.subarray(0, 4)) === "\0asm") return bytes
  throw new FileError({
    what: `cannot be loaded: ${bytes ? "it is no WebAssembly" : response.status}`,
    where: `\`${url}\``,
    fix: "Serve scalar.wasm and relaxed.wasm beside the module that loads them",
  })
}

/** A module by name, and its bytes. */
interface Choice {
  readonly name: Variant
  readonly wasm: Uint8Array<ArrayBuffer>
}

let choice: Promise<Choice> | undefined

/**
 * The faster one of the modules that this engine runs correctly: found out once, since the trial takes longer than a
 * small proof. What could not be loaded is asked for again the next time.
 */
export function chooseModule(): Promise<Choice> {
  const made = choice ?? tryModules()
  choice = made
  made.catch(() => {
    if (choice === made) choice = undefined
  })
  return made
}

async function tryModules(): Promise<Choice> {
  const [scalar, relaxed] = await Promise.all([loadModule("scalar"), loadModule("relaxed")])
  if (await canRun(relaxed)) {
    const [trial, other] = [await openTrial(relaxed), await openTrial(scalar)]
    if (givesKnownAnswers(trial) && measure(trial) <= tolerance * measure(other)) {
      return { name: "relaxed", wasm: relaxed }
    }
  }
  return { name: "scalar", wasm: scalar }
}

/** The measurement is short; only a clear difference speaks against the module that is known to be faster. */
const tolerance = 1.2

/** Whether the engine accepts the module. */
export async function canRun(wasm: Uint8Array<ArrayBuffer>): Promise<boolean> {
  if (WebAssembly.validate(wasm)) return true
  if (!isNode) return false
  const { allowRelaxedSimd } = await import("./node.js")
  allowRelaxedSimd()
  return WebAssembly.validate(wasm)
}

export interface Trial {
  readonly exports: Readonly<Record<string, (...args: number[]) => number>>
  readonly memory: KernelMemory
}

export async function openTrial(wasm: Uint8Array): Promise<Trial> {
  const memory = new KernelMemory({ shared: false, maximumBytes: 2 * pageBytes })
  const module = await WebAssembly.compile(withPlainMemory(wasm))
  const { exports } = new WebAssembly.Instance(module, { env: { memory: memory.memory } })
  return { exports: exports as Trial["exports"], memory }
}

/** Whether products of both fields are right. */
export const givesKnownAnswers = (trial: Trial): boolean =>
  multipliesRight(trial, "fq", q) && multipliesRight(trial, "fr", r)

/** A chain x ← x·y, y ← y·x from the largest elements, so that one wrong digit anywhere shows in all that follows. */
function multipliesRight({ exports, memory }: Trial, field: "fq" | "fr", p: bigint): boolean {
  const call = (name: string, ...args: number[]) => exports[`${field}${name}`](...args)
  const at = memory.allocate(1024, "a trial")
  const [x, y, bytes] = [at, at + 256, at + 512]
  const inverse = power(radix, p - 2n, p)
  // lanes start with different values in Montgomery form
  const lanes = [
    { x: p - 1n, y: p - 2n },
    { x: (1n << 253n) - 1n, y: p >> 1n },
  ]
  const write = (place: number, values: readonly bigint[]) => {
    memory.writeIntegers(bytes, values)
    call("Read2", place, bytes, bytes + 32)
  }
  write(
    x,
    lanes.map((lane) => lane.x),
  )
  write(
    y,
    lanes.map((lane) => lane.y),
  )
  for (let i = 0; i < 100; i++) {
    call("Mul2", x, x, y)
    call("Mul2", y, y, x)
    for (const lane of lanes) {
      lane.x = mod(lane.x * lane.y * inverse, p)
      lane.y = mod(lane.y * lane.x * inverse, p)
    }
  }
  call("Write2", bytes, bytes + 32, y)
  const right = lanes.every((lane, i) => memory.integer(bytes + 32 * i) === lane.y)
  memory.release(at)
  return right
}

/**
 * Milliseconds of some multiplications, the least of several times: the engine optimises meanwhile. A page's clock
 * may go in steps of 0.1 ms, which are to be small against a round; in larger ones both measure as zero.
 */
function measure({ exports, memory }: Trial): number {
  const at = memory.allocate(512, "a trial")
  exports.fqOne2(at)
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 10; round++) {
    const started = performance.now()
    for (let i = 0; i < 10_000; i++) exports.fqMul2(at, at, at)
    least = Math.min(least, performance.now() - started)
  }
  memory.release(at)
  return least
}
