/** The trained classifiers the whole way: accuracy against onnxruntime, and a real proof here, in snarkjs and on a chain. */

import { readFileSync } from "node:fs"
import type { Contract } from "ethers"
import { InferenceSession, Tensor } from "onnxruntime-node"
import { groth16 } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compile } from "#src/compile/compile.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { openProver, setup } from "#src/prover/open.js"
import { parseInput, parseSamples } from "#src/quantize/calibration/samples.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import {
  explain,
  type Groth16Key,
  type Groth16Proof,
  type PublicClaim,
  proofToSnarkjs,
  publicSignals,
  type Receipt,
  solidityKey,
  toSnarkjs,
  toSolidityArguments,
  verify,
} from "#src/verifier/index.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"
import { digits } from "../../examples/digits.js"
import { amount } from "../support/amount.js"
import { artifact, type Registered, verifiers } from "../support/chain.js"

const context = `0x${"3c".repeat(32)}`
const test = digits("test")
const example = (path: string) => readFileSync(new URL(`../../examples/${path}`, import.meta.url))
const argmax = (xs: ArrayLike<number>) => Array.from(xs).indexOf(Math.max(...Array.from(xs)))

async function load(folder: string) {
  const graph = importOnnx(example(`${folder}/model.onnx`))
  const { samples } = parseSamples(example(`${folder}/samples.json`), "samples.json", graph.inputs)
  return { graph, model: await quantizeProgram(lower(graph), { samples }) }
}

const models = [
  { folder: "mnist-mlp", least: 0.97 },
  { folder: "mnist-lenet", least: 0.98 },
]

const systems = Object.keys(verifiers) as Registered[]

let chain: Chain
let contracts: Record<Registered, Contract>
beforeAll(async () => {
  chain = await startChain()
  contracts = {
    groth16: await deploy(artifact(verifiers.groth16), chain.signer),
    mirage: await deploy(artifact(verifiers.mirage), chain.signer),
  }
})
afterAll(() => chain.close())

describe.each(models)("$folder", ({ folder, least }) => {
  it("keeps its accuracy on digits it never saw: at most 0.1 percentage points below onnxruntime", async () => {
    const { model } = await load(folder)
    const session = await InferenceSession.create(example(`${folder}/model.onnx`))
    const shape = model.tensors[model.inputs[0].tensor].shape as number[]
    let [float, integer] = [0, 0]
    for (const { pixels, label } of test) {
      const { logits } = await session.run({ image: new Tensor("float32", Float32Array.from(pixels), shape) })
      if (argmax(logits.data as Float32Array) === label) float++
      const values = runInteger(model, quantizeInput(model, { image: pixels }, { clampInputs: true }))
      if (argmax(values.get(model.outputs[0].tensor) as Float64Array) === label) integer++
    }
    await session.release()
    expect(float / test.length).toBeGreaterThanOrEqual(least)
    expect(integer / test.length).toBeGreaterThanOrEqual(float / test.length - 0.001)
  })

  it("calibrates on training digits only", async () => {
    const { graph } = await load(folder)
    const held = new Set(test.map(({ pixels }) => pixels.map((x) => x.toFixed(4)).join()))
    const { samples, labels } = parseSamples(example(`${folder}/samples.json`), "samples.json", graph.inputs)
    expect(labels).toHaveLength(samples.length)
    for (const { image } of samples)
      expect(held.has(Array.from(image, (x) => x.toFixed(4)).join())).toBe(false)
  })

  // LeNet as a plain circuit takes as long as all others together, and adds size alone
  it.each(folder === "mnist-lenet" ? (["mirage", "groth16"] as const).slice(0, amount(1, 2)) : systems)(
    "proves a digit in %s: accepted here, on the chain and by snarkjs where it can; forgeries refused",
    async (proofSystem) => {
      const { graph, model } = await load(folder)
      const circuit = await compile(model, { proofSystem })
      const contract = contracts[proofSystem]
      const { provingKey, verificationKey } = await setup(circuit, { dev: true })
      const input = parseInput(JSON.parse(example(`${folder}/input.json`).toString()), graph.inputs)
      const prover = await openProver(circuit, provingKey)
      let receipt: Receipt
      try {
        receipt = await prover.prove(input, { context, clampInputs: true })
      } finally {
        await prover.close()
      }
      await (await contract.registerDevKey(solidityKey(verificationKey))).wait()
      const expected = { verificationKey, model: circuit.model, context, allowDev: true }
      const onChain = (given: Receipt, wanted = context): Promise<boolean> => {
        const { args } = toSolidityArguments(given, verificationKey)
        return contract.verifyDevInference(
          ...args.map((value) => (value === given.statement.context ? wanted : value)),
        )
      }
      const inSnarkjs = async (given: Receipt, answer: boolean) => {
        if (proofSystem !== "groth16") return
        const signals = publicSignals(given.statement, circuit.layout).map(String)
        const key = toSnarkjs(verificationKey as Groth16Key)
        expect(await groth16.verify(key, signals, proofToSnarkjs(given.proof as Groth16Proof))).toBe(answer)
      }

      expect(explain(receipt, expected)).toBeNull()
      await inSnarkjs(receipt, true)
      expect(await onChain(receipt)).toBe(true)
      // every proof system shows the integers of the plain loops
      const integers = runInteger(model, quantizeInput(model, input, { clampInputs: true }))
      const shown = (receipt.statement.output as PublicClaim).values.logits.map(Number)
      expect(shown).toEqual([...(integers.get(model.outputs[0].tensor) as Float64Array)])

      const { values } = receipt.statement.output as PublicClaim
      const logits = values.logits.with(3, String(Number(values.logits[3]) - 1))
      const tampered: Receipt = {
        ...receipt,
        statement: { ...receipt.statement, output: { visibility: "public", values: { logits } } },
      }
      expect(verify(tampered, expected)).toBe(false)
      await inSnarkjs(tampered, false)
      expect(await onChain(tampered)).toBe(false)

      const foreign = `0x${"3d".repeat(32)}`
      expect(verify(receipt, { ...expected, context: foreign })).toBe(false)
      expect(await onChain(receipt, foreign)).toBe(false)
    },
    400_000,
  )
})
