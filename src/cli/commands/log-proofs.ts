/** `countersign log prove` and `log verify`: proofs of a log for people who have not got it, and checks of both. */

import { checkOutput, readJson, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import type { LogProof, SignedCheckpoint } from "../../log/index.js"
import type { Hex } from "../../statement/strict.js"
import { command, repeatable, wholeNumber } from "../options.js"
import { invalid, onProgress, print } from "../terminal.js"

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
    function write(proof: LogProof) {
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
  const { describeLogProof, headsOf, logProofProblem, parseLogProof } = await import("../../log/index.js")
  const proof = parseLogProof(readJson(path), `\`${path}\``)
  const { log } = proof
  const heads = headsOf(proof)
  const problem = logProofProblem(proof)
  const pinned = heads.map(({ size, root: value }) =>
    kept.find(
      ({ checkpoint }) => checkpoint.log === log && checkpoint.size === size && checkpoint.root === value,
    ),
  )
  const stray = kept.find((one) => !pinned.includes(one))
  const reason = problem ?? (stray ? `${stray.path} has another log, size or root` : null)
  print({ valid: reason === null, reason, log, heads, ...("entry" in proof ? { entry: proof.entry } : {}) }, [
    reason === null ? `valid    ${describeLogProof(proof)}` : `invalid  ${reason}`,
    `log      ${log}`,
    ...heads.map(({ size, root: value }) => `root     ${value}, size ${size}`),
    ...(reason === null ? kept.map(signedBy) : []),
    ...(pinned.includes(undefined)
      ? ["A root without a checkpoint (--checkpoint) is as good as whoever gave the file."]
      : []),
  ])
  if (reason !== null) invalid()
}
