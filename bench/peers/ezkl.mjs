/**
 * EZKL, from PyPI, on the same ONNX file and input: ezkl_stage.py beside this file does a stage in a process. Its Python is one of a
 * virtual environment that is made here once, of the versions in requirements.txt, or another that has the package.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { writeKzgPowers } from "./powers.mjs"
import { agreement } from "./prepared.mjs"
import { runProcess } from "./process.mjs"

const script = fileURLToPath(new URL("./ezkl_stage.py", import.meta.url))
const requirements = fileURLToPath(new URL("./requirements.txt", import.meta.url))
const environments = fileURLToPath(new URL("../../.cache/peers/", import.meta.url))

/** The Python of an environment with what requirements.txt names; made anew if that has changed, or was never finished. */
export async function ezklPython(say, python = "python3") {
  const wanted = readFileSync(requirements, "utf8")
  const folder = join(environments, "ezkl")
  const program = join(folder, "bin", "python")
  const done = join(folder, "requirements.txt")
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return program
  say(`a virtual environment with ${wanted.trim()}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(environments, { recursive: true })
  await runProcess(python, ["-m", "venv", folder])
  await runProcess(program, ["-m", "pip", "install", "--quiet", "-r", requirements])
  writeFileSync(done, wanted)
  return program
}

/** Sides of a prepared network. @throws Error, when a side runs, if EZKL's verifier refuses a proof */
export async function ezklSides(python, prepared, say) {
  const folder = join(prepared.folder, "ezkl")
  mkdirSync(folder, { recursive: true })
  const write = (file, data) => writeFileSync(join(folder, file), data)
  write("model.onnx", readFileSync(prepared.paths.model))
  write("calibration.json", JSON.stringify({ input_data: prepared.calibration }))
  write("input.json", JSON.stringify({ input_data: prepared.inputs }))
  const stage = async (name) => {
    const { ms, stdout } = await runProcess(python, [script, name, folder], {
      cwd: folder,
      // where it would keep files of its own
      env: { EZKL_REPO_PATH: folder },
    })
    return { ms, ...JSON.parse(stdout.trim().split("\n").at(-1)) }
  }
  say("EZKL calibrates and compiles")
  const compiled = await stage("compile")
  const { version, target, logrows, usedRows, assignments, inputScale, paramScale } = compiled
  say(`2^${logrows} rows, scales ${inputScale} and ${paramScale}; powers, and EZKL makes the key`)
  await writeKzgPowers(join(folder, "kzg.srs"), logrows)
  const set = await stage("setup")
  const facts = {
    rows: 2 ** logrows,
    usedRows,
    assignments,
    scaleBits: inputScale,
    compileMs: compiled.ms,
    compilePeakBytes: compiled.peakBytes,
    setupMs: set.ms,
    setupPeakBytes: set.peakBytes,
    powersBytes: statSync(join(folder, "kzg.srs")).size,
    provingKeyBytes: set.provingKeyBytes,
    verificationKeyBytes: set.verificationKeyBytes,
  }
  const common = { peer: "ezkl", peerVersion: `EZKL ${version}`, facts, note: `calibrated for ${target}` }
  let last
  const whole = {
    ...common,
    against: "EZKL, as a process",
    mode: "process",
    async run() {
      last = undefined
      rmSync(join(folder, "proof.json"), { force: true })
      const { ms, peakBytes, witnessMs, proveMs } = await stage("prove")
      const { valid, reason, verifyMs, outputs, proofBytes } = await stage("verify")
      if (!valid) throw new Error(`${prepared.name}: EZKL's verifier refuses its proof: ${reason}`)
      Object.assign(facts, { proofBytes, ...agreement(prepared.floats, outputs) })
      last = { ms: witnessMs + proveMs, witnessMs, proveMs, verifyMs }
      return { ms, peakBytes, witnessMs, proveMs, verifyMs }
    },
  }
  const calls = { ...common, against: "EZKL", mode: "resident", run: async () => last }
  return [whole, calls]
}
