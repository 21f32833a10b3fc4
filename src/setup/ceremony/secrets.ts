/**
 * The secrets of a contribution: a factor for every δ. They follow from one seed of 64 bytes, so that whoever keeps
 * the seed can go on with an interrupted contribution; the seed is drawn from the platform and hashed with what the
 * contributor typed, and is as good as the better of the two.
 *
 *     seed = SHA-512("countersign.ceremony.seed.1" ‖ 64 bytes of the platform ‖ typed text)
 *     x_δ  = HKDF-SHA-512(seed, salt T_(i−1), info "countersign.ceremony.x.1" ‖ name of δ ‖ 0 ‖ k) mod r
 *
 * with the least k for which the factor is fit: 512 bits modulo r have a bias below 2^-250. Fit is what is neither 0
 * nor ±1, and neither equal nor opposite to the factor of another δ: such factors would leave a δ known, or two δs
 * in a known ratio, if nobody else contributed.
 *
 * JavaScript has no way to erase a bigint. Bytes are overwritten here; what else of a secret is in memory goes with
 * the process.
 */
import { hkdf } from "@noble/hashes/hkdf.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js"
import { checkText } from "../../arguments.js"
import { mod, r } from "../../field.js"
import { platformRandom } from "../../platform.js"

export const seedBytes = 64

/** A new seed. `random` gives uniform bytes; tests give others. @throws UsageError for entropy that is no text */
export function drawSeed(entropy = "", random: (n: number) => Uint8Array = platformRandom): Uint8Array {
  checkText(entropy, "entropy")
  const drawn = random(seedBytes)
  const all = concatBytes(utf8ToBytes("countersign.ceremony.seed.1"), drawn, utf8ToBytes(entropy))
  drawn.fill(0)
  const seed = sha512(all)
  all.fill(0)
  return seed
}

/** A factor for each of these δs, by name: derived from a seed for a place in a transcript. */
export function factorsOf<K extends string>(
  seed: Uint8Array,
  previous: Uint8Array,
  deltas: readonly K[],
): Record<K, bigint> {
  return fitFactors(deltas, (delta, k) => {
    const info = concatBytes(utf8ToBytes(`countersign.ceremony.x.1${delta}`), Uint8Array.of(0, k))
    return hkdf(sha512, seed, previous, info, 64)
  })
}

/** The first fit factor of each δ among those that `bytesOf` gives for k = 0, 1, …; the bytes are cleared. */
export function fitFactors<K extends string>(
  deltas: readonly K[],
  bytesOf: (delta: K, k: number) => Uint8Array,
): Record<K, bigint> {
  // ±1 are as bad as ± another factor
  const taken: bigint[] = [1n]
  const chosen = deltas.map((delta): [K, bigint] => {
    for (let k = 0; ; k++) {
      const bytes = bytesOf(delta, k)
      const x = mod(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n))
      bytes.fill(0)
      if (x === 0n || taken.some((other) => other === x || other === r - x)) continue
      taken.push(x)
      return [delta, x]
    }
  })
  return Object.fromEntries(chosen) as Record<K, bigint>
}
