/**
 * A key that comes back from a contributor, or from snarkjs, taken in the place of the one that was given out. It is
 * verified wholly, as if it came from nowhere, and then it has to continue the ceremony: the same head, and all
 * contributions of the present key before any new ones, byte by byte. So whoever coordinates cannot lose one by
 * accident, and a contributor cannot drop one unseen.
 *
 * snarkjs writes no sections but its own. What it left out of a plain groth16 key, the mark and the head of the
 * transcript, is put back from the present key; its contributions are about neither.
 */
import { containerHeader, sectionHeader } from "../circuit/formats/container.js"
import {
  type ByteSource,
  checkedSource,
  checkProvingKey,
  join,
  type ProvingKey,
  partOf,
  sectionsOf,
} from "../circuit/formats/source.js"
import type { PtauFile } from "../setup/ptau/file.js"
import type { Circuit } from "../systems/index.js"
import { type CeremonyKey, readCeremonyKey } from "./key.js"
import { type SetupReport, type VerifySetupOptions, verifySetup } from "./verify.js"

/** A key that was looked at, to be taken if the report is valid. */
export interface Accepted {
  readonly report: SetupReport
  /** How many contributions are new. */
  readonly added: number
  /** The whole new key file; it reads from the given one. */
  readonly provingKey: ByteSource
}

const where = "the key to accept"

/**
 * Verifies a key that is to replace the present one of a ceremony.
 * @throws FileError for a file that is no key of this ceremony at all; as `verifySetup`
 */
export async function acceptKey(
  circuit: Circuit,
  present: ProvingKey,
  given: ProvingKey,
  ptau: PtauFile,
  options: Omit<VerifySetupOptions, "verificationKey" | "allowUncontributed"> = {},
): Promise<Accepted> {
  checkProvingKey(present, "present")
  checkProvingKey(given, "given")
  const before = await readCeremonyKey(present)
  const source = await restored(before, checkedSource(given, where))
  const after = await readCeremonyKey(source)
  const problem = continues(before, after)
  const report = await verifySetup(circuit, source, ptau, options)
  const added = after.transcript.contributions.length - before.transcript.contributions.length
  if (problem === null) return { report, added, provingKey: source }
  const problems = [problem, ...report.problems]
  return { report: { ...report, valid: false, problems }, added, provingKey: source }
}

/** The given file, with sections that other tools leave out. */
async function restored({ protocol, source, places }: CeremonyKey, given: ByteSource): Promise<ByteSource> {
  const found = await sectionsOf(given, protocol.magic, protocol.version)
  const missing = protocol.leftOut.filter((id) => !found.has(id))
  // a key that has some of them says something of a ceremony itself
  if (missing.length < protocol.leftOut.length || missing.length === 0) return given
  const kept = missing.flatMap((id) => {
    const place = places.get(id)
    return place ? [{ id, place }] : []
  })
  const header = containerHeader(protocol.magic, protocol.version, found.size + kept.length)
  const rest = partOf(given, { at: header.length, length: given.size - header.length })
  const sections = kept.flatMap(({ id, place }) => [
    sectionHeader({ id, bytes: place.length }),
    partOf(source, place),
  ])
  const all = join([header, rest, ...sections])
  return all instanceof Uint8Array ? checkedSource(all, where) : all
}

/** Why a key does not continue the ceremony of another, or null. */
function continues({ protocol, transcript: before }: CeremonyKey, after: CeremonyKey): string | null {
  if (protocol.proofSystem !== after.protocol.proofSystem) return `${where}: is of another proof system`
  const { contributions } = after.transcript
  const changed = before.contributions.findIndex(({ bytes }, i) => !isSame(bytes, contributions[i]?.bytes))
  if (changed >= 0) {
    const { name } = before.contributions[changed]
    const instead = contributions[changed]
    const has = instead ? `has another one there (${instead.name})` : "does not have it"
    return `${where}: contribution ${changed + 1} (${name}) of the present key: the other ${has}`
  }
  const begun = protocol.encode({ ...after.transcript, contributions: before.contributions })
  for (const [id, content] of protocol.encode(before))
    if (!isSame(content, begun.get(id))) return `${where}: is of another ceremony`
  if (contributions.length > before.contributions.length) return null
  return `${where}: has no contribution that the present key has not`
}

const isSame = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  a.length === b?.length && a.every((byte, i) => byte === b[i])
