/** snarkjs in the test process: its curve keeps threads that somebody has to stop. */
import { curves } from "snarkjs"
import type { WitnessProver } from "#src/systems/snarkjs/prover.js"
import type { KeyParts } from "./plain-keys.js"

export async function stopSnarkjs(): Promise<void> {
  await (await curves.getCurveFromName("bn128")).terminate()
}

type Proof = Awaited<ReturnType<WitnessProver["prove"]>>["proof"]

/** A proof of ours in snarkjs's projective form. */
export const snarkjsProof = ({ a, b, c }: Proof) => ({
  pi_a: [...a, "1"],
  pi_b: [[...b[0]], [...b[1]], ["1", "0"]],
  pi_c: [...c, "1"],
  protocol: "groth16",
  curve: "bn128",
})

/** A verification key of ours as snarkjs writes it, without the pairing that it stores for convenience. */
export const snarkjsKey = ({ alpha1, beta2, gamma2, delta2, ic }: KeyParts) => {
  const g1 = (point: bigint[]) => [...point.map(String), "1"]
  const g2 = (point: bigint[][]) => [...point.map((xs) => xs.map(String)), ["1", "0"]]
  return {
    protocol: "groth16",
    curve: "bn128",
    nPublic: ic.length - 1,
    vk_alpha_1: g1(alpha1),
    vk_beta_2: g2(beta2),
    vk_gamma_2: g2(gamma2),
    vk_delta_2: g2(delta2),
    IC: ic.map(g1),
  }
}
