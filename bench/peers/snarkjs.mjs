/** snarkjs as a prover of a statement (statements.mjs): key in memory, or as a process that reads it. */
import { readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { curves, groth16 } from "snarkjs"
import { runProcess } from "./process.mjs"

const require = createRequire(import.meta.url)
const home = join(require.resolve("snarkjs"), "../..")
/** snarkjs's command, as a process. */
export const snarkjs = (...args) => runProcess(process.execPath, [join(home, "build/cli.cjs"), ...args])
const version = `snarkjs ${JSON.parse(readFileSync(join(home, "package.json"), "utf8")).version}`
/** Eight words, as contracts take them. */
export const proofBytes = 8 * 32

/**
 * Verifies a proof in snarkjs's form by snarkjs, and that it shows what it should; gives the time of the first.
 * @throws Error if it does not
 */
export async function checkProof({ name, key, check }, { proof, publicSignals }, prover) {
  const started = performance.now()
  const valid = await groth16.verify(key, publicSignals, proof)
  const verifyMs = performance.now() - started
  if (valid !== true) throw new Error(`the proof of ${prover} for ${name} is not valid`)
  check(publicSignals.map(String))
  return verifyMs
}

/** Sides { peer, against, mode, facts, run } of a statement; the process only where there are files for the witness. */
export async function snarkjsSides(statement) {
  const { name, files, folder, zkey, facts } = statement
  const data = new Uint8Array(readFileSync(zkey))
  const circom = statement.circomVersion
  const common = {
    peer: "snarkjs",
    peerVersion: circom === undefined ? version : `${circom}, ${version}`,
    facts: { ...facts, proofBytes },
  }
  const against = circom === undefined ? `snarkjs, ${name}` : "circom + snarkjs"
  const resident = {
    ...common,
    against,
    mode: "resident",
    warmUp: true,
    async run() {
      const { bytes, ms: witnessMs } = await statement.witness()
      const started = performance.now()
      const proven = await groth16.prove({ type: "mem", data }, { type: "mem", data: bytes })
      const proveMs = performance.now() - started
      const verifyMs = await checkProof(statement, proven, against)
      return { ms: witnessMs + proveMs, witnessMs, proveMs, verifyMs }
    },
  }
  if (files === undefined) return [resident]
  const [proofFile, publicFile] = [join(folder, "proof.json"), join(folder, "public.json")]
  const whole = {
    ...common,
    against: `${against}, as a process`,
    mode: "process",
    async run() {
      for (const file of [proofFile, publicFile]) writeFileSync(file, "")
      const { ms, peakBytes } = await snarkjs(
        "groth16",
        "fullprove",
        files.input,
        files.wasm,
        zkey,
        proofFile,
        publicFile,
      )
      const read = (file) => JSON.parse(readFileSync(file, "utf8"))
      const proven = { proof: read(proofFile), publicSignals: read(publicFile) }
      return { ms, peakBytes, verifyMs: await checkProof(statement, proven, against) }
    },
  }
  return [resident, whole]
}

/** Ends the threads that snarkjs keeps for its curve. */
export async function closeSnarkjs() {
  await (await curves.getCurveFromName("bn128")).terminate()
}
