/**
 * circom templates to local constraint systems, in Node. All gadgets a circuit needs are compiled by one run of
 * circom (npm package circom2, no optimisation, so that names survive) and cached by the digest of source text
 * and parameters.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { FileError, InvariantError, invariant } from "../../errors.js"
import { signed } from "../../field.js"
import type { SparseRows } from "../formats/r1cs.js"
import { readR1cs } from "../formats/r1csfile.js"
import { type GadgetUse, gadgetCall, gadgetKey } from "./families.js"
import type { RawGadget } from "./reduce.js"
import { seedsOf } from "./series.js"

/** Folder of the circom sources, shipped with the package. */
export const circuitsFolder = fileURLToPath(new URL("../../../circuits/gadgets/", import.meta.url))
/** Of the cache: another one where circom's output is read in another way. */
const cacheVersion = 2
const cacheFolder = fileURLToPath(new URL("../../../.cache/gadgets/", import.meta.url))

interface CircomPackage {
  CircomRunner: new (options: object) => { execute(bytes: Uint8Array): Promise<unknown> }
  bindings: object
}

/**
 * Runs circom on `source` (which may include the gadget files by name, or those of `replaced` in their
 * place) and returns the compiled system and the names of its wires. Throws InvariantError with circom's own
 * words when it refuses.
 */
export async function runCircom(
  source: string,
  replaced: Readonly<Record<string, string>> = {},
): Promise<{ r1cs: Uint8Array; symbols: string }> {
  const { r1cs, symbols } = await outputsOf(source, replaced, ["--r1cs", "--sym"])
  return { r1cs, symbols: Buffer.from(symbols).toString() }
}

/** The same with the program that computes witnesses, which takes circom a third of its time. */
export async function runCircomForWitness(
  source: string,
): Promise<{ r1cs: Uint8Array; symbols: string; wasm: Uint8Array }> {
  const { r1cs, symbols, wasm } = await outputsOf(source, {}, ["--r1cs", "--sym", "--wasm"])
  return { r1cs, symbols: Buffer.from(symbols).toString(), wasm }
}

async function outputsOf(
  source: string,
  replaced: Readonly<Record<string, string>>,
  outputs: readonly string[],
): Promise<Record<"r1cs" | "symbols" | "wasm", Uint8Array>> {
  const require = createRequire(import.meta.url)
  const { CircomRunner, bindings } = require("circom2") as CircomPackage
  const folder = temporaryFolder()
  let printed = ""
  const quiet = {
    ...fs,
    // circom reports on descriptors 1 and 2; a library must not print
    writeSync(fd: number, data: Uint8Array, offset: number, length: number, position: number | null) {
      if (fd > 2) return fs.writeSync(fd, data, offset, length, position)
      printed += Buffer.from(data.subarray(offset, offset + length)).toString()
      return length
    },
  }
  try {
    for (const name of fs.readdirSync(circuitsFolder))
      fs.copyFileSync(join(circuitsFolder, name), join(folder, name))
    for (const [name, text] of Object.entries(replaced)) fs.writeFileSync(join(folder, name), text)
    fs.writeFileSync(join(folder, "main.circom"), source)
    const stop = (code: number) => {
      if (code !== 0) throw new Error(`exit ${code}`)
    }
    const runner = new CircomRunner({
      args: ["main.circom", ...outputs, "--O0"],
      env: {},
      preopens: { ".": folder },
      bindings: { ...bindings, exit: stop, kill: stop, fs: quiet },
    })
    await runner.execute(fs.readFileSync(require.resolve("circom2/circom.wasm")))
    return {
      r1cs: fs.readFileSync(join(folder, "main.r1cs")),
      symbols: fs.readFileSync(join(folder, "main.sym")),
      wasm: outputs.includes("--wasm")
        ? fs.readFileSync(join(folder, "main_js", "main.wasm"))
        : new Uint8Array(0),
    }
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === "string") throw unusable(folder, error)
    throw new InvariantError(`circom refused a gadget: ${error}\n${printed}`)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function temporaryFolder(): string {
  const path = join(tmpdir(), "countersign-")
  try {
    return fs.mkdtempSync(path)
  } catch (error) {
    throw unusable(path, error)
  }
}

/** A folder for temporary files that is full, read-only or not there is no fault of circom's, nor ours. */
const unusable = (path: string, error: unknown): FileError =>
  new FileError({ what: `circom's folder cannot be used: ${(error as Error).message}`, where: `\`${path}\`` })

/** One circom program that contains each gadget once, as components g0, g1, …, fed by inputs x0[], x1[], … */
function mainProgram(uses: readonly GadgetUse[]): string {
  const files = [...new Set(uses.map((use) => use.kind.file))]
  const lines = uses.map((use, i) => {
    const inputs = use.kind.inputs(use.parameters)
    const feed = inputs.map((name, j) => `    g${i}.${name} <== x${i}[${j}];`)
    return [
      `    signal input x${i}[${inputs.length}];`,
      `    component g${i} = ${gadgetCall(use)};`,
      ...feed,
    ].join("\n")
  })
  const includes = files.map((file) => `include "${file}";`)
  return [
    "pragma circom 2.2.0;",
    ...includes,
    "template Main() {",
    ...lines,
    "}",
    "component main = Main();",
  ].join("\n")
}

/** The table doors without their definitions, which would cost a row per entry; see member.circom. */
const memberDoors = ["SignedTable(w, x, y, j)", "GatedTable(w, a, b, j)", "FunctionTable(m, j, f)"]
  .map((template) => `template ${template} { signal input in; }\n`)
  .join("")

/** Compiles what `seedsOf` the distinct gadgets among `uses` names; the result is keyed by gadgetKey. */
export async function compileGadgets(uses: readonly GadgetUse[]): Promise<Record<string, RawGadget>> {
  const distinct = new Map(uses.flatMap(seedsOf).map((use) => [gadgetKey(use), use]))
  const sources = createHash("sha256")
  for (const name of fs.readdirSync(circuitsFolder).sort())
    sources.update(fs.readFileSync(join(circuitsFolder, name)))
  const version = `${cacheVersion}-${sources.digest("hex")}`
  const raw = new Map<string, RawGadget>()
  const missing: GadgetUse[] = []
  for (const [key, use] of distinct) {
    const held = readCache(`${version}-${key}`) as RawGadget | undefined
    if (held) raw.set(key, held)
    else missing.push(use)
  }
  if (missing.length > 0) {
    const { r1cs, symbols } = await runCircom(mainProgram(missing), {
      "member.circom": `pragma circom 2.2.0;\n${memberDoors}`,
    })
    const compiled = splitByComponent(r1cs, symbols, missing.length)
    missing.forEach((use, i) => {
      raw.set(gadgetKey(use), compiled[i])
      writeCache(`${version}-${gadgetKey(use)}`, compiled[i])
    })
  }
  return Object.fromEntries(raw)
}

/** The value of `make`, kept on disk under a name that says what it depends on; it must be plain JSON. */
export async function cached<T>(key: string, make: () => Promise<T>): Promise<T> {
  const held = readCache(key) as T | undefined
  if (held !== undefined) return held
  const value = await make()
  writeCache(key, value)
  return value
}

function readCache(key: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(join(cacheFolder, `${key}.json`), "utf8"))
  } catch {
    return undefined
  }
}

/** The cache only saves time: a read-only installation works without it. */
function writeCache(key: string, gadget: unknown): void {
  try {
    fs.mkdirSync(cacheFolder, { recursive: true })
    const temporary = join(cacheFolder, `${key}.${process.pid}.tmp`)
    fs.writeFileSync(temporary, JSON.stringify(gadget))
    fs.renameSync(temporary, join(cacheFolder, `${key}.json`))
  } catch {
    return
  }
}

/**
 * The entries of a row by wire. circom sorts them by the bytes of wire numbers, least first, so that their order, and
 * the digest of a circuit with them, would depend on what else the program holds: on what was cached.
 */
const ascending = ({ rowPtr, wires }: SparseRows, row: number): number[] =>
  Array.from({ length: rowPtr[row + 1] - rowPtr[row] }, (_, k) => rowPtr[row] + k).sort(
    (i, j) => wires[i] - wires[j],
  )

/** Sorts the rows of the combined program by component; rows that feed a component's inputs are dropped. */
export function splitByComponent(bytes: Uint8Array, symbols: string, count: number): RawGadget[] {
  const system = readR1cs(bytes)
  const owner = new Int32Array(system.wires).fill(-1)
  const names = new Array<string>(system.wires)
  const gadgets = Array.from({ length: count }, () => ({
    signals: [] as string[],
    rows: [] as [string, number][][][],
  }))
  for (const line of symbols.split("\n")) {
    const [, wire, , path] = line.split(",")
    const match = path?.match(/^main\.g(\d+)\.(.+)$/)
    if (!match) continue
    owner[Number(wire)] = Number(match[1])
    names[Number(wire)] = match[2]
    gadgets[Number(match[1])].signals.push(match[2])
  }
  const sides = [system.a, system.b, system.c]
  for (let row = 0; row < system.rows; row++) {
    let gadget = -2
    const entries = sides.map((side) => {
      const list: [string, number][] = []
      for (const j of ascending(side, row)) {
        const wire = side.wires[j]
        const value = Number(signed(system.values[side.coefficients[j]]))
        invariant(Number.isSafeInteger(value), "a gadget coefficient exceeds 2^53")
        if (wire !== 0) {
          if (gadget === -2) gadget = owner[wire]
          else if (gadget !== owner[wire]) gadget = -1
        }
        list.push([wire === 0 ? "" : names[wire], value])
      }
      return list
    })
    if (gadget >= 0) gadgets[gadget].rows.push(entries)
  }
  return gadgets
}
