/**
 * The section `models`: each network of networks.mjs from its ONNX file to a receipt that a contract takes, every stage in a
 * process of its own (stage.mjs), so that its memory is its own. `ms` and `leastMs` are the median and the least of `proofs`
 * proofs with the key resident, witness included; `peakBytes` is the most memory that the process which makes them had, Node
 * included, and a `…PeakBytes` that of another stage's. Keys are development keys: of a ceremony's, sizes and times of proofs
 * are the same. Nothing is told of a network whose receipts are not valid or show other
 * integers than the integer model.
 */
import { fork } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { solidityKey, verificationCall } from "../dist/verifier/index.js"
import { chosen } from "./networks.mjs"
import { floatCount } from "./onnx.mjs"

/** How many inputs are proven in turn. */
const proven = 8
/** How often what takes no time is repeated, and what does: at least so often, and no longer than that. */
const plans = {
  full: { warmUps: 3, least: 5, most: 21, ms: 10_000 },
  quick: { warmUps: 2, least: 3, most: 7, ms: 1_500 },
}
const script = fileURLToPath(new URL("./stage.mjs", import.meta.url))
const say = (text) => process.stderr.write(`${text}\n`)

/** A stage in a process of its own, which ends with this one. @throws Error with what went wrong there */
function stage(name, folder, plan) {
  return new Promise((resolve, reject) => {
    const child = fork(script, [name, folder], { stdio: ["ignore", 2, 2, "ipc"] })
    let reply
    child.once("message", (message) => {
      reply = message
    })
    child.once("error", reject)
    child.once("exit", (code, signal) => {
      if (reply?.measured) resolve(reply.measured)
      else reject(new Error(`${name}: ${reply?.failed ?? `the process ended with ${signal ?? code}`}`))
    })
    child.send(plan)
  })
}

/** A chain with the verifier on it, and `gas`, of the whole transaction that has it check a receipt. */
async function openChain() {
  const { runnerImport } = await import("vite")
  const { module } = await runnerImport(fileURLToPath(new URL("../examples/chain.ts", import.meta.url)))
  const compiled = JSON.parse(
    readFileSync(new URL("../dist/artifacts/CountersignVerifier.json", import.meta.url), "utf8"),
  )
  const chain = await module.startChain()
  try {
    const contract = await module.deploy(compiled, chain.signer)
    return { gas: (receipt, key) => gasOf(chain, contract, receipt, key), close: () => chain.close() }
  } catch (error) {
    await chain.close()
    throw error
  }
}

/** @throws Error if the contract does not take the receipt */
async function gasOf({ signer, provider }, contract, receipt, key) {
  await (await contract.registerDevKey(solidityKey(key))).wait()
  const { data } = verificationCall(receipt, key, { allowDev: true })
  const call = { to: await contract.getAddress(), data, gasLimit: 20_000_000 }
  if (BigInt(await provider.call(call)) !== 1n) throw new Error("the contract refuses a valid receipt")
  return Number((await (await signer.sendTransaction(call)).wait()).gasUsed)
}

async function rowOf({ name, weights, load }, home, plan, chain) {
  const { file, samples, unseen, labels, options, parameters } = await load()
  const folder = join(home, "model")
  mkdirSync(folder)
  const save = (to, value) => writeFileSync(join(folder, to), value)
  save("model.onnx", file)
  save("calibration.json", JSON.stringify({ samples, options }))
  save("unseen.json", JSON.stringify({ unseen, labels }))
  save("inputs.json", JSON.stringify(unseen.slice(0, proven)))
  const run = (which) => stage(which, folder, plan)
  try {
    const compiled = await run("compile")
    const read = (from) => JSON.parse(readFileSync(join(folder, from), "utf8"))
    const { constraints, lookups, domain } = read("circuit.json")
    say(`${name}: ${constraints} constraints, compiled in ${(compiled.ms / 1000).toFixed(1)} s`)
    const accuracy = await run("accuracy")
    const keys = await run("setup")
    const opened = await run("open")
    const witness = await run("witness")
    const proof = await run("prove")
    const verified = await run("verify")
    const gas = await chain.gas(read("receipt.json"), read("verification.json"))
    say(
      `${name}: set up in ${(keys.ms / 1000).toFixed(1)} s, proven in ${proof.ms.toFixed(0)} ms, ${gas} gas`,
    )
    return {
      name,
      against: undefined,
      ms: proof.ms,
      otherMs: undefined,
      ratio: undefined,
      leastMs: proof.leastMs,
      proofs: proof.runs,
      weights,
      parameters: (parameters ?? floatCount(file)) || undefined,
      constraints,
      lookups,
      domain,
      compileMs: compiled.ms,
      setupMs: keys.ms,
      openMs: opened.ms,
      witnessMs: witness.ms,
      witnessLeastMs: witness.leastMs,
      verifyMs: verified.ms,
      verifyLeastMs: verified.leastMs,
      keyBytes: keys.keyBytes,
      verificationKeyBytes: keys.verificationKeyBytes,
      proofBytes: proof.proofBytes,
      receiptBytes: proof.receiptBytes,
      gas,
      peakBytes: proof.peakBytes,
      compilePeakBytes: compiled.peakBytes,
      setupPeakBytes: keys.peakBytes,
      openPeakBytes: opened.peakBytes,
      witnessPeakBytes: witness.peakBytes,
      verifyPeakBytes: verified.peakBytes,
      ...lossOf(accuracy),
    }
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Shares of the unseen inputs: those on which both models name the same class and, where there are labels, those that either
 * names right, and how many fewer the integer model does.
 */
function lossOf({ unseen, float, integer, agreement }) {
  if (float === null) return { unseen, agreement }
  const accuracyLoss = Math.max(0, float - integer)
  return { unseen, agreement, accuracyFloat: float, accuracyInteger: integer, accuracyLoss }
}

/** A row for each network that is asked for. @throws Error if a receipt is invalid, or shows what the model does not say */
export async function models({ quick = false, only }) {
  const networks = chosen({ quick, only })
  if (networks.length === 0) return []
  const home = mkdtempSync(join(tmpdir(), "countersign-models-"))
  // a process that is told to end leaves nothing behind
  const forget = () => rmSync(home, { recursive: true, force: true })
  process.once("exit", forget)
  const rows = []
  try {
    const chain = await openChain()
    try {
      for (const network of networks)
        rows.push(await rowOf(network, home, quick ? plans.quick : plans.full, chain))
    } finally {
      await chain.close()
    }
  } finally {
    process.off("exit", forget)
    forget()
  }
  return rows
}
