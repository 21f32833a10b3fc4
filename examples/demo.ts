/**
 * The whole way, for both MNIST classifiers of this folder: quantize, compile, set up, prove what the model
 * said about a handwritten digit, verify here and on a local chain, and watch forgeries being refused.
 */
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { CountersignVerifier } from "countersign/artifacts"
import type { Contract, Signer } from "ethers"
import {
  compile,
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
  verify,
} from "#src/index.js"
import { deploy, startChain } from "./chain.js"
import { type Digit, digits } from "./digits.js"

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
const percent = (share: number | null) => `${(100 * (share ?? 0)).toFixed(2)} %`
const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`

let shown = ""
const say = (text: string) => {
  if (shown && process.stdout.isTTY) process.stdout.write("\r\x1b[2K")
  shown = ""
  process.stdout.write(`${text}\n`)
}
/** Overwrites one line on a terminal; prints whole quarters elsewhere. */
const onProgress: OnProgress = ({ stage, done, total }) => {
  const share = Math.floor((100 * done) / total)
  const text = `    ${stage} ${process.stdout.isTTY ? share : share - (share % 25)} %`
  if (text === shown || total < 2) return
  shown = text
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[2K${text}` : `${text}\n`)
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

async function demonstrate(
  folder: string,
  title: string,
  test: readonly Digit[],
  contract: Contract,
): Promise<Row> {
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
  const accuracy = measureAccuracy(
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
  const context = hex(randomBytes(32))
  const prover = await openProver(circuit, keys.provingKey)
  start = performance.now()
  let receipt: Receipt
  try {
    receipt = await prover.prove({ [name]: digit.pixels }, { context, clampInputs: true })
  } finally {
    await prover.close()
  }
  const proveMs = performance.now() - start
  const { output } = receipt.statement
  if (output.visibility !== "public") throw new Error("the output should be public")
  const logits = output.values.logits.map(Number)
  const said = logits.indexOf(Math.max(...logits))
  say(picture(digit))
  say(
    `  the model says ${said} (label ${digit.label}); proven in ${seconds(proveMs)}, and the digit stays hidden`,
  )

  const expected = { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true }
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
  await (await contract.registerDevKey(solidityKey(keys.verificationKey))).wait()
  // the context is the contract's to say, whatever stands in the receipt
  const callFor = (given: Receipt, context: string) => {
    const statement = { ...given.statement, context }
    return toSolidityArguments({ ...given, statement } as Receipt, keys.verificationKey).args
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
  return {
    model: title,
    "float / integer": `${percent(accuracy.float)} / ${percent(accuracy.integer)}`,
    constraints: String(constraints),
    setup: seconds(setupMs),
    prove: seconds(proveMs),
    verify: `${verifyMs.toFixed(0)} ms`,
    proof: "320 bytes",
    gas: String(gas),
  }
}

const test = digits("test")
const chain = await startChain()
try {
  const contract = await deploy(CountersignVerifier, chain.signer)
  say(`One verifier contract for every model, on a local chain: ${await contract.getAddress()}`)
  const rows = [
    await demonstrate("mnist-mlp", "perceptron 784-56-10", test, contract),
    await demonstrate("mnist-lenet", "LeNet 28_6_16_120_84_10_5", test, contract),
  ]
  const header = Object.keys(rows[0])
  const table = [header, ...rows.map((row) => header.map((column) => row[column]))]
  const widths = header.map((_, i) => Math.max(...table.map((line) => line[i].length)))
  say("")
  for (const line of table) say(line.map((cell, i) => cell.padEnd(widths[i])).join("  "))
} finally {
  await chain.close()
}
