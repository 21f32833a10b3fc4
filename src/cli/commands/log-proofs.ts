/** `countersign log prove` and `log verify`: proofs of a log for people who have not got it, and checks of both. */

import { checkOutput, readJson, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import type { ConsistencyProof, Entry, Head, InclusionProof, SignedCheckpoint } from "../../log/index.js"
import { bytes32, fields, type Hex, object, oneOf } from "../../statement/strict.js"
import { command, repeatable, wholeNumber } from "../options.js"
import { invalid, onProgress, print } from "../terminal.js"

/** That an entry is in a log, as a file: root and size are what a checkpoint says. */
interface InclusionFile {
  readonly version: 1
  readonly log: Hex
  readonly root: Hex
  readonly entry: Entry
  readonly inclusion: InclusionProof
}
/** That a log begins with what it was, as a file. */
interface ConsistencyFile {
  readonly version: 1
  readonly log: Hex
  readonly oldRoot: Hex
  readonly root: Hex
  readonly consistency: ConsistencyProof
}

export const proveCommand = command(
  "prove",
  "prove that an entry is in a log, or that nothing was taken back since",
)
  .argument("<log>", "the log's folder")
  .argument("[index]", "number of the entry")
  .option("--since <size>", "instead: prove that the log begins with what it was at that size")
  .option("--size <size>", "size of the log to prove it for, that of a checkpoint; default: now")
  .needs("--out <file>", "where the proof goes")
  .action(async (folder: string, index: string | undefined, { since, size: asked, out }) => {
    if ((index === undefined) === (since === undefined))
      throw new api.UsageError({ what: "what to prove", expected: "the number of an entry, or --since SIZE" })
    checkOutput(out)
    const { openLog } = await import("../../log/index.js")
    const log = await openLog(folder)
    try {
      const size = asked === undefined ? log.size : wholeNumber("--size", asked, 1, log.size)
      const root = log.root(size)
      const common = { version: 1, log: log.id, root } as const
      const facts = { proof: out, log: log.id, size, root }
      const lines = [`log    ${log.id}`, `size   ${size}`, `root   ${root}`]
      if (since !== undefined) {
        const from = wholeNumber("--since", since, 0, size)
        const consistency = log.consistencyProof(from, size)
        write({ ...common, oldRoot: log.root(from), consistency })
        print({ ...facts, since: from }, [
          `proof  ${out}: nothing was taken back since size ${from}`,
          ...lines,
        ])
      } else {
        const i = wholeNumber("the number of the entry", index as string, 0, size - 1)
        const entry = log.entry(i)
        write({ ...common, entry, inclusion: log.inclusionProof(i, size) })
        print({ ...facts, index: i, type: entry.type }, [
          `proof  ${out}: entry ${i}, ${entry.type}`,
          ...lines,
        ])
      }
    } finally {
      await log.close()
    }
    function write(proof: InclusionFile | ConsistencyFile) {
      writeWhole(out, `${JSON.stringify(proof, null, 2)}\n`)
    }
  })

export const verifyCommand = command(
  "verify",
  "check a log, or a proof of one; exit code 1 if it does not hold",
)
  .argument("[log]", "the log's folder")
  .option("--proof <file>", "instead of a log: what `log prove` wrote")
  .addOption(
    repeatable("--checkpoint <file>", "a checkpoint that you kept: the log or proof must agree with it"),
  )
  .option("--signer <address>", "who must have signed the checkpoints")
  .action(async (folder: string | undefined, { proof, checkpoint: paths, signer }) => {
    if ((folder === undefined) === (proof === undefined))
      throw new api.UsageError({ what: "what to check", expected: "a log's folder, or --proof FILE" })
    const checkpoints = await Promise.all(paths.map((path: string) => readCheckpoint(path, signer)))
    if (folder !== undefined) await verifyFolder(folder, checkpoints)
    else await verifyProof(proof, checkpoints)
  })

interface Kept {
  readonly path: string
  readonly checkpoint: SignedCheckpoint
  readonly signer: Hex | null
}

/** @throws UsageError for one that is signed by another than is asked for, or by nobody */
async function readCheckpoint(path: string, asked: string | undefined): Promise<Kept> {
  const { checkpointSigner, parseCheckpoint } = await import("../../log/index.js")
  const { toAddress } = await import("../../attest/index.js")
  const checkpoint = parseCheckpoint(readJson(path), `\`${path}\``)
  const signer = checkpointSigner(checkpoint)
  if (asked !== undefined && signer !== toAddress(asked))
    throw new api.UsageError({
      what: "the checkpoint is signed by another, or was changed",
      where: `\`${path}\``,
      expected: toAddress(asked),
      given: `${signer}`,
    })
  return { path, checkpoint, signer }
}

const signedBy = ({ path, checkpoint, signer }: Kept) =>
  `agrees   with ${path}: size ${checkpoint.size}, signed by ${signer}`

async function verifyFolder(folder: string, kept: readonly Kept[]): Promise<void> {
  const { verifyLog } = await import("../../log/index.js")
  const heads = kept.map(({ checkpoint }) => checkpoint)
  const report = await verifyLog(folder, { heads, onProgress })
  const { problem, unfinished } = report
  print(
    { ...report, whole: problem === null },
    problem
      ? [`wrong    entry ${problem.entry}: ${problem.what}`]
      : [
          `whole    ${report.size} entries`,
          `log      ${report.log}`,
          `root     ${report.root}`,
          ...kept.map(signedBy),
          ...(unfinished ? [`besides  ${unfinished} bytes of an append that did not come to its end`] : []),
          ...(kept.length === 0
            ? [
                "It agrees with itself. A checkpoint that you kept (--checkpoint) shows whether it was made anew.",
              ]
            : []),
        ],
  )
  if (problem) invalid()
}

async function verifyProof(path: string, kept: readonly Kept[]): Promise<void> {
  const { leafOf, parseConsistencyProof, parseInclusionProof, verifyConsistency, verifyInclusion } =
    await import("../../log/index.js")
  const given = object(readJson(path), `\`${path}\``)
  const isInclusion = "inclusion" in given
  const names = isInclusion
    ? (["version", "log", "root", "entry", "inclusion"] as const)
    : (["version", "log", "root", "oldRoot", "consistency"] as const)
  const file = fields(given, `\`${path}\``, names as readonly string[])
  oneOf(file.version, `\`${path}\`: version`, [1])
  const log = bytes32(file.log, `\`${path}\`: log`)
  const root = bytes32(file.root, `\`${path}\`: root`)
  const heads: Head[] = []
  let holds: boolean
  let what: string
  if (isInclusion) {
    const inclusion = parseInclusionProof(file.inclusion, "inclusion")
    const entry = file.entry as Entry
    heads.push({ size: inclusion.size, root })
    holds = verifyInclusion(inclusion, leafOf(entry), heads[0])
    what = `entry ${inclusion.index}, ${entry.type}, is in the log`
  } else {
    const consistency = parseConsistencyProof(file.consistency, "consistency")
    const { from, to } = consistency
    heads.push({ size: from, root: bytes32(file.oldRoot, `\`${path}\`: oldRoot`) }, { size: to, root })
    holds = verifyConsistency(consistency, heads[0], heads[1])
    what = `nothing was taken back from size ${from} to ${to}`
  }
  const pinned = heads.map(({ size, root: value }) =>
    kept.find(
      ({ checkpoint }) => checkpoint.log === log && checkpoint.size === size && checkpoint.root === value,
    ),
  )
  const stray = kept.find((one) => !pinned.includes(one))
  const reason = !holds
    ? "the proof does not lead to its root"
    : stray
      ? `${stray.path} has another log, size or root`
      : null
  print({ valid: reason === null, reason, log, heads, ...(isInclusion ? { entry: file.entry } : {}) }, [
    reason === null ? `valid    ${what}` : `invalid  ${reason}`,
    `log      ${log}`,
    ...heads.map(({ size, root: value }) => `root     ${value}, size ${size}`),
    ...(reason === null ? kept.map(signedBy) : []),
    ...(pinned.includes(undefined)
      ? ["A root without a checkpoint (--checkpoint) is as good as whoever gave the file."]
      : []),
  ])
  if (reason !== null) invalid()
}
