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

/**
 * Takes a turn; what it gives ends it.
 * @throws UsageError if another process has it for more than `most` ms
 */
export async function takeTurn(
  { disk, self, hasEnded }: Platform,
  folder: string,
  most = waitMs,
): Promise<() => void> {
  const text = new TextEncoder().encode(self)
  const until = performance.now() + most
  for (;;) {
    const highest = highestIn(disk.list(folder))
    const owner = highest === 0 ? "" : readText(highest)
    if (owner === "" || (owner !== undefined && hasEnded(owner))) {
      const end = claim(highest + 1)
      if (end) return end
    }
    if (performance.now() > until)
      throw new UsageError({
        what: `another process has been writing for ${Math.round(most / 1000)} s: ${owner ?? ""}`,
        where: `\`${folder}/${highest}\``,
        fix: "Wait for it; if it has ended for sure (on another machine, or before this one started), empty that file",
      })
    await new Promise((resolve) => setTimeout(resolve, lookMs * (1 + Math.random())))
  }

  /** Whose turn a number is; undefined if it is gone. */
  function readText(number: number): string | undefined {
    const file = disk.open(`${folder}/${number}`, false)
    if (!file) return undefined
    try {
      const bytes = new Uint8Array(file.size())
      return new TextDecoder().decode(bytes.subarray(0, file.read(bytes, 0)))
    } finally {
      file.close()
    }
  }

  function claim(number: number): (() => void) | undefined {
    const [made, name] = [`${folder}/${bytesToHex(platformRandom(8))}.new`, `${folder}/${number}`]
    const file = disk.open(made, true)
    if (!file) return undefined
    const end = () => {
      try {
        file.truncate(0)
      } finally {
        file.close()
      }
    }
    let isMine = false
    try {
      file.write(text, 0)
      const names = disk.link(made, name) ? disk.list(folder) : []
      if (highestIn(names) !== number) return undefined
      // the one before stays: who reads the folder just now must find a number
      for (const old of names.filter((other) => numberOf(other) < number - 1)) disk.remove(`${folder}/${old}`)
      disk.remove(made)
      isMine = true
      return end
    } finally {
      if (!isMine) {
        disk.remove(made)
        end()
      }
    }
  }
}
