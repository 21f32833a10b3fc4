/**
 * circom templates to local constraint systems. All gadgets a circuit needs are compiled by one run of
 * circom (npm package circom2, no optimisation, so that names survive), cached by the digest of source
 * text and parameters, and reduced: range checks become requests and plain copies disappear.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { InvariantError, invariant } from "../errors.js"
import { signed } from "../field.js"
import { type GadgetUse, gadgetCall, gadgetKey } from "./gadgets.js"
import { readR1cs } from "./r1csfile.js"
import type { Table } from "./tables.js"

/** Linear combination of local signals; ONE is the constant. */
export type Lc = Map<number, number>
export const ONE = -1

/** A row a·b = c over local signals; a linear row has b = 1 and c = 0. */
export interface LocalRow {
  a: Lc
  b: Lc
  c: Lc
}

/** A gadget as compiled: signals 0 … inputs−1 are the inputs, the others are named. */
export interface Gadget {
  readonly key: string
  readonly use: GadgetUse
  readonly inputs: number
  /** Names of all signals in local order. */
  readonly signals: readonly string[]
  readonly outputs: readonly Lc[]
  readonly rows: readonly LocalRow[]
  /** What a range strategy has to serve. */
  readonly requests: readonly Request[]
}

/** 0 ≤ lc < 2^bits, or lc is an entry of a table. */
export type Request = { readonly lc: Lc } & ({ readonly bits: number } | { readonly table: Table })

/** Folder of the circom sources, shipped with the package. */
export const circuitsFolder = fileURLToPath(new URL("../../circuits/gadgets/", import.meta.url))
const cacheFolder = fileURLToPath(new URL("../../.cache/gadgets/", import.meta.url))

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
): Promise<{ r1cs: Uint8Array; symbols: string; wasm: Uint8Array }> {
  const require = createRequire(import.meta.url)
  const { CircomRunner, bindings } = require("circom2") as CircomPackage
  const folder = fs.mkdtempSync(join(tmpdir(), "countersign-"))
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
      args: ["main.circom", "--r1cs", "--sym", "--wasm", "--O0"],
      env: {},
      preopens: { ".": folder },
      bindings: { ...bindings, exit: stop, kill: stop, fs: quiet },
    })
    await runner.execute(fs.readFileSync(require.resolve("circom2/circom.wasm")))
    return {
      r1cs: fs.readFileSync(join(folder, "main.r1cs")),
      symbols: fs.readFileSync(join(folder, "main.sym"), "utf8"),
      wasm: fs.readFileSync(join(folder, "main_js", "main.wasm")),
    }
  } catch (error) {
    throw new InvariantError(`circom refused a gadget: ${error}\n${printed}`)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

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

/** Raw rows of one gadget by signal name, as cached. */
interface RawGadget {
  signals: string[]
  rows: [string, number][][][]
}

/** Compiles the distinct gadgets among `uses`; the result is keyed by gadgetKey. */
export async function compileGadgets(uses: readonly GadgetUse[]): Promise<Map<string, Gadget>> {
  const distinct = new Map(uses.map((use) => [gadgetKey(use), use]))
  const sources = createHash("sha256")
  for (const name of fs.readdirSync(circuitsFolder).sort())
    sources.update(fs.readFileSync(join(circuitsFolder, name)))
  const version = sources.digest("hex").slice(0, 24)
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
  return new Map([...distinct].map(([key, use]) => [key, reduce(use, raw.get(key) as RawGadget)]))
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

/** Sorts the rows of the combined program by component; rows that feed a component's inputs are dropped. */
function splitByComponent(bytes: Uint8Array, symbols: string, count: number): RawGadget[] {
  const system = readR1cs(bytes)
  const owner = new Int32Array(system.wires).fill(-1)
  const names = new Array<string>(system.wires)
  const gadgets: RawGadget[] = Array.from({ length: count }, () => ({ signals: [], rows: [] }))
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
      for (let j = side.rowPtr[row]; j < side.rowPtr[row + 1]; j++) {
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

const isRangeSignal = /(^|\.)range\w*(\[\d+\])?\.(in|bits\[\d+\])$/
const isMemberSignal = /(^|\.)member\w*(\[\d+\])?\.in$/

/** The table doors without their definitions, which would cost a row per entry; see member.circom. */
const memberDoors = ["SignedTable(w, x, y, j)", "GatedTable(w, a, b, j)", "FunctionTable(m, j, f)"]
  .map((template) => `template ${template} { signal input in; }\n`)
  .join("")

/** Replaces signal `from` by `lc` wherever it occurs. */
export function substitute(target: Lc, from: number, lc: Lc): void {
  const factor = target.get(from)
  if (factor === undefined) return
  target.delete(from)
  for (const [signal, value] of lc) {
    const sum = (target.get(signal) ?? 0) + factor * value
    invariant(Number.isSafeInteger(sum), "a gadget coefficient exceeds 2^53")
    if (sum === 0) target.delete(signal)
    else target.set(signal, sum)
  }
}

/** Normalises a row without a product to lc = 0, or returns undefined for a quadratic row. */
export function linearForm(row: LocalRow): Lc | undefined {
  const constant = (lc: Lc) => lc.size === 0 || (lc.size === 1 && lc.has(ONE))
  const [scale, other] = constant(row.b) ? [row.b, row.a] : [row.a, row.b]
  if (!constant(scale)) return undefined
  const result: Lc = new Map()
  for (const [signal, value] of row.c) result.set(signal, -value)
  const factor = scale.get(ONE) ?? 0
  result.set(-2, factor)
  substitute(result, -2, other)
  result.delete(-2)
  return result
}

/** Turns range components into requests and removes copies and linear output definitions. */
function reduce(use: GadgetUse, raw: RawGadget): Gadget {
  const inputs = use.kind.inputs(use.parameters)
  const plain = raw.signals.filter((name) => !inputs.includes(name) && !/\.bits\[\d+\]$/.test(name))
  const signals = [...inputs, ...plain]
  const local = new Map(signals.map((name, i) => [name, i]))
  local.set("", ONE)

  const widths = new Map<string, number>()
  for (const name of raw.signals) {
    if (!isRangeSignal.test(name)) continue
    const prefix = name.slice(0, name.lastIndexOf("."))
    widths.set(prefix, (widths.get(prefix) ?? 0) + (name.endsWith(".in") ? 0 : 1))
  }
  const rows: LocalRow[] = []
  const rangeRows = new Map<string, number>()
  for (const entries of raw.rows) {
    const names = entries.flat().map(([name]) => name)
    const bit = names.find((name) => /\.bits\[\d+\]$/.test(name))
    if (bit !== undefined) {
      const prefix = bit.slice(0, bit.lastIndexOf("."))
      invariant(
        names.every((name) => name === "" || name.startsWith(`${prefix}.`)),
        "a row mixes range bits and others",
      )
      rangeRows.set(prefix, (rangeRows.get(prefix) ?? 0) + 1)
      continue
    }
    const [a, b, c] = entries.map(
      (side): Lc => new Map(side.map(([name, value]) => [local.get(name) as number, value])),
    )
    rows.push({ a, b, c })
  }
  for (const [prefix, width] of widths) {
    invariant(rangeRows.get(prefix) === width + 1, `range component ${prefix} is not a Range template`)
  }
  const operand = (name: string): Lc => new Map([[local.get(name) as number, 1]])
  const requests: Request[] = [...widths].map(([prefix, bits]) => ({ lc: operand(`${prefix}.in`), bits }))
  for (const name of raw.signals) {
    if (!isMemberSignal.test(name)) continue
    const table = use.kind.table?.(use.parameters)
    invariant(table, `gadget ${gadgetKey(use)} has no table`)
    requests.push({ lc: operand(name), table })
  }
  const outputs = use.kind.outputs.map((name): Lc => new Map([[local.get(name) as number, 1]]))
  const gadget = { key: gadgetKey(use), use, inputs: inputs.length, signals, outputs, rows, requests }
  for (let next = findDefinition(gadget); next; next = findDefinition(gadget)) {
    rows.splice(next.row, 1)
    replace(gadget, next.signal, next.lc)
  }
  return gadget
}

/** Replaces a signal by a linear combination everywhere in a gadget. */
export function replace(
  gadget: {
    readonly rows: readonly LocalRow[]
    readonly requests: readonly { readonly lc: Lc }[]
    readonly outputs: readonly Lc[]
  },
  signal: number,
  lc: Lc,
): void {
  for (const row of gadget.rows) for (const side of [row.a, row.b, row.c]) substitute(side, signal, lc)
  for (const request of gadget.requests) substitute(request.lc, signal, lc)
  for (const output of gadget.outputs) substitute(output, signal, lc)
}

/**
 * A linear row that merely names something: the operand of a range check, or else a copy. Other linear
 * rows (decompositions) are constraints and stay.
 */
function findDefinition(gadget: Gadget): { row: number; signal: number; lc: Lc } | undefined {
  const forms = gadget.rows.map(linearForm)
  const find = (names: (signal: number, lc: Lc) => boolean) => {
    for (const [row, lc] of forms.entries()) {
      if (!lc) continue
      for (const [signal, value] of lc) {
        if (signal < gadget.inputs || Math.abs(value) !== 1 || !names(signal, lc)) continue
        const definition: Lc = new Map()
        for (const [other, c] of lc) if (other !== signal) definition.set(other, value === 1 ? -c : c)
        return { row, signal, lc: definition }
      }
    }
    return undefined
  }
  const isOperand = (signal: number) =>
    isRangeSignal.test(gadget.signals[signal]) || isMemberSignal.test(gadget.signals[signal])
  // an output keeps a wire of its own unless it equals another wire
  const isOutput = (signal: number) => gadget.outputs.some((output) => output.has(signal))
  const equals = (lc: Lc) => [...lc.values()].reduce((a, b) => a + b) === 0
  const isCopy = (signal: number, lc: Lc) =>
    lc.size === 2 && !lc.has(ONE) && (!isOutput(signal) || equals(lc))
  return find(isOperand) ?? find(isCopy)
}
