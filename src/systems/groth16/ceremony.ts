/**
 * Ceremonies of plain Groth16: one δ, and records as snarkjs has them (records.ts), so that contributions of both
 * tools follow one another. The point r that a proof is about is what snarkjs derives from its transcript. The point
 * s is drawn by snarkjs, and hashed by us from our own transcript and the contributor's name: `isNamed` tells them
 * apart. A beacon's secret and s are both what snarkjs derives from its hash.
 */
import { checkSection } from "../../circuit/formats/container.js"
import { UsageError } from "../../errors.js"
import { isNode } from "../../platform.js"
import { basePoint, knowledgeProblem, times1, times2 } from "../../setup/ceremony/knowledge.js"
import { type CeremonyProtocol, deltaBefore } from "../../setup/ceremony/protocol.js"
import type { SnarkjsDerivations } from "../../setup/ceremony/snarkjs.js"
import {
  type Beacon,
  ceremonySection,
  headJson,
  parseHead,
  transcriptOf,
} from "../../setup/ceremony/transcript.js"
import { type G1Json, type G2Json, samePoint } from "../../statement/points.js"
import { markSection } from "../../statement/provenance.js"
import {
  encodeRecords,
  nextTranscript,
  type PlainContribution,
  type PlainTranscript,
  parseRecords,
  recordOf,
  recordsSection,
} from "./records.js"
import { headerPlaces, pointsOfSections, zkeySections } from "./zkey.js"

const where = "proving key"
const { header, ic, c, h } = zkeySections

/** What snarkjs derives from hashes. @throws UsageError in a page */
async function derivations(): Promise<SnarkjsDerivations> {
  if (!isNode)
    throw new UsageError({
      what: "contributions to plain groth16 keys are made and checked in Node alone",
      fix: "Use the command line",
    })
  // only here does the GPL come in
  const { snarkjsDerivations } = await import("../../setup/ceremony/snarkjs.js")
  return snarkjsDerivations()
}

const two = (coordinates: readonly bigint[]): G2Json => {
  const [x0, x1, y0, y1] = coordinates.map(String)
  return [
    [x0, x1],
    [y0, y1],
  ]
}

async function record(
  transcript: PlainTranscript,
  name: string,
  beacon: Beacon | null,
  x: bigint,
  s: G1Json,
): Promise<PlainContribution> {
  const { contributions } = transcript
  const { hashToG2 } = await derivations()
  const sx = times1(x, s)
  const hash = nextTranscript(transcript, contributions, s, sx)
  const rx = times2(x, two(hashToG2(hash)))
  const after = times1(x, deltaBefore(transcript, contributions.length, "delta"))
  return recordOf(name, beacon, { after, s, sx, rx, transcript: hash })
}

/** s of our own contributions. */
const namedPoint = ({ digests }: PlainTranscript, i: number, name: string): G1Json =>
  basePoint({ previous: digests[i], name, beacon: null, delta: "delta" })

/** What a beacon's hash gives: δ's factor and the point s. */
async function beaconSecrets(hash: Uint8Array): Promise<{ x: bigint; s: G1Json }> {
  const draws = (await derivations()).draws(hash)
  const x = draws.scalar()
  const [s0, s1] = draws.g1().map(String)
  return { x, s: [s0, s1] }
}

export const groth16Ceremony: CeremonyProtocol<PlainTranscript> = {
  proofSystem: "groth16",
  isPrivate: false,
  magic: "zkey",
  version: 1,
  deltas: [
    {
      name: "delta",
      section: header,
      one: headerPlaces.delta1,
      two: headerPlaces.delta2,
      divides: [c, h],
    },
  ],

  file: [...Object.values(zkeySections), recordsSection, markSection, ceremonySection],
  leftOut: [markSection, ceremonySection],
  sections: [ceremonySection, recordsSection],
  parse(contents) {
    const section = (id: number) => checkSection(contents.get(id), id, where)
    return parseRecords(section(recordsSection), parseHead(section(ceremonySection), "groth16"))
  },
  encode: (transcript) =>
    new Map([
      [ceremonySection, new TextEncoder().encode(headJson(transcript.head))],
      [recordsSection, encodeRecords(transcript)],
    ]),
  extend(transcript, next) {
    const contributions = [...transcript.contributions, next]
    return { ...transcript, ...transcriptOf(transcript.head, contributions), contributions }
  },

  keySections: [header, ic],
  verificationPoints: (contents) =>
    pointsOfSections(contents.get(header) as Uint8Array, contents.get(ic) as Uint8Array),

  contribution: (transcript, name, { delta }) =>
    record(transcript, name, null, delta, namedPoint(transcript, transcript.contributions.length, name)),

  async beacon(transcript, beacon, hash) {
    const { x, s } = await beaconSecrets(hash)
    return { factors: { delta: x }, contribution: await record(transcript, "beacon", beacon, x, s) }
  },

  async problem(transcript, i, hash) {
    const { contributions } = transcript
    const { s, deltas, transcript: shown } = contributions[i]
    const expected = nextTranscript(transcript, contributions.slice(0, i), s, deltas.delta.sx)
    if (shown.some((byte, k) => byte !== expected[k])) return "its hash is not of what came before it"
    const before = deltaBefore(transcript, i, "delta")
    if (hash !== undefined) {
      const beacon = await beaconSecrets(hash)
      if (!samePoint(beacon.s, s) || !samePoint(times1(beacon.x, before), deltas.delta.after))
        return "delta is not what the beacon gives"
    }
    const { hashToG2 } = await derivations()
    return knowledgeProblem({ delta: { ...deltas.delta, before, s, r: two(hashToG2(shown)) } })
  },

  isNamed: (transcript, i) => {
    const { s, name } = transcript.contributions[i]
    return samePoint(s, namedPoint(transcript, i, name))
  },
}
