/** A proving key in a file, read in ranges by Node (pages have Blobs); it may be larger than one array or one read can be. */
import { open } from "node:fs/promises"
import { checkText } from "../arguments.js"
import type { ByteSource } from "../circuit/formats/source.js"
import { FileError, UsageError } from "../errors.js"
import { mostBytes, refusalOf } from "../platform.js"

/** A file that stays open until `close`. */
export interface KeyFile extends ByteSource {
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens a file for `openProver`. It is the file that is opened, not its name: one that is replaced by renaming
 * another over it is read as it was, so the prover goes on with the key it was opened with. A file that is
 * written to meanwhile has another size or time of change, and every read then fails.
 * @throws UsageError if it cannot be opened; a read throws FileError once the file has changed
 */
export async function openKeyFile(path: string): Promise<KeyFile> {
  checkText(path, "path")
  const handle = await open(path).catch((error: unknown) => {
    throw new UsageError({ what: refusalOf(error), where: `\`${path}\`` })
  })
  const before = await handle.stat({ bigint: true })
  const close = () => handle.close()
  return {
    size: Number(before.size),
    async read(from, length) {
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const most = Math.min(mostBytes, length - done)
        const { bytesRead } = await handle.read(bytes, done, most, from + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      // after the read: what was written before it shows
      const now = await handle.stat({ bigint: true })
      if (now.size !== before.size || now.mtimeNs !== before.mtimeNs) {
        const shown = ({ size, mtime }: typeof now) => `${size} bytes, last changed ${mtime.toISOString()}`
        throw new FileError({
          what: "was changed while it was in use",
          where: `\`${path}\``,
          expected: shown(before),
          given: shown(now),
          fix: "Leave the file as it is while a prover is open, or rename a new one over it; open the prover again",
        })
      }
      return bytes.subarray(0, done)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
