/**
 * The one door to snarkjs (GPL-3.0): reference prover and format conversions. Runs in a worker thread,
 * where snarkjs starts threads of its own.
 */
import { createRequire } from "node:module"
import { isMainThread } from "node:worker_threads"

type Snarkjs = typeof import("snarkjs")
let loaded: Promise<Snarkjs> | undefined

/**
 * snarkjs's thread package decides by `isMainThread`, at import, whether it is the one that starts threads;
 * inside our worker it must still be, so it is told so before it loads.
 */
function load(): Promise<Snarkjs> {
  if (!isMainThread) createRequire(import.meta.url)("node:worker_threads").isMainThread = true
  loaded ??= import("snarkjs")
  return loaded
}

/** A Groth16 proof with affine points as decimal strings: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface ProofPoints {
  readonly a: [string, string]
  readonly b: [[string, string], [string, string]]
  readonly c: [string, string]
}

/** Proves with snarkjs. `zkey` and `wtns` are the bytes of the files. */
export async function prove(
  zkey: Uint8Array,
  wtns: Uint8Array,
): Promise<{ proof: ProofPoints; publicSignals: string[] }> {
  const { groth16 } = await load()
  const { proof, publicSignals } = await groth16.prove(
    { type: "mem", data: zkey },
    { type: "mem", data: wtns },
  )
  const pair = (xs: string[]): [string, string] => [xs[0], xs[1]]
  return {
    proof: { a: pair(proof.pi_a), b: [pair(proof.pi_b[0]), pair(proof.pi_b[1])], c: pair(proof.pi_c) },
    publicSignals,
  }
}
