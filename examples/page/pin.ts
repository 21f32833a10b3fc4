/**
 * What this page was built for. The build writes it into the code (make.ts), so whoever changes files on the server, and
 * not the code, changes nothing of what the page takes for valid.
 */
import type { Hex, VerificationKey } from "#src/verifier/index.js"

/** A file that the page fetches, and the only bytes that it takes for it. */
export interface PinnedFile {
  /** Beside the page. */
  readonly path: string
  readonly bytes: number
  /** Hexadecimal digits. */
  readonly sha256: string
}

export type FileName = "model.bin" | "circuit.json" | "gadgets.json" | "proving.key"

export interface Pinned {
  readonly model: Hex
  readonly keyDigest: Hex
  readonly verificationKey: VerificationKey
  readonly files: Readonly<Record<FileName, PinnedFile>>
  /** Of each class one digit that no training saw: 784 grey values from 0 to 255, in base64. */
  readonly samples: readonly { readonly label: number; readonly pixels: string }[]
}
