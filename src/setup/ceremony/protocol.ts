/**
 * What a ceremony needs to know of a proof system: where in its key file things are, and how its contributions are
 * written and proven. Nothing here needs a circuit; a key file says all that a contributor has to do.
 */
import { type G1Json, generator1, sameOrOpposite } from "../../statement/points.js"
import { fail } from "../../statement/strict.js"
import { beaconHash, type HashOptions } from "./beacon.js"
import type { Beacon, Transcript } from "./transcript.js"

/** Where the points of a secret are: 64 bytes in G1, 128 in G2, affine and Montgomery. */
export interface DeltaPlace {
  readonly name: string
  readonly section: number
  /** Bytes of its section before its point in G1, and in G2. */
  readonly one: number
  readonly two: number
  /** Sections of points of G1, all of which are divided by it. */
  readonly divides: readonly number[]
}

/** Content of sections by number. */
export type Contents = ReadonlyMap<number, Uint8Array>

/** A factor for each δ, by name. */
export type Factors = Readonly<Record<string, bigint>>

/** `T`: a transcript as this proof system reads it. */
export interface CeremonyProtocol<T extends Transcript = Transcript> {
  readonly proofSystem: string
  /** Whether weights are private: its keys are an architecture's, and no model's. */
  readonly isPrivate: boolean
  /** Of the container. */
  readonly magic: string
  readonly version: number
  readonly deltas: readonly DeltaPlace[]
  /** Every section that a key of a ceremony has. */
  readonly file: readonly number[]
  /** Those of them that other tools leave out of what they write. */
  readonly leftOut: readonly number[]
  /** Sections that the transcript stands in, and how it is read and written. The first is the head's. */
  readonly sections: readonly number[]
  parse(contents: Contents): T
  encode(transcript: T): Contents
  /** Small sections with points of the verification key, and these points, as its JSON has them. */
  readonly keySections: readonly number[]
  verificationPoints(contents: Contents): object
  /** A contribution of factors at the end of a transcript, with its proofs. */
  contribution(transcript: T, name: string, factors: Factors): Promise<T["contributions"][number]>
  /** The beacon at the end of a transcript, and its factors; `hash`: of its value. */
  beacon(
    transcript: T,
    beacon: Beacon,
    hash: Uint8Array,
  ): Promise<{ readonly factors: Factors; readonly contribution: T["contributions"][number] }>
  /** Why contribution i does not follow from those before it, or null; `hash`: that of the beacon's value, if it is one. */
  problem(transcript: T, i: number, hash: Uint8Array | undefined): Promise<string | null>
  /** Whether the proof of contribution i is bound to its name. */
  isNamed(transcript: T, i: number): boolean
  /** The transcript with a further contribution. */
  extend(transcript: T, contribution: T["contributions"][number]): T
}

/** The δ that contribution i found: in the first key all are one. */
export const deltaBefore = ({ contributions }: Transcript, i: number, delta: string): G1Json =>
  i === 0 ? generator1 : contributions[i - 1].deltas[delta].after

/** What no contribution may be, whatever it proves, or null. */
function orderProblem({ contributions }: Transcript, i: number): string | null {
  if (i > 0 && contributions[i - 1].beacon !== null) return "it comes after a beacon, which is the last"
  const after = Object.entries(contributions[i].deltas).map(([name, delta]) => [name, delta.after] as const)
  for (const [k, [name, point]] of after.entries()) {
    if (sameOrOpposite(point, generator1)) return `${name} is known afterwards: it is one, or minus one`
    const other = after.slice(0, k).find(([, before]) => sameOrOpposite(point, before))
    if (other) return `${other[0]} and ${name} are equal or opposite afterwards`
  }
  return null
}

/** What is wrong with contributions, one after the other, each with the number and name of the one that has it. */
async function* problemsIn<T extends Transcript>(
  protocol: CeremonyProtocol<T>,
  transcript: T,
  options: HashOptions,
): AsyncGenerator<string> {
  const { contributions } = transcript
  const total = contributions.length
  for (const [i, { name, beacon }] of contributions.entries()) {
    options.signal?.throwIfAborted()
    const hash = beacon === null ? undefined : await beaconHash(beacon, options)
    const problem = orderProblem(transcript, i) ?? (await protocol.problem(transcript, i, hash))
    options.onProgress?.({ stage: "check contributions", done: i + 1, total })
    if (problem !== null) yield `contribution ${i + 1} (${name}) is wrong: ${problem}`
  }
}

/**
 * Checks all contributions: every proof, that no two δs are equal or opposite after any of them, and the beacon.
 * @returns what is wrong, each problem with the number and name of its contribution
 * @throws AbortError
 */
export async function chainProblems<T extends Transcript>(
  protocol: CeremonyProtocol<T>,
  transcript: T,
  options: HashOptions = {},
): Promise<string[]> {
  const found: string[] = []
  for await (const problem of problemsIn(protocol, transcript, options)) found.push(problem)
  return found
}

/** The same, up to the first problem. @throws FileError with it; AbortError */
export async function checkChain<T extends Transcript>(
  protocol: CeremonyProtocol<T>,
  transcript: T,
  options: HashOptions = {},
): Promise<void> {
  for await (const what of problemsIn(protocol, transcript, options)) {
    fail("proving key", {
      what,
      fix: "Take the key from whoever made it: this one is not what its contributors made",
    })
  }
}
