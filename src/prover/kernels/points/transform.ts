/** Interim: multiples by doublings of all points, and sums of them. */
import { domainRoot } from "../../../circuit/link/domain.js"
import { inverse, mod } from "../../../field.js"
import type { RunOptions } from "../pool.js"
import { countOfFile } from "./files.js"
import type { Entries } from "./grouping.js"
import { fileBytes, type Group, type LoadOptions, type PointSet } from "./points.js"

interface KernelEngine {
  points(group: Group, bytes: Uint8Array, options?: LoadOptions): Promise<PointSet>
  sums(points: PointSet, entries: Entries, groups: number, options?: RunOptions): Promise<PointSet>
  bytes(points: PointSet): Promise<Uint8Array>
  free(points: PointSet): void
}

const some = 512

/** points[i] times scalars[i]. */
export async function scaleEach(
  engine: KernelEngine,
  group: Group,
  points: Uint8Array,
  scalars: readonly bigint[],
  { signal, onProgress }: RunOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const size = fileBytes[group]
  const result = new Uint8Array(points.length)
  for (let first = 0; first < scalars.length; first += some) {
    const part = points.subarray(size * first, size * (first + some))
    const n = part.length / size
    const set = await engine.points(group, part, { multiples: { from: 0, bits: 1, layers: 254 } })
    const groups: number[] = []
    const indices: number[] = []
    for (let i = 0; i < n; i++) {
      for (let k = scalars[first + i], bit = 0; k > 0n; k >>= 1n, bit++) {
        if (k & 1n) {
          groups.push(i)
          indices.push(bit * n + i)
        }
      }
    }
    const entries = { group: Uint32Array.from(groups), point: Uint32Array.from(indices) }
    const sums = await engine.sums(set, entries, n, { signal })
    engine.free(set)
    result.set(await engine.bytes(sums), size * first)
    engine.free(sums)
    onProgress?.(first + n, scalars.length)
  }
  return result
}

export async function transformPoints(
  engine: KernelEngine,
  group: Group,
  points: Uint8Array,
  { first = 1n, step = 1n, ...options }: RunOptions & { readonly first?: bigint; readonly step?: bigint },
): Promise<Uint8Array> {
  const n = countOfFile(group, points)
  let factor = mod(first * inverse(BigInt(n)))
  const factors = Array.from({ length: n }, () => {
    const value = factor
    factor = mod(factor * step)
    return value
  })
  const scaled = await scaleEach(engine, group, points, factors, options)
  return level(engine, group, scaled, inverse(domainRoot(n)), options)
}

async function level(
  engine: KernelEngine,
  group: Group,
  points: Uint8Array,
  root: bigint,
  options: RunOptions,
): Promise<Uint8Array> {
  const size = fileBytes[group]
  const n = points.length / size
  if (n === 1) return points
  const parts = n % 2 === 0 ? 2 : 3
  const m = n / parts
  let power = 1n
  for (let i = 0; i < parts; i++) power = mod(power * root)
  const transformed: Uint8Array[] = []
  for (let part = 0; part < parts; part++) {
    const own = new Uint8Array(m * size)
    for (let i = 0; i < m; i++)
      own.set(points.subarray(size * (i * parts + part), size * (i * parts + part + 1)), size * i)
    transformed.push(await level(engine, group, own, power, options))
  }
  // out_k = Σ_part root^(k·part)·transformed[part][k mod m]
  const scalars: bigint[] = []
  const all = new Uint8Array(n * parts * size)
  const groupOf: number[] = []
  let at = 0
  let x = 1n
  for (let k = 0; k < n; k++) {
    let y = 1n
    for (let part = 0; part < parts; part++) {
      all.set(transformed[part].subarray(size * (k % m), size * ((k % m) + 1)), size * at++)
      scalars.push(y)
      groupOf.push(k)
      y = mod(y * x)
    }
    x = mod(x * root)
  }
  const scaled = await scaleEach(engine, group, all, scalars, { signal: options.signal })
  const set = await engine.points(group, scaled)
  const sums = await engine.sums(set, { group: Uint32Array.from(groupOf) }, n)
  const result = await engine.bytes(sums)
  engine.free(set)
  engine.free(sums)
  return result
}
