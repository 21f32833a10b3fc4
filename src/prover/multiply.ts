/**
 * Fixed-base multiplication for setup: scalars of several parts, multiplied by a generator on a pool of
 * workers. The caller's scalars are secrets of the setup; nothing of them stays.
 */
import { writeField } from "../circuit/binfile.js"
import type { OnProgress } from "../errors.js"
import { mod } from "../field.js"
import type { Group } from "./fixedbase.js"
import type { FixedBaseWorker } from "./fixedbase-worker.js"
import { defaultThreads, WorkerPool } from "./workers.js"

export interface DevSetupOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** Scalars a worker multiplies at a time. */
const chunk = 8192

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

/** Affine Montgomery points, 64 or 128 bytes each, of every part. @throws AbortError */
export async function multiplyParts<K extends string>(
  parts: Readonly<Record<K, Part>>,
  options: DevSetupOptions,
): Promise<Record<K, Uint8Array>> {
  const names = Object.keys(parts) as K[]
  const batches: { group: Group; part: K; scalars: Uint8Array }[] = []
  const totals = { g1: 0, g2: 0 }
  for (const part of names) {
    const { group, scalars } = parts[part]
    totals[group] += scalars.length
    for (let i = 0; i < scalars.length; i += chunk) {
      batches.push({ group, part, scalars: encode(scalars.slice(i, i + chunk)) })
    }
  }
  batches.sort((x, y) => (x.group === y.group ? 0 : x.group === "g2" ? -1 : 1))
  const threads = options.threads ?? defaultThreads()
  const pool = new WorkerPool<FixedBaseWorker>(new URL("./fixedbase-worker.js", import.meta.url), threads)
  // Each worker makes tables of its own, for its share of the scalars.
  totals.g1 = Math.ceil(totals.g1 / threads)
  totals.g2 = Math.ceil(totals.g2 / threads)
  let results: Uint8Array[]
  try {
    results = await pool.map(
      batches,
      (remote, { group, scalars }) => remote.multiply(group, scalars, totals),
      {
        signal: options.signal,
        onDone: (done) => options.onProgress?.({ stage: "multiply points", done, total: batches.length }),
      },
    )
  } finally {
    await pool.close()
    for (const { scalars } of batches) scalars.fill(0)
  }
  const joined = names.map((part) => [
    part,
    Buffer.concat(results.filter((_, i) => batches[i].part === part)),
  ])
  return Object.fromEntries(joined) as Record<K, Uint8Array>
}

function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, value)
  })
  return bytes
}
