/**
 * The operator's store: for each attestation what a proof of it takes, so that the proof can come when it is asked for,
 * months later and from another process. A folder with a file for each, named by the attestation's digest:
 *
 *     { version, attestation, evidence, input, salts, retainUntil }          docs/FORMATS.md
 *
 * With an input and salts whoever reads it can open every commitment, so folder and files are their owner's alone. Files
 * appear whole and on the disk before the attestation leaves, are never overwritten, and go only when their time is over.
 * What is in the folder is read as a stranger's: its digest must be its name, and the proof must fit the attestation.
 */
import { lstatSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { checkThing } from "../arguments.js"
import {
  attestationDigest,
  canonicalJson,
  claimOf,
  type Evidence,
  evidenceDigest,
  parseAttestation,
  parseEvidence,
  relationProblem,
  type SignedAttestation,
  statementProblem,
  zeroDigest,
} from "../attest/index.js"
import { FileError, invariant, timeText, UsageError } from "../errors.js"
import { attempt, exists, readJson, removeFile, writeWhole } from "../files.js"
import { type Executed, execute } from "../prover/execute.js"
import type { Circuit, ProveOptions, Prover } from "../prover/index.js"
import { maxInteger } from "../statement/layout.js"
import type { Values } from "../statement/statement.js"
import { array, fail, fields, type Hex, integer, object, oneOf, scalar } from "../statement/strict.js"
import { dequantize } from "../statement/values.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"

/** What is kept of an attestation. */
export interface Kept {
  readonly attestation: SignedAttestation
  /** The manifest whose digest the attestation has; null where it has none. */
  readonly evidence: Evidence | null
  /** Integers of each input, row-major. */
  readonly input: Values
  readonly salts: Executed["salts"]
  /** Seconds since 1970 until which it must stay. */
  readonly retainUntil: number
}

const fileOf = (folder: string, digest: Hex): string => join(folder, `${digest.slice(2)}.json`)
const digestIn = ({ attestation }: Pick<Kept, "attestation">): Hex =>
  attestationDigest(claimOf(attestation), attestation.domain)

/**
 * Keeps what a proof of an attestation takes; afterwards it is on the disk.
 * @returns the path of the file
 * @throws UsageError if the platform refuses, others could read the folder, there is one already, or it would go before
 * the attestation has ended; FileError for evidence that is not the attestation's
 */
export function keep(folder: string, kept: Kept): string {
  const { attestation, evidence, input, salts, retainUntil } = kept
  if (retainUntil < attestation.validUntil)
    throw new UsageError({
      what: "it would be kept for a shorter time than the attestation is valid",
      expected: `until ${timeText(attestation.validUntil)} or later`,
      given: timeText(retainUntil),
    })
  openFolder(folder, true)
  const digest = digestIn(kept)
  const path = fileOf(folder, digest)
  const decimal = (salt: bigint | undefined) => (salt === undefined ? null : `${salt}`)
  const text = canonicalJson({
    version: 1,
    attestation,
    evidence,
    input,
    salts: { input: decimal(salts.input), output: decimal(salts.output) },
    retainUntil,
  })
  // what cannot be read again is no store
  parseKept(JSON.parse(text), digest)
  writeWhole(path, `${text}\n`, { isPrivate: true, isNew: true, isDurable: true })
  return path
}

/** What is kept of an attestation. @throws UsageError if nothing is; FileError for a file that is not of it */
export function readKept(folder: string, digest: Hex): Kept {
  openFolder(folder, false)
  return parseKept(readJson(fileOf(folder, digest), "Nothing is kept of this attestation"), digest)
}

/** Digests of the attestations of which something is kept. @throws UsageError if the folder cannot be read */
export function listKept(folder: string): Hex[] {
  openFolder(folder, false)
  const names = attempt(folder, () => readdirSync(folder))
  return names.flatMap((name): Hex[] => (/^[0-9a-f]{64}\.json$/.test(name) ? [`0x${name.slice(0, 64)}`] : []))
}

/**
 * Removes what has been kept long enough, and nothing else: a file that cannot be read stays, and is named.
 * @param now seconds since 1970
 */
export function pruneKept(
  folder: string,
  now: number,
): {
  readonly removed: readonly Hex[]
  readonly unread: readonly { readonly digest: Hex; readonly reason: string }[]
} {
  const removed: Hex[] = []
  const unread: { digest: Hex; reason: string }[] = []
  for (const digest of listKept(folder)) {
    try {
      if (readKept(folder, digest).retainUntil >= now) continue
    } catch (error) {
      if (!(error instanceof FileError || error instanceof UsageError)) throw error
      unread.push({ digest, reason: error.message })
      continue
    }
    removeFile(fileOf(folder, digest))
    removed.push(digest)
  }
  return { removed, unread }
}

/** Reads strictly. @throws FileError */
function parseKept(value: unknown, digest: Hex): Kept {
  const where = `kept ${digest}`
  const given = fields(value, where, ["version", "attestation", "evidence", "input", "salts", "retainUntil"])
  oneOf(given.version, `${where}: version`, [1])
  const attestation = parseAttestation(given.attestation)
  const found = digestIn({ attestation })
  if (found !== digest) fail(where, { what: "is another attestation's", expected: digest, given: found })
  const evidence = given.evidence === null ? null : parseEvidence(given.evidence)
  if ((evidence ? evidenceDigest(evidence) : zeroDigest) !== attestation.evidence)
    fail(where, { what: "the evidence is not the attestation's" })
  const salts = fields(given.salts, `${where}: salts`, ["input", "output"])
  const { retainUntil } = given
  if (
    typeof retainUntil !== "number" ||
    !Number.isSafeInteger(retainUntil) ||
    retainUntil < attestation.validUntil
  )
    fail(`${where}: retainUntil`, { what: "no time after the attestation's end" })
  return {
    attestation,
    evidence,
    input: Object.fromEntries(
      Object.entries(object(given.input, `${where}: input`)).map(([name, list]) => {
        const at = `${where}: input[${JSON.stringify(name)}]`
        const integers = array(list, at)
        return [name, Array.from(integers, (x, i) => `${integer(x, `${at}[${i}]`, -maxInteger, maxInteger)}`)]
      }),
    ),
    salts: {
      ...(salts.input === null ? {} : { input: scalar(salts.input, `${where}: salts.input`) }),
      ...(salts.output === null ? {} : { output: scalar(salts.output, `${where}: salts.output`) }),
    },
    retainUntil,
  }
}

/** Makes the folder, or sees that it is one, and that nobody else may look into it. */
function openFolder(folder: string, make: boolean): void {
  if (make && !exists(folder))
    attempt(folder, () => mkdirSync(folder, { recursive: true, mode: 0o700 }), "cannot be made")
  const { mode } = attempt(folder, () => lstatSync(folder))
  const where = `\`${folder}\``
  if ((mode & 0o170000) !== 0o040000) throw new UsageError({ what: "is no folder", where })
  // where the platform has such permissions
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new UsageError({
      what: "others may look into it, and it holds inputs and salts",
      where,
      expected: "permissions 700",
      given: (mode & 0o777).toString(8),
      fix: "Say `chmod 700` if nobody has, or keep it elsewhere",
    })
}

/**
 * The input that was kept, as real numbers that give the same integers again.
 * @throws UsageError if it does not fit the circuit
 */
export function keptInput(
  { input }: Pick<Kept, "input">,
  { layout }: Pick<Circuit, "layout">,
): Record<string, number[]> {
  const real = layout.inputs.map((tensor): [string, number[]] => {
    if (!Object.hasOwn(input, tensor.name))
      throw new UsageError({ what: `input ${JSON.stringify(tensor.name)} was not kept` })
    return [tensor.name, Array.from(dequantize(tensor, input[tensor.name]))]
  })
  return Object.fromEntries(real)
}

/**
 * Runs the model again on what was kept.
 * @throws FileError unless that gives what the attestation claims: then there is no proof to be had
 */
export function executeKept(circuit: Circuit, kept: Kept, verificationKey: VerificationKey): Executed {
  checkThing("circuit", circuit, "circuit")
  const { salts } = kept
  const executed = execute(circuit, keptInput(kept, circuit), {
    context: digestIn(kept),
    salts,
    verificationKey,
  })
  const same = circuit.layout.inputs.every(({ name }) => `${executed.input[name]}` === `${kept.input[name]}`)
  const problem = same
    ? statementProblem(executed.statement, claimOf(kept.attestation), verificationKey)
    : "integers of the input are not those of this model"
  if (problem !== null)
    throw new FileError({
      what: `what was kept is not what was attested: ${problem}`,
      where: `kept ${digestIn(kept)}`,
      fix: "Take the model and the key that were attested; if those are right, the file was changed",
    })
  return executed
}

/**
 * The receipt of an attestation, from what was kept of it. `prover` is the circuit's, opened with its proving key.
 * @throws FileError as `executeKept`, before the proof is begun; what `Prover.prove` throws
 */
export async function proveKept(
  prover: Prover,
  circuit: Circuit,
  kept: Kept,
  verificationKey: VerificationKey,
  options: Pick<ProveOptions, "onProgress" | "signal"> = {},
): Promise<Receipt> {
  executeKept(circuit, kept, verificationKey)
  const { attestation, salts } = kept
  const receipt = await prover.prove(keptInput(kept, circuit), { ...options, context: digestIn(kept), salts })
  const problem = relationProblem(receipt, claimOf(attestation), verificationKey, attestation.domain)
  invariant(problem === null, `a receipt made for an attestation is not of it: ${problem}`)
  return receipt
}
