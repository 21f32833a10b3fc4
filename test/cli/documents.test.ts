/** Commands of README and docs/ACCOUNTABILITY.md about claims, as they stand there: one shell for all, on a local chain. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { encryptKeystoreJsonSync, type Wallet } from "ethers"
import { afterAll, beforeAll, expect, it } from "vitest"
import { attestationDigest, claimOf } from "#src/attest/index.js"
import { type End, openContracts, parseDeployment, parseRequest, payouts, stateOf } from "#src/chain/index.js"
import { compile } from "#src/compile/compile.js"
import { readKept } from "#src/keep/index.js"
import { openLog } from "#src/log/index.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { type Chain, startChain } from "../../examples/chain.js"
import { run, script, writeModel, writeSamples } from "../support/cli.js"
import { firstKey } from "../support/first-keys.js"
import { hash32 } from "../support/groth16-oracle.js"
import { funded, lower } from "../support/requests.js"

/** The blocks of commands under a heading of a document. */
function commands(name: string, heading: string): string {
  const text = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? ""
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join("\n")
}
const readme = commands("README.md", "Who answers for it")
const byHand = commands("docs/ACCOUNTABILITY.md", "By hand")

let folder: string
let chain: Chain
const people = {} as Record<"owner" | "client" | "operator" | "challenger" | "approver", Wallet>
const path = (name: string) => join(folder, name)
const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"))
const write = (name: string, value: unknown) => writeFileSync(path(name), JSON.stringify(value))

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-documents-"))
  chain = await startChain()
  for (const name of ["owner", "client", "operator", "challenger", "approver"] as const) {
    people[name] = await funded(chain, name)
    const { address, privateKey } = people[name]
    // a cheap one: what it costs to guess is the user's to choose
    const json = encryptKeystoreJsonSync({ address, privateKey }, "secret words", { scrypt: { N: 2 } })
    writeFileSync(path(`${name}.json`), json)
  }
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  write("input.json", { inputs: { x: [0.5, -0.5, 0.25] } })
  const policy = {
    version: 1,
    name: "Two grades",
    inputs: [],
    outputs: [],
    abstain: null,
    signOffs: [{ role: "approver", signer: lower(people.approver) }],
    tolerance: { absolute: 0.1, relative: 0 },
    disputes: [{ ground: "wrong output", remedy: "refund and damages" }],
    retentionDays: 184,
    finality: "none",
  }
  write("policy.json", policy)
  write("final.json", { ...policy, finality: "escrow" })
  const made = ["--samples", path("samples.json"), "--out", path("digits"), "--input", "committed", "--json"]
  expect((await run("compile", path("model.onnx"), ...made)).code).toBe(0)
  const model = deserialize(readFileSync(path("digits/model.bin")))
  writeFileSync(path("digits/proving.key"), await firstKey(await compile(model, { input: "committed" })))
  expect((await run("setup", "contribute", path("digits"), "--name", "Alice", "--json")).code).toBe(0)
})
afterAll(async () => {
  await chain?.close()
  rmSync(folder, { recursive: true, force: true })
})

it("run as they stand, and do what the text says", async () => {
  expect(readme).toContain("countersign answer")
  expect(byHand).toContain("countersign settle")
  const given = {
    COUNTERSIGN_RPC: chain.url,
    COUNTERSIGN_PASSWORD: "'secret words'",
    OPERATOR: people.operator.address,
    REFERENCE: hash32("reference"),
  }
  const exports = Object.entries(given).map(([name, value]) => `export ${name}=${value}`)
  const { code, stderr } = await script(["set -eu", ...exports, `cd "${folder}"`, readme, byHand].join("\n"))
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" })

  const contracts = await openContracts(parseDeployment(read("contracts.json")), chain.provider)
  const ends = [read("request.json"), read("request-2.json")].map((file) =>
    stateOf(contracts, parseRequest(file).id),
  )
  expect((await Promise.all(ends)).map(({ state }) => state)).toEqual(["Proven", "Silent"])
  const { attestation } = read("delivered-2.json")
  const kept = readKept(path("kept"), attestationDigest(claimOf(attestation), attestation.domain))
  expect(kept.evidence).toMatchObject({ reference: hash32("reference"), verifiedBy: ["examiner 7"] })
  expect(await contracts.at.ModelRegistry.isRecalled(read("model.json").modelId)).toBe(true)
  const log = await openLog(path("log"))
  const types = Array.from({ length: log.size }, (_, i) => log.entry(i).type)
  await log.close()
  const logged = ["log", "attestation", "sign-off", "attestation", "attestation", "sign-off", "failure"]
  expect(types).toEqual(logged)
  const watched = await openLog(path("watched"))
  const said = Array.from({ length: watched.size - 1 }, (_, i) => JSON.stringify(watched.entry(i + 1)))
  await watched.close()
  expect(said.join("\n")).toContain("right")
  // who withdrew has nothing left
  for (const name of ["operator", "client"] as const)
    expect(await contracts.at.Escrow.creditOf(`0x${"0".repeat(40)}`, people[name].address), name).toBe(0n)
}, 400_000)

it("the economics are those of the gas table", () => {
  const text = readFileSync(new URL("../../docs/ACCOUNTABILITY.md", import.meta.url), "utf8")
  const gas = (call: string) =>
    Number(new RegExp(`^\\| ${call} \\| ([\\d,]+) \\|$`, "m").exec(text)?.[1].replaceAll(",", ""))
  const withdraw = gas("withdraw ETH")
  const challenger = gas("challenge") + gas("settle after silence") + withdraw
  const prover = gas("convict") + withdraw
  const [price, damages, costs, checking, gwei] = [0.01, 0.05, 0.002, 1e-6, 1e-9]
  const gain = costs - challenger * gwei
  const figure = (x: number) => Math.floor(x).toLocaleString("en-US")
  for (const words of [
    `for ${figure(challenger)} gas (challenge, settlement,`,
    `K for ${figure(prover)} gas (conviction, withdrawal)`,
    `take ${figure(gas("answer of a challenge") + withdraw)} gas and a proof`,
    `K ≥ ${figure(prover)} gas + a proof`,
    `At 2 gwei that is ${(2 * prover * gwei).toFixed(5)} ETH`,
    `(K − ${figure(challenger)} gas) ≥ w`,
    `lives on one lie in ${figure(gain / checking)} answers`,
    `one in ${figure(gain / 10 / checking)}.`,
    `one lie in ${figure((gain + price + damages) / checking)}.`,
  ])
    expect({ words, are: text.replaceAll("\n", " ").includes(words) }).toEqual({ words, are: true })
  // each row of the table says at which gain a lie does not pay any more
  const rows = [...text.matchAll(/^\| (\d+) % \| (\d+) g \|$/gm)].map(([, p, g]) => [
    Number(p) / 100,
    Number(g),
  ])
  expect(rows.length).toBe(5)
  for (const [p, bond] of rows) expect(p * bond).toBeCloseTo(1 - p)
})

it("the table of ends is what the contracts pay", () => {
  const text = readFileSync(new URL("../../docs/ACCOUNTABILITY.md", import.meta.url), "utf8")
  const ends: Record<string, readonly [End, boolean]> = {
    "not delivered in time": ["Expired", false],
    "delivered, nobody challenged in time": ["Unchallenged", false],
    "proven, unchallenged": ["Proven", false],
    "challenged, and proven in time": ["Proven", true],
    "challenged, and silent": ["Silent", true],
    "another output proven": ["Convicted", true],
    "two outputs signed": ["Equivocated", true],
    "recalled, unchallenged": ["Recalled", false],
    "recalled, then proven": ["Recalled", true],
    "recalled, challenged, and silent": ["Silent", true],
  }
  const amounts = { price: 100n, damages: 10n, costs: 1n }
  const unit = { P: amounts.price, D: amounts.damages, K: amounts.costs }
  const sum = (cell: string) =>
    [...cell.matchAll(/(\d*)([PDK])\b/g)].reduce(
      (total, [, times, what]) => total + BigInt(times || 1) * unit[what as keyof typeof unit],
      0n,
    )
  const table = text.slice(text.indexOf("| end | client |")).split("\n\n")[0].split("\n").slice(2)
  expect(table.length).toBe(Object.keys(ends).length)
  for (const row of table) {
    const [name, client, operator, others] = row.slice(2).split(/ ?\| ?/)
    const of = (who: RegExp) => sum(others.split(", ").find((part) => who.test(part)) ?? "")
    const paid = {
      client: sum(client),
      operator: sum(operator),
      challenger: of(/challenger/),
      shower: of(/prover|filer/),
    }
    const owed = payouts(...([ends[name][0], amounts, { challenged: ends[name][1] }] as const))
    expect(paid, row).toEqual({ client: 0n, operator: 0n, challenger: 0n, shower: 0n, ...owed })
  }
})
