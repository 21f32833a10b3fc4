/**
 * What ceremonies in snarkjs's formats derive from hashes: points of G2 that nobody knows a logarithm of, and the
 * secrets of a beacon. How exactly they follow from the bits is a habit of the first implementations, and this file
 * is our one door to the package that keeps it, ffjavascript (GPL-3.0). It is loaded when a file of such a ceremony
 * is at hand, in Node and in pages alike, and starts no threads.
 */
import type * as Ffjavascript from "ffjavascript"
import { invariant } from "../../errors.js"

/** Numbers and points that a seed gives, one after the other. */
export interface Draws {
  /** Of the field of scalars. */
  scalar(): bigint
  /** Affine coordinates x, y. */
  g1(): readonly bigint[]
}

export interface SnarkjsDerivations {
  /** What a seed of 32 bytes gives. */
  draws(seed: Uint8Array): Draws
  /** A point of G2 of the first 32 bytes of a hash: affine coordinates x0, x1, y0, y1. */
  hashToG2(hash: Uint8Array): readonly bigint[]
}

let loaded: Promise<SnarkjsDerivations> | undefined

/** The derivations, loaded once. */
export function snarkjsDerivations(): Promise<SnarkjsDerivations> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<SnarkjsDerivations> {
  // to load it clears the place where it, and snarkjs, keep curves that have threads: nobody would stop those
  const { curve_bn128, curve_bls12381 } = globalThis as Record<string, unknown>
  const { ChaCha, buildBn128 } = await import("ffjavascript")
  Object.assign(globalThis, { curve_bn128, curve_bls12381 })
  const curve = await buildBn128(true)
  const affine = (group: Ffjavascript.Group, source: Ffjavascript.Generator): readonly bigint[] =>
    group
      .toObject(group.toAffine(group.fromRng(source)))
      .slice(0, 2)
      .flat()
  const generator = (seed: Uint8Array) => {
    invariant(seed.length >= 32, "a seed has 32 bytes")
    const view = new DataView(seed.buffer, seed.byteOffset)
    return new ChaCha(Array.from({ length: 8 }, (_, i) => view.getUint32(4 * i)))
  }
  return {
    draws(seed) {
      const source = generator(seed)
      return {
        scalar: () => curve.Fr.toObject(curve.Fr.fromRng(source)),
        g1: () => affine(curve.G1, source),
      }
    },
    hashToG2: (hash) => affine(curve.G2, generator(hash)),
  }
}
