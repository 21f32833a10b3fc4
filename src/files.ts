/**
 * Files that a user names. What the platform refuses is the user's to mend: a typed error says which path, and why.
 * Files are written whole under a temporary name and renamed, so that an interrupted command leaves the old file.
 */
import { randomBytes } from "node:crypto"
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { FileError, UsageError } from "./errors.js"
import { mostBytes } from "./platform.js"
import { fromJson } from "./statement/strict.js"

/** Most bytes of a file that is read whole; model, samples and JSON all have lower limits of their own. */
const mostInMemory = 2 ** 31

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "lies in what is a file, not a folder",
  EEXIST: "exists already",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "the quota is used up",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
}

/** What the platform says about a path, in words. */
function reasonOf(error: unknown): string {
  const { code = "", message } = error as NodeJS.ErrnoException
  return reasons[code] ?? message
}

/** Does something to a path. @throws UsageError if the platform refuses */
export function attempt<T>(path: string, work: () => T, doing = "", fix?: string): T {
  try {
    return work()
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error
    const what = doing === "" ? reasonOf(error) : `${doing}: ${reasonOf(error)}`
    throw new UsageError({ what, where: `\`${path}\``, ...(fix ? { fix } : {}) })
  }
}

const statOf = (path: string) => attempt(path, () => statSync(path, { throwIfNoEntry: false }))

/** @throws UsageError if that cannot be told */
export const exists = (path: string): boolean => statOf(path) !== undefined

/** Bytes of a file, null if there is none. @throws UsageError if that cannot be told */
export const sizeOfFile = (path: string): number | null => statOf(path)?.size ?? null

/** A name beside a path for what is being written; short, so that it is legal wherever the path's is. */
export const temporaryFor = (path: string): string =>
  join(dirname(path), `.${randomBytes(6).toString("hex")}.tmp`)

const cannotWrite = "cannot be written"

/**
 * Whether a file can be written, asked before the work whose result it takes.
 * @throws UsageError if not: no folder, a folder in its place, a name that is too long, no permission
 */
export function checkOutput(path: string): void {
  const held = attempt(path, () => statSync(path, { throwIfNoEntry: false }), cannotWrite)
  if (held && !held.isFile())
    throw new UsageError({
      what: `${cannotWrite}: it is ${held.isDirectory() ? "a folder" : "no ordinary file"}`,
      where: `\`${path}\``,
      expected: "the path of a file",
    })
  probe(path, temporaryFor(path))
}

/**
 * Whether a folder can be written, or made, asked before the work whose result it takes.
 * @throws UsageError if not: a file in its place or above it, a name that is too long, no permission
 */
export function checkFolder(path: string): void {
  let nearest = path
  let held = attempt(path, () => statSync(path, { throwIfNoEntry: false }), cannotWrite)
  while (!held && dirname(nearest) !== nearest) {
    nearest = dirname(nearest)
    held = statOf(nearest)
  }
  if (!held?.isDirectory())
    throw new UsageError({
      what: `${cannotWrite}: \`${nearest}\` is a file`,
      where: `\`${path}\``,
      expected: "a folder",
    })
  probe(path, temporaryFor(join(nearest, "file")))
}

/** Leaves nothing, but fails where writing would. */
function probe(path: string, temporary: string): void {
  attempt(path, () => closeSync(openSync(temporary, "wx", 0o600)), cannotWrite)
  rmSync(temporary, { force: true })
}

/** Makes a folder and those above it. @throws UsageError */
export const makeFolder = (path: string): void => {
  attempt(path, () => mkdirSync(path, { recursive: true }), "cannot be made")
}

/**
 * Writes a file whole or not at all; `isPrivate`: for its owner's eyes only, `isNew`: over no other,
 * `isDurable`: on the disk when this returns.
 * @throws UsageError if the platform refuses, or a file that is to be new exists
 */
export function writeWhole(
  path: string,
  content: Uint8Array | string,
  { isPrivate = false, isNew = false, isDurable = false } = {},
): void {
  const temporary = temporaryFor(path)
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
  const write = () => {
    const file = openSync(temporary, "wx", isPrivate ? 0o600 : 0o666)
    try {
      for (let at = 0; at < bytes.length; )
        at += writeSync(file, bytes, at, Math.min(mostBytes, bytes.length - at))
      if (isDurable) fsyncSync(file)
    } finally {
      closeSync(file)
    }
    if (isNew) place(temporary, path)
    else renameSync(temporary, path)
    if (isDurable) syncFolder(dirname(path))
  }
  try {
    attempt(path, write, cannotWrite)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Brings the names in a folder to the disk, where folders can be opened. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return
  const folder = openSync(path, "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Takes a file away, if there is one. @throws UsageError if the platform refuses */
export const removeFile = (path: string): void =>
  attempt(path, () => rmSync(path, { force: true }), "cannot be removed")

/** Gives a file a name that nothing has. Renaming would replace what came to be there; a link does not. */
function place(temporary: string, path: string): void {
  try {
    linkSync(temporary, path)
  } catch (error) {
    // some file systems have no links
    if ((error as NodeJS.ErrnoException).code === "EEXIST" || exists(path)) throw error
    renameSync(temporary, path)
  }
}

/**
 * Reads a file, or what a pipe gives; `fix` says what to do about a missing one.
 * @throws UsageError if the platform refuses; FileError for more than 2 GiB
 */
export function readWhole(path: string, fix?: string): Uint8Array {
  const file = attempt(path, () => openSync(path, "r"), "", fix)
  try {
    return attempt(path, () => readAll(file, path))
  } finally {
    closeSync(file)
  }
}

function readAll(file: number, path: string): Uint8Array {
  const tooLarge = (given: string) =>
    new FileError({
      what: "is too large",
      where: `\`${path}\``,
      expected: `at most ${mostInMemory} bytes`,
      given,
    })
  const { size } = fstatSync(file)
  if (size > mostInMemory) throw tooLarge(`${size}`)
  // one byte more than it is said to have shows whether that is all; pipes and devices say 0
  let bytes = new Uint8Array(size + 1)
  let length = 0
  for (;;) {
    const read = readSync(file, bytes, length, Math.min(mostBytes, bytes.length - length), null)
    if (read === 0) return bytes.subarray(0, length)
    length += read
    if (length > mostInMemory) throw tooLarge("more")
    if (length < bytes.length) continue
    const larger = new Uint8Array(Math.min(2 * length + 65_536, mostInMemory + 1))
    larger.set(bytes)
    bytes = larger
  }
}

/** Parses JSON that a user gave, in which no name occurs twice; the error names the file. */
export function readJson(path: string, fix?: string): unknown {
  const bytes = readWhole(path, fix)
  const where = `\`${path}\``
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw new FileError({ what: "is not text in UTF-8", where })
  }
  return fromJson(text, where)
}
