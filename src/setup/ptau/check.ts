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
import { FileError, type OnProgress } from "../../errors.js"
import { checkArgument, checkOptions } from "../../arguments.js"
import { type ByteSource, isBytesOrSource } from "../../circuit/formats/source.js"
import { type KernelEngine, openEngine } from "../../prover/kernels/engine.js"
import { pairingsAreOne } from "../../prover/kernels/points/pairing.js"
import type { Hex } from "../../statement/strict.js"
import { newHasher } from "./blake2b.js"
import { type ChainEnd, checkChain, generator1, generator2, isSame, negated } from "./chain.js"
import { openPtau, type PtauFile, sectionNames, sectionNumber } from "./file.js"
import { groupOf, type PowersSection, pointsOf } from "./powers.js"
import { checkBlock, type Step } from "./progression.js"
import { type FinitePoint, type FirstPoints, pointOf, readRecord } from "./record.js"

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

/** Points of a block: 4 MiB in G1, 8 in G2. */
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
  checkArgument(isOpen || isBytesOrSource(ptau), "ptau", "a `.ptau` file: open (`openPtau`), bytes, or a source of them", ptau)
  checkOptions(options)
  const { threads, signal, onProgress } = options
  const file = isOpen ? (ptau as PtauFile) : await openPtau(ptau as Uint8Array | ByteSource, options)
  const contributions = readRecord(await file.readRecord(), file.ceremonyPower)
  const engine = await openEngine(threads === undefined ? {} : { threads })
  try {
    const end = await checkChain(engine.pool, contributions, file.ceremonyPower, { signal, onProgress })
    const first = await firstPointsOf(file)
    checkFirstPoints(first, end.points)
    await checkSecrets(file, first)
    await checkSections(engine, file, { first, end, signal, onProgress, block: blockPoints })
  } finally {
    await engine.close()
  }
  const { power, ceremonyPower, digest, name } = file
  return {
    power,
    ceremonyPower,
    digest,
    name,
    contributions: contributions.map(({ name, beacon }) => ({ name, kind: beacon ? "beacon" : "contribution" })),
  }
}

const whereOf = (section: PowersSection, point: number): string =>
  `.ptau file, ${section}[${point}] (section ${sectionNumber[section]})`
