/** `countersign log`: a log of claims, proofs and failures, appended for good. */

import { addressOf } from "../../chain/deployment.js"
import { checkOutput, readJson, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import type { Body, Entry, EntryType } from "../../log/index.js"
import { keystoreOption, openAccount } from "../account.js"
import { dateOf, nowSeconds } from "../claims.js"
import { readContracts } from "../contracts.js"
import { command } from "../options.js"
import { print } from "../terminal.js"
import { anchorCommand } from "./log-anchor.js"
import { proveCommand, verifyCommand } from "./log-proofs.js"

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What each type of entry is told by, where a file is the body alone. */
const marks: readonly (readonly [EntryType, readonly string[]])[] = [
  ["receipt", ["statement", "proof"]],
  ["sign-off", ["attestation", "role", "decision"]],
  ["withdrawal", ["signOff", "withdrawn"]],
  ["attestation", ["operator", "policy", "validUntil"]],
  ["policy", ["disputes", "retentionDays"]],
]

/** The entry that a file is to be: itself, or the body of a type; of an answer, its attestation. */
function entryOf(path: string, type: EntryType | undefined, time: number): Entry {
  const read = readJson(path)
  const where = `\`${path}\``
  if (!isRecord(read)) throw new api.FileError({ what: "is no object", where })
  if (type === undefined && "type" in read && "body" in read) return read as unknown as Entry
  const isAnswer = "statement" in read && isRecord(read.attestation)
  const body: Body = isAnswer ? (read.attestation as Body) : read
  const told = type ?? marks.find(([, names]) => names.every((name) => name in body))?.[0]
  if (told === undefined)
    throw new api.UsageError({
      what: "it does not say what it is",
      where,
      expected: "an attestation, receipt, sign-off, withdrawal or policy, or an entry with `type` and `body`",
      fix: "Say it with --type TYPE",
    })
  return { type: told, body, time }
}

const appendCommand = command("append", "append files to a log, all or none")
  .argument("<log>", "the log's folder")
  .argument("<file...>", "attestations, receipts, sign-offs …, or entries with `type` and `body`")
  .option("--type <type>", "what the files are, where they do not say it: failure, policy or note")
  .option("--create", "make the log if there is none")
  .action(async (folder: string, paths: string[], { type, create = false }) => {
    const { entryTypes, openLog } = await import("../../log/index.js")
    const known = entryTypes.filter((name) => name !== "log")
    if (type !== undefined && !known.includes(type))
      throw new api.UsageError({ what: "--type", expected: known.join(", "), given: `\`${type}\`` })
    const time = nowSeconds()
    const entries = paths.map((path) => entryOf(path, type, time))
    const log = await openLog(folder, { create })
    try {
      const appended = await log.append(entries)
      const head = log.head()
      const facts = appended.map(({ index, leaf }, i) => ({
        index,
        leaf,
        type: entries[i].type,
        file: paths[i],
      }))
      print({ ...head, entries: facts }, [
        ...facts.map((fact) => `entry ${fact.index}  ${fact.type}  ${fact.file}`),
        `log      ${head.log}`,
        `size     ${head.size}`,
        `root     ${head.root}`,
      ])
    } finally {
      await log.close()
    }
  })

const checkpointCommand = command("checkpoint", "sign what a log is now; give it to others to keep")
  .argument("<log>", "the log's folder")
  .needs("--out <file>", "where the checkpoint goes")
  .option("--contracts <file>", "sign for the contracts there; default: for use without a chain")
  .addOption(keystoreOption)
  .action(async (folder: string, { out, contracts, keystore }) => {
    const { checkpointSigner, openLog } = await import("../../log/index.js")
    const { canonicalJson } = await import("../../attest/index.js")
    const held = contracts === undefined ? undefined : readContracts(contracts)
    checkOutput(out)
    const account = await openAccount(keystore)
    const log = await openLog(folder)
    try {
      const checkpoint = await log.checkpoint(
        account,
        held && { domain: { chainId: held.chainId, verifyingContract: addressOf(held, "SignOffBook") } },
      )
      writeWhole(out, `${canonicalJson(checkpoint)}\n`)
      const { root, size, time } = checkpoint
      const signer = checkpointSigner(checkpoint)
      print({ checkpoint: out, log: log.id, size, root, time, signer }, [
        `checkpoint  ${out}, signed by ${signer}`,
        `log         ${log.id}`,
        `size        ${size}`,
        `root        ${root}`,
        `time        ${dateOf(time)}`,
      ])
    } finally {
      await log.close()
    }
  })

export const logCommand = command("log", "an append-only log of claims, proofs and failures")
  .addCommand(appendCommand)
  .addCommand(proveCommand)
  .addCommand(verifyCommand)
  .addCommand(checkpointCommand)
  .addCommand(anchorCommand)
