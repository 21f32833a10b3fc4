/** snarkjs in the test process: its curve keeps threads that somebody has to stop. */
import { curves, type groth16 } from "snarkjs"
import type { KeyParts } from "./plain-keys.js"

export async function stopSnarkjs(): Promise<void> {
  await (await curves.getCurveFromName("bn128")).terminate()
}

/** A proof as the prover gives it, typed. */
export const snarkjsProof = (proof: object) => proof as Parameters<typeof groth16.verify>[2]

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
