/**
 * The whole way, for both MNIST classifiers of this folder: quantize, compile, set up, sign what the model said about a
 * handwritten digit, prove it, verify here and on a local chain, and watch forgeries being refused. Then, of the last
 * one, who answers for it: a sign-off, and a log of all that was said. What takes money and time is the story's.
 */
import { randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CountersignVerifier } from "countersign/artifacts"
import { type Contract, type Signer, Wallet } from "ethers"
import {
  attest,
  attestationDigest,
  claimOf,
  decisions,
  isSignedOff,
  noContracts,
  onChainPolicy,
  type Policy,
  parseDocument,
  policyDigest,
  roles,
  type SignedAttestation,
  signAttestation,
  signSignOff,
  toAddress,
  verifyAttestation,
} from "#src/attest/index.js"
import {
  compile,
  execute,
  importOnnx,
  lower,
  measureAccuracy,
  type OnProgress,
  openProver,
  parseSamples,
  quantizeProgram,
  type Receipt,
  setup,
  solidityKey,
  toSolidityArguments,
  type VerificationKey,
  verify,
} from "#src/index.js"
import { leafOf, openLog, verifyInclusion } from "#src/log/index.js"
import { deploy, startChain } from "./chain.js"
import { type Digit, digits } from "./digits.js"

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const percent = (share: number | null) => `${(100 * (share ?? 0)).toFixed(2)} %`
const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`

let shown = ""
const say = (text: string) => {
  if (shown) process.stdout.write("\r\x1b[2K")
  shown = ""
  process.stdout.write(`${text}\n`)
}
/** Overwrites one line on a terminal; elsewhere a few seconds are not worth a line. */
const onProgress: OnProgress = ({ stage, done, total }) => {
  const text = `    ${stage} ${Math.floor((100 * done) / total)} %`
  if (text === shown || total < 2 || !process.stdout.isTTY) return
  shown = text
  process.stdout.write(`\r\x1b[2K${text}`)
}

/** A digit as rows of characters. */
const picture = ({ pixels }: Digit): string =>
  Array.from({ length: 14 }, (_, y) =>
    Array.from(
      { length: 28 },
      (_, x) => " .:*#"[Math.min(4, Math.floor((pixels[56 * y + x] + pixels[56 * y + 28 + x]) * 2.5))],
    ).join(""),
  )
    .filter((line) => line.trim() !== "")
    .map((line) => `      ${line}`)
    .join("\n")

const flag = (ok: boolean) => (ok ? "accepted" : "refused")

interface Row {
  readonly [column: string]: string
}

// ---------------------------------------------------------------- who answers for it

const operator = Wallet.createRandom()
const approver = Wallet.createRandom()
const now = () => Math.floor(Date.now() / 1000)
const dayFromNow = () => now() + 86_400
/** Anything may be answered, and the approver must sign off. */
const document = parseDocument({
  version: 1,
  name: "digits",
  inputs: [],
  outputs: [],
  abstain: null,
  signOffs: [{ role: "approver", signer: toAddress(approver.address) }],
  tolerance: { absolute: 1, relative: 0 },
  disputes: [],
  retentionDays: 184,
  finality: "none",
})

/** An answer that somebody stands behind, and the proof of it. */
interface Answered {
  readonly policy: Policy
  readonly attestation: SignedAttestation
  readonly verificationKey: VerificationKey
  readonly receipt: Receipt
}

/** What comes after the proof, without a chain: a sign-off, and a log in which nobody can change a word. */
async function standBehind({ policy, attestation, verificationKey, receipt }: Answered): Promise<void> {
  const claim = claimOf(attestation)
  const signOff = await signSignOff(
    {
      attestation: attestationDigest(claim, "offline"),
      role: roles.approver,
      decision: decisions.approve,
      scope: claim.policy,
      signer: toAddress(approver.address),
      signed: now(),
      validUntil: claim.validUntil,
    },
    "offline",
    approver,
  )
  const { statement } = receipt
  const facts = { policy: policyDigest(policy), request: claim.request, statement, verificationKey }
  const isSigned = await verifyAttestation(attestation, {
    ...facts,
    domain: "offline",
    operator: claim.operator,
    at: now(),
  })
  const approved = (signOffs: readonly unknown[]) =>
    isSignedOff(policy, claim, { domain: "offline", signOffs, at: now() })
  const folder = mkdtempSync(join(tmpdir(), "countersign-demo-"))
  const log = await openLog(join(folder, "log"), { create: true })
  try {
    const entries = [
      { type: "attestation", body: { ...attestation } },
      { type: "receipt", body: { ...receipt } },
      { type: "sign-off", body: { ...signOff } },
    ] as const
    await log.append(entries)
    const head = log.head()
    const inclusion = log.inclusionProof(1)
    const edited = { ...entries[0], body: { ...attestation, validUntil: claim.validUntil + 1 } }
    const isIn = (entry: (typeof entries)[number]) => verifyInclusion(inclusion, leafOf(entry), head)
    const verdicts = [
      ["the operator's signature", isSigned, true],
      ["the policy, without the approver", await approved([]), false],
      ["the policy, with the approver", await approved([signOff]), true],
      [`the claim in a log of ${head.size}`, isIn(entries[0]), true],
      ["with one second changed", isIn(edited), false],
    ] as const
    say("\nWho answers for it: separate claims, signed without a chain")
    for (const [what, holds, should] of verdicts) {
      say(`  ${what.padEnd(33)} ${flag(holds)}`)
      if (holds !== should) throw new Error(`${what} should have been ${flag(should)}`)
    }
  } finally {
    await log.close()
    rmSync(folder, { recursive: true })
  }
}

// ------------------------------------------------------------------- the whole way

async function demonstrate(
  folder: string,
  title: string,
  test: readonly Digit[],
  contract: Contract,
): Promise<{ readonly row: Row; readonly answered: Answered }> {
  const read = (name: string) => readFileSync(new URL(`${folder}/${name}`, import.meta.url))
  say(`\n${title}`)
  const graph = importOnnx(read("model.onnx"), { file: `${folder}/model.onnx` })
  const program = lower(graph)
  const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
  let start = performance.now()
  const model = await quantizeProgram(program, { samples })
  const circuit = await compile(model, { input: "private", output: "public", weights: "fixed" })
  const constraints = circuit.linked.r1cs.rows
  say(
    `  compiled to ${constraints} constraints in ${seconds(performance.now() - start)}, weights as constants`,
  )
  const name = graph.inputs[0].name
  const accuracy = await measureAccuracy(
    program,
    model,
    test.map(({ pixels }) => ({ [name]: pixels })),
    { labels: test.map(({ label }) => label), onProgress },
  )
  say(
    `  accuracy on ${test.length} unseen digits: float ${percent(accuracy.float)}, integer ${percent(accuracy.integer)}`,
  )

  start = performance.now()
  const keys = await setup(circuit, { dev: true, onProgress })
  const setupMs = performance.now() - start
  say(
    `  development keys in ${seconds(setupMs)} (proving key ${(keys.provingKey.length / 1e6).toFixed(1)} MB)`,
  )

  const digit = test[Math.floor(Math.random() * test.length)]
  const input = { [name]: digit.pixels }
  // the operator's claim comes first, and its digest is what the proof is for
  const { verificationKey } = keys
  const { policy } = onChainPolicy(document, verificationKey.layout, noContracts)
  const started = now()
  const { statement } = execute(circuit, input, { clampInputs: true })
  const facts = {
    operator: toAddress(operator.address),
    policy: policyDigest(policy),
    started,
    issued: now(),
    validUntil: dayFromNow(),
  }
  start = performance.now()
  const attestation = await signAttestation(
    attest({ statement, verificationKey }, facts),
    "offline",
    operator,
  )
  const signMs = performance.now() - start
  const context = attestationDigest(claimOf(attestation), "offline")

  const prover = await openProver(circuit, keys.provingKey)
  start = performance.now()
  let receipt: Receipt
  try {
    receipt = await prover.prove(input, { context, clampInputs: true })
  } finally {
    await prover.close()
  }
  const proveMs = performance.now() - start
  const { output } = receipt.statement
  if (output.visibility !== "public") throw new Error("the output should be public")
  const logits = output.values.logits.map(Number)
  const said = logits.indexOf(Math.max(...logits))
  say(picture(digit))
  say(`  the model says ${said} (label ${digit.label}), and the digit stays hidden`)
  say(`  signed by its operator in ${signMs.toFixed(0)} ms; that claim proven in ${seconds(proveMs)}`)

  const expected = { verificationKey, model: circuit.model, context, allowDev: true }
  verify(receipt, expected) // the first call also compiles code
  start = performance.now()
  const valid = verify(receipt, expected)
  const verifyMs = performance.now() - start
  const changed = logits.with(0, logits[0] + 1).map(String)
  const tampered: Receipt = {
    ...receipt,
    statement: { ...receipt.statement, output: { visibility: "public", values: { logits: changed } } },
  }
  const foreign = hex(randomBytes(32))
  await (await contract.registerDevKey(solidityKey(verificationKey))).wait()
  // the context is the contract's to say, whatever stands in the receipt
  const callFor = (given: Receipt, context: string) => {
    const statement = { ...given.statement, context }
    return toSolidityArguments({ ...given, statement } as Receipt, verificationKey).args
  }
  const onChain = (given: Receipt, forContext: string): Promise<boolean> =>
    contract.verifyDevInference(...callFor(given, forContext))
  // a view costs nothing when called; sent as a transaction it shows what a contract pays, calldata included
  const call = await contract.verifyDevInference.populateTransaction(...callFor(receipt, context))
  const sent = await (contract.runner as Signer).sendTransaction(call)
  const gas = (await sent.wait())?.gasUsed
  const verdicts = [
    ["the receipt", valid, await onChain(receipt, context), true],
    ["with one logit changed by 1", verify(tampered, expected), await onChain(tampered, context), false],
    [
      "for another context",
      verify(receipt, { ...expected, context: foreign }),
      await onChain(receipt, foreign),
      false,
    ],
  ] as const
  for (const [what, here, there, should] of verdicts) {
    say(`  ${what.padEnd(28)} off-chain ${flag(here)}, on-chain ${flag(there)}`)
    if (here !== should || there !== should) throw new Error(`${what} should have been ${flag(should)}`)
  }
  const row = {
    model: title,
    "float / integer": `${percent(accuracy.float)} / ${percent(accuracy.integer)}`,
    constraints: String(constraints),
    setup: seconds(setupMs),
    prove: seconds(proveMs),
    verify: `${verifyMs.toFixed(0)} ms`,
    proof: "320 bytes",
    gas: String(gas),
  }
  return { row, answered: { policy, attestation, verificationKey, receipt } }
}

const test = digits("test")
const chain = await startChain()
try {
  const contract = await deploy(CountersignVerifier, chain.signer)
  say(`One verifier contract for every model, on a local chain: ${await contract.getAddress()}`)
  const shownAll = [
    await demonstrate("mnist-mlp", "perceptron 784-56-10", test, contract),
    await demonstrate("mnist-lenet", "LeNet 28_6_16_120_84_10_5", test, contract),
  ]
  await standBehind(shownAll[1].answered)
  const rows = shownAll.map(({ row }) => row)
  const header = Object.keys(rows[0])
  const table = [header, ...rows.map((row) => header.map((column) => row[column]))]
  const widths = header.map((_, i) => Math.max(...table.map((line) => line[i].length)))
  say("")
  for (const line of table)
    say(
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    )
  say("\nDelivered, challenged, proven, paid, and every other end of it: npm run story")
} finally {
  await chain.close()
}
