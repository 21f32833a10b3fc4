/**
 * The hash of a beacon: a public value that nobody knew while people still contributed, hashed so often that nobody
 * could try values for its sake. Ceremonies of powers of tau and those of circuits take their last secrets from it.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import type { OnProgress } from "../../errors.js"

/** Hashes between two looks at what else there is to do: some tens of milliseconds. */
const turn = 2 ** 14

export interface BeaconOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** SHA-256 applied 2^iterations times to a value: 32 bytes. @throws the reason of an abort */
export async function beaconHash(
  value: Uint8Array,
  iterations: number,
  { onProgress, signal }: BeaconOptions = {},
): Promise<Uint8Array> {
  const total = 2 ** iterations
  let hash = value
  for (let done = 0; done < total; ) {
    signal?.throwIfAborted()
    onProgress?.({ stage: "hash the beacon", done, total })
    for (const end = Math.min(total, done + turn); done < end; done++) hash = sha256(hash)
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  return hash
}
