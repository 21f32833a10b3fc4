/**
 * Files and processes of Node. Loaded there alone: package.json gives bundlers of pages nothing in its place.
 *
 * A process is told by its number and, as numbers are used again, by when it began; the number means something on one
 * machine, between two starts of it, and within one space of process numbers (containers have their own). Only Linux
 * says all of that. Elsewhere the name of the machine and the number must do: a number that was used again then looks
 * alive, and whoever waits is told.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeSync,
} from "node:fs"
import { hostname } from "node:os"
import { promisify } from "node:util"
import { UsageError } from "../errors.js"
import { attempt, makeFolder, removeFile } from "../files.js"
import { mostBytes } from "../platform.js"
import type { Disk, DiskFile, Platform } from "./platform.js"

const syncNow = promisify(fsync)
const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException).code

/** As `attempt`, but undefined where there is no such thing. */
function ifThere<T>(path: string, work: () => T): T | undefined {
  return attempt(path, () => {
    try {
      return work()
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined
      throw error
    }
  })
}

async function syncOf(path: string, file: number): Promise<void> {
  try {
    await syncNow(file)
  } catch (error) {
    attempt(path, () => {
      throw error
    })
  }
}

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #file: number
  constructor(path: string, file: number) {
    this.#path = path
    this.#file = file
  }
  size() {
    return attempt(this.#path, () => fstatSync(this.#file).size)
  }
  read(bytes: Uint8Array, at: number) {
    return attempt(this.#path, () => {
      let done = 0
      while (done < bytes.length) {
        const most = Math.min(mostBytes, bytes.length - done)
        const read = readSync(this.#file, bytes, done, most, at + done)
        if (read === 0) break
        done += read
      }
      return done
    })
  }
  write(bytes: Uint8Array, at: number) {
    attempt(
      this.#path,
      () => {
        for (let done = 0; done < bytes.length; )
          done += writeSync(this.#file, bytes, done, Math.min(mostBytes, bytes.length - done), at + done)
      },
      "cannot be written",
    )
  }
  truncate(bytes: number) {
    attempt(this.#path, () => ftruncateSync(this.#file, bytes), "cannot be shortened")
  }
  sync() {
    return syncOf(this.#path, this.#file)
  }
  close() {
    closeSync(this.#file)
  }
}

const disk: Disk = {
  open(path, write) {
    const flags = write ? constants.O_RDWR | constants.O_CREAT : constants.O_RDONLY
    const file = ifThere(path, () => openSync(path, flags, 0o666))
    if (file === undefined && write) throw new UsageError({ what: "does not exist", where: `\`${path}\`` })
    return file === undefined ? undefined : new NodeFile(path, file)
  },
  link: (from, to) =>
    attempt(to, () => {
      try {
        linkSync(from, to)
        return true
      } catch (error) {
        // without `from` somebody took it for left behind
        if (codeOf(error) === "EEXIST" || codeOf(error) === "ENOENT") return false
        throw error
      }
    }),
  remove: removeFile,
  list: (folder) => ifThere(folder, () => readdirSync(folder)) ?? [],
  makeFolder,
  async syncFolder(path) {
    const file = attempt(path, () => openSync(path, "r"))
    try {
      await syncNow(file).catch((error: unknown) => {
        // Windows and some network folders keep names on their own
        if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP"].includes(String(codeOf(error)))) throw error
      })
    } finally {
      closeSync(file)
    }
  },
}

/** What a file of the system says, or null where there is none. */
function told<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

/** When a process began, in ticks since the machine did, and whether it still runs; null where the system does not say. */
function runOf(process: number): { readonly began: string; readonly runs: boolean } | null {
  const text = told(() => readFileSync(`/proc/${process}/stat`, "utf8"))
  // its own name, in parentheses, may have anything in it
  const parts = text?.slice(text.lastIndexOf(")") + 2).split(" ")
  return parts ? { began: parts[19], runs: !["Z", "X", "x"].includes(parts[0]) } : null
}

const place = {
  host: hostname(),
  boot: told(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
  space: told(() => readlinkSync("/proc/self/ns/pid")),
}

function exists(number: number): boolean {
  try {
    process.kill(number, 0)
    return true
  } catch (error) {
    return codeOf(error) !== "ESRCH"
  }
}

function hasEnded(self: string): boolean {
  const given = told(() => JSON.parse(self)) as Partial<Record<string, unknown>> | null
  // it is whole before others see it: this one lost power
  if (given === null) return true
  const { host, boot, space, process: number, began } = given
  if (host !== place.host || boot !== place.boot || space !== place.space) return false
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number <= 0) return false
  if (!exists(number)) return true
  const run = runOf(number)
  return run !== null && (!run.runs || run.began !== began)
}

/** The system that this process runs on. */
export const nodePlatform: Platform = {
  disk,
  self: JSON.stringify({ ...place, process: process.pid, began: runOf(process.pid)?.began ?? null }),
  hasEnded,
}
