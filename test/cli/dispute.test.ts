/** Two operators disagree: a watcher that is killed again and again, and a dispute to its end, with a real proof. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseAttestation, signAttestation } from "#src/attest/index.js"
import { compile } from "#src/compile/compile.js"
import { openLog } from "#src/log/index.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { type Chain, startChain } from "../../examples/chain.js"
import { cli, run, writeModel, writeSamples } from "../support/cli.js"
import { firstKey } from "../support/first-keys.js"
import { funded, lower } from "../support/requests.js"

let folder: string
let chain: Chain
let [client, honest, liar, watcher, stranger] = [] as unknown as Wallet[]
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
const write = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value))
const keyOf = (who: Wallet) => ({ COUNTERSIGN_PRIVATE_KEY: who.privateKey, COUNTERSIGN_RPC: chain.url })

async function as(who: Wallet, ...args: string[]) {
  Object.assign(process.env, keyOf(who))
  try {
    return await run(...args, "--json")
  } finally {
    for (const name of Object.keys(keyOf(who))) delete process.env[name]
  }
}
const at = () => ["--contracts", path("contracts.json")]
const done = (outcome: Awaited<ReturnType<typeof run>>) => {
  expect(outcome.code, JSON.stringify(outcome.json) + outcome.stderr).toBe(0)
  return outcome.json as Record<string, never>
}

/** A request of an operator, its answer, and the delivery of that or of another one. */
async function asked(name: string, operator: Wallet, lie: boolean): Promise<void> {
  const [request, salts, answer] = [
    path(`${name}.json`),
    path(`${name}-salts.json`),
    path(`${name}-answer.json`),
  ]
  const policy = ["--policy", path("policy.json")]
  done(
    await as(
      client,
      ...["request", path("made"), path("input.json"), "--operator", operator.address, ...policy],
      ...[
        "--price",
        "0.5",
        "--damages",
        "0.25",
        "--costs",
        "0.01",
        "--salts",
        salts,
        "--out",
        request,
        ...at(),
      ],
    ),
  )
  const attest = (keep: string, out: string) => [
    ...["attest", path("made"), path("input.json"), ...policy, "--salts", salts, "--keep", path(keep)],
    ...["--request", read(`${name}.json`).id, "--out", out, ...at()],
  ]
  done(await as(operator, ...attest(`${name}-kept`, answer)))
  // who watches knows the input, too
  done(await as(stranger, ...attest("known", path(`${name}-known.json`))))
  if (lie) {
    const { domain, signature, ...claim } = parseAttestation(read(`${name}-answer.json`).attestation)
    const other = { ...claim, output: `0x${"5".repeat(64)}` as const }
    write(`${name}-lie.json`, await signAttestation(other, domain, operator))
  }
  const delivered = path(lie ? `${name}-lie.json` : `${name}-answer.json`)
  done(await as(operator, "deliver", request, delivered, ...at()))
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-dispute-"))
  chain = await startChain()
  const names = ["client", "honest", "liar", "watcher", "stranger"]
  ;[client, honest, liar, watcher, stranger] = await Promise.all(names.map((name) => funded(chain, name)))
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
    tolerance: { absolute: 0.5, relative: 0 },
    disputes: [{ ground: "wrong output", remedy: "refund and damages" }],
    retentionDays: 184,
    finality: "escrow",
  })
  const out = path("made")
  const compiled = ["compile", path("model.onnx"), "--samples", path("samples.json"), "--out", out]
  done(await run(...compiled, "--input", "committed", "--json"))
  const circuit = await compile(deserialize(readFileSync(join(out, "model.bin"))), { input: "committed" })
  writeFileSync(join(out, "proving.key"), await firstKey(circuit))
  done(await run("setup", "contribute", out, "--name", "Alice", "--json"))
  if (!existsSync(join(out, "verification.json")))
    done(await run("setup", "beacon", out, "--value", "0xabcd", "--iterations", "10", "--json"))
  done(await as(stranger, "contracts", "deploy", "--out", path("contracts.json")))
  done(
    await as(
      stranger,
      "contracts",
      "register",
      path("made/verification.json"),
      "--uri",
      "ipfs://card",
      ...at(),
    ),
  )
  await asked("one", honest, false)
  await asked("other", liar, true)
  await chain.provider.send("anvil_mine", ["0x4"])
})
afterAll(async () => {
  await chain?.close()
  rmSync(folder, { recursive: true, force: true })
})

const watchArgs = () => [
  ...["watch", "--folder", path("made"), "--keep", path("known"), "--log", path("log")],
  ...["--place", path("place.json"), "--confirmations", "3", ...at()],
]
const status = async (name: string) =>
  done(await as(client, "request", "status", path(`${name}.json`), ...at()))

/** Runs a watcher until it says something, and kills it. */
const killedAt = (words: RegExp) =>
  new Promise<string>((resolve) => {
    const child = spawn(process.execPath, [cli, ...watchArgs(), "--every", "1"], {
      env: { ...process.env, ...keyOf(watcher) },
    })
    let text = ""
    child.stderr.on("data", (part) => {
      text += part
      if (words.test(text)) child.kill("SIGKILL")
    })
    child.once("exit", () => resolve(text))
  })

/** What a watcher wrote in its log. */
async function decisionsIn(folder: string) {
  const log = await openLog(folder)
  const entries = Array.from({ length: log.size }, (_, i) => log.entry(i))
  await log.close()
  return entries.flatMap(({ type, body }) =>
    type === "note" ? [body.watch as { what: string; id: string; reason: string }] : [],
  )
}

describe("a watcher", () => {
  it("that is killed at every decision challenges the wrong answer once, and its log stands", async () => {
    // no block takes a challenge until the watcher was killed with it on its way
    await chain.provider.send("evm_setAutomine", [false])
    expect(await killedAt(/^wrong request/m)).toMatch(/the model says output/)
    expect(await killedAt(/^waiting request/m)).not.toMatch(/^challenged/m)
    await chain.provider.send("evm_setAutomine", [true])
    await chain.provider.send("anvil_mine", ["0x1"])
    await killedAt(/^challenged request/m)
    const ended = done(await as(watcher, ...watchArgs(), "--once"))
    expect(ended).toMatchObject({ stakes: [{ outcome: "out", amount: "10000000000000000" }] })
    expect(await chain.provider.getTransactionCount(watcher.address)).toBe(1)
    expect([(await status("one")).state, (await status("other")).state]).toEqual(["Delivered", "Challenged"])
    const log = done(await run("log", "verify", path("log"), "--json"))
    expect(log).toMatchObject({ whole: true, problem: null })
    const events = await decisionsIn(path("log"))
    const of = (name: string) => events.filter(({ id }) => id === read(`${name}.json`).id)
    expect(new Set(of("one").map(({ what }) => what))).toEqual(new Set(["right"]))
    expect(of("other").map(({ what }) => what)).toEqual(expect.arrayContaining(["wrong", "challenged"]))
    for (const { reason } of events) expect(reason.length).toBeGreaterThan(10)
  })
})

describe("a dispute", () => {
  const known = () => [
    ...["--folder", path("made"), "--input", path("input.json"), "--policy", path("policy.json")],
    ...["--salts", path("one-salts.json"), "--salts", path("other-salts.json"), ...at()],
  ]
  const dispute = (a: string, b: string, ...more: string[]) =>
    as(stranger, "dispute", path(a), path(b), ...known(), ...more)

  it("says who is right, how far apart they are, and what can still be filed", async () => {
    const found = done(await dispute("one-answer.json", "other-lie.json", "--float", path("model.onnx")))
    expect(found).toMatchObject({
      right: "A",
      decided: true,
      sameInput: true,
      a: { holds: true, verdict: "right", isUnderPolicy: true },
      b: { holds: true, verdict: "wrong" },
      fromFloat: { a: [{ output: "y", within: true }], b: null },
      grounds: [{ ground: "wrong output" }],
      situations: { b: { state: "Challenged" } },
    })
    const filings = found.filings as { what: string; against: string; can: boolean; until: number }[]
    expect(filings.filter(({ can }) => can).map(({ what, against }) => `${what} ${against}`)).toEqual([
      "conviction B",
      "rejection B",
      "withdrawal B",
    ])
    expect(filings[0].until).toBeGreaterThan(0)
    // the operator's own store knows it as well, without a chain
    const own = ["--folder", path("made"), "--keep", path("other-kept")]
    const offline = done(
      await run("dispute", path("other-answer.json"), path("other-lie.json"), ...own, "--json"),
    )
    expect(offline).toMatchObject({ right: "A", equivocation: { is: true }, situations: null })
  })

  it("is told invalid, undecided and malformed apart", async () => {
    const answer = read("one-answer.json")
    write("edited.json", { ...answer.attestation, issued: answer.attestation.issued + 1 })
    const edited = await dispute("edited.json", "other-lie.json")
    expect(edited).toMatchObject({ code: 1, json: { right: "unknown", a: { holds: false } } })
    const nothing = await run("dispute", path("one-answer.json"), path("other-lie.json"), "--json")
    expect(nothing).toMatchObject({ code: 1, json: { decided: false, a: { holds: true } } })
    write("broken.json", { attestation: 1 })
    for (const args of [
      ["broken.json", "other-lie.json"],
      ["one-answer.json", "other-lie.json", "--file", "nothing"],
      ["one-answer.json", "other-lie.json", "--file", "conviction"],
      ["one-answer.json", "other-lie.json", "--file", "equivocation"],
    ] as const)
      expect(await dispute(args[0], args[1], ...args.slice(2)), args.join(" ")).toMatchObject({ code: 2 })
  })

  it("files the conviction with a proof, and the client is paid", async () => {
    const filed = done(
      await dispute(
        ...(["one-answer.json", "other-lie.json", "--file", "conviction"] as const),
        ...["--request", path("other.json")],
      ),
    )
    expect(filed).toMatchObject({ action: "convict", from: lower(stranger), right: "A" })
    expect(await status("other")).toMatchObject({
      state: "Convicted",
      credit: { client: "750000000000000000", operator: "0" },
    })
    const paid = done(await as(client, "withdraw", ...at()))
    expect(paid).toMatchObject({ receives: "750000000000000000" })
    const after = done(await dispute("one-answer.json", "other-lie.json"))
    expect(after.filings).toContainEqual(expect.objectContaining({ what: "conviction", can: false }))
    // the watcher sees that its stake came back
    await chain.provider.send("anvil_mine", ["0x4"])
    expect(done(await as(watcher, ...watchArgs(), "--once"))).toMatchObject({ stakes: [] })
  })

  it("files two signatures as an equivocation, once", async () => {
    const both = ["other-lie.json", "other-answer.json", "--file", "equivocation"] as const
    const looked = done(await dispute(...both, "--dry-run"))
    expect(looked).toMatchObject({ transaction: null, equivocation: { is: true } })
    expect(done(await dispute(...both))).toMatchObject({ action: "equivocation" })
    expect(await dispute(...both)).toMatchObject({ code: 2 })
    const after = done(await dispute("other-lie.json", "other-answer.json"))
    expect(after.filings).toContainEqual(expect.objectContaining({ what: "equivocation", can: false }))
  })
})
