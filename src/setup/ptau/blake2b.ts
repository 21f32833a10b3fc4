/**
 * BLAKE2b-512 (RFC 7693), by which ceremonies of powers of tau name files and chain contributions. It is the WASM of
 * blake2b-wasm: as fast as reading in Node and in pages alike, and its state of 216 bytes is what contribution records
 * hold, so that a hash can go on from there: 128 bytes of the block that is not full, 64 of the chaining value, then
 * in 8 bytes each how much was hashed before that block, how much is in it, and a flag that is 0 until the end.
 */
import blake2b from "blake2b-wasm"

export const stateBytes = 216
export const digestBytes = 64

/** It keeps its state in one memory for all, and what it is given is copied there: the memory must not have to grow. */
const mostAtOnce = 2 ** 18

export interface Hasher {
  update(bytes: Uint8Array): Hasher
  /** The state now, from which `hasherFrom` goes on. */
  state(): Uint8Array
  /** 64 bytes. It is called once, and always, because it gives the place of the state back. */
  digest(): Uint8Array
}

const ready = new Promise<void>((resolve, reject) => {
  blake2b.ready((error) => (error ? reject(error) : resolve()))
})
// whoever hashes is told
ready.catch(() => undefined)

/** A hash of nothing yet, or one that goes on from a state (216 bytes). */
export async function newHasher(state?: Uint8Array): Promise<Hasher> {
  await ready
  const hash = blake2b(digestBytes)
  if (state) hash.setPartialHash(state)
  const hasher: Hasher = {
    update(bytes) {
      for (let at = 0; at < bytes.length; at += mostAtOnce) hash.update(bytes.subarray(at, at + mostAtOnce))
      return hasher
    },
    state: () => hash.getPartialHash(),
    digest: () => hash.digest(),
  }
  return hasher
}
