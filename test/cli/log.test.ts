/** `countersign log`: from files of claims to proofs that others check with the checkpoints that they kept. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { signAttestation, signSignOff } from "#src/attest/index.js"
import { verifyLog } from "#src/log/index.js"
import {
  addressOf,
  approver,
  attestationOf,
  domains,
  operator,
  signOff,
  stranger,
} from "../support/attestations.js"
import { type Outcome, run } from "../support/cli.js"

const folder = mkdtempSync(join(tmpdir(), "log-"))
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
const write = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value))
const log = (...args: string[]): Promise<Outcome> => run("log", ...args, "--json")
const contracts = {
  version: 1,
  chainId: 31337,
  contracts: { SignOffBook: `0x${"a".repeat(40)}` },
  code: { SignOffBook: `0x${"b".repeat(64)}` },
}

beforeAll(async () => {
  process.env.COUNTERSIGN_PRIVATE_KEY = operator.privateKey
  write("attestation.json", await signAttestation(attestationOf(), domains[0], operator))
  write("sign-off.json", await signSignOff(signOff, "offline", approver))
  write("failure.json", { reason: "the proof did not come in time" })
  write("entry.json", { type: "note", body: { text: "by hand" }, time: 5 })
  write("contracts.json", contracts)
})
afterAll(() => {
  delete process.env.COUNTERSIGN_PRIVATE_KEY
  rmSync(folder, { recursive: true })
})

it("appends, proves, signs and checks", async () => {
  const refused = await log("append", path("log"), path("entry.json"))
  expect(refused).toMatchObject({ code: 2, json: { error: { message: expect.stringMatching(/is no log/) } } })

  const first = await log("append", path("log"), path("attestation.json"), path("sign-off.json"), "--create")
  expect(first).toMatchObject({
    code: 0,
    json: {
      size: 3,
      entries: [
        { index: 1, type: "attestation" },
        { index: 2, type: "sign-off" },
      ],
    },
  })
  const old = await log("checkpoint", path("log"), "--out", path("old.json"))
  expect(old).toMatchObject({ code: 0, json: { size: 3, signer: addressOf(operator) } })
  await log("append", path("log"), path("failure.json"), "--type", "failure")
  await log("append", path("log"), path("entry.json"))
  const now = await log(
    "checkpoint",
    path("log"),
    "--out",
    path("now.json"),
    "--contracts",
    path("contracts.json"),
  )
  expect(now).toMatchObject({ code: 0, json: { size: 5 } })
  expect(read("now.json").domain).toEqual({ chainId: 31337, verifyingContract: `0x${"a".repeat(40)}` })
  expect(await verifyLog(path("log"))).toMatchObject({ size: 5, heads: 2, problem: null })

  expect(await log("prove", path("log"), "3", "--out", path("entry-3.json"))).toMatchObject({ code: 0 })
  await log("prove", path("log"), "1", "--size", "3", "--out", path("entry-1.json"))
  await log("prove", path("log"), "--since", "3", "--out", path("since.json"))
  const checkpoints = ["--checkpoint", path("old.json"), "--checkpoint", path("now.json")]
  const signer = ["--signer", operator.address]
  for (const args of [
    ["--proof", path("entry-3.json"), ...checkpoints.slice(2), ...signer],
    ["--proof", path("entry-1.json"), ...checkpoints.slice(0, 2)],
    ["--proof", path("entry-1.json")],
    ["--proof", path("since.json"), ...checkpoints, ...signer],
  ])
    expect(await log("verify", ...args)).toMatchObject({ code: 0, json: { valid: true } })
  expect((await log("verify", path("log"), ...checkpoints, ...signer)).json).toMatchObject({
    whole: true,
    heads: 4,
  })
})

it("says what does not hold", async () => {
  // another checkpoint than the proof's
  const other = await log("verify", "--proof", path("entry-3.json"), "--checkpoint", path("old.json"))
  expect(other).toMatchObject({
    code: 1,
    json: { valid: false, reason: expect.stringMatching(/old\.json has another/) },
  })
  // another signer
  const by = await log("verify", path("log"), "--checkpoint", path("old.json"), "--signer", stranger.address)
  expect(by).toMatchObject({
    code: 2,
    json: { error: { message: expect.stringMatching(/signed by another/) } },
  })
  // another entry
  const proof = read("entry-3.json")
  write("forged.json", { ...proof, entry: { ...proof.entry, body: { reason: "none" } } })
  expect(await log("verify", "--proof", path("forged.json"))).toMatchObject({
    code: 1,
    json: { valid: false, reason: "the proof does not lead to its root" },
  })
  write("forged.json", { ...proof, inclusion: null })
  expect((await log("verify", "--proof", path("forged.json"))).code).toBe(2)
  // another log
  const lines = readFileSync(join(path("log"), "entries.jsonl"), "utf8")
  writeFileSync(join(path("log"), "entries.jsonl"), lines.replace("did not come", "has come"))
  const edited = await run("log", "verify", path("log"))
  expect(edited).toMatchObject({
    code: 1,
    stdout: "wrong    entry 3: its text is not the one that was appended\n",
  })
  writeFileSync(join(path("log"), "entries.jsonl"), lines)
})

it.each([
  [["append", "log", "contracts.json"], /does not say what it is.*--type TYPE/],
  [["append", "log", "entry.json", "--type", "log"], /--type; expected attestation, receipt/],
  [["prove", "log", "--out", "x"], /what to prove/],
  [["prove", "log", "99", "--out", "x"], /expected a whole number from 0 to 4/],
  [["verify"], /what to check/],
])("refuses %j", async (args, message) => {
  const inFolder = args.map((arg) =>
    /^(log|x|.*\.json)$/.test(arg) && arg !== args[0] && args[args.indexOf(arg) - 1] !== "--type"
      ? path(arg)
      : arg,
  )
  const { code, json } = await log(...inFolder)
  expect({ code, message: (json.error as { message: string }).message }).toEqual({
    code: 2,
    message: expect.stringMatching(message),
  })
})
