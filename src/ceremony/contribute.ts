/**
 * A contribution to a ceremony: whoever has the key file multiplies every δ by a secret of their own, proves that
 * they know it, and forgets it. If one of all contributors did so honestly, nobody knows a δ of the final key.
 *
 * The key comes from a stranger. Before any work, the proofs of all contributions before are checked, and that the δs
 * are where they lead to; every point that is multiplied has to be on its curve. What is *not* checked here is that
 * the key is of the model that its transcript names, which takes the model and the powers of tau (`setup verify`): a
 * contribution to a wrong key is wasted, but gives nothing away.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkArgument, checkOptions, checkText } from "../arguments.js"
import { montgomeryPoint } from "../circuit/formats/points.js"
import { checkProvingKey, type ProvingKey } from "../circuit/formats/source.js"
import { UsageError } from "../errors.js"
import { beaconHash } from "../setup/ceremony/beacon.js"
import { times1, times2 } from "../setup/ceremony/knowledge.js"
import type { Factors } from "../setup/ceremony/protocol.js"
import { drawSeed, factorsOf as secretFactors, seedBytes } from "../setup/ceremony/secrets.js"
import { type Contribution, requireCount } from "../setup/ceremony/transcript.js"
import { contributorName, parseBeacon } from "../statement/provenance.js"
import type { Hex } from "../statement/strict.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { type CeremonyKey, carriedKey, checkTranscript, deltaOf, readCeremonyKey } from "./key.js"
import { type RewriteOptions, rewriteKey } from "./rewrite.js"

export interface ContributeOptions extends RewriteOptions {
  /** What the transcript calls the contributor: 1 to 64 printable characters. It is public. */
  readonly name: string
  /** Anything that others do not know, hashed together with randomness of the platform. */
  readonly entropy?: string
  /** The secret of this contribution, 64 bytes (`drawSeed`), for one that is to go on where it was interrupted. */
  readonly seed?: Uint8Array
  /** Source of randomness: `n` uniform bytes. Default: the platform's. Tests give a fixed one. */
  readonly random?: (n: number) => Uint8Array
}

export interface BeaconOptions extends RewriteOptions {
  /** A value that nobody knew when the last person contributed: 0x and up to 255 bytes in hexadecimal. */
  readonly value: string
  /** SHA-256 is applied 2^iterations times to it. */
  readonly iterations: number
}

/** What a contribution did, and what to publish of it. */
export interface Contributed {
  /** Of all contributions, the first being 1. */
  readonly number: number
  readonly name: string
  /** The transcript digest before and after. Publish the latter, with your name, where others can find it. */
  readonly before: Hex
  readonly transcript: Hex
  /** Null for an architecture's key: each model has its own, once it is committed to. */
  readonly verificationKey: VerificationKey | null
  /** Bytes of the new key. */
  readonly bytes: number
}

/**
 * Adds a contribution to a key, and writes the new key to a sink. Nothing of the secret is in the result.
 * @throws FileError for a key of no ceremony, one whose transcript does not hold, or with points that are none;
 * UsageError for a name or seed that is none, and for a key that has its beacon; what the sink throws; AbortError
 */
export async function contribute(provingKey: ProvingKey, options: ContributeOptions): Promise<Contributed> {
  checkCommon(provingKey, options, "an object with `name` and `sink`")
  const { entropy = "", random } = options
  const name = nameOf(options.name)
  checkText(entropy, "options.entropy")
  const isSeed = (value: unknown) => value instanceof Uint8Array && value.length === seedBytes
  checkArgument(
    options.seed === undefined || isSeed(options.seed),
    "options.seed",
    `${seedBytes} bytes`,
    options.seed,
  )
  const key = await openKey(provingKey, options)
  const seed = options.seed?.slice() ?? drawSeed(entropy, random)
  const previous = key.transcript.digests[key.transcript.contributions.length]
  const factors = secretFactors(
    seed,
    previous,
    key.protocol.deltas.map((delta) => delta.name),
  )
  seed.fill(0)
  const contribution = await key.protocol.contribution(key.transcript, name, factors)
  return apply(key, factors, contribution, options)
}

/**
 * Ends a ceremony with a beacon, whose secrets everyone can compute: nothing can follow.
 * @throws as `contribute`; UsageError for a key that nobody has contributed to
 */
export async function applyBeacon(provingKey: ProvingKey, options: BeaconOptions): Promise<Contributed> {
  checkCommon(provingKey, options, "an object with `value`, `iterations` and `sink`")
  const { value, iterations } = options
  const beacon = asUsage(() => parseBeacon({ value, iterations }, "beacon"))
  if (beacon === null) throw new UsageError({ what: "no beacon" })
  const key = await openKey(provingKey, options)
  const { transcript, protocol } = key
  if (transcript.contributions.length === 0)
    throw new UsageError({
      what: "nobody has contributed yet",
      fix: "Everyone can compute the secret of a beacon: it ends a ceremony, but makes none",
    })
  const hash = await beaconHash(beacon, options)
  const { factors, contribution } = await protocol.beacon(transcript, beacon, hash)
  return apply(key, factors, contribution, options)
}

function checkCommon(provingKey: unknown, options: unknown, expected: string): void {
  checkProvingKey(provingKey, "provingKey")
  checkOptions(options, expected)
  const { sink } = options as Partial<RewriteOptions>
  checkArgument(
    typeof sink?.write === "function",
    "options.sink",
    "an object with a function `write`, which takes the new key in order",
    sink,
  )
}

/** A name that a contributor may have. @throws UsageError */
const nameOf = (name: unknown): string => asUsage(() => contributorName(name, "option `name`"))

/** What is a mistake in a file is one of usage where a caller gave it. */
function asUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Error && "facts" in error
      ? new UsageError(error.facts as UsageError["facts"])
      : error
  }
}

/** A key that may be contributed to. */
async function openKey(provingKey: ProvingKey, options: RewriteOptions): Promise<CeremonyKey> {
  const key = await readCeremonyKey(provingKey)
  const { contributions } = key.transcript
  if (contributions.some(({ beacon }) => beacon !== null))
    throw new UsageError({
      what: "the ceremony has ended: it has its beacon",
      fix: "To add contributions, take the key from before the beacon",
    })
  await checkTranscript(key, options)
  requireCount(contributions.length + 1)
  return key
}

/** Writes the key with a further contribution. */
async function apply(
  key: CeremonyKey,
  factors: Factors,
  contribution: Contribution,
  options: RewriteOptions,
): Promise<Contributed> {
  const { protocol, contents } = key
  const transcript = protocol.extend(key.transcript, contribution)
  const replaced = new Map(protocol.encode(transcript))
  for (const { name, section, one, two } of protocol.deltas) {
    const content = (replaced.get(section) ?? contents.get(section) ?? new Uint8Array(0)).slice()
    const before = deltaOf(key, name)
    content.set(montgomeryPoint(times1(factors[name], before.one).map(BigInt)), one)
    content.set(montgomeryPoint(times2(factors[name], before.two).flat().map(BigInt)), two)
    replaced.set(section, content)
  }
  // first, because it may refuse points
  const verificationKey = carriedKey({ protocol, transcript, contents: new Map([...contents, ...replaced]) })
  const bytes = await rewriteKey(key, factors, replaced, options)
  const hex = (digest: Uint8Array): Hex => `0x${bytesToHex(digest)}`
  const number = transcript.contributions.length
  return {
    number,
    name: contribution.name,
    before: hex(transcript.digests[number - 1]),
    transcript: hex(transcript.digests[number]),
    verificationKey,
    bytes,
  }
}
