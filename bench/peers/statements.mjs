/**
 * Two circuits of the same integer model for provers of `.zkey` and `.wtns`. Both prove the same outputs from the same
 * integers, with range checks by bits and weights as constants.
 *
 * `ofCircom` is what a user of circom and snarkjs has: circom source (ours, as `countersign export circom` writes it), compiled
 * by circom with its own defaults, the key by snarkjs (first key and one contribution, from powers of tau), the witness by the
 * calculator that circom made.
 *
 * `ofPlain` is our own plain Groth16 circuit, with our key in snarkjs's format and our witness: what only we have, and faster
 * than the other in all that comes before the proof.
 *
 * A statement is { name, folder, facts, zkey (its path), key (to verify, in snarkjs's form), witness: gives { bytes, ms },
 * check: throws unless public signals are the model's outputs and what else the circuit shows }.
 */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { r } from "../../dist/field.js"
import { compile, exportCircom, readR1cs, setup, toSnarkjs, witnessOf } from "../../dist/index.js"
import { publicCount } from "../../dist/setup/qap.js"
import { contextSignal } from "../../dist/statement/statement.js"
import { writeWtns } from "../../dist/systems/plain/witnessfile.js"
import { requireOutputs } from "./ours.mjs"
import { writePowers } from "./powers.mjs"
import { runProcess } from "./process.mjs"
import { snarkjs } from "./snarkjs.mjs"

const require = createRequire(import.meta.url)
const signed = (text) => {
  const value = BigInt(text)
  return Number(value > r / 2n ? value - r : value)
}
/** @throws Error unless public signals begin with the model's outputs, and go on as expected */
const checker = (prepared, name, rest) => (signals) => {
  const count = prepared.outputs.length
  requireOutputs(prepared, signals.slice(0, count).map(signed), name)
  if (`${signals.slice(count)}` !== `${rest}`)
    throw new Error(`${prepared.name}: ${name} shows ${signals.slice(count)} beside the outputs, not ${rest}`)
}

/** Our plain circuit. */
export async function ofPlain(prepared) {
  const { model, values, context } = prepared
  const started = performance.now()
  const circuit = await compile(model, { proofSystem: "groth16" })
  const compiled = performance.now()
  const keys = await setup(circuit, { dev: true })
  const setupMs = performance.now() - compiled
  const folder = join(prepared.folder, "plain")
  mkdirSync(folder, { recursive: true })
  const zkey = join(folder, "circuit.zkey")
  writeFileSync(zkey, keys.provingKey)
  const name = "our plain circuit"
  return {
    name,
    folder,
    zkey,
    key: toSnarkjs(keys.verificationKey),
    facts: {
      constraints: circuit.linked.r1cs.rows,
      compileMs: compiled - started,
      setupMs,
      provingKeyBytes: keys.provingKey.length,
    },
    witness: async () => {
      const from = performance.now()
      const bytes = writeWtns(witnessOf(circuit, values, context))
      return { bytes, ms: performance.now() - from }
    },
    check: checker(prepared, name, [contextSignal(context)]),
  }
}

/**
 * The circuit as circom and snarkjs make it; `say` is told what takes long. Undefined where what circom made cannot be run: a
 * template is one function of the calculator, and engines of WebAssembly have a limit for these.
 */
export async function ofCircom(prepared, say) {
  const folder = join(prepared.folder, "circom")
  mkdirSync(folder, { recursive: true })
  const path = (file) => join(folder, file)
  const source = await exportCircom(await compile(prepared.model, { proofSystem: "groth16" }))
  writeFileSync(path("model.circom"), `${source}\ncomponent main = CountersignModel();\n`)
  const input = Object.fromEntries(
    prepared.model.inputs.map(({ name }, i) => [`input${i}`, Array.from(prepared.quantized[name], String)]),
  )
  writeFileSync(path("input.json"), JSON.stringify(input))

  say("circom compiles")
  const circom = require.resolve("circom2/cli.js")
  const compiled = await runProcess(
    process.execPath,
    [circom, "model.circom", "--r1cs", "--wasm", "-o", "."],
    { cwd: folder },
  )
  const { stdout } = await runProcess(process.execPath, [circom, "--version"])
  const circomVersion = /circom compiler (\S+)/.exec(stdout)?.[1]
  const wasm = readFileSync(path("model_js/model.wasm"))
  try {
    await WebAssembly.compile(wasm)
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error
    say(`no row of circom: Node does not load the calculator of witnesses that it made: ${error.message}`)
    return undefined
  }
  // the script that circom writes for it is one of CommonJS, whatever the folder around it is
  copyFileSync(path("model_js/witness_calculator.js"), path("witness_calculator.cjs"))
  const calculator = await require(path("witness_calculator.cjs"))(wasm)
  const { rows, wires, ...counts } = readR1cs(readFileSync(path("model.r1cs")))
  const power = Math.ceil(Math.log2(rows + publicCount({ rows, wires, ...counts }) + 1))
  say(`${rows} constraints; powers of tau, 2^${power}`)
  await writePowers(path("powers.ptau"), power)
  say("snarkjs makes the key")
  const first = await snarkjs("groth16", "setup", path("model.r1cs"), path("powers.ptau"), path("first.zkey"))
  const entropy = `-e=${Math.random()}`
  const last = await snarkjs(
    "zkey",
    "contribute",
    path("first.zkey"),
    path("circuit.zkey"),
    "--name=bench",
    entropy,
  )
  await snarkjs("zkey", "export", "verificationkey", path("circuit.zkey"), path("key.json"))

  const name = "circom's circuit"
  return {
    name,
    circomVersion: `circom ${circomVersion}`,
    folder,
    zkey: path("circuit.zkey"),
    key: JSON.parse(readFileSync(path("key.json"), "utf8")),
    facts: {
      constraints: rows,
      compileMs: compiled.ms,
      compilePeakBytes: compiled.peakBytes,
      setupMs: first.ms + last.ms,
      setupPeakBytes: Math.max(first.peakBytes, last.peakBytes),
      provingKeyBytes: statSync(path("circuit.zkey")).size,
      verificationKeyBytes: statSync(path("key.json")).size,
    },
    witness: async () => {
      const from = performance.now()
      const bytes = await calculator.calculateWTNSBin(input, true)
      return { bytes, ms: performance.now() - from }
    },
    /** For a whole process: input and program of the witness. */
    files: { input: path("input.json"), wasm: path("model_js/model.wasm") },
    check: checker(prepared, name, []),
  }
}
