/**
 * A ceremony for each classifier of this folder, from powers of tau to receipts that need no flag: three people and a
 * beacon, every command a process of its own with the files of its person alone, a fourth who has public files only,
 * and a verifier contract on a local chain.
 *
 *     npm run ceremony -- [--ptau FILE] [--folder NEW]
 *
 * Without a file it makes powers of tau for the test, by snarkjs: one contributor, some minutes.
 */
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { CountersignVerifier } from "countersign/artifacts"
import type { Contract } from "ethers"
import {
  parseReceipt,
  parseVerificationKey,
  registrationCall,
  verificationCall,
  verify,
} from "#src/verifier/index.js"
import { deploy, startChain } from "./chain.js"

/** Large enough for both: LeNet has a domain of 24,576. */
const power = 15
/** More would be a delay; this is a test. */
const iterations = 10

const require = createRequire(import.meta.url)
const bin = (of: string, path: string) => join(dirname(require.resolve(of)), path)
const countersign = bin("countersign/package.json", "dist/cli.js")
const hex = (bytes: number) => `0x${randomBytes(bytes).toString("hex")}`
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const say = (text: string) => process.stdout.write(`${text}\n`)

/** Runs a program in a folder; its standard output, and how long it took. @throws Error if it fails */
function run(
  program: string,
  folder: string,
  ...args: string[]
): { readonly out: string; readonly ms: number } {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: "utf8",
  })
  if (status !== 0) throw new Error(`${args.join(" ")}: exit code ${status}\n${stdout}${stderr}`)
  return { out: stdout, ms: performance.now() - start }
}
const command = (folder: string, ...args: string[]) => run(countersign, folder, ...args)

/** Powers of tau of a ceremony of one, of which nobody should rely on. */
function testPowers(folder: string): string {
  const snarkjs = bin("snarkjs", "cli.cjs")
  say(`powers of tau, 2^${power}, by snarkjs …`)
  const made = run(snarkjs, folder, "powersoftau", "new", "bn128", `${power}`, "first.ptau")
  const given = ["first.ptau", "powers.ptau", "--name=a test", `-e=${hex(32)}`]
  const contributed = run(snarkjs, folder, "powersoftau", "contribute", ...given)
  say(`  made in ${seconds(made.ms)}, contributed to in ${seconds(contributed.ms)}`)
  rmSync(join(folder, "first.ptau"))
  return join(folder, "powers.ptau")
}

interface Row {
  readonly [column: string]: string
}

async function ceremony(model: string, root: string, ptau: string, contract: Contract): Promise<Row> {
  say(`\n${model}`)
  const folder = join(root, model)
  mkdirSync(folder)
  const source = fileURLToPath(new URL(`./${model}`, import.meta.url))
  cpSync(source, folder, { recursive: true })
  const powers = ["--ptau", ptau]
  const samples = ["--samples", "samples.json"]
  command(folder, "compile", "model.onnx", ...samples, "--out", "ceremony")
  // once to keep the Lagrange points, which every circuit of this domain shares
  const prepared = command(folder, "setup", "ceremony", ...powers)
  const first = command(folder, "setup", "ceremony", ...powers, "--force")
  say(`  first key in ${seconds(prepared.ms)}; again, with Lagrange points kept, in ${seconds(first.ms)}`)

  const times = { contribute: 0, accept: 0 }
  for (const name of ["Alice", "Bob", "Carol"]) {
    const own = mkdtempSync(join(root, `${name}-`))
    copyFileSync(join(folder, "ceremony/proving.key"), join(own, "proving.key"))
    const contributed = command(own, "setup", "contribute", ".", "--name", name)
    const accepted = command(folder, "setup", "accept", "ceremony", join(own, "proving.key"), ...powers)
    rmSync(own, { recursive: true })
    times.contribute = Math.max(times.contribute, contributed.ms)
    times.accept = Math.max(times.accept, accepted.ms)
    say(`  ${name} contributed in ${seconds(contributed.ms)}, accepted in ${seconds(accepted.ms)}`)
  }
  const value = ["--value", hex(32), "--iterations", `${iterations}`]
  const beacon = command(folder, "setup", "beacon", "ceremony", ...value)
  say(`  beacon in ${seconds(beacon.ms)}`)

  const open = mkdtempSync(join(root, "public-"))
  for (const name of ["model.bin", "circuit.json", "proving.key", "verification.json"])
    copyFileSync(join(folder, "ceremony", name), join(open, name))
  const verified = command(open, "setup", "verify", ".", ...powers)
  say(`  verified from public files in ${seconds(verified.ms)}:`)
  say(verified.out.replace(/^/gm, "    ").trimEnd())

  const context = hex(32)
  const proved = command(
    folder,
    "prove",
    "ceremony",
    "input.json",
    "--out",
    "receipt.json",
    "--context",
    context,
  )
  const key = ["--key", join(open, "verification.json")]
  say(
    command(folder, "verify", "receipt.json", ...key, "--context", context)
      .out.replace(/^/gm, "    ")
      .trimEnd(),
  )
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"))
  const verificationKey = parseVerificationKey(read(join(open, "verification.json")))
  const receipt = parseReceipt(read(join(folder, "receipt.json")))
  const expected = { verificationKey, model: verificationKey.model, context }
  if (!verify(receipt, expected)) throw new Error("the receipt should be valid")
  if (verify(receipt, { ...expected, context: hex(32) })) throw new Error("valid in another context")

  // the calls that the package writes, without a flag
  const { signer, ...chain } = { signer: contract.runner, to: `${contract.target}` }
  if (!signer?.sendTransaction || !signer.call) throw new Error("no signer")
  const registered = await signer.sendTransaction({ ...chain, data: registrationCall(verificationKey).data })
  await registered.wait()
  const call = { ...chain, data: verificationCall(receipt, verificationKey).data }
  const [verdict] = contract.interface.decodeFunctionResult("verifyInference", await signer.call(call))
  if (verdict !== true) throw new Error("the contract should accept the receipt")
  const gas = (await (await signer.sendTransaction(call)).wait())?.gasUsed
  const provenance = await contract.provenanceOf(verificationCall(receipt, verificationKey).args[0])
  say(`  accepted on chain, without a flag; the registry says: ${provenance.contributors} contributors`)
  return {
    model,
    key: `${(statSync(join(open, "proving.key")).size / 1e6).toFixed(1)} MB`,
    preparation: seconds(prepared.ms),
    "first key": seconds(first.ms),
    contribution: seconds(times.contribute),
    accept: seconds(times.accept),
    verification: seconds(verified.ms),
    proof: seconds(proved.ms),
    gas: String(gas),
  }
}

const { values } = parseArgs({ options: { ptau: { type: "string" }, folder: { type: "string" } } })
const root = values.folder ?? mkdtempSync(join(tmpdir(), "countersign-ceremony-"))
if (values.folder !== undefined) mkdirSync(root)
const chain = await startChain()
try {
  const ptau = values.ptau === undefined ? testPowers(root) : resolve(values.ptau)
  const contract = await deploy(CountersignVerifier, chain.signer)
  const rows = [
    await ceremony("mnist-mlp", root, ptau, contract),
    await ceremony("mnist-lenet", root, ptau, contract),
  ]
  const header = Object.keys(rows[0])
  const table = [header, ...rows.map((row) => header.map((column) => row[column]))]
  const widths = header.map((_, i) => Math.max(...table.map((line) => line[i].length)))
  say("")
  for (const line of table) say(line.map((cell, i) => cell.padEnd(widths[i])).join("  "))
} finally {
  await chain.close()
  if (values.folder === undefined) rmSync(root, { recursive: true })
}
