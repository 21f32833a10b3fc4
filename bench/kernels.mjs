/**
 * The kernels against ffjavascript on the same inputs, both with as many threads as there are cores. Inputs and
 * results lie in each side's own form, as they do while a proof is made: ours in the memory of the pool.
 */
import { getCurveFromName } from "ffjavascript"
import { openEngine } from "../dist/prover/kernels/engine.js"
import { groupRows } from "./groups.mjs"
import { scalarRows } from "./scalars.mjs"

const rows = { ...groupRows, ...scalarRows }

/** One of each kind, of those that take no time. */
const quickRows = ["msm g1 2^16 8-bit", "msm g1 2^16 full", "ntt 2^16", "sparse rows"]

/** All rows whose name contains `only`, or of a quick run some; of the scalar modules where `variant` says so. */
export async function kernels({ quick = false, only = "", variant = "auto" } = {}) {
  const engine = await openEngine({ variant })
  const curve = await getCurveFromName("bn128")
  const result = []
  try {
    for (const [name, run] of Object.entries(rows)) {
      if (!name.includes(only) || (quick && !quickRows.includes(name))) continue
      result.push(await run({ name, against: "ffjavascript 0.3.1" }, { engine, curve }))
    }
  } finally {
    await curve.terminate()
    await engine.close()
  }
  return result
}
