/**
 * The record of contributions in a file of powers of tau: its section 7, read strictly. It is a count, and of every
 * contribution
 *
 *     τ·G1, τ·G2, α·G1, β·G1, β·G2      after it                                       64 bytes in G1, 128 in G2
 *     s, x·s for x of τ, α, β           points of G1 of the proofs of knowledge
 *     x·S for τ, α, β                   in G2, where S is hashed from what was before
 *     state                             of the BLAKE2b of its response, before the points of its proofs (blake2b.ts)
 *     next challenge                    BLAKE2b of the hash of its response and all powers after it
 *     kind                              0, or 1 for a beacon
 *     parameters                        in all a length in 4 bytes; 1: name, 2: iterations of a beacon, 3: its value
 *
 * It says how τ, α and β came about, and chain.ts tells whether it holds.
 */
import { type Facts, FileError } from "../../errors.js"
import { affineOf, fileBytes, type Group } from "../../prover/kernels/points/points.js"
import { digestBytes, stateBytes } from "./blake2b.js"
import { type FinitePoint, problemOf } from "./points.js"

export const secretNames = ["tau", "alpha", "beta"] as const
/** What a contributor multiplies by secrets of his own. */
export type SecretName = (typeof secretNames)[number]

/** What of the powers stands in the record. */
export interface FirstPoints {
  readonly tauG1: FinitePoint
  readonly tauG2: FinitePoint
  readonly alphaG1: FinitePoint
  readonly betaG1: FinitePoint
  readonly betaG2: FinitePoint
}

/** A proof that somebody knows x: s and x·s in G1, x·S in G2. */
export interface KnowledgeProof {
  readonly s: FinitePoint
  readonly sx: FinitePoint
  readonly spx: FinitePoint
}

export interface PtauBeacon {
  readonly value: Uint8Array
  /** SHA-256 was applied 2^iterations times. */
  readonly iterations: number
}

export interface PtauContribution {
  /** From 1. */
  readonly number: number
  readonly name: string
  readonly beacon: PtauBeacon | undefined
  readonly after: FirstPoints
  readonly proofs: Readonly<Record<SecretName, KnowledgeProof>>
  readonly responseState: Uint8Array
  readonly nextChallenge: Uint8Array
}

/** Where a contribution is, in messages. */
export const whereOf = ({ number, name }: Pick<PtauContribution, "number" | "name">): string =>
  `.ptau file, contribution ${number}${name ? ` (\`${name}\`)` : ""}`

/** Contributions of a record whose lengths fit together. @throws FileError */
export function readRecord(bytes: Uint8Array, ceremonyPower: number): PtauContribution[] {
  const reader = new Reader(bytes)
  const count = reader.integer("number of contributions")
  const contributions: PtauContribution[] = []
  for (let i = 1; i <= count; i++) contributions.push(readContribution(reader, i, ceremonyPower))
  reader.end()
  return contributions
}

function readContribution(reader: Reader, number: number, ceremonyPower: number): PtauContribution {
  reader.where = whereOf({ number, name: "" })
  const g1 = (what: string) => reader.point("g1", what)
  const g2 = (what: string) => reader.point("g2", what)
  const after = {
    tauG1: g1("tau in G1"),
    tauG2: g2("tau in G2"),
    alphaG1: g1("alpha in G1"),
    betaG1: g1("beta in G1"),
    betaG2: g2("beta in G2"),
  }
  const of = (name: SecretName) => `a point of the proof of ${name}`
  const ofG1 = secretNames.map((name) => ({ name, s: g1(of(name)), sx: g1(of(name)) }))
  const proofs = ofG1.map(({ name, s, sx }) => [name, { s, sx, spx: g2(of(name)) }] as const)
  const responseState = reader.bytes(stateBytes).slice()
  checkState(reader, responseState, ceremonyPower)
  const nextChallenge = reader.bytes(digestBytes).slice()
  const kind = reader.integer("kind")
  if (kind > 1)
    reader.refuse({ what: "kind of contribution", expected: "0, or 1 for a beacon", given: `${kind}` })
  const { name, iterations, value } = readParameters(reader)
  if (
    (iterations !== undefined || value !== undefined) !== (kind === 1) ||
    (iterations === undefined) !== (value === undefined)
  )
    reader.refuse({ what: "parameters", expected: "value and iterations of a beacon, and of nothing else" })
  return {
    number,
    name,
    beacon: iterations !== undefined && value !== undefined ? { value, iterations } : undefined,
    after,
    proofs: Object.fromEntries(proofs) as Record<SecretName, KnowledgeProof>,
    responseState,
    nextChallenge,
  }
}

/** The state is believed by the hash that goes on from it: it must be one after as many bytes as a response has. */
function checkState(reader: Reader, state: Uint8Array, ceremonyPower: number): void {
  const view = new DataView(state.buffer)
  const [hashed, inBlock, flag] = [192, 200, 208].map((at) => view.getBigUint64(at, true))
  // the challenge's hash, then points compressed to half of their size
  const n = 2n ** BigInt(ceremonyPower)
  const length = 64n + 32n * (2n * n - 1n) + 64n * n + 2n * 32n * n + 64n
  if (flag === 0n && inBlock <= 128n && inBlock > 0n && hashed % 128n === 0n && hashed + inBlock === length)
    return
  reader.refuse({
    what: "state of the hash of its response",
    expected: `that after ${length} bytes`,
    given: `${hashed} and ${inBlock} bytes`,
  })
}

interface Parameters {
  name: string
  iterations: number | undefined
  value: Uint8Array | undefined
}

function readParameters(reader: Reader): Parameters {
  const found: Parameters = { name: "", iterations: undefined, value: undefined }
  const end = reader.integer("length of the parameters") + reader.at
  let last = 0
  while (reader.at < end) {
    const [id] = reader.bytes(1)
    if (id <= last || id > 3)
      reader.refuse({ what: "parameters", expected: "1, 2 and 3 in order", given: `${id}` })
    last = id
    const [length] = reader.bytes(1)
    if (id === 2) found.iterations = length
    else if (id === 1) found.name = new TextDecoder().decode(reader.bytes(length))
    else found.value = reader.bytes(length).slice()
  }
  if (reader.at !== end)
    reader.refuse({ what: "length of the parameters", given: `${end - reader.at} bytes too few` })
  return found
}

/** Bytes one after the other. */
class Reader {
  at = 0
  where = ".ptau file, record of contributions (section 7)"
  private readonly all: Uint8Array

  constructor(all: Uint8Array) {
    this.all = all
  }

  refuse(facts: Facts): never {
    throw new FileError({
      where: this.where,
      fix: "The file is damaged, or somebody made it so: get it again",
      ...facts,
    })
  }

  bytes(length: number): Uint8Array {
    if (this.at + length > this.all.length) this.refuse({ what: "is cut off" })
    this.at += length
    return this.all.subarray(this.at - length, this.at)
  }

  /** A finite point of the curve, or of the twist: whether it is in G2 is seen where it is paired. */
  point(group: Group, what: string): FinitePoint {
    const bytes = this.bytes(fileBytes[group])
    const problem = problemOf(group, bytes)
    if (problem) this.refuse({ what: `${what} ${problem}` })
    return affineOf(bytes) as FinitePoint
  }

  integer(what: string): number {
    if (this.at + 4 > this.all.length) this.refuse({ what: `${what} is cut off` })
    const bytes = this.bytes(4)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  }

  end(): void {
    if (this.at !== this.all.length)
      this.refuse({ what: "bytes after the last contribution", given: `${this.all.length - this.at}` })
  }
}
