/** From a signed answer to its sign-off and its proof, on the command line: each claim apart, and keys never arguments. */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { keyDigest } from "#src/verifier/key.js"
import { addressOf, approver, digest, operator, stranger } from "../support/attestations.js"
import { run, writeModel, writeSamples } from "../support/cli.js"

let folder: string
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
const write = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value))
/** Runs a command with somebody's key in the environment. */
async function as(who: { readonly privateKey: string } | undefined, ...args: string[]) {
  if (who) process.env.COUNTERSIGN_PRIVATE_KEY = who.privateKey
  try {
    return await run(...args)
  } finally {
    delete process.env.COUNTERSIGN_PRIVATE_KEY
  }
}

const limits = { tensor: "y", elements: null, least: -1000, most: 1000 }
const document = {
  version: 1,
  name: "Anything",
  inputs: [{ tensor: "x", elements: [0], least: -1, most: 0.75 }],
  outputs: [limits],
  abstain: null,
  signOffs: [{ role: "approver", signer: addressOf(approver) }],
  tolerance: { absolute: 0.1, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "none",
}
const attest = (out: string, ...more: string[]) =>
  as(
    operator,
    "attest",
    path("made"),
    path("input.json"),
    "--policy",
    path("policy.json"),
    "--keep",
    path("kept"),
    "--out",
    path(out),
    "--json",
    ...more,
  )
const check = (answer: string, ...more: string[]) =>
  run(
    ...[
      "attestation",
      "verify",
      path(answer),
      "--key",
      path("made/verification.json"),
      "--policy",
      path("policy.json"),
    ],
    ...["--operator", operator.address, "--json", ...more],
  )

let attested: Awaited<ReturnType<typeof run>>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-attest-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  write("input.json", { inputs: { x: [0.5, -0.5, 0.25] } })
  write("policy.json", document)
  await run(
    "compile",
    path("model.onnx"),
    "--samples",
    path("samples.json"),
    "--out",
    path("made"),
    "--input",
    "committed",
  )
  await run("setup", path("made"), "--dev")
  attested = await attest("answer.json", "--verified-by", "examiner 7")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("attest", () => {
  it("signs what the model says, keeps what a proof takes, and says that it is no proof", async () => {
    expect(attested).toMatchObject({
      code: 0,
      json: {
        operator: addressOf(operator),
        withinPolicy: true,
        outside: null,
        unchecked: [expect.stringContaining('"x"')],
      },
    })
    const { attestation, statement } = read("answer.json")
    const key = read("made/verification.json")
    expect(attestation).toMatchObject({
      model: key.model,
      key: keyDigest(key),
      domain: "offline",
      request: digest("0"),
    })
    expect(statement).toMatchObject({ model: key.model, context: attested.json.digest })
    const said = await run("run", path("made"), path("input.json"), "--json")
    expect(attested.json.outputs).toEqual(said.json.outputs)
    const kept = attested.json.kept as string
    expect(statSync(kept).mode & 0o777).toBe(0o600)
    expect(statSync(path("kept")).mode & 0o777).toBe(0o700)
    expect(JSON.parse(readFileSync(kept, "utf8"))).toMatchObject({
      evidence: { verifiedBy: ["examiner 7"], quantization: expect.stringMatching(/^0x/) },
    })
  })

  it("is verified claim by claim, and each claim says nothing of the others", async () => {
    const before = await check("answer.json")
    expect(before).toMatchObject({
      code: 1,
      json: {
        signed: { holds: true },
        // nobody but the operator sees a committed input
        within: { holds: false, reasons: [expect.stringContaining("cannot be checked")] },
        signedOff: { holds: false, reasons: [expect.stringContaining("has not approved")] },
        proven: null,
      },
    })
    const wrong = await run(
      ...[
        "attestation",
        "verify",
        path("answer.json"),
        "--key",
        path("made/verification.json"),
        "--policy",
        path("policy.json"),
      ],
      ...["--operator", stranger.address, "--json"],
    )
    expect(wrong).toMatchObject({
      code: 1,
      json: { signed: { holds: false, reason: expect.stringContaining("its operator is") } },
    })
    const edited = read("answer.json")
    edited.statement.output.values.y[0] = `${Number(edited.statement.output.values.y[0]) + 1}`
    write("edited.json", edited)
    expect((await check("edited.json")).json).toMatchObject({
      signed: { holds: false },
      within: { holds: false },
    })
    expect((await check("answer.json", "--request", digest("1"))).json).toMatchObject({
      signed: { holds: false },
    })
    expect((await check("answer.json", "--at", "1")).json).toMatchObject({ signed: { holds: false } })
  })

  it("is proven later, from the store alone", async () => {
    write("other.json", { inputs: { x: [0, 0, 0] } })
    const prove = (...more: string[]) =>
      run(
        "prove",
        path("made"),
        ...more,
        "--attestation",
        path("answer.json"),
        "--out",
        path("receipt.json"),
        "--json",
      )
    expect(await prove("--keep", path("kept"))).toMatchObject({
      code: 0,
      json: { attestation: attested.json.digest },
    })
    const plain = [
      "verify",
      path("receipt.json"),
      "--key",
      path("made/verification.json"),
      "--allow-dev",
      "--json",
    ]
    expect((await run(...plain, "--context", attested.json.digest as string)).code).toBe(0)
    expect((await check("answer.json", "--receipt", path("receipt.json"), "--allow-dev")).json).toMatchObject(
      {
        proven: { holds: true },
      },
    )
    expect((await check("answer.json", "--receipt", path("receipt.json"))).json).toMatchObject({
      proven: { holds: false, reason: expect.stringContaining("--allow-dev") },
    })
    const second = await attest("second.json")
    expect(second.code).toBe(0)
    expect((await check("second.json", "--receipt", path("receipt.json"), "--allow-dev")).json).toMatchObject(
      {
        proven: { holds: false, reason: expect.stringContaining("the receipt is for context") },
      },
    )
    for (const [more, message] of [
      [[path("other.json"), "--keep", path("kept")], "exclude each other"],
      [["--keep", path("kept"), "--no-context"], "exclude each other"],
      [[], "--keep DIR"],
      [["--keep", path("nothing")], "does not exist"],
    ] as const) {
      const { code, stdout } = await prove(...more)
      expect({ code, stdout }).toEqual({ code: 2, stdout: expect.stringContaining(message) })
    }
  })

  it("prunes nothing before its time", async () => {
    expect(await run("attestation", "prune", path("kept"), "--json")).toMatchObject({
      code: 0,
      json: { removed: [], unread: [] },
    })
  })
})

describe("sign-off", () => {
  const signOff = (who: typeof approver, out: string, ...more: string[]) =>
    as(
      who,
      "sign-off",
      path("answer.json"),
      "--role",
      "approver",
      "--decision",
      "approve",
      "--out",
      path(out),
      "--json",
      ...more,
    )

  it("counts if it is of whom the policy names", async () => {
    expect((await signOff(approver, "approved.json")).json).toMatchObject({
      attestation: attested.json.digest,
    })
    expect((await signOff(stranger, "by-stranger.json")).code).toBe(0)
    const counted = async (...files: string[]) =>
      (await check("answer.json", ...files.flatMap((file) => ["--sign-off", path(file)]))).json.signedOff
    expect(await counted("by-stranger.json")).toMatchObject({ holds: false })
    expect(await counted("by-stranger.json", "approved.json")).toMatchObject({ holds: true })
    expect(read("approved.json")).toMatchObject({
      validUntil: read("answer.json").attestation.validUntil,
      domain: "offline",
    })
  })

  it("counts no more once it was taken back, by its signer alone", async () => {
    const withdraw = (who: typeof approver) =>
      as(who, "sign-off", "withdraw", path("approved.json"), "--out", path("withdrawal.json"), "--json")
    expect((await withdraw(stranger)).code).toBe(2)
    expect(await withdraw(approver)).toMatchObject({
      code: 0,
      json: { attestation: attested.json.digest, signer: addressOf(approver) },
    })
    const shown = ["--sign-off", path("approved.json"), "--withdrawal", path("withdrawal.json")]
    expect((await check("answer.json", ...shown)).json.signedOff).toMatchObject({ holds: false })
  })

  it("takes words that it knows", async () => {
    for (const more of [
      ["--role", "boss"],
      ["--decision", "maybe"],
      ["--scope", "0x1"],
      ["--valid-days", "0"],
    ])
      expect((await signOff(approver, "bad.json", ...more)).code).toBe(2)
  })
})

describe("keys", () => {
  const signOff = (...more: string[]) => [
    "sign-off",
    path("answer.json"),
    "--role",
    "client",
    "--decision",
    "abstain",
    "--out",
    path("keys.json"),
    ...more,
  ]

  it("come from a keystore with its password in the environment", async () => {
    const { Wallet } = await import("ethers")
    const wallet = new Wallet(approver.privateKey)
    // a cheap one: what it costs to guess is the user's to choose
    const { encryptKeystoreJsonSync } = await import("ethers")
    const json = encryptKeystoreJsonSync(wallet, "secret words", { scrypt: { N: 2 } })
    writeFileSync(path("keystore.json"), json)
    process.env.COUNTERSIGN_PASSWORD = "secret words"
    expect((await run(...signOff("--keystore", path("keystore.json"), "--json"))).json).toMatchObject({
      signer: addressOf(approver),
    })
    expect((await as(operator, ...signOff("--keystore", path("keystore.json")))).stderr).toContain(
      "exclude each other",
    )
    process.env.COUNTERSIGN_PASSWORD = "other words"
    expect(await run(...signOff("--keystore", path("keystore.json")))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("the password is wrong"),
    })
    delete process.env.COUNTERSIGN_PASSWORD
    expect((await run(...signOff("--keystore", path("keystore.json")))).stderr).toContain("no terminal")
  })

  it("are asked for if there is none, and never repeated in a message", async () => {
    expect(await run(...signOff())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no key to sign with"),
    })
    const secret = "12345678901234567890secret"
    const { code, stdout, stderr } = await as({ privateKey: secret }, ...signOff())
    expect(code).toBe(2)
    expect(stdout + stderr).toContain("COUNTERSIGN_PRIVATE_KEY is no private key")
    expect(stdout + stderr).not.toContain("secret")
    write("not-a-keystore.json", { a: 1 })
    expect((await run(...signOff("--keystore", path("not-a-keystore.json")))).stderr).toContain(
      "no encrypted keystore",
    )
  })
})

describe("policy", () => {
  const key = () => ["--key", path("made/verification.json")]

  it("says limits in integers, and what no contract can see", async () => {
    const { json } = await run("policy", "check", path("policy.json"), ...key(), "--json")
    const scale = read("made/verification.json").layout.inputs[0].scale
    expect(json).toMatchObject({
      name: "Anything",
      unchecked: ['limit of input "x", which is committed'],
      limits: [
        {
          side: "input",
          tensor: "x",
          integers: { least: Math.ceil(-1 / scale), most: Math.floor(0.75 / scale) },
        },
      ],
    })
  })

  it("has the digest that attestations name", async () => {
    const { json } = await run("policy", "digest", path("policy.json"), ...key(), "--json")
    expect(json.digest).toBe(read("answer.json").attestation.policy)
  })

  it("names the contracts of a file, and wants one for finality", async () => {
    const at = (digit: string) => `0x${digit.repeat(40)}`
    write("contracts.json", {
      version: 1,
      chainId: 31337,
      contracts: { SignOffBook: at("a"), ModelRegistry: at("b"), Escrow: at("c") },
      code: { SignOffBook: digest("a"), ModelRegistry: digest("b"), Escrow: digest("c") },
    })
    write("final.json", { ...document, finality: "escrow" })
    const digestOf = (...more: string[]) =>
      run("policy", "digest", path("final.json"), ...key(), "--json", ...more)
    expect(await digestOf()).toMatchObject({ code: 2 })
    const { json } = await digestOf("--contracts", path("contracts.json"), "--model-id", digest("7"))
    expect(json.policy).toMatchObject({ registry: at("b"), modelId: digest("7"), escrow: at("c") })
    const answer = await attest("on-chain.json", "--contracts", path("contracts.json"))
    expect(answer.code).toBe(0)
    expect(read("on-chain.json").attestation.domain).toEqual({ chainId: 31337, verifyingContract: at("a") })
    expect((await check("on-chain.json", "--contracts", path("contracts.json"))).json).toMatchObject({
      signed: { holds: true },
    })
    expect((await check("on-chain.json")).json).toMatchObject({
      signed: { holds: false, reason: expect.stringContaining("expected use without a chain") },
    })
  })
})

describe("of private weights", () => {
  const attestFrom = (model: string) =>
    as(
      operator,
      ...["attest", path(model), path("input.json"), "--policy", path("policy.json"), "--json"],
      ...["--keep", path(`${model}-kept`), "--out", path(`${model}.json`)],
    )

  it("attest answers under the key of the weights in the folder, and under no other", async () => {
    const secret = ["--weights", "private", "--precision", "6", "--samples", path("samples.json")]
    await run("compile", path("model.onnx"), ...secret, "--out", path("secret"))
    await run("setup", path("secret"), "--dev")
    await run("commit", path("secret"))
    cpSync(path("secret"), path("twin"), { recursive: true })
    expect((await run("commit", path("twin"), "--again")).code).toBe(0)
    expect(await attestFrom("secret")).toMatchObject({ code: 0 })
    cpSync(path("twin/verification.json"), path("secret/verification.json"))
    const { code, stdout } = await attestFrom("secret")
    expect(code).toBe(2)
    expect(stdout).toMatch(/not of the private weights in the folder/)
  })
})
