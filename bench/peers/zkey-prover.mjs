/**
 * Any program that proves Groth16 from snarkjs's files, called as rapidsnark is:
 *
 *     PROGRAM circuit.zkey witness.wtns proof.json public.json
 *
 * It gets the key and the witness that snarkjs gets in the same run, and snarkjs verifies what it writes. The time is that of
 * the whole process, with reading the key; making the witness is beside it. A program that says {"proveMs": …} on standard
 * error gives another row, of what it says that a proof took once key and witness were read. Its version is what it prints
 * when it is asked `--version`, if it ends well then.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { runProcess } from "./process.mjs"
import { checkProof, proofBytes } from "./snarkjs.mjs"

/** The first line that a program says of itself; undefined if it says none. */
async function versionOf(path) {
  try {
    return (
      (await runProcess(path, ["--version"], { timeoutMs: 5000 })).stdout.split("\n")[0].trim() || undefined
    )
  } catch {
    return undefined
  }
}

const ownTime = (stderr) => {
  const found = /"?proveMs"?\s*[:=]\s*(\d+(?:\.\d+)?)/.exec(stderr)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** Sides of a statement for the program at `path`. @throws Error, when a side runs, if a proof is not valid */
export async function zkeyProverSides(path, statement) {
  const version = await versionOf(path)
  const name = version ?? basename(path)
  const files = ["witness.wtns", "proof.json", "public.json"].map((file) => join(statement.folder, file))
  const [witnessFile, proofFile, publicFile] = files
  const common = {
    peer: name.replace(/\s.*/, ""),
    peerVersion: version ?? "",
    facts: { ...statement.facts, proofBytes },
  }
  const against = statement.circomVersion === undefined ? `${name}, ${statement.name}` : name
  /** What the run before said of itself: both rows are of the same processes. */
  let last
  const whole = {
    ...common,
    against: `${against}, as a process`,
    mode: "process",
    async run() {
      last = undefined
      const { bytes, ms: witnessMs } = await statement.witness()
      writeFileSync(witnessFile, bytes)
      for (const file of [proofFile, publicFile]) writeFileSync(file, "")
      const { ms, peakBytes, stderr } = await runProcess(path, [statement.zkey, ...files])
      const proven = { proof: readJson(proofFile, name), publicSignals: readJson(publicFile, name) }
      const verifyMs = await checkProof(statement, proven, name)
      const proveMs = ownTime(stderr)
      last = proveMs === undefined ? undefined : { ms: witnessMs + proveMs, witnessMs, proveMs, verifyMs }
      return { ms, peakBytes, witnessMs, proveMs, verifyMs }
    },
  }
  const own = { ...common, against, mode: "resident", run: async () => last }
  return [whole, own]
}

function readJson(file, name) {
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch {
    throw new Error(`${name} ended well and left no JSON in ${basename(file)}`)
  }
}
