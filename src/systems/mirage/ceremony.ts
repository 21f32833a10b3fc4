/**
 * Ceremonies of the two-phase proof: two δs, or three where weights are private, each with its own sections and its own proofs (docs/SECURITY.md says why
 * one for both would not do). Records are canonical JSON in the section of the transcript, and all that is hashed is
 * our own, so that a page can contribute. A key of private weights is an architecture's: one ceremony serves every
 * model that is committed to under it.
 */
import { checkSection } from "../../circuit/formats/container.js"
import { beaconFactors } from "../../setup/ceremony/beacon.js"
import {
  basePoint,
  challengePoint,
  type Knowledge,
  knowledgeProblem,
  type Place,
  times1,
  times2,
} from "../../setup/ceremony/knowledge.js"
import { type CeremonyProtocol, deltaBefore, type Factors } from "../../setup/ceremony/protocol.js"
import {
  type Beacon,
  type Contribution,
  ceremonySection,
  contributionOf,
  type DeltaRecord,
  encodeTranscript,
  parseTranscript,
  type Transcript,
  transcriptOf,
} from "../../setup/ceremony/transcript.js"
import { markSection } from "../../statement/provenance.js"
import {
  divisorsFor,
  magic,
  mirageVerificationPoints,
  placeOf,
  sectionNumbers,
  sectionsFor,
  versionOf,
} from "./keyfile.js"

const { points, ic, committed, final, h, c, weights } = sectionNumbers

/** Sections that are divided by each. */
const divided = { deltaC: [committed], delta: [final, h, c], deltaW: [weights] } as const

function contribution(
  divisors: ReturnType<typeof divisorsFor>,
  transcript: Transcript,
  name: string,
  beacon: Beacon | null,
  factors: Factors,
): Contribution {
  const { contributions, digests } = transcript
  const previous = digests[contributions.length]
  const deltas = divisors.map((delta): [string, DeltaRecord] => {
    const place = { previous, name, beacon, delta }
    const x = factors[delta]
    const s = basePoint(place)
    const sx = times1(x, s)
    const after = times1(x, deltaBefore(transcript, contributions.length, delta))
    return [delta, { after, sx, rx: times2(x, challengePoint(place, s, sx)) }]
  })
  return contributionOf(name, beacon, Object.fromEntries(deltas), divisors)
}

/** Ceremonies of circuits with weights, or of architectures. */
const ceremony = (isPrivate: boolean, divisors = divisorsFor(isPrivate)): CeremonyProtocol => ({
  proofSystem: "mirage",
  isPrivate,
  magic,
  version: versionOf(isPrivate),
  deltas: divisors.map((name) => ({
    name,
    section: points,
    one: placeOf(`${name}1`),
    two: placeOf(`${name}2`),
    divides: divided[name],
  })),

  file: [1, ...sectionsFor(isPrivate).map((name) => sectionNumbers[name]), ...[markSection, ceremonySection]],
  leftOut: [],
  sections: [ceremonySection],
  parse: (contents) =>
    parseTranscript(
      checkSection(contents.get(ceremonySection), ceremonySection, "proving key"),
      "mirage",
      divisors,
    ),
  encode: (transcript) => new Map([[ceremonySection, encodeTranscript(transcript)]]),
  extend: ({ head, contributions }, next) => transcriptOf(head, [...contributions, next]),

  keySections: [points, ic],
  verificationPoints: (contents) =>
    mirageVerificationPoints({
      points: contents.get(points) as Uint8Array,
      ic: contents.get(ic) as Uint8Array,
    }),

  contribution: async (transcript, name, factors) => contribution(divisors, transcript, name, null, factors),

  async beacon(transcript, beacon, hash) {
    const factors = beaconFactors(hash, transcript.digests[transcript.contributions.length], divisors)
    return { factors, contribution: contribution(divisors, transcript, "beacon", beacon, factors) }
  },

  async problem(transcript, i, hash) {
    const { deltas, name, beacon } = transcript.contributions[i]
    if (beacon !== null && hash !== undefined) {
      const factors = beaconFactors(hash, transcript.digests[i], divisors)
      const wrong = divisors.find(
        (d) => `${times1(factors[d], deltaBefore(transcript, i, d))}` !== `${deltas[d].after}`,
      )
      if (wrong) return `${wrong} is not what the beacon gives`
    }
    const claims = divisors.map((d): [string, Knowledge] => {
      const place: Place = { previous: transcript.digests[i], name, beacon, delta: d }
      const s = basePoint(place)
      const before = deltaBefore(transcript, i, d)
      return [d, { ...deltas[d], before, s, r: challengePoint(place, s, deltas[d].sx) }]
    })
    return knowledgeProblem(Object.fromEntries(claims))
  },

  isNamed: () => true,
})

export const mirageCeremony = ceremony(false)
export const architectureCeremony = ceremony(true)
