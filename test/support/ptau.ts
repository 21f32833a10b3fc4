/** Files of powers of tau whose secrets are known, in snarkjs's format: it accepts those with a record. */
import { createBinFile, encodeFields, writeField } from "#src/circuit/formats/container.js"
import { montgomeryPoint } from "#src/circuit/formats/points.js"
import { mod, q } from "#src/field.js"
import { type KernelEngine, openEngine } from "#src/prover/kernels/engine.js"
import { snarkjsDerivations } from "#src/setup/ceremony/snarkjs.js"
import { newHasher } from "#src/setup/ptau/blake2b.js"
import { firstChallenge } from "#src/setup/ptau/first-challenge.js"

export interface TauSecrets {
  readonly tau: bigint
  readonly alpha: bigint
  readonly beta: bigint
}
export const tauSecrets: TauSecrets = {
  tau: mod(0x1234567n ** 15n),
  alpha: mod(0xabcdefn ** 13n),
  beta: mod(0x7654321n ** 14n),
}

/** Sections by number, each as a file has it. */
export type PtauSections = Map<number, Uint8Array>

async function withEngine<T>(power: number, work: (engine: KernelEngine) => Promise<T>): Promise<T> {
  const engine = await openEngine(power < 10 ? { threads: 1 } : {})
  try {
    return await work(engine)
  } finally {
    await engine.close()
  }
}

/** Sections 2 to 6. */
export const pointsOfTau = (power: number, { tau, alpha, beta }: TauSecrets): Promise<PtauSections> =>
  withEngine(power, async (engine) => {
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
  })

export interface PtauContributor extends TauSecrets {
  readonly name: string
}

/**
 * Section 7 for points that such contributors made one after the other. What responses hold beside their proofs, and
 * the challenges between contributors, are in no file: they are zeros here.
 */
export const recordOf = (
  points: PtauSections,
  contributors: readonly PtauContributor[],
  ceremonyPower: number,
): Promise<Uint8Array> =>
  withEngine(ceremonyPower, async (engine) => {
    const { hashToG2 } = await snarkjsDerivations()
    const n = 2 ** ceremonyPower
    const generators = await generatorsOf(engine)
    const parts = [integer(contributors.length)]
    let challenge = firstChallenge(ceremonyPower)
    let before: TauSecrets = { tau: 1n, alpha: 1n, beta: 1n }
    for (const [i, { name, ...own }] of contributors.entries()) {
      const after = {
        tau: own.tau * before.tau,
        alpha: own.alpha * before.alpha,
        beta: own.beta * before.beta,
      }
      const inG1 = (x: bigint) => engine.scale("g1", generators.g1, mod(x))
      const inG2 = (x: bigint) => engine.scale("g2", generators.g2, mod(x))
      const ofG1: Uint8Array[] = []
      const ofG2: Uint8Array[] = []
      for (const [k, x] of [own.tau, own.alpha, own.beta].entries()) {
        const [s, sx] = [await inG1(BigInt(7 + k)), await inG1(BigInt(7 + k) * x)]
        const hasher = (await newHasher()).update(Uint8Array.of(k)).update(challenge)
        const hashed = hashToG2(hasher.update(await engine.uncompressed("g1", joined([s, sx]))).digest())
        ofG1.push(s, sx)
        ofG2.push(await engine.scale("g2", montgomeryPoint(hashed), mod(x)))
      }
      const response = (await newHasher()).update(challenge).update(new Uint8Array(192 * n + 32))
      const state = response.state()
      response.update(await engine.uncompressed("g1", joined(ofG1)))
      const hash = response.update(await engine.uncompressed("g2", joined(ofG2))).digest()
      challenge = new Uint8Array(64)
      if (i === contributors.length - 1) {
        const all = (await newHasher()).update(hash)
        for (const [id, bytes] of [...points].filter(([id]) => id <= 6))
          all.update(await engine.uncompressed(id === 3 || id === 6 ? "g2" : "g1", bytes))
        challenge = all.digest()
      }
      const afterwards = [
        await inG1(after.tau),
        await inG2(after.tau),
        await inG1(after.alpha),
        await inG1(after.beta),
        await inG2(after.beta),
      ]
      const label = new TextEncoder().encode(name)
      const parameters = [integer(2 + label.length), Uint8Array.of(1, label.length), label]
      parts.push(...afterwards, ...ofG1, ...ofG2, state, challenge, integer(0), ...parameters)
      before = after
    }
    return joined(parts)
  })

const generatorsOf = async (engine: KernelEngine) => ({
  g1: await engine.fixedBase("g1", encodeFields([1n])),
  g2: await engine.fixedBase("g2", encodeFields([1n])),
})

const joined = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
const integer = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)

export interface PtauOptions {
  readonly secrets?: TauSecrets
  /** More than the file's: then it has some of the powers only. */
  readonly ceremonyPower?: number
}

/** Sections of a file that one person contributed to, by these secrets. */
export async function contributedSections(
  power: number,
  { secrets = tauSecrets, ceremonyPower = power }: PtauOptions = {},
): Promise<PtauSections> {
  const points = await pointsOfTau(power, secrets)
  const record = await recordOf(points, [{ name: "Alice", ...secrets }], ceremonyPower)
  return new Map([...points, [7, record]])
}

/** A file that one person contributed to: `checkPtau` and snarkjs accept it. */
export async function contributedPtau(power: number, options: PtauOptions = {}): Promise<Uint8Array> {
  return ptauFile(power, await contributedSections(power, options), options)
}

/** A file that nobody contributed to, as a file alone: quicker to make. */
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
