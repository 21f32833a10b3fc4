/**
 * The equations of PLONK and FFLONK, asked of snarkjs in a worker. What is asked was examined before
 * (verifier/verify.ts): the statement fits the key's layout, every number is canonical and below its prime, every
 * point finite and on its curve. None of that is left to snarkjs, which would reduce the former and let infinity pass.
 * Signals are the statement's own, so no others can be shown.
 */
import type { Remote } from "comlink"
import { UsageError } from "../../errors.js"
import { publicSignals, type Statement } from "../../statement/statement.js"
import { startSnarkjs } from "../snarkjs/prover.js"
import type { SnarkjsWorker } from "../snarkjs/worker.js"
import type { Equation } from "../system.js"
import { fflonkKeyForm, fflonkProofForm, plonkKeyForm, plonkProofForm } from "./snarkjs.js"
import type { CheckedFflonkKey, CheckedPlonkKey, FflonkProof, PlonkProof } from "./verify.js"

type Checked = CheckedPlonkKey | CheckedFflonkKey
type Ask = <T>(work: (worker: Remote<SnarkjsWorker>) => Promise<T>) => Promise<T>

/** Why the proof of a statement is not valid, or null, by whichever worker `ask` has. */
export async function problemOf(
  proof: object,
  statement: Statement,
  checked: Checked,
  ask: Ask,
): Promise<string | null> {
  const [keyForm, proofForm] =
    checked.proofSystem === "plonk"
      ? [plonkKeyForm(checked.key), plonkProofForm(proof as PlonkProof)]
      : [fflonkKeyForm(checked.key), fflonkProofForm(proof as FflonkProof)]
  const signals = publicSignals(statement, checked.key.layout).map(String)
  if (await ask((worker) => worker.verify(checked.proofSystem, keyForm, signals, proofForm))) return null
  return "the statement was changed, or the proof is not for it under this key: it may be another key's"
}

/** A worker of its own, started when it is first asked, and anew if it died. */
export function openEquation(): Equation<Checked> {
  let pool: ReturnType<typeof startSnarkjs> | undefined
  let closed = false
  const ask: Ask = async (work) => {
    if (closed) throw new UsageError({ what: "the verifier is closed", fix: "Open another one" })
    if (!pool?.alive) pool = startSnarkjs()
    const [result] = await pool.map([work], (worker, asked) => asked(worker))
    return result
  }
  return {
    problem: (proof, statement, checked) => problemOf(proof, statement, checked, ask),
    async close() {
      closed = true
      await pool?.close()
    },
  }
}
