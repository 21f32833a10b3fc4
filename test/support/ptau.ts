/** Files of powers of tau whose secrets are known, in snarkjs's format. */
import { createBinFile, encodeFields, writeField } from "#src/circuit/formats/container.js"
import { mod, q } from "#src/field.js"
import { openEngine } from "#src/prover/kernels/engine.js"

export interface TauSecrets {
  readonly tau: bigint
  readonly alpha: bigint
  readonly beta: bigint
}

export const tauSecrets: TauSecrets = {
  tau: 0x1234567n ** 9n,
  alpha: 0xabcdefn ** 10n,
  beta: 0x7654321n ** 9n,
}

/** The points of each section of powers of tau, as a file has them, by section number. */
export async function pointsOfTau(
  power: number,
  { tau, alpha, beta }: TauSecrets,
): Promise<Map<number, Uint8Array>> {
  const engine = await openEngine()
  try {
    const powers = (count: number, first: bigint): Uint8Array => {
      const values: bigint[] = []
      for (let i = 0, value = mod(first); i < count; i++, value = mod(value * tau)) values.push(value)
      return encodeFields(values)
    }
    const n = 2 ** power
    return new Map([
      [2, await engine.fixedBase("g1", powers(2 * n - 1, 1n))],
      [3, await engine.fixedBase("g2", powers(n, 1n))],
      [4, await engine.fixedBase("g1", powers(n, alpha))],
      [5, await engine.fixedBase("g1", powers(n, beta))],
      [6, await engine.fixedBase("g2", powers(1, beta))],
    ])
  } finally {
    await engine.close()
  }
}

/** Those points in a file whose record of contributions is empty. */
export async function uncontributedPtau(power: number, secrets = tauSecrets): Promise<Uint8Array> {
  const points = await pointsOfTau(power, secrets)
  return ptauFile(power, new Map([...points, [7, new Uint8Array(4)]]))
}

/** A file of these sections behind a header. */
export function ptauFile(
  power: number,
  sections: ReadonlyMap<number, Uint8Array>,
  { ceremonyPower = power, prime = q } = {},
): Uint8Array {
  const given = [...sections]
  const sizes = [{ id: 1, bytes: 44 }, ...given.map(([id, { length }]) => ({ id, bytes: length }))]
  const { file, sections: places } = createBinFile("ptau", 1, sizes)
  const header = new DataView(places[0].buffer, places[0].byteOffset, 44)
  header.setUint32(0, 32, true)
  writeField(header, 4, prime)
  header.setUint32(36, power, true)
  header.setUint32(40, ceremonyPower, true)
  given.forEach(([, bytes], i) => {
    places[i + 1].set(bytes)
  })
  return file
}
