/**
 * Development setup: this process draws the trapdoor, evaluates the circuit's polynomials at it and writes
 * the keys by fixed-base multiplication. Whoever has seen the trapdoor can forge; it lives in this
 * function only, is never written anywhere, and the keys say `dev`.
 *
 * Groth16 (eprint 2016/260) in snarkjs's conventions: γ = 1, and H in the Lagrange basis of the odd
 * half of the domain of twice the size.
 */
import { writeField } from "../circuit/binfile.js"
import type { R1cs } from "../circuit/r1cs.js"
import type { OnProgress } from "../errors.js"
import { inverse, mod, r } from "../field.js"
import type { Group } from "./fixedbase.js"
import type { FixedBaseWorker } from "./fixedbase-worker.js"
import { evaluateQap, lagrange, publicCount } from "./polynomials.js"
import { coordinates, writeZkey } from "./provingkey.js"
import { defaultThreads, WorkerPool } from "./workers.js"

export interface DevSetupOptions {
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** Points of a verification key: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface KeyParts {
  readonly alpha1: bigint[]
  readonly beta2: bigint[][]
  readonly gamma2: bigint[][]
  readonly delta2: bigint[][]
  readonly ic: bigint[][]
}

/** Scalars a worker multiplies at a time. */
const chunk = 8192

/** Uniform non-zero scalar: 384 random bits leave a bias below 2^-128. */
function draw(random: (n: number) => Uint8Array): bigint {
  for (;;) {
    const bytes = random(48)
    const value = mod(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n))
    bytes.fill(0)
    if (value !== 0n) return value
  }
}

/** Makes proving and verification key of a system. @throws AbortError */
export async function devSetup(
  system: R1cs,
  options: DevSetupOptions = {},
): Promise<{ zkey: Uint8Array; key: KeyParts }> {
  const random = options.random ?? ((n: number) => crypto.getRandomValues(new Uint8Array(n)))
  const [tau, alpha, beta, delta] = [draw(random), draw(random), draw(random), draw(random)]
  options.onProgress?.({ stage: "evaluate circuit", done: 0, total: 1 })
  const { bits, u, v, w } = evaluateQap(system, tau)
  const nPublic = publicCount(system)
  const invDelta = inverse(delta)
  const k = u.map((_, i) => {
    const value = beta * u[i] + alpha * v[i] + w[i]
    return i <= nPublic ? value % r : ((value % r) * invDelta) % r
  })
  const h = lagrange(bits + 1, tau, 1, 2).map((value) => (value * invDelta) % r)

  const batches: { group: Group; part: string; scalars: Uint8Array }[] = []
  const add = (group: Group, part: string, values: readonly bigint[]) => {
    for (let i = 0; i < values.length; i += chunk) {
      batches.push({ group, part, scalars: encode(values.slice(i, i + chunk)) })
    }
  }
  add("g2", "b2", v)
  add("g1", "a", u)
  add("g1", "b1", v)
  add("g1", "ic", k.slice(0, nPublic + 1))
  add("g1", "c", k.slice(nPublic + 1))
  add("g1", "h", h)
  add("g1", "one", [alpha, beta, delta])
  add("g2", "two", [beta, 1n, delta])

  const threads = options.threads ?? defaultThreads()
  const pool = new WorkerPool<FixedBaseWorker>(new URL("./fixedbase-worker.js", import.meta.url), threads)
  // Each worker makes tables of its own, for its share of the scalars.
  const totals = {
    g1: Math.ceil((3 * system.wires + h.length) / threads),
    g2: Math.ceil(system.wires / threads),
  }
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
  const join = (part: string): Uint8Array => Buffer.concat(results.filter((_, i) => batches[i].part === part))
  const one = join("one")
  const two = join("two")
  const points = {
    alpha1: one.subarray(0, 64),
    beta1: one.subarray(64, 128),
    delta1: one.subarray(128, 192),
    beta2: two.subarray(0, 128),
    gamma2: two.subarray(128, 256),
    delta2: two.subarray(256, 384),
    ic: join("ic"),
    a: join("a"),
    b1: join("b1"),
    b2: join("b2"),
    c: join("c"),
    h: join("h"),
  }
  const g2 = (point: Uint8Array): bigint[][] => {
    const [x0, x1, y0, y1] = coordinates(point)
    return [
      [x0, x1],
      [y0, y1],
    ]
  }
  const key: KeyParts = {
    alpha1: coordinates(points.alpha1),
    beta2: g2(points.beta2),
    gamma2: g2(points.gamma2),
    delta2: g2(points.delta2),
    ic: Array.from({ length: nPublic + 1 }, (_, i) => coordinates(points.ic.subarray(64 * i, 64 * i + 64))),
  }
  return { zkey: writeZkey(system, bits, points, "dev"), key }
}

function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, value)
  })
  return bytes
}
