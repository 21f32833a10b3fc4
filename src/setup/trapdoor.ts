/**
 * A development setup: this process draws the trapdoor, evaluates the queries of a key (queries.ts) at it and
 * multiplies generators on the kernels. Whoever has seen the trapdoor can forge; it lives in one call, is never
 * written anywhere, and the keys say `dev`.
 */
import { encodeFields } from "../circuit/formats/container.js"
import type { R1cs } from "../circuit/formats/r1cs.js"
import type { OnProgress } from "../errors.js"
import { inverse, mod, power, r } from "../field.js"
import { platformRandom } from "../platform.js"
import { type Group, openEngine } from "../prover/kernels/engine.js"
import { quotientBasis } from "./basis.js"
import { evaluateQap } from "./qap.js"
import type { Column, Evaluator, Query, Secret } from "./queries.js"

export interface DevSetupOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** Uniform non-zero scalar: 384 random bits leave a bias below 2^-128. */
export function draw(random: (n: number) => Uint8Array): bigint {
  for (;;) {
    const bytes = random(48)
    const value = mod(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n))
    bytes.fill(0)
    if (value !== 0n) return value
  }
}

/**
 * An evaluator that draws τ and the secrets, in this order. It throws AbortError, and CountersignError when a worker
 * dies.
 */
export const evaluateByTrapdoor =
  (options: DevSetupOptions = {}): Evaluator =>
  async (system, domain, secrets, queries) => {
    const random = options.random ?? platformRandom
    const tau = draw(random)
    const drawn = new Map(secrets.map((name) => [name as Secret | "one", draw(random)]))
    drawn.set("one", 1n)
    options.onProgress?.({ stage: "evaluate circuit", done: 0, total: 1 })
    const scalarsOf = scalarsAt(system, domain, tau, (name) => drawn.get(name) as bigint)
    const parts = Object.entries<Query>(queries).map(([name, query]): [string, Part] => {
      return [name, { group: query.group, scalars: scalarsOf(query) }]
    })
    return multiplyParts(Object.fromEntries(parts) as Record<keyof typeof queries, Part>, options)
  }

/** The scalars of queries about a system over a domain, at τ and secrets. */
function scalarsAt(
  system: R1cs,
  domain: number,
  tau: bigint,
  secret: (name: Secret | "one") => bigint,
): (query: Query) => bigint[] {
  const { u, v, w, oddProducts } = evaluateQap(system, domain, tau)
  const columns: Readonly<Record<Column, (wire: number) => bigint>> = {
    u: (wire) => u[wire],
    v: (wire) => v[wire],
    w: (wire) => w[wire],
    oddProducts: (wire) => oddProducts[wire],
  }
  return (query) => {
    if ("secrets" in query) return query.secrets.map((name) => secret(name))
    const factor = query.over === undefined ? 1n : inverse(secret(query.over))
    if ("layers" in query) {
      const basis = quotientBasis(domain, tau).map((value) => (value * factor) % r)
      return Array.from({ length: query.layers.count }, (_, k) => {
        const multiple = power(2n, BigInt(query.layers.bits * k))
        return basis.map((value) => (value * multiple) % r)
      }).flat()
    }
    const terms = query.sum.map(({ column, times }) => ({ of: columns[column], by: secret(times ?? "one") }))
    return Array.from(query.wires, (wire) => {
      const sum = terms.reduce((total, { of, by }) => total + of(wire) * by, 0n)
      return ((sum % r) * factor) % r
    })
  }
}

export interface Part {
  readonly group: Group
  readonly scalars: readonly bigint[]
}

/**
 * The generator times every scalar of every part. The scalars are secrets of the setup: what is
 * made of them here is cleared, and the kernels' memory goes with their threads.
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
