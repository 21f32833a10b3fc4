/** Ceremonies whose secrets are chosen, and files of them that somebody edited. */
import { type CeremonyKey, deltaOf, readCeremonyKey } from "#src/ceremony/key.js"
import { rewriteKey } from "#src/ceremony/rewrite.js"
import { readBinFile } from "#src/circuit/formats/container.js"
import { montgomeryPoint } from "#src/circuit/formats/points.js"
import { beaconHash } from "#src/setup/ceremony/beacon.js"
import { times1, times2 } from "#src/setup/ceremony/knowledge.js"
import type { Factors } from "#src/setup/ceremony/protocol.js"
import type {
  Beacon,
  CeremonyHead,
  Contribution,
  DeltaRecord,
  Transcript,
} from "#src/setup/ceremony/transcript.js"
import { contributionOf } from "#src/setup/ceremony/transcript.js"
import { type PlainContribution, recordOf } from "#src/systems/groth16/records.js"
import { memorySink } from "./first-keys.js"
import { kindOf, withSection } from "./foreign-keys.js"

/** Points of every two-phase key. */
const mirage = {
  sections: { ic: 3, a: 4, b1: 5, b2: 6, committed: 7, final: 8, h: 9, c: 10 },
  names: {
    ic: "IC (3)",
    a: "A (4)",
    b1: "B1 (5)",
    b2: "B2 (6)",
    committed: "committed (7)",
    final: "final (8)",
    h: "H (9)",
    c: "C (10)",
  },
}

/** Where things are in the files of each proof system. */
export const systems = {
  mirage: {
    ...mirage,
    singles: 2,
    divided: ["committed", "final", "h", "c"],
    alice: { delta: 1234567n ** 5n, deltaC: 7654321n ** 6n },
    bob: { delta: 2222223n ** 7n, deltaC: 3333331n ** 5n },
  },
  architecture: {
    sections: { ...mirage.sections, weights: 11 },
    names: { ...mirage.names, weights: "weights (11)" },
    singles: 2,
    divided: ["committed", "final", "h", "c", "weights"],
    alice: { delta: 1234567n ** 5n, deltaC: 7654321n ** 6n, deltaW: 5n ** 99n },
    bob: { delta: 2222223n ** 7n, deltaC: 3333331n ** 5n, deltaW: 7n ** 88n },
  },
  groth16: {
    sections: { ic: 3, a: 5, b1: 6, b2: 7, c: 8, h: 9 },
    names: { ic: "IC (3)", a: "A (5)", b1: "B1 (6)", b2: "B2 (7)", c: "C (8)", h: "H (9)" },
    singles: 2,
    divided: ["c", "h"],
    alice: { delta: 1234567n ** 5n },
    bob: { delta: 2222223n ** 7n },
  },
} as const
export type Section = keyof (typeof systems)["architecture"]["sections"]

/** A key with sections replaced, whether it had them or not. */
export const withSections = (file: Uint8Array, replaced: ReadonlyMap<number, Uint8Array>): Uint8Array =>
  [...replaced].reduce((key, [id, content]) => withSection(key, id, () => content), file)

/** The key whose δs are multiplied, with a record at its end that may say what it likes. */
export async function multiplied(
  file: Uint8Array,
  factors: Factors,
  record: (key: CeremonyKey) => Promise<Contribution | undefined>,
): Promise<Uint8Array> {
  const key = await readCeremonyKey(file)
  const { protocol } = key
  const added = await record(key)
  const transcript = added ? protocol.extend(key.transcript, added) : key.transcript
  const replaced = new Map(protocol.encode(transcript))
  for (const { name, section, one, two } of protocol.deltas) {
    const content = (replaced.get(section) ?? key.contents.get(section) ?? new Uint8Array(0)).slice()
    const before = deltaOf(key, name)
    content.set(montgomeryPoint(times1(factors[name], before.one).map(BigInt)), one)
    content.set(montgomeryPoint(times2(factors[name], before.two).flat().map(BigInt)), two)
    replaced.set(section, content)
  }
  const sink = memorySink()
  await rewriteKey(key, factors, replaced, { sink, threads: 1 })
  return sink.bytes()
}

/** A contribution of these factors, fit or not, with all proofs. */
export const contributed = (file: Uint8Array, name: string, factors: Factors): Promise<Uint8Array> =>
  multiplied(file, factors, ({ protocol, transcript }) => protocol.contribution(transcript, name, factors))

/** The beacon at the end. */
export async function ended(file: Uint8Array, beacon: Beacon): Promise<Uint8Array> {
  const { protocol, transcript } = await readCeremonyKey(file)
  const made = await protocol.beacon(transcript, beacon, await beaconHash(beacon))
  return multiplied(file, made.factors, async () => made.contribution)
}

/** The same points, with records edited. */
export async function withRecords(
  file: Uint8Array,
  edit: (records: readonly Contribution[]) => readonly Contribution[],
): Promise<Uint8Array> {
  const { protocol, transcript } = await readCeremonyKey(file)
  const contributions = edit(transcript.contributions)
  return withSections(file, protocol.encode({ ...transcript, contributions } as Transcript))
}

/** The same key, with another head. */
export async function withHead(file: Uint8Array, head: CeremonyHead): Promise<Uint8Array> {
  const { protocol, transcript } = await readCeremonyKey(file)
  return withSections(file, protocol.encode({ ...transcript, head } as Transcript))
}

/** The records of a key. */
export const recordsOf = async (file: Uint8Array): Promise<readonly Contribution[]> =>
  (await readCeremonyKey(file)).transcript.contributions

/** A record with other parts. */
export function edited(
  record: Contribution,
  change: {
    readonly name?: string
    readonly beacon?: Beacon | null
    readonly deltas?: Readonly<Record<string, Partial<DeltaRecord>>>
  },
): Contribution {
  const { name = record.name, beacon = record.beacon } = change
  const deltas = Object.fromEntries(
    Object.entries(record.deltas).map(([delta, held]) => [delta, { ...held, ...change.deltas?.[delta] }]),
  )
  if (!("s" in record)) return contributionOf(name, beacon, deltas, Object.keys(record.deltas))
  return recordOf(name, beacon, { ...(record as PlainContribution), ...deltas.delta })
}

/** Every section of a key, by number. */
export const sectionsIn = (file: Uint8Array): Map<number, Uint8Array> => readBinFile(file, ...kindOf(file))
