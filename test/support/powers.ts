/** Powers of tau whose secrets are known, without a file. */
import { power, r } from "#src/field.js"
import type { PowersOfTau, PowersSection } from "#src/setup/ptau/powers.js"
import { multiplyParts } from "#src/setup/trapdoor.js"

export interface Trapdoor {
  readonly tau: bigint
  readonly alpha: bigint
  readonly beta: bigint
}

/** As many powers as a file of that power has. */
export async function powersOf({ tau, alpha, beta }: Trapdoor, ofTwo: number): Promise<PowersOfTau> {
  const count = 2 ** ofTwo
  const powers = Array.from({ length: 2 * count - 1 }, (_, i) => power(tau, BigInt(i)))
  const times = (factor: bigint) => powers.slice(0, count).map((value) => (value * factor) % r)
  const { betaG2, ...points } = await multiplyParts(
    {
      tauG1: { group: "g1", scalars: powers },
      tauG2: { group: "g2", scalars: powers.slice(0, count) },
      alphaG1: { group: "g1", scalars: times(alpha) },
      betaG1: { group: "g1", scalars: times(beta) },
      betaG2: { group: "g2", scalars: [beta] },
    },
    {},
  )
  return {
    power: ofTwo,
    ceremonyPower: ofTwo,
    digest: `0x${"00".repeat(64)}`,
    name: undefined,
    betaG2,
    async read(section: PowersSection, first, length) {
      const bytes = section === "tauG2" ? 128 : 64
      const found = points[section].subarray(first * bytes, (first + length) * bytes)
      if (found.length !== length * bytes)
        throw new Error(`${section} has no points ${first} to ${first + length}`)
      return found
    },
  }
}

/** Randomness that draws these scalars, one after the other (`draw` of src/setup/trapdoor.ts). */
export function drawing(scalars: readonly bigint[]): (n: number) => Uint8Array {
  let next = 0
  return (n) => {
    let rest = scalars[next++]
    const bytes = new Uint8Array(n)
    for (let i = n - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
    return bytes
  }
}
