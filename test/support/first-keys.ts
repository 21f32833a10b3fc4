/** First keys of ceremonies whose powers of tau are known: what a setup would make of a file with these secrets. */
import type { Sink } from "#src/ceremony/index.js"
import { platformRandom } from "#src/platform.js"
import type { CeremonyHead } from "#src/setup/ceremony/transcript.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { plainKeyOf } from "#src/systems/groth16/setup.js"
import { type Circuit, contributedKeysOf } from "#src/systems/index.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { writeMirageKey } from "#src/systems/mirage/keyfile.js"

/** What a ceremony of a circuit is for. */
export const headOf = ({ proofSystem, model, layout }: Circuit): CeremonyHead => ({
  version: 1,
  proofSystem,
  model: model as `0x${string}`,
  layout,
  circuit: `0x${"c1".repeat(32)}`,
  ptau: `0x${"e5".repeat(64)}`,
  power: 8,
})

/** The first key: τ, α and β are drawn, every δ is one. */
export async function firstKey(circuit: Circuit, random = platformRandom): Promise<Uint8Array> {
  const { domain, secrets, queries } = contributedKeysOf(circuit).queries(circuit)
  let drawn = 0
  // τ, α and β come first
  const oneAtLast = (n: number) => {
    drawn++
    return drawn <= 3 ? random(n) : Uint8Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : 0))
  }
  const points = await evaluateByTrapdoor({ random: oneAtLast })(
    circuit.linked.r1cs,
    domain,
    secrets,
    queries,
  )
  const head = headOf(circuit)
  if (circuit.proofSystem === "groth16")
    return plainKeyOf(circuit.linked.r1cs, points, { head, circuitHash: new Uint8Array(64).fill(7) })
  const { g1, g2, ...rest } = points
  const all = { ...rest, points: Buffer.concat([g1, g2]) }
  return writeMirageKey((circuit as MirageCircuit).linked, all as never, head)
}

/** A sink that keeps all, and what it kept. */
export function memorySink(): Sink & { bytes(): Uint8Array } {
  const parts: Uint8Array[] = []
  return {
    async write(bytes) {
      parts.push(bytes)
    },
    bytes: () => new Uint8Array(Buffer.concat(parts)),
  }
}
