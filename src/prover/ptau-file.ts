/**
 * Powers of tau in a file, read in ranges by Node (pages have Blobs, and `openPtau`). Lagrange points that are made of
 * them are kept beside it, in one file for each size of domain, `FILE.lagrange-20736`: they depend on nothing else. A
 * folder that cannot be written to is worked without.
 */
import { randomBytes } from "node:crypto"
import { type FileHandle, open, rename, rm } from "node:fs/promises"
import type { LagrangeStore } from "../setup/lagrange-file.js"
import { type OpenPtauOptions, openPtau, type PtauFile } from "../setup/ptau/file.js"
import { openKeyFile } from "./keyfile.js"

/** A file of powers of tau that stays open until `close`. */
export interface OpenPtauFile extends PtauFile {
  readonly lagrange: LagrangeStore
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens a `.ptau` file for `setup`. It must not be written to meanwhile.
 * @throws UsageError if it cannot be opened; what `openPtau` throws
 */
export async function openPtauFile(path: string, options: OpenPtauOptions = {}): Promise<OpenPtauFile> {
  const file = await openKeyFile(path)
  try {
    const powers = await openPtau(file, options)
    const { close } = file
    return { ...powers, lagrange: storeBeside(path), close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** What is wrong with a file of a store does not matter: it is made again, or done without. */
function storeBeside(path: string): LagrangeStore {
  const nameOf = (domain: number) => `${path}.lagrange-${domain}`
  return {
    open: (domain) => openKeyFile(nameOf(domain)).catch(() => undefined),
    async write(domain, parts) {
      const temporary = `${nameOf(domain)}.${randomBytes(6).toString("hex")}.tmp`
      const file = await open(temporary, "wx").catch(() => undefined)
      if (file === undefined) return
      try {
        const written = await writeAll(file, parts).finally(() => file.close())
        if (written) await rename(temporary, nameOf(domain)).catch(() => undefined)
      } finally {
        await rm(temporary, { force: true }).catch(() => undefined)
      }
    },
  }
}

/** Whether everything was written; what the parts throw is thrown. */
async function writeAll(file: FileHandle, parts: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const bytes of parts) {
    try {
      await file.writeFile(bytes)
    } catch {
      // no space is left, or the like
      return false
    }
  }
  return true
}
