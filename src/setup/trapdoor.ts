/** Randomness of a setup, and generators times its secret scalars, on the kernels. */
import { encodeFields } from "../circuit/formats/container.js"
import type { OnProgress } from "../errors.js"
import { mod } from "../field.js"
import { type Group, openEngine } from "../prover/kernels/engine.js"

export interface DevSetupOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

export const platformRandom = (n: number): Uint8Array => crypto.getRandomValues(new Uint8Array(n))

/** Uniform non-zero scalar: 384 random bits leave a bias below 2^-128. */
export function draw(random: (n: number) => Uint8Array): bigint {
  for (;;) {
    const bytes = random(48)
    const value = mod(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n))
    bytes.fill(0)
    if (value !== 0n) return value
  }
}

export interface Part {
  readonly group: Group
  readonly scalars: readonly bigint[]
}

/**
 * Affine Montgomery points, 64 or 128 bytes each, of every part. The scalars are secrets of the setup: what is
 * made of them here is cleared, and the kernels' memory goes with their threads.
 * @throws AbortError; CountersignError when a worker dies
 */
export async function multiplyParts<K extends string>(
  parts: Readonly<Record<K, Part>>,
  { threads, signal, onProgress }: DevSetupOptions,
): Promise<Record<K, Uint8Array>> {
  const names = Object.keys(parts) as K[]
  const total = names.reduce((sum, name) => sum + parts[name].scalars.length, 0)
  const results = new Map<K, Uint8Array>()
  const engine = await openEngine(threads === undefined ? {} : { threads })
  try {
    let done = 0
    // the largest part of a group first: it decides the size of the tables
    const order = names.toSorted((x, y) => parts[y].scalars.length - parts[x].scalars.length)
    for (const name of order) {
      signal?.throwIfAborted()
      const { group, scalars } = parts[name]
      const bytes = encodeFields(scalars)
      results.set(name, await engine.fixedBase(group, bytes, { signal }))
      bytes.fill(0)
      done += scalars.length
      onProgress?.({ stage: "multiply points", done, total })
    }
  } finally {
    await engine.close()
  }
  return Object.fromEntries(results) as Record<K, Uint8Array>
}
