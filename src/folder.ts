/**
 * The folder a model lives in between commands: the files of its circuit (circuit/description.ts), proving.key
 * and verification.json. Files are written whole under a temporary name and renamed, so that an interrupted
 * command leaves the old file.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import type { Salts } from "./circuit/commitment.js"
import type { Circuit } from "./circuit/compile.js"
import { type CircuitInfo, describeCircuit, parseCircuitInfo, rebuildCircuit } from "./circuit/description.js"
import { drawSalt } from "./circuit/poseidon.js"
import { FileError, type OnProgress, UsageError } from "./errors.js"
import { r } from "./field.js"
import type { Accuracy } from "./quantize/accuracy.js"
import { serialize } from "./quantize/digest.js"
import { parseVerificationKey, type VerificationKey } from "./verifier/key.js"

const names = {
  model: "model.bin",
  info: "circuit.json",
  gadgets: "gadgets.json",
  provingKey: "proving.key",
  verificationKey: "verification.json",
}

/** Most bytes that are written at once; the platform's limit is 2^31 − 1. */
const mostBytes = 2 ** 30

/** Writes a file whole or not at all. */
export function writeWhole(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const file = openSync(temporary, "w")
    try {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
      for (let at = 0; at < bytes.length; at += mostBytes) {
        writeFileSync(file, bytes.subarray(at, at + mostBytes))
      }
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw new FileError({ what: `cannot be written: ${(error as Error).message}`, where: `\`${path}\`` })
  }
}

/** Reads a file; a missing one is the caller's mistake, with what to do about it. */
export function readWhole(path: string, fix?: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : (error as Error).message
    throw new UsageError({ what: reason, where: `\`${path}\``, ...(fix ? { fix } : {}) })
  }
}

/** Parses JSON that a user gave; the error names the file. */
export function readJson(path: string, fix?: string): unknown {
  const text = new TextDecoder().decode(readWhole(path, fix))
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FileError({ what: `is not JSON: ${(error as Error).message}`, where: `\`${path}\`` })
  }
}

/**
 * Saves a compiled circuit.
 * @throws UsageError if the folder holds a different model or circuit, which is left untouched
 */
export function saveCircuit(
  folder: string,
  circuit: Circuit,
  accuracy: Accuracy,
): CircuitInfo & { readonly accuracy: Accuracy } {
  const info = { ...describeCircuit(circuit), accuracy }
  mkdirSync(folder, { recursive: true })
  if (existsSync(join(folder, names.info))) {
    const held = readInfo(folder)
    const describe = (x: CircuitInfo) =>
      `${x.model} in ${x.proofSystem} with ${x.input} input and ${x.output} output`
    if (describe(held) !== describe(info)) {
      throw new UsageError({
        what: "the folder already holds another model",
        where: `\`${folder}\``,
        expected: describe(info),
        given: describe(held),
        fix: "Choose another output folder, or remove this one",
      })
    }
  }
  writeWhole(join(folder, names.model), serialize(circuit.graph))
  writeWhole(join(folder, names.gadgets), JSON.stringify(circuit.gadgets))
  writeWhole(join(folder, names.info), `${JSON.stringify(info, null, 2)}\n`)
  return info
}

/** Reads circuit.json. @throws UsageError, FileError */
function readInfo(folder: string): CircuitInfo {
  const path = join(folder, names.info)
  return parseCircuitInfo(readJson(path, "Run `countersign compile` first"), `\`${path}\``)
}

/**
 * Rebuilds the circuit of a folder from its integer model. The gadgets are the installed ones, not the folder's:
 * what is set up or audited here must not depend on what somebody wrote there.
 * @throws FileError if the model is not the one the folder was compiled for
 */
export async function loadCircuit(folder: string, onProgress?: OnProgress): Promise<Circuit> {
  const path = (name: string) => join(folder, name)
  const circuit = readInfo(folder)
  const { model, info, gadgets } = names
  return rebuildCircuit(
    { model: readWhole(path(model)), circuit },
    {
      names: { model: path(model), circuit: path(info), gadgets: path(gadgets) },
      ...(onProgress ? { onProgress } : {}),
    },
  )
}

/** Saves both keys of a folder. */
export function saveKeys(folder: string, provingKey: Uint8Array, verificationKey: VerificationKey): void {
  writeWhole(join(folder, names.provingKey), provingKey)
  writeWhole(join(folder, names.verificationKey), `${JSON.stringify(verificationKey, null, 2)}\n`)
}

/**
 * The salts that a circuit's commitments take, from a file that is made if it does not exist.
 * @throws UsageError if the circuit commits to something and no file is named; FileError for another content
 */
export function loadSalts(path: string | undefined, { input, output }: Circuit): Salts {
  const sides = (["input", "output"] as const).filter(
    (side) => (side === "input" ? input : output) === "committed",
  )
  if (sides.length === 0) return {}
  if (path === undefined) {
    throw new UsageError({
      what: `the circuit commits to its ${sides.join(" and ")}`,
      fix: "Name a file for the salts: --salts FILE; whoever has it can open the commitment",
    })
  }
  if (!existsSync(path)) {
    const drawn = Object.fromEntries(sides.map((side) => [side, `${drawSalt()}`]))
    writeWhole(path, `${JSON.stringify(drawn, null, 2)}\n`)
  }
  const held = readJson(path) as Record<string, unknown>
  const salts = sides.map((side) => {
    const text = held?.[side]
    if (typeof text !== "string" || !/^(0|[1-9][0-9]*)$/.test(text) || BigInt(text) >= r)
      throw new FileError({ what: `has no salt \`${side}\``, where: `\`${path}\`` })
    return [side, BigInt(text)]
  })
  return Object.fromEntries(salts)
}

const setupFirst = "Run `countersign setup` first"
/** Where the proving key lies. @throws UsageError if there is none */
export function provingKeyPath(folder: string): string {
  const path = join(folder, names.provingKey)
  if (existsSync(path)) return path
  throw new UsageError({ what: "does not exist", where: `\`${path}\``, fix: setupFirst })
}
export const loadVerificationKey = (path: string): VerificationKey =>
  parseVerificationKey(readJson(path, setupFirst))
export const verificationKeyPath = (folder: string): string => join(folder, names.verificationKey)
