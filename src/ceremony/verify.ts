/**
 * Verification of a whole setup by anyone who has public files alone: the circuit, rebuilt from its model, the powers of
 * tau, and the proving key of the ceremony. Nothing that stands in the key is believed:
 *
 *     the file        has exactly the sections of such a key, of the circuit's sizes; its head names this model, layout
 *                     and circuit, and these powers
 *     the powers      are powers, and the record of their contributors holds (setup/ptau)
 *     the chain       every contribution follows from those before it, its maker knew the factors, and after none of
 *                     them is a δ known, or in a known ratio to another (setup/ceremony)
 *     single points   α and β are those of the powers, the δs those that the chain leads to, in both groups
 *     all points      are what the circuit, the powers and those δs make them (setup/comparison.ts)
 *
 * So the key is a function of the circuit and of secrets each of which nobody knows if one of its contributors was
 * honest. What is wrong is a list of problems, each with the contribution or section that has it, and no exception.
 */
import { bytesToHex } from "@noble/hashes/utils.js"
import { checkArgument, checkOptions, checkThing } from "../arguments.js"
import { montgomeryPoint } from "../circuit/formats/points.js"
import {
  type ByteSource,
  checkedSource,
  checkProvingKey,
  type ProvingKey,
} from "../circuit/formats/source.js"
import { FileError, type OnProgress } from "../errors.js"
import { type KernelEngine, openEngine } from "../prover/kernels/engine.js"
import { pairingsAreOne } from "../prover/kernels/points/pairing.js"
import { type Affine, affineOf, fileBytes } from "../prover/kernels/points/points.js"
import { checkArchitecture, checkKeys, isPrivate, verificationKeyOf } from "../prover/open.js"
import { chainProblems, deltaBefore } from "../setup/ceremony/protocol.js"
import {
  type CeremonyHead,
  factsOf,
  headFor,
  headJson,
  type Transcript,
} from "../setup/ceremony/transcript.js"
import { Combinations } from "../setup/combination.js"
import { type ClaimedSection, Comparison } from "../setup/comparison.js"
import { checkOpen, checkPtau } from "../setup/ptau/check.js"
import type { PtauFile } from "../setup/ptau/file.js"
import { generator1, generator2, negated, problemOf } from "../setup/ptau/points.js"
import { requirePower } from "../setup/ptau/powers.js"
import type { Claim, Secret } from "../setup/queries.js"
import type { G1Json } from "../statement/points.js"
import type { CeremonyFacts } from "../statement/provenance.js"
import type { Hex } from "../statement/strict.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { ContributedKeys, UniversalKeys } from "../systems/system.js"
import type { CheckedKey, VerificationKey } from "../systems/verifiers.js"
import { parseVerificationKey } from "../verifier/key.js"
import { type CeremonyKey, readCeremonyKey } from "./key.js"

export interface VerifySetupOptions {
  /** The verification key that was published, as JSON or read: it has to be the one of the proving key. */
  readonly verificationKey?: unknown
  /** Accept a key that nobody has contributed to yet: the first of a ceremony. */
  readonly allowUncontributed?: boolean
  /** Default: as many as may work at the same time. */
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** A contribution as it stands in the transcript. */
export interface ContributionFacts {
  /** From 1 on. */
  readonly number: number
  readonly name: string
  /** Whether its proofs are bound to that name; those that snarkjs makes are not. */
  readonly bound: boolean
  readonly beacon: CeremonyFacts["beacon"]
  /** Digest of the transcript up to it, as it was told to whoever made it. */
  readonly transcript: Hex
}

/** What is known of a setup. Without problems it is what it says; with some nothing of it is to be used. */
export interface SetupReport {
  readonly valid: boolean
  readonly problems: readonly string[]
  readonly ptau: Pick<PtauFile, "digest" | "name" | "power">
  /** As far as the transcript could be read. */
  readonly contributions: readonly ContributionFacts[]
  readonly transcript: Hex | null
  /**
   * The verification key of the proving key, as far as it could be read; of an architecture's the one that was given,
   * if it is a model's of this key.
   */
  readonly verificationKey: VerificationKey | null
  /** Points that were compared with the circuit and the powers. */
  readonly points: number
}

/**
 * Verifies the proving key of a ceremony and all contributions to it. For LeNet it takes some seconds.
 * @throws UsageError for arguments of another kind; what reading throws beyond FileError; AbortError
 */
export async function verifySetup(
  circuit: Circuit,
  provingKey: ProvingKey,
  ptau: PtauFile,
  options: VerifySetupOptions = {},
): Promise<SetupReport> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  const isFile = typeof (ptau as Partial<PtauFile> | null | undefined)?.readRecord === "function"
  checkArgument(isFile, "ptau", "powers of tau: `openPtau` or `openPtauFile`", ptau)
  checkOptions(options)
  return new SetupVerification(circuit, checkedSource(provingKey, where), ptau, options).report()
}

const where = "proving key"
const generatorBytes = { g1: montgomeryPoint(generator1), g2: montgomeryPoint(generator2) }

type Keys = ContributedKeys<Circuit, unknown, CheckedKey>
type Found = Pick<SetupReport, "contributions" | "transcript" | "verificationKey">

/** What may be wrong with a setup, looked at once. */
class SetupVerification {
  private readonly problems: string[] = []
  private points = 0

  constructor(
    private readonly circuit: Circuit,
    private readonly source: ByteSource,
    private readonly ptau: PtauFile,
    private readonly options: VerifySetupOptions,
  ) {}

  async report(): Promise<SetupReport> {
    const { keys } = systemOf(this.circuit)
    const found = keys.kind === "universal" ? await this.universal(keys) : await this.contributed(keys)
    const { digest, name, power } = this.ptau
    return {
      valid: this.problems.length === 0,
      problems: this.problems,
      ptau: { digest, name, power },
      ...found,
      points: this.points,
    }
  }

  /** Keys that powers of tau alone make are made again. */
  private async universal({ compare }: UniversalKeys<Circuit>): Promise<Found> {
    const { circuit, source, ptau } = this
    const { onProgress, signal, threads } = this.options
    const work = {
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
      ...(threads !== undefined && { threads }),
    }
    const made = await this.attempt(() => this.verificationKey())
    const arePowers = made && (await this.attempt(() => checkPtau(ptau, work)))
    if (arePowers)
      await this.attempt(async () => {
        this.points = await compare(circuit, source, ptau, work)
      })
    return { contributions: [], transcript: null, verificationKey: made ?? null }
  }

  private async contributed(keys: Keys): Promise<Found> {
    const { circuit, source } = this
    const key = await this.attempt(() => readCeremonyKey(source))
    if (key) this.checkFile(key)
    const held = key && (await this.attempt(() => systemOf(circuit).readKey(circuit, source, 0)))
    if (key) await this.checkContributions(key)
    const isCarried = key && held !== undefined && key.transcript.contributions.length > 0
    const verificationKey = isCarried ? await this.attempt(() => this.modelKey()) : undefined
    if (key && held !== undefined) await this.checkAllPoints(keys, key, held)
    return {
      contributions: key ? contributionsOf(key) : [],
      transcript: key ? factsOf(key.transcript).transcript : null,
      verificationKey: verificationKey ?? null,
    }
  }

  /** The result of some work; undefined, and a problem, if a file was not what the work needs. */
  private async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    this.options.signal?.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      this.problems.push(error.message)
      return undefined
    }
  }

  /** Its sections, and what the head of its transcript names. */
  private checkFile({ places, protocol, transcript }: CeremonyKey): void {
    const unknown = [...places.keys()].filter((id) => !protocol.file.includes(id))
    for (const id of unknown)
      this.problems.push(`${where}: section ${id} is none of a key of ${protocol.proofSystem}`)
    const expected = headFor(this.circuit, this.ptau)
    const names = {
      proofSystem: "proof system",
      model: "model",
      layout: "layout",
      circuit: "circuit",
      ptau: "file of powers of tau",
      power: "power of tau",
    } as const
    for (const [field, what] of Object.entries(names)) {
      const [given, wanted] = [transcript.head, expected].map((head) =>
        shownField(head, field as keyof typeof names),
      )
      if (given === wanted) continue
      const shown = field === "layout" ? "" : `; expected ${wanted}, given ${given}`
      this.problems.push(`${where}: transcript: it is for another ${what}${shown}`)
    }
  }

  private async checkContributions({ protocol, transcript }: CeremonyKey): Promise<void> {
    const { onProgress, signal, allowUncontributed } = this.options
    for (const problem of await chainProblems(protocol, transcript, { onProgress, signal }))
      this.problems.push(`${where}: ${problem}`)
    const isSecret = transcript.contributions.some(({ beacon }) => beacon === null)
    if (!isSecret && !(allowUncontributed && transcript.contributions.length === 0))
      this.problems.push(`${where}: nobody contributed: everyone knows its secrets`)
  }

  /** All that is about points, of the powers and of the key. */
  private async checkAllPoints(keys: Keys, key: CeremonyKey, held: unknown): Promise<void> {
    const { threads } = this.options
    const engine = await openEngine(threads === undefined ? {} : { threads })
    try {
      const domain = keys.domainOf(this.circuit, held)
      if (!(await this.attempt(() => this.checkPowers(engine, key, domain)))) return
      const claims = keys.claims(this.circuit, held)
      const divisors = await this.checkSingles(engine, key, claims)
      await this.attempt(() => this.comparePoints(engine, domain, claims, divisors))
      await this.checkBeginning(engine, keys, key, held)
    } finally {
      await engine.close()
    }
  }

  /** Whether contributions are to this key that say nothing of it but what the file says. */
  private async checkBeginning(
    engine: KernelEngine,
    { beginning }: Keys,
    key: CeremonyKey,
    held: unknown,
  ): Promise<void> {
    const { circuit, ptau } = this
    const { onProgress, signal } = this.options
    const isBound = contributionsOf(key).every(({ bound }) => bound)
    // of points that are wrong nothing more is to be said
    if (beginning === undefined || isBound || this.problems.length > 0) return
    const problem = await beginning(circuit, held, ptau, engine, { onProgress, signal })
    if (problem !== null) this.problems.push(`${where}: ${problem}, which contributions of snarkjs are to`)
  }

  /** The same of an architecture's key, which makes none: the one that was given, or null. */
  private async modelKey(): Promise<VerificationKey | null> {
    const { circuit, source, options } = this
    if (!isPrivate(circuit)) return this.verificationKey()
    await checkArchitecture(circuit, source)
    if (options.verificationKey === undefined) return null
    const given = parseVerificationKey(options.verificationKey)
    await checkKeys(circuit, source, given)
    return given
  }

  /** The verification key that the proving key makes, and whether it is the one that was given. */
  private async verificationKey(): Promise<VerificationKey> {
    const { circuit, source, options } = this
    if (options.verificationKey !== undefined)
      await checkKeys(circuit, source, parseVerificationKey(options.verificationKey))
    return verificationKeyOf(circuit, source)
  }

  /** Whether the powers are those that the key names, enough, and powers. */
  private async checkPowers(engine: KernelEngine, key: CeremonyKey, domain: number): Promise<boolean> {
    const { ptau } = this
    const { onProgress, signal } = this.options
    requirePower(ptau, domain)
    await checkOpen(engine, ptau, { onProgress, signal })
    // points of other powers are none of these: nothing more would be learnt
    return key.transcript.head.ptau === ptau.digest
  }

  /** The points of single secrets; those that others are divided by are returned, if they are right. */
  private async checkSingles(
    engine: KernelEngine,
    { transcript }: CeremonyKey,
    claims: readonly Claim[],
  ): Promise<Partial<Record<Secret, Affine>>> {
    const divisors: Partial<Record<Secret, Affine>> = {}
    for (const { name: section, query, points } of claims) {
      if (!("secrets" in query)) continue
      const size = fileBytes[query.group]
      for (const [i, secret] of query.secrets.entries()) {
        const name = `${secret === "one" ? "gamma" : secret}${query.group === "g1" ? 1 : 2}`
        const point = (points as Uint8Array).subarray(size * i, size * (i + 1))
        this.points++
        const problem = await this.singleProblem(engine, transcript, secret, query.group, point)
        if (problem !== undefined) this.problems.push(`${where}: ${name} in ${section} ${problem}`)
        else if (query.group === "g2") divisors[secret as Secret] = affineOf(point)
      }
    }
    return divisors
  }

  private async singleProblem(
    engine: KernelEngine,
    transcript: Transcript,
    secret: Secret | "one",
    group: "g1" | "g2",
    point: Uint8Array,
  ): Promise<string | undefined> {
    const isSame = (expected: Uint8Array) => expected.every((byte, i) => byte === point[i])
    const last = (name: string): G1Json => deltaBefore(transcript, transcript.contributions.length, name)
    if (secret === "one") return isSame(generatorBytes[group]) ? undefined : "is not the generator"
    if (secret === "alpha" || secret === "beta") {
      const ofPowers = group === "g2" ? this.ptau.betaG2 : await this.ptau.read(`${secret}G1`, 0, 1)
      return isSame(ofPowers) ? undefined : "is not that of the powers of tau"
    }
    if (group === "g1") {
      const isLast = isSame(montgomeryPoint(last(secret).map(BigInt)))
      return isLast ? undefined : "is not where the contributions lead to"
    }
    const problem = problemOf(group, point)
    if (problem !== undefined) return problem
    const two = affineOf(point)
    const isPartner = pairingsAreOne(engine.pool, [
      { one: last(secret).map(BigInt), two: generator2 },
      { one: negated(generator1), two },
    ])
    return isPartner ? undefined : "is not where the contributions lead to"
  }

  /** All other points. Sections over a δ that is wrong have nothing to be compared with. */
  private async comparePoints(
    engine: KernelEngine,
    domain: number,
    claims: readonly Claim[],
    divisors: Partial<Record<Secret, Affine>>,
  ): Promise<void> {
    const { circuit, ptau, options } = this
    const { r1cs } = circuit.linked
    const sections = claims.flatMap(({ name, query, points }): ClaimedSection[] => {
      if ("secrets" in query || (query.over && divisors[query.over] === undefined)) return []
      return [{ name, query, points: checkedSource(points, where) }]
    })
    const combinations = await Combinations.open(engine, ptau, r1cs, domain)
    try {
      const { onProgress, signal } = options
      const comparison = new Comparison(engine, combinations, r1cs, sections, divisors, {
        onProgress,
        signal,
      })
      for (const problem of await comparison.problems()) this.problems.push(`${where}: ${problem}`)
      this.points += sections.reduce(
        (sum, { points, query }) => sum + points.size / fileBytes[query.group],
        0,
      )
    } finally {
      combinations.close()
    }
  }
}

/** A field of a head, as its canonical text has it. */
const shownField = (head: CeremonyHead, field: keyof CeremonyHead): string => {
  const value: unknown = JSON.parse(headJson(head))[field]
  return typeof value === "object" ? JSON.stringify(value) : `${value}`
}

const contributionsOf = ({ protocol, transcript }: CeremonyKey): ContributionFacts[] =>
  transcript.contributions.map(({ name, beacon }, i) => ({
    number: i + 1,
    name,
    bound: beacon !== null || protocol.isNamed(transcript, i),
    beacon,
    transcript: `0x${bytesToHex(transcript.digests[i + 1])}`,
  }))
