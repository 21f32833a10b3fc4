/** A request on the command line, from the contracts to the payment, with a real proof of a small model. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { type Chain, startChain } from "../../examples/chain.js"
import { run, writeModel, writeSamples } from "../support/cli.js"
import { firstKey } from "../support/first-keys.js"
import { funded, lower } from "../support/requests.js"

let folder: string
let chain: Chain
let [client, operator, challenger] = [] as unknown as Wallet[]
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
const write = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value))

/** Runs a command with somebody's key in the environment, and everyone's endpoint. */
async function as(who: Wallet, ...args: string[]) {
  process.env.COUNTERSIGN_PRIVATE_KEY = who.privateKey
  process.env.COUNTERSIGN_RPC = chain.url
  try {
    const outcome = await run(...args, "--json")
    expect(`${outcome.stdout}${outcome.stderr}`.toLowerCase()).not.toContain(who.privateKey.slice(2))
    return outcome
  } finally {
    delete process.env.COUNTERSIGN_PRIVATE_KEY
    delete process.env.COUNTERSIGN_RPC
  }
}
const at = () => ["--contracts", path("contracts.json")]
const done = (outcome: Awaited<ReturnType<typeof run>>) => {
  expect(outcome.code, JSON.stringify(outcome.json) + outcome.stderr).toBe(0)
  return outcome.json as Record<string, never>
}
const refused = (outcome: Awaited<ReturnType<typeof run>>, message: RegExp) =>
  expect(outcome).toMatchObject({ code: 2, json: { error: { message: expect.stringMatching(message) } } })

const request = (out: string, ...more: string[]) =>
  as(
    client,
    ...["request", path("made"), path("input.json"), "--operator", operator.address],
    ...["--policy", path("policy.json"), "--price", "0.5", "--damages", "0.25", "--costs", "0.01"],
    ...["--out", path(out), ...at(), ...more],
  )
const pass = async (seconds: number) => {
  await chain.provider.send("evm_increaseTime", [seconds])
  await chain.provider.send("evm_mine", [])
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-escrow-"))
  chain = await startChain()
  ;[client, operator, challenger] = await Promise.all(
    ["client", "operator", "challenger"].map((name) => funded(chain, name)),
  )
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  write("input.json", { inputs: { x: [0.5, -0.5, 0.25] } })
  write("policy.json", {
    version: 1,
    name: "Anything",
    inputs: [],
    outputs: [],
    abstain: null,
    signOffs: [],
    tolerance: { absolute: 0.1, relative: 0 },
    disputes: [],
    retentionDays: 184,
    finality: "escrow",
  })
  const out = path("made")
  done(
    await run(
      ...["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", out],
      ...["--input", "committed", "--json"],
    ),
  )
  const circuit = await compile(deserialize(readFileSync(join(out, "model.bin"))), { input: "committed" })
  writeFileSync(join(out, "proving.key"), await firstKey(circuit))
  done(await run("setup", "contribute", out, "--name", "Alice", "--json"))
  if (!existsSync(join(out, "verification.json")))
    done(await run("setup", "beacon", out, "--value", "0xabcd", "--iterations", "10", "--json"))
  done(await as(challenger, "contracts", "deploy", "--out", path("contracts.json")))
})
afterAll(async () => {
  await chain?.close()
  rmSync(folder, { recursive: true, force: true })
})

it("a deployment says what it takes before it is sent", async () => {
  const looked = done(await as(challenger, "contracts", "deploy", "--out", path("nowhere.json"), "--dry-run"))
  expect(looked).toMatchObject({ file: null, transactions: [] })
  const made = done(await as(challenger, "contracts", "deploy", "--out", path("again.json")))
  // each contract's gas is estimated with the addresses that those before it will have
  expect(Number(looked.gas) / Number(made.gasUsed)).toBeCloseTo(1, 2)
  expect(existsSync(path("nowhere.json"))).toBe(false)
})

describe("a request", () => {
  it("is refused while its key is not registered, and nothing is written", async () => {
    refused(await request("early.json", "--salts", path("early-salts.json")), /no key of this digest/)
    expect(existsSync(path("early.json"))).toBe(false)
    expect(existsSync(path("early-salts.json"))).toBe(false)
    const key = path("made/verification.json")
    const registered = done(
      await as(challenger, "contracts", "register", key, "--uri", "ipfs://card", ...at()),
    )
    expect(registered).toMatchObject({ modelId: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
  })

  it("is answered, challenged, proven, paid and paid out", async () => {
    const looked = done(await request("request.json", "--salts", path("salts.json"), "--dry-run"))
    expect(looked).toMatchObject({ transaction: null, pays: { amount: "500000000000000000" } })
    expect(existsSync(path("request.json"))).toBe(false)
    const asked = done(await request("request.json", "--salts", path("salts.json")))
    expect(asked).toMatchObject({
      action: "request",
      from: lower(client),
      transaction: { gasUsed: expect.any(String) },
    })
    const file = read("request.json")
    expect(file).toMatchObject({
      version: 1,
      chainId: 31337,
      id: asked.id,
      terms: { operator: lower(operator) },
    })
    refused(await as(client, "request", "send", path("request.json"), ...at()), /waiting for a delivery/)

    const attest = (out: string, ...more: string[]) =>
      as(
        operator,
        ...["attest", path("made"), path("input.json"), "--policy", path("policy.json")],
        ...["--keep", path("kept"), "--out", path(out), ...at(), ...more],
      )
    done(await attest("own-salts.json", "--request", file.id))
    const deliver = (who: Wallet, answer: string) =>
      as(who, "deliver", path("request.json"), path(answer), ...at())
    refused(await deliver(operator, "own-salts.json"), /its `input` is another/)
    done(await attest("answer.json", "--request", file.id, "--salts", path("salts.json")))
    refused(await deliver(client, "answer.json"), /gives? this to somebody else/)
    expect(done(await deliver(operator, "answer.json"))).toMatchObject({
      pays: { amount: "260000000000000000" },
    })
    const challenged = done(await as(challenger, "challenge", path("request.json"), ...at()))
    expect(challenged.ends).toContainEqual({
      end: "Silent",
      pays: { client: "750000000000000000", challenger: "20000000000000000" },
    })
    const status = async () => done(await as(client, "request", "status", path("request.json"), ...at()))
    expect(await status()).toMatchObject({ state: "Challenged", challenger: lower(challenger) })
    done(
      await as(
        operator,
        ...["prove", path("made"), "--attestation", path("answer.json"), "--keep", path("kept")],
        ...["--out", path("receipt.json")],
      ),
    )
    const answer = (name: string) =>
      as(
        operator,
        ...["answer", path("request.json"), path(name), "--key", path("made/verification.json"), ...at()],
      )
    const receipt = read("receipt.json")
    write("forged.json", { ...receipt, proof: { ...receipt.proof, a: receipt.proof.c } })
    refused(await answer("forged.json"), /does not prove what was delivered/)
    expect(done(await answer("receipt.json"))).toMatchObject({
      ends: [{ end: "Proven", pays: { operator: "770000000000000000" } }],
    })
    expect(await status()).toMatchObject({
      state: "Proven",
      credit: { client: "0", operator: "770000000000000000" },
    })
    const checked = await as(
      client,
      ...["attestation", "verify", path("answer.json"), "--key", path("made/verification.json"), ...at()],
      ...["--policy", path("policy.json"), "--operator", operator.address, "--request", file.id],
      ...["--receipt", path("receipt.json")],
    )
    expect(checked).toMatchObject({
      code: 1,
      json: {
        signed: { holds: true },
        proven: { holds: true },
        actionable: { holds: false, reason: expect.stringMatching(/names no registry/) },
      },
    })
    const paid = done(await as(operator, "withdraw", ...at(), "--to", challenger.address))
    expect(paid).toMatchObject({ receives: "770000000000000000", to: lower(challenger) })
    refused(await as(operator, "withdraw", ...at()), /nothing to withdraw/)
  })

  it("that nobody answers is settled for the client", async () => {
    const asked = done(
      await request("silent.json", "--salts", path("salts-2.json"), "--deliver-within", "90s"),
    )
    refused(await as(challenger, "settle", path("silent.json"), ...at()), /waiting for a delivery, until/)
    await pass(91)
    const settled = done(await as(challenger, "settle", path("silent.json"), ...at()))
    expect(settled).toMatchObject({
      id: asked.id,
      ends: [{ end: "Expired", pays: { client: "500000000000000000" } }],
    })
  })

  it("is read strictly, and of this chain alone", async () => {
    const file = read("request.json")
    write("edited.json", { ...file, terms: { ...file.terms, price: "1" } })
    refused(await as(operator, "challenge", path("edited.json"), ...at()), /the terms have another id/)
    write("elsewhere.json", { ...read("contracts.json"), chainId: 5 })
    refused(
      await as(operator, "challenge", path("request.json"), "--contracts", path("elsewhere.json")),
      /another chain/,
    )
    refused(await as(operator, "challenge", path("request.json")), /where the contracts are/)
    refused(await run("challenge", path("request.json"), ...at(), "--json"), /no endpoint/)
    refused(
      await run("challenge", path("request.json"), ...at(), "--rpc", chain.url, "--json"),
      /no key to sign with/,
    )
  })
})

it("a log is anchored, larger each time", async () => {
  write("note.json", { type: "note", body: { text: "one" }, time: 1 })
  done(await run("log", "append", path("log"), path("note.json"), "--create", "--json"))
  const anchored = done(await as(operator, "log", "anchor", path("log"), ...at()))
  expect(anchored).toMatchObject({ action: "anchor", size: 2 })
  expect(Number((anchored.transaction as { gasUsed: string }).gasUsed)).toBeLessThanOrEqual(50_000)
  refused(await as(operator, "log", "anchor", path("log"), ...at()), /at this size or a larger one/)
})
