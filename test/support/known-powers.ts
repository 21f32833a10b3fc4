/** What powers of tau with known secrets lead to, by the secrets: slow, and right by definition. */
import { encodeFields } from "#src/circuit/formats/container.js"
import { cosetRoot, domainRoot } from "#src/circuit/link/domain.js"
import { inverse, mod, power } from "#src/field.js"
import type { KernelEngine } from "#src/prover/kernels/engine.js"
import { productFactors, quotientBasis, rowBasis } from "#src/setup/basis.js"
import type { LagrangePoints, LagrangeSection } from "#src/setup/lagrange-file.js"
import { type TauSecrets, tauSecrets } from "./ptau.js"

/**
 * The scalars of each section of Lagrange points over a domain of n. `whole`: whether the powers reach up to
 * τ^(2n−1); in its place others have τ^(n−1).
 */
export function lagrangeScalars(
  n: number,
  { tau, alpha, beta }: TauSecrets,
  whole: boolean,
): Record<LagrangeSection, bigint[]> {
  const basis = rowBasis(n, mod(tau))
  const odd = quotientBasis(n, mod(tau))
  const factor = productFactors(n, mod(tau))
  const products = basis.map((value, row) => mod(value * factor(row)))
  if (!whole) {
    // D = τ^(2n−1) − τ^(n−1), which both sections have 1/2n times, with a root of unity
    const missing = mod(power(tau, BigInt(2 * n - 1)) - power(tau, BigInt(n - 1))) * inverse(BigInt(2 * n))
    const [omega, eta] = [domainRoot(n), cosetRoot(n)]
    for (let j = 0; j < n; j++) {
      const root = power(omega, BigInt(j))
      products[j] = mod(products[j] - missing * root)
      odd[j] = mod(odd[j] - missing * eta * root)
    }
  }
  return {
    tauG1: basis,
    tauG2: basis,
    alphaG1: basis.map((value) => mod(value * alpha)),
    betaG1: basis.map((value) => mod(value * beta)),
    odd,
    products,
  }
}

/** Points of scalars, as a file has them. */
export const pointsOf = (
  engine: KernelEngine,
  section: LagrangeSection,
  scalars: readonly bigint[],
): Promise<Uint8Array> => engine.fixedBase(section === "tauG2" ? "g2" : "g1", encodeFields(scalars))

/** Lagrange points that the secrets make. */
export async function knownPoints(
  engine: KernelEngine,
  n: number,
  sections: Iterable<LagrangeSection>,
  whole: boolean,
): Promise<LagrangePoints> {
  const scalars = lagrangeScalars(n, tauSecrets, whole)
  const made = new Map<LagrangeSection, Uint8Array>()
  for (const section of sections) made.set(section, await pointsOf(engine, section, scalars[section]))
  return {
    domain: n,
    close: async () => undefined,
    points(section) {
      const bytes = made.get(section) as Uint8Array
      return { size: bytes.length, read: async (from, length) => bytes.subarray(from, from + length) }
    },
  }
}

/** Randomness of which a trapdoor setup draws these values, in this order. */
export function randomOf(values: readonly bigint[]): (n: number) => Uint8Array {
  let next = 0
  return (n) => {
    const digits = mod(values[next++])
      .toString(16)
      .padStart(2 * n, "0")
    return Uint8Array.from(Buffer.from(digits, "hex"))
  }
}
