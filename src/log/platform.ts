/**
 * What a log asks of the system that it lies on. Node's is in disk.ts; tests put others in its place, which crash,
 * fill up, or forget what was not asked to be kept.
 *
 * Promises of a file system, as the log takes them: what is written is read back by every process; a sector may be
 * lost or torn when power fails, unless `sync` came back before; a name is lost then unless its folder was synced.
 * Making a link and opening a new file happen at once or not at all.
 */
export interface DiskFile {
  size(): number
  /** Fills `bytes` from a position; gives how many there were. */
  read(bytes: Uint8Array, at: number): number
  /** Writes all; what fails may have written some. */
  write(bytes: Uint8Array, at: number): void
  truncate(bytes: number): void
  /** When it comes back, what was written is there for good. */
  sync(): Promise<void>
  close(): void
}

export interface Disk {
  /** A file to read, and to write and make if it is not there if `write`; undefined if there is none. */
  open(path: string, write: boolean): DiskFile | undefined
  /** Gives a file a second name, which must be free: false if it is not. */
  link(from: string, to: string): boolean
  /** Takes a name away, if it is there. */
  remove(path: string): void
  /** Names in a folder; none if it is not there. */
  list(folder: string): string[]
  /** Makes a folder, and those above it. */
  makeFolder(path: string): void
  /** Keeps names in a folder. */
  syncFolder(path: string): Promise<void>
}

export interface Platform {
  readonly disk: Disk
  /** What tells this process from others, on this machine and elsewhere. */
  readonly self: string
  /** Whether the process that a text of `self` tells of has ended for sure. */
  hasEnded(self: string): boolean
}
