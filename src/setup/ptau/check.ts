/**
 * Whether a file of powers of tau holds what it should: τ^i·G1, τ^i·G2, ατ^i·G1, βτ^i·G1 and β·G2 of secrets that came
 * about in the contributions of its record. What is checked, and where:
 *
 * 1. the record (record.ts, chain.ts): τ, α and β are products of what contributors proved to know;
 * 2. the first points are the generators and those with which the record ends, and the secrets are no use to forgers
 *    that would hold of any (below);
 * 3. every section is a progression by τ (progression.ts), and β is the same in both groups;
 * 4. where the file has all powers of its ceremony, they are those that the last next challenge is the hash of.
 *
 * Nobody's word is taken for it, also not a digest's: that a file is a well-known one says whose contributions these
 * are, not that it is right. Prepared Lagrange points (sections 12 to 15) are neither read nor checked.
 */

import { checkArgument, checkOptions } from "../../arguments.js"
import { type ByteSource, isBytesOrSource } from "../../circuit/formats/source.js"
import { domainSizes } from "../../circuit/link/domain.js"
import { FileError, type OnProgress } from "../../errors.js"
import { type KernelEngine, openEngine } from "../../prover/kernels/engine.js"
import { pairingsAreOne } from "../../prover/kernels/points/pairing.js"
import { affineOf, fileBytes, type Group } from "../../prover/kernels/points/points.js"
import type { Hex } from "../../statement/strict.js"
import { newHasher } from "./blake2b.js"
import { type ChainEnd, checkChain } from "./chain.js"
import { openPtau, type PtauFile, sectionNames, sectionNumber } from "./file.js"
import { type FinitePoint, generator1, generator2, isSame, negated, problemOf } from "./points.js"
import { groupOf, type PowersSection, pointsOf } from "./powers.js"
import { checkBlock, type Step } from "./progression.js"
import { type FirstPoints, readRecord } from "./record.js"

export interface CheckPtauOptions {
  /** Default: as many as may work at the same time. */
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** What a file of powers of tau is, once it has been checked. */
export interface CheckedPtau {
  readonly power: number
  readonly ceremonyPower: number
  readonly digest: Hex
  /** Which well-known file it is. */
  readonly name: string | undefined
  /** Names are what contributors called themselves, as the record has them: whoever prints them takes care. */
  readonly contributions: readonly { readonly name: string; readonly kind: "contribution" | "beacon" }[]
}

/** 4 MiB in G1, 8 in G2. */
const blockPoints = 2 ** 16

const fix = "The file is damaged, or somebody changed it: get it again, from where its digest is published"

/**
 * Checks a file of powers of tau, wholly, with an error below 2^-100 for every file.
 * @throws FileError that says what is wrong, and which point or contribution; UsageError; the reason of an abort
 */
export async function checkPtau(
  ptau: PtauFile | Uint8Array | ByteSource,
  options: CheckPtauOptions = {},
): Promise<CheckedPtau> {
  const isOpen = typeof (ptau as Partial<PtauFile> | null)?.readRecord === "function"
  checkArgument(
    isOpen || isBytesOrSource(ptau),
    "ptau",
    "a `.ptau` file: open (`openPtau`), bytes, or a source of them",
    ptau,
  )
  checkOptions(options)
  const { threads, signal, onProgress } = options
  const file = isOpen ? (ptau as PtauFile) : await openPtau(ptau as Uint8Array | ByteSource, options)
  const engine = await openEngine(threads === undefined ? {} : { threads })
  try {
    return await checkOpen(engine, file, { signal, onProgress })
  } finally {
    await engine.close()
  }
}

/** As `checkPtau`, on threads that are there. */
export async function checkOpen(
  engine: KernelEngine,
  file: PtauFile,
  { signal, onProgress }: { signal?: AbortSignal | undefined; onProgress?: OnProgress | undefined } = {},
): Promise<CheckedPtau> {
  const contributions = readRecord(await file.readRecord(), file.ceremonyPower)
  const end = await checkChain(engine, contributions, file.ceremonyPower, { signal, onProgress })
  const first = await checkFirstPoints(engine, file, end.points)
  await checkSecrets(file, first)
  const step = { tauG1: first.tauG1, tauG2: first.tauG2 }
  await checkSections(engine, file, { step, end, signal, onProgress, blockPoints })
  const { power, ceremonyPower, digest, name } = file
  return {
    power,
    ceremonyPower,
    digest,
    name,
    contributions: contributions.map(({ name, beacon }) => ({
      name,
      kind: beacon ? "beacon" : "contribution",
    })),
  }
}

/** What points of the file are called in messages; β in G2 is none of a section of powers. */
const placeOf = (section: PowersSection, point: number): string =>
  `.ptau file, ${section}[${point}] (section ${sectionNumber[section]})`
const placeOfBeta = ".ptau file, betaG2 (section 6)"

const fail = (where: string, what: string): never => {
  throw new FileError({ what, where, fix })
}

/** The points that say what τ, α and β are. @throws FileError unless they are those that the record ends with */
async function checkFirstPoints(
  engine: KernelEngine,
  file: PtauFile,
  last: FirstPoints,
): Promise<FirstPoints> {
  const pointOf = (group: Group, bytes: Uint8Array, where: string): FinitePoint => {
    const problem = problemOf(group, bytes)
    if (problem) fail(where, problem)
    return affineOf(bytes) as FinitePoint
  }
  const read = async (section: PowersSection, i: number): Promise<FinitePoint> =>
    pointOf(groupOf[section], await file.read(section, i, 1), placeOf(section, i))
  for (const [section, generator] of [
    ["tauG1", generator1],
    ["tauG2", generator2],
  ] as const)
    if (!isSame(await read(section, 0), generator)) fail(placeOf(section, 0), "is not the generator")
  const first: FirstPoints = {
    tauG1: await read("tauG1", 1),
    tauG2: await read("tauG2", 1),
    alphaG1: await read("alphaG1", 0),
    betaG1: await read("betaG1", 0),
    betaG2: pointOf("g2", file.betaG2, placeOfBeta),
  }
  const places: Record<keyof FirstPoints, string> = {
    tauG1: placeOf("tauG1", 1),
    tauG2: placeOf("tauG2", 1),
    alphaG1: placeOf("alphaG1", 0),
    betaG1: placeOf("betaG1", 0),
    betaG2: placeOfBeta,
  }
  for (const [name, place] of Object.entries(places) as [keyof FirstPoints, string][])
    if (!isSame(first[name], last[name])) fail(place, "is not what the last contribution in the record left")
  const pairs = [
    { one: first.betaG1, two: generator2 },
    { one: negated(generator1), two: first.betaG2 },
  ]
  if (!pairingsAreOne(engine.pool, pairs)) fail(placeOfBeta, "is not the beta of betaG1")
  return first
}

/**
 * Points are equal or opposite exactly if their x are. Of an honest ceremony none of this occurs, but with a chance
 * of nothing.
 * @throws FileError if τ, α or β is ±1, one is another or its opposite, or τ is in a domain, or where its
 * quotient is evaluated, where keys would divide by zero
 */
async function checkSecrets(file: PtauFile, { tauG1, alphaG1, betaG1 }: FirstPoints): Promise<void> {
  const known = Object.entries({ "1": generator1, tau: tauG1, alpha: alphaG1, beta: betaG1 })
  known.forEach(([name, [x]], i) => {
    const other = known.slice(0, i).find(([, [y]]) => x === y)
    if (other) fail(".ptau file", `${name} is ${other[0]} or −${other[0]}`)
  })
  // a point of a first coset of n, of rows or of the quotient, to the power n is 1 or −1; of a second one, to 2n
  const most = pointsOf("tauG1", file.power) - 1
  for (const n of domainSizes(most).filter((size) => size <= most)) {
    const point = affineOf(await file.read("tauG1", n, 1))
    if (point?.[0] === generator1[0]) fail(placeOf("tauG1", n), "tau to this power is 1 or −1")
  }
}

interface SectionOptions {
  readonly step: Step
  readonly end: Pick<ChainEnd, "responseHash" | "nextChallenge">
  readonly blockPoints: number
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

/**
 * Every section is a progression by τ; and if these are all powers of the ceremony, the last challenge is their hash.
 * @throws FileError; the reason of an abort
 */
export async function checkSections(
  engine: KernelEngine,
  file: PtauFile,
  { step, end, blockPoints, signal, onProgress }: SectionOptions,
): Promise<void> {
  const { power } = file
  const hasher = power === file.ceremonyPower ? await newHasher() : undefined
  hasher?.update(end.responseHash)
  const blocks = sectionNames.flatMap((section) => {
    const count = pointsOf(section, power)
    return Array.from({ length: Math.ceil(count / blockPoints) }, (_, i) => {
      const at = i * blockPoints
      // with the last point of the block before
      const first = Math.max(0, at - 1)
      return { section, first, before: at - first, count: Math.min(count, at + blockPoints) - first }
    })
  })
  const total = sectionNames.reduce((sum, section) => sum + pointsOf(section, power), 0)
  let done = 0
  const read = (i: number) => {
    const { section, first, count } = blocks[i]
    const bytes = file.read(section, first, count)
    // it is awaited later, or never if something else fails first
    bytes.catch(() => undefined)
    return bytes
  }
  let next = read(0)
  for (const [i, { section, first, before, count }] of blocks.entries()) {
    signal?.throwIfAborted()
    const bytes = await next
    if (i + 1 < blocks.length) next = read(i + 1)
    const group = groupOf[section]
    await checkBlock(engine, group, bytes, step, (point) => placeOf(section, first + point), signal)
    const own = bytes.subarray(before * fileBytes[group])
    hasher?.update(await engine.uncompressed(group, own, { signal }))
    done += count - before
    onProgress?.({ stage: "check powers of tau", done, total })
  }
  const challenge = hasher?.update(await engine.uncompressed("g2", file.betaG2)).digest()
  if (challenge && !challenge.every((byte, i) => byte === end.nextChallenge[i]))
    fail(
      ".ptau file",
      "the last contribution of the record does not end with these powers: they have another hash",
    )
}
