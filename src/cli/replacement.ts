/**
 * A large file that will take the place of another, written in order under a temporary name beside it. Only when all
 * of it is on the disk does it get the name: whoever is interrupted has the old file, whole.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs"
import { dirname } from "node:path"
import { attempt, temporaryFor } from "../files.js"

const cannotWrite = "cannot be written"

export class Replacement {
  /** The temporary name. */
  readonly path: string
  #file: number | undefined
  #at = 0

  /**
   * Begins a new file beside `place`, or goes on with one of which so many bytes were settled under a temporary name;
   * where those are gone, from its beginning.
   * @throws UsageError
   */
  constructor(
    readonly place: string,
    begun?: { readonly path: string; readonly bytes: number },
  ) {
    this.path = begun?.path ?? temporaryFor(place)
    const flags = constants.O_RDWR | constants.O_CREAT | (begun ? 0 : constants.O_EXCL)
    this.#attempt(() => {
      this.#file = openSync(this.path, flags, 0o666)
      const there = fstatSync(this.#file).size
      this.#at = begun && begun.bytes <= there ? begun.bytes : 0
      ftruncateSync(this.#file, this.#at)
    })
  }

  /** Bytes that were written. */
  get bytes(): number {
    return this.#at
  }

  #attempt<T>(work: () => T): T {
    return attempt(this.place, work, cannotWrite)
  }

  /** Appends bytes. @throws UsageError if the platform refuses */
  write(bytes: Uint8Array): void {
    this.#attempt(() => {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(this.#file as number, bytes, done, bytes.length - done, this.#at)
        done += written
        this.#at += written
      }
    })
  }

  /** Waits until all that was written is on the disk. */
  settle(): void {
    this.#attempt(() => fsyncSync(this.#file as number))
  }

  /** Gives the file its name. */
  finish(): void {
    this.settle()
    this.close()
    this.#attempt(() => {
      renameSync(this.path, this.place)
      syncFolder(dirname(this.place))
    })
  }

  /** Leaves it under its temporary name. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  /** Takes away what was written; nothing after `finish`. */
  discard(): void {
    this.close()
    rmSync(this.path, { force: true })
  }
}

/** Makes a change of names last; not every platform opens folders. */
function syncFolder(folder: string): void {
  let file: number
  try {
    file = openSync(folder, "r")
  } catch {
    return
  }
  try {
    fsyncSync(file)
  } catch {
    // names of this file system last as they do
  } finally {
    closeSync(file)
  }
}
