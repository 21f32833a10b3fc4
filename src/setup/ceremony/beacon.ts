/**
 * The beacon: a last contribution whose secrets everyone can compute, from a public value that nobody knew when the
 * last person contributed (a block of a chain, a lottery). It takes away what influence on the final key the last
 * contributor had; secret it is not, and of itself it protects nothing.
 *
 *     h   = SHA-256 applied 2^iterations times to the value
 *     x_δ = SHA-512("countersign.ceremony.beacon.1" ‖ h ‖ T_(i−1) ‖ name of δ ‖ 0 ‖ k) mod r     fit as in secrets.ts
 *
 * Many iterations make it slow to try values before the real one is due.
 */
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import type { OnProgress } from "../../errors.js"
import { fitFactors } from "./secrets.js"
import type { Beacon } from "./transcript.js"

/** Hashes between two looks at what else there is to do: some tens of milliseconds. */
const turn = 2 ** 14

export interface HashOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** SHA-256 applied 2^iterations times to a beacon's value, 32 bytes. @throws AbortError */
export async function beaconHash(
  { value, iterations }: Beacon,
  { onProgress, signal }: HashOptions = {},
): Promise<Uint8Array> {
  const total = 2 ** iterations
  let hash = hexToBytes(value.slice(2))
  for (let done = 0; done < total; ) {
    signal?.throwIfAborted()
    onProgress?.({ stage: "hash the beacon", done, total })
    const next = Math.min(total, done + turn)
    for (; done < next; done++) hash = sha256(hash)
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  return hash
}

/** The factor of each δ that a beacon with this hash gives at a place in a transcript. */
export const beaconFactors = <K extends string>(
  hash: Uint8Array,
  previous: Uint8Array,
  deltas: readonly K[],
): Record<K, bigint> =>
  fitFactors(deltas, (delta, k) =>
    sha512(
      concatBytes(
        utf8ToBytes("countersign.ceremony.beacon.1"),
        hash,
        previous,
        utf8ToBytes(delta),
        Uint8Array.of(0, k),
      ),
    ),
  )
