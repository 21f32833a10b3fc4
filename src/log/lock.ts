/**
 * One writer at a time. A turn is a file with a number for its name, which says whose it is; an empty one is over. The
 * highest number counts, and only the next one can be taken, by a link: whole, by one process. So nobody ever removes
 * the turn of another to take it, which two could do at once: where it is over, or its process has ended, both try
 * to make the next number, and one does.
 *
 * Who was slow may make a number that had come and gone. It looks again when it has one: the highest is never removed
 * but by who has a higher one, so a higher one is seen, and the late turn is none.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { UsageError } from "../errors.js"
import { platformRandom } from "../platform.js"
import type { Platform } from "./platform.js"

/** How long somebody waits for a turn before being told, in ms, and between looks. */
export const waitMs = 10_000
const lookMs = 4

const numberOf = (name: string): number => (/^[1-9][0-9]{0,14}$/.test(name) ? Number(name) : 0)
const highestIn = (names: readonly string[]): number => Math.max(0, ...names.map(numberOf))

/** Turns of one who writes to a folder. */
export class Turns {
  readonly #platform: Platform
  readonly #folder: string
  /** A turn that is over, but that the disk refused to empty: nobody else knows. */
  #over = 0

  constructor(platform: Platform, folder: string) {
    this.#platform = platform
    this.#folder = folder
  }

  /**
   * Takes a turn; what it gives ends it.
   * @throws UsageError if another has it for more than `most` ms
   */
  async take(most = waitMs): Promise<() => void> {
    const until = performance.now() + most
    for (;;) {
      const turn = this.try()
      if ("end" in turn) return turn.end
      if (performance.now() > until)
        throw new UsageError({
          what: `another process has been writing for ${most} ms: ${turn.owner}`,
          where: `\`${this.#folder}/${turn.number}\``,
          fix: "Wait for it; if it has ended for sure (on another machine, or before this one started), empty that file",
        })
      await new Promise((resolve) => setTimeout(resolve, lookMs * (1 + Math.random())))
    }
  }

  /** Takes a turn if it is free now, else says whose it is. */
  try(): { readonly end: () => void } | { readonly number: number; readonly owner: string } {
    const { disk, hasEnded } = this.#platform
    const highest = highestIn(disk.list(this.#folder))
    const owner = highest === 0 || highest === this.#over ? "" : this.#ownerOf(highest)
    if (owner === undefined || (owner !== "" && !hasEnded(owner)))
      return { number: highest, owner: owner ?? "" }
    const end = this.#claim(highest + 1)
    return end ? { end } : { number: highest + 1, owner: "" }
  }

  /** Whose a turn is: nobody's if it is over, undefined if it is gone. */
  #ownerOf(number: number): string | undefined {
    const file = this.#platform.disk.open(`${this.#folder}/${number}`, false)
    if (!file) return undefined
    try {
      const bytes = new Uint8Array(file.size())
      return new TextDecoder().decode(bytes.subarray(0, file.read(bytes, 0)))
    } finally {
      file.close()
    }
  }

  #claim(number: number): (() => void) | undefined {
    const { disk, self } = this.#platform
    const made = `${this.#folder}/${bytesToHex(platformRandom(8))}.new`
    const file = disk.open(made, true)
    if (!file) return undefined
    const end = () => {
      try {
        file.truncate(0)
      } catch {
        this.#over = number
      } finally {
        file.close()
      }
    }
    let isMine = false
    try {
      file.write(new TextEncoder().encode(self), 0)
      const names = disk.link(made, `${this.#folder}/${number}`) ? disk.list(this.#folder) : []
      if (highestIn(names) !== number) return undefined
      // the one before stays: who reads the folder just now must find a number
      for (const old of names.filter((other) => numberOf(other) < number - 1))
        disk.remove(`${this.#folder}/${old}`)
      disk.remove(made)
      isMine = true
      return end
    } finally {
      if (!isMine) {
        end()
        disk.remove(made)
      }
    }
  }
}
