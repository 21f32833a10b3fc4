/**
 * A disk in memory that stops, fills up, or forgets what was not synced; with processes that end when it does. Every
 * step that changes something is counted, and a test says what happens at which.
 */
import { UsageError } from "#src/errors.js"
import type { Disk, DiskFile, Platform } from "#src/log/platform.js"
import type { Random } from "./random.js"

/** What happens at a step: the process ends in it, or the disk refuses it. */
export type Fault = "stop" | "refuse" | undefined

/** A process that has ended does nothing more. */
class Stopped extends Error {}

type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number }

class Contents {
  bytes = new Uint8Array(0)
  /** What is there for good, and what came since. */
  kept = new Uint8Array(0)
  changes: Change[] = []
}

const sector = 512

function changed(bytes: Uint8Array, change: Change): Uint8Array<ArrayBuffer> {
  const length = "length" in change ? change.length : Math.max(bytes.length, change.at + change.bytes.length)
  const result = new Uint8Array(length)
  result.set(bytes.subarray(0, length))
  if ("bytes" in change) result.set(change.bytes, change.at)
  return result
}

export class FaultyDisk implements Disk {
  /** Steps so far. */
  steps = 0
  fault: (step: number) => Fault = () => undefined
  /** Called before anything is done, reading too. */
  before: () => void = () => undefined
  /** Whether the process that has it ended. */
  isStopped = false
  /** Files and folders (null) by path; those that are there for good. */
  #names = new Map<string, Contents | null>()
  #keptNames = new Map<string, Contents | null>()

  /** What the next process finds: all that was written or, when power failed, what was kept and some of the rest. */
  restarted(random?: Random): FaultyDisk {
    const disk = new FaultyDisk()
    const copies = new Map<Contents, Contents>()
    const copyOf = (file: Contents | null) => {
      if (!file) return null
      let copy = copies.get(file)
      if (!copy) {
        copy = new Contents()
        copy.bytes = random ? afterPowerLoss(file, random) : file.bytes
        copy.kept = copy.bytes
        copies.set(file, copy)
      }
      return copy
    }
    const isKept = (path: string) => !random || this.#keptNames.get(path) === this.#names.get(path)
    for (const path of new Set([...this.#names.keys(), ...this.#keptNames.keys()])) {
      const names = isKept(path) || random?.integer(0, 1) ? this.#names : this.#keptNames
      const file = names.get(path)
      // what lies in a folder that is lost is lost with it
      if (file !== undefined && (folderOf(path) === "" || disk.#names.has(folderOf(path))))
        disk.#names.set(path, copyOf(file))
    }
    disk.#keptNames = new Map(disk.#names)
    return disk
  }

  /** All files, for tests that change them. */
  contents(path: string): Contents {
    const file = this.#names.get(path)
    if (!file) throw new Error(`no file ${path}`)
    return file
  }

  #look(): void {
    if (this.isStopped) throw new Stopped()
    this.before()
  }

  /** Counts a step; `half` is what of it is done when it fails. */
  #step(half: () => void = () => undefined): void {
    this.#look()
    const fault = this.fault(this.steps++)
    if (!fault) return
    half()
    if (fault === "refuse") throw new UsageError({ what: "cannot be written: no space is left" })
    this.isStopped = true
    throw new Stopped()
  }

  open(path: string, write: boolean): DiskFile | undefined {
    this.#look()
    if (!this.#names.has(path)) {
      if (!write) return undefined
      this.#step()
      if (!this.#names.has(folderOf(path))) throw new UsageError({ what: "does not exist", where: path })
      this.#names.set(path, new Contents())
    }
    return this.#file(this.contents(path))
  }

  #file(file: Contents): DiskFile {
    const make = (change: Change) => {
      file.bytes = changed(file.bytes, change)
      file.changes.push(change)
    }
    return {
      size: () => {
        this.#look()
        return file.bytes.length
      },
      read: (bytes, at) => {
        this.#look()
        const there = file.bytes.subarray(at, at + bytes.length)
        bytes.set(there)
        return there.length
      },
      write: (bytes, at) => {
        this.#step(() => make({ at, bytes: bytes.slice(0, bytes.length >> 1) }))
        make({ at, bytes: bytes.slice() })
      },
      truncate: (length) => {
        this.#step()
        make({ length })
      },
      sync: async () => {
        this.#step()
        file.kept = file.bytes
        file.changes = []
      },
      close: () => undefined,
    }
  }

  link(from: string, to: string): boolean {
    this.#step()
    const file = this.#names.get(from)
    if (!file || this.#names.has(to)) return false
    this.#names.set(to, file)
    return true
  }

  remove(path: string): void {
    this.#step()
    this.#names.delete(path)
  }

  list(folder: string): string[] {
    this.#look()
    return [...this.#names.keys()]
      .filter((path) => path !== folder && folderOf(path) === folder)
      .map((path) => path.slice(folder.length + 1))
  }

  makeFolder(path: string): void {
    if (this.#names.has(path)) return
    if (folderOf(path) !== "") this.makeFolder(folderOf(path))
    this.#step()
    this.#names.set(path, null)
  }

  async syncFolder(path: string): Promise<void> {
    this.#step()
    const folder = path.endsWith("/..") ? folderOf(path.slice(0, -3)) : path
    const isIn = (name: string) => folderOf(name) === folder
    for (const name of this.#keptNames.keys())
      if (isIn(name) && !this.#names.has(name)) this.#keptNames.delete(name)
    for (const [name, file] of this.#names) if (isIn(name)) this.#keptNames.set(name, file)
  }
}

const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")))

/** Some of the changes since the last sync, some of them in part. */
function afterPowerLoss(file: Contents, random: Random): Uint8Array<ArrayBuffer> {
  let { kept } = file
  for (const change of file.changes) {
    if (random.integer(0, 2) === 0) continue
    if ("length" in change || random.integer(0, 1) === 0) kept = changed(kept, change)
    else
      for (let from = 0, to = 0; from < change.bytes.length; from = to) {
        to = from + sector - ((change.at + from) % sector)
        if (random.integer(0, 1) === 0)
          kept = changed(kept, { at: change.at + from, bytes: change.bytes.slice(from, to) })
      }
  }
  return kept
}

/** A process on a disk, `process N.`; it has ended for sure when `ended` says so. */
export const processOn = (disk: Disk, self: string, ended: ReadonlySet<string> = new Set()): Platform => ({
  disk,
  self,
  // a name that is not whole lost power
  hasEnded: (other) => ended.has(other) || !/^process \d+\.$/.test(other),
})
