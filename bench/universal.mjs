/**
 * The same small models in every proof system: mirage on our kernels, plain groth16, plonk and fflonk through snarkjs.
 * Development keys throughout; a key from powers of tau is the same work, but for drawing the powers. Proofs are of
 * opened keys, witness included, medians of runs in turn; a verification starts what it needs, as `verifyReceipt` does.
 * Gas is of a whole transaction on a local chain, on which every receipt must be valid.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { ContractFactory } from "ethers"
import {
  compile,
  importOnnx,
  importTfjs,
  openProver,
  parseInput,
  parseSamples,
  quantize,
  setup,
  solidityKey,
  solidityProof,
  solidityVerifier,
  verificationCall,
  verifyReceipt,
} from "../dist/index.js"
import { compileContract, compileSolidity, settings } from "../out/contracts/compile.js"
import { median } from "./compare.mjs"

const context = `0x${"00".repeat(32)}`
const contracts = { mirage: "CountersignVerifier", groth16: "Groth16Verifier" }
const systems = ["mirage", "groth16", "plonk", "fflonk"]

/** A perceptron 8-6-3, whose weights follow from a formula. */
async function tiny() {
  const sizes = [8, 6, 3]
  const layers = [{ class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, sizes[0]] } }]
  const [specs, numbers] = [[], []]
  sizes.slice(1).forEach((units, i) => {
    const name = `dense${i}`
    layers.push({
      class_name: "Dense",
      config: { name, units, activation: i === 0 ? "relu" : "linear", use_bias: true },
    })
    for (const [kind, shape] of [
      ["kernel", [sizes[i], units]],
      ["bias", [units]],
    ]) {
      specs.push({ name: `${name}/${kind}`, shape, dtype: "float32" })
      const count = shape.reduce((product, d) => product * d, 1)
      for (let j = 0; j < count; j++) numbers.push(Math.sin(1 + 1.7 * numbers.length))
    }
  })
  const json = {
    modelTopology: { class_name: "Sequential", config: { layers } },
    weightsManifest: [{ paths: [], weights: specs }],
  }
  const graph = importTfjs(json, new Uint8Array(Float32Array.from(numbers).buffer))
  const name = graph.inputs[0].name
  const samples = Array.from({ length: 8 }, (_, i) => ({
    [name]: Array.from({ length: sizes[0] }, (_, j) => Math.cos(i + 2.3 * j)),
  }))
  return { model: await quantize(graph, { samples, precision: 8 }), input: samples[3], runs: 5 }
}

/** The perceptron of the examples. */
async function digits() {
  const read = (file) => readFileSync(new URL(`../examples/mnist-mlp/${file}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"))
  const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
  const input = parseInput(JSON.parse(read("input.json").toString()), graph.inputs)
  return { model: await quantize(graph, { samples }), input, runs: 1 }
}

const models = { "perceptron 8-6-3": tiny, "perceptron 784-56-10": digits }

/** A row for each model and system. @throws Error if a receipt is invalid, or the outputs differ */
export async function universal({ only = "" } = {}) {
  const require = createRequire(import.meta.url)
  const root = new URL("..", import.meta.url)
  const tsc = require.resolve("typescript/package.json").replace("package.json", "bin/tsc")
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.examples.json"], { cwd: root })
  const { startChain } = await import("../examples/chain.js")
  const chain = await startChain()
  const rows = []
  try {
    for (const [name, load] of Object.entries(models))
      if (name.includes(only)) rows.push(...(await rowsOf(name, await load(), chain)))
  } finally {
    await chain.close()
  }
  return rows
}

async function rowsOf(name, { model, input, runs }, chain) {
  const sides = []
  const outputs = new Set()
  for (const proofSystem of systems) {
    const circuit = await compile(model, { proofSystem })
    const [setupMs, keys] = await timed(() => setup(circuit, { dev: true }))
    const prover = await openProver(circuit, keys.provingKey)
    const times = []
    let receipt
    try {
      await prover.prove(input, { context, clampInputs: true })
      for (let run = 0; run < runs; run++) {
        const [ms, made] = await timed(() => prover.prove(input, { context, clampInputs: true }))
        times.push(ms)
        receipt = made
      }
    } finally {
      await prover.close()
    }
    const { verificationKey } = keys
    const expected = { verificationKey, model: circuit.model, context, allowDev: true }
    const [verifyMs, valid] = await timed(() => verifyReceipt(receipt, expected))
    if (!valid) throw new Error(`${name}: a receipt of ${proofSystem} is not valid`)
    outputs.add(JSON.stringify(receipt.statement.output))
    const gas = await gasOf(chain, receipt, verificationKey)
    const ms = median(times)
    sides.push({ proofSystem, ms })
    process.stderr.write(
      `${name} ${proofSystem}: ${circuit.linked.r1cs.rows} constraints, domain ${circuit.domain}, key ${(keys.provingKey.length / 1e6).toFixed(1)} MB, setup ${Math.round(setupMs)} ms, proof ${Math.round(ms)} ms, verification ${Math.round(verifyMs)} ms, ${32 * solidityProof(receipt.proof).length} bytes, ${gas} gas\n`,
    )
  }
  if (outputs.size > 1) throw new Error(`${name}: the proofs show different outputs`)
  const [ours, ...others] = sides
  return others.map(({ proofSystem, ms: otherMs }) => {
    const against = `${proofSystem}, snarkjs`
    return { name: `${name}, proof`, against, ms: ours.ms, otherMs, ratio: otherMs / ours.ms }
  })
}

async function timed(work) {
  const start = performance.now()
  const result = await work()
  return [performance.now() - start, result]
}

/** Gas of the transaction that verifies a receipt. @throws Error if the contract does not take it */
async function gasOf({ signer, provider }, receipt, key) {
  const { proofSystem } = key
  const registered = Object.hasOwn(contracts, proofSystem)
  const name = registered
    ? contracts[proofSystem]
    : `${proofSystem === "plonk" ? "Plonk" : "Fflonk"}Inference`
  const { abi, bytecode } = registered
    ? compileContract(name)
    : compileSolidity(
        { "Verifier.sol": await solidityVerifier(key, "Model", { allowDev: true }) },
        name,
        settings,
        /^Warning: Unused function parameter/,
      )
  const contract = await new ContractFactory(abi, bytecode, signer).deploy()
  await contract.waitForDeployment()
  if (registered) await (await contract.registerDevKey(solidityKey(key))).wait()
  const { data } = verificationCall(receipt, key, { allowDev: true })
  const call = { to: await contract.getAddress(), data, gasLimit: 5_000_000 }
  if (BigInt(await provider.call(call)) !== 1n) throw new Error(`${name} refuses a valid receipt`)
  return (await (await signer.sendTransaction(call)).wait()).gasUsed
}
