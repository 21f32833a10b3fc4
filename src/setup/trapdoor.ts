/**
 * A development setup: this process draws the trapdoor, evaluates the queries of a key (queries.ts) at it and
 * multiplies generators on the kernels. Whoever has seen the trapdoor can forge; it lives in one call, is never
 * written anywhere, and the keys say `dev`.
 */
import { encodeFields } from "../circuit/formats/container.js"
import type { OnProgress } from "../errors.js"
import { inverse, mod, power, r } from "../field.js"
import { platformRandom } from "../platform.js"
import { type Group, type KernelEngine, openEngine } from "../prover/kernels/engine.js"
import type { MadeScalars } from "../prover/kernels/fields/evaluation.js"
import { Evaluated } from "./evaluated.js"
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
    const { threads, signal } = options
    const engine = await openEngine(threads === undefined ? {} : { threads })
    try {
      const asked = Object.values<Query>(queries).flatMap(columnsOf)
      const evaluated = await Evaluated.make(engine, system, domain, tau, new Set(asked), { signal })
      const scalars = scalarsOf(evaluated, domain, (name) => drawn.get(name) as bigint)
      const parts = Object.entries<Query>(queries).map(([name, query]): [string, Part] => {
        return [name, { group: query.group, scalars: scalars(query) }]
      })
      return await multiplied(
        engine,
        Object.fromEntries(parts) as Record<keyof typeof queries, Part>,
        options,
      )
    } finally {
      await engine.close()
    }
  }

const columnsOf = (query: Query): readonly (Column | "quotient")[] => {
  if ("secrets" in query) return []
  return "layers" in query ? ["quotient"] : query.sum.map(({ column }) => column)
}

/** The scalars of queries, at secrets. */
const scalarsOf =
  (evaluated: Evaluated, domain: number, secret: (name: Secret | "one") => bigint) =>
  (query: Query): Part["scalars"] => {
    if ("secrets" in query) return query.secrets.map((name) => secret(name))
    const factor = query.over === undefined ? 1n : inverse(secret(query.over))
    if ("layers" in query) {
      const { bits, count } = query.layers
      const layers = Array.from({ length: count }, (_, k) => (factor * power(2n, BigInt(bits * k))) % r)
      return evaluated.quotient(domain, layers)
    }
    const terms = query.sum.map(({ column, times }) => {
      return { column, factor: (secret(times ?? "one") * factor) % r }
    })
    return evaluated.combinations(terms, query.wires)
  }

export interface Part {
  readonly group: Group
  readonly scalars: readonly bigint[] | MadeScalars
}

const isMade = (scalars: Part["scalars"]): scalars is MadeScalars => "steps" in scalars
const countOf = ({ scalars }: Part): number => (isMade(scalars) ? scalars.count : scalars.length)

/**
 * The generator times every scalar of every part. The scalars are secrets of the setup: what is
 * made of them here is cleared, and the kernels' memory goes with their threads.
 */
export async function multiplyParts<K extends string>(
  parts: Readonly<Record<K, Part>>,
  options: DevSetupOptions,
): Promise<Record<K, Uint8Array>> {
  const { threads } = options
  const engine = await openEngine(threads === undefined ? {} : { threads })
  try {
    return await multiplied(engine, parts, options)
  } finally {
    await engine.close()
  }
}

async function multiplied<K extends string>(
  engine: KernelEngine,
  parts: Readonly<Record<K, Part>>,
  { signal, onProgress }: DevSetupOptions,
): Promise<Record<K, Uint8Array>> {
  const names = Object.keys(parts) as K[]
  const total = names.reduce((sum, name) => sum + countOf(parts[name]), 0)
  const results = new Map<K, Uint8Array>()
  let done = 0
  // the largest part of a group first: it decides the size of the tables
  for (const name of names.toSorted((x, y) => countOf(parts[y]) - countOf(parts[x]))) {
    signal?.throwIfAborted()
    const { group, scalars } = parts[name]
    if (isMade(scalars)) {
      results.set(name, await engine.fixedBase(group, scalars, { signal }))
      scalars.release()
    } else {
      const bytes = encodeFields(scalars)
      results.set(name, await engine.fixedBase(group, bytes, { signal }))
      bytes.fill(0)
    }
    done += countOf(parts[name])
    onProgress?.({ stage: "multiply points", done, total })
  }
  return Object.fromEntries(results) as Record<K, Uint8Array>
}
