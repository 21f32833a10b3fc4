/**
 * What an interrupted contribution needs to go on: its secret, and how far it came. The file is made for that by
 * whoever asks for it, for the owner's eyes alone; who has it and the new key knows the secret of the contribution, so
 * it is overwritten and removed as soon as that is done. The new key under way lies beside the old one.
 *
 * It is one line of JSON in which only the last number changes, digit over digit.
 */
import { createHash } from "node:crypto"
import { closeSync, constants, fsyncSync, openSync, rmSync, writeSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { attempt, exists, readJson } from "../files.js"
import * as api from "../index.js"
import { bytes32, fields, hexBytes, oneOf } from "../statement/strict.js"
import { Replacement } from "./replacement.js"

const seedBytes = 64
/** Digits of the number of bytes that are done. */
const digits = 16

export interface Resumable {
  readonly seed: Uint8Array
  readonly replacement: Replacement
  /** Bytes of the new key that are written. */
  readonly done: number
  /** Notes how far it came, once that is on the disk. */
  note(): void
  /** Overwrites and removes the file. */
  forget(): void
}

/**
 * Begins a contribution to the key at `place` that may be interrupted, or goes on with the one that a file tells of.
 * @param digest SHA-256 of the key
 * @throws UsageError for a file that belongs to another key or name; FileError for one that is damaged
 */
export function resumable(
  path: string,
  place: string,
  digest: string,
  name: string,
  entropy: string,
): Resumable {
  return exists(path) ? goOn(path, place, digest, name) : begin(path, place, digest, name, entropy)
}

function begin(path: string, place: string, digest: string, name: string, entropy: string): Resumable {
  const seed = api.drawSeed(entropy)
  const replacement = new Replacement(place)
  const text = `${JSON.stringify({
    version: 1,
    key: digest,
    name,
    partial: basename(replacement.path),
    seed: `0x${Buffer.from(seed).toString("hex")}`,
    done: "0".repeat(digits),
  })}\n`
  try {
    attempt(
      path,
      () => overwrite(path, Buffer.from(text), 0, constants.O_CREAT | constants.O_EXCL),
      "cannot be written",
    )
  } catch (error) {
    replacement.discard()
    throw error
  }
  return held(path, text.length, seed, replacement, 0)
}

function goOn(path: string, place: string, digest: string, name: string): Resumable {
  const where = `\`${path}\``
  const given = fields(readJson(path), where, ["version", "key", "name", "partial", "seed", "done"])
  oneOf(given.version, `${where}: version`, [1])
  const seed = Buffer.from(hexBytes(given.seed, `${where}: seed`, seedBytes, seedBytes).slice(2), "hex")
  const { partial, done } = given
  if (typeof partial !== "string" || basename(partial) !== partial || !/^\.[0-9a-f]+\.tmp$/.test(partial))
    throw new api.FileError({ what: "names no file of a contribution", where })
  if (typeof done !== "string" || !new RegExp(`^[0-9]{${digits}}$`).test(done))
    throw new api.FileError({ what: "does not say how far the contribution came", where })
  const old = { key: bytes32(given.key, `${where}: key`), name: given.name }
  if (old.key !== digest || old.name !== name)
    throw new api.UsageError({
      what: "is of a contribution to another key, or under another name",
      where,
      expected: `key ${digest}, name ${name}`,
      given: `key ${old.key}, name ${old.name}`,
      fix: "Go on with that key, or destroy this file (it has a secret) and begin anew with another one",
    })
  const replacement = new Replacement(place, { path: join(dirname(place), partial), bytes: Number(done) })
  return held(path, JSON.stringify(given).length + 1, seed, replacement, replacement.bytes)
}

function held(
  path: string,
  length: number,
  seed: Uint8Array,
  replacement: Replacement,
  done: number,
): Resumable {
  return {
    seed,
    replacement,
    done,
    note() {
      replacement.settle()
      // before the quote, the brace and the end of the line
      const at = length - digits - 3
      attempt(
        path,
        () => overwrite(path, Buffer.from(`${replacement.bytes}`.padStart(digits, "0")), at),
        "cannot be written",
      )
    },
    forget() {
      attempt(path, () => overwrite(path, Buffer.alloc(length), 0), "cannot be overwritten")
      rmSync(path, { force: true })
    },
  }
}

function overwrite(path: string, bytes: Uint8Array, at: number, flags = 0): void {
  const file = openSync(path, constants.O_WRONLY | flags, 0o600)
  try {
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, at + done)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** SHA-256 of a key, read in blocks. */
export async function keyFileDigest(source: api.ByteSource): Promise<string> {
  const hash = createHash("sha256")
  const block = 2 ** 22
  for (let at = 0; at < source.size; at += block)
    hash.update(await source.read(at, Math.min(block, source.size - at)))
  return `0x${hash.digest("hex")}`
}
