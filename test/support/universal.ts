/** A tiny model proven by PLONK or FFLONK, with keys from powers of tau that one person contributed to. */
import { compile } from "#src/compile/compile.js"
import { openProver, setup } from "#src/prover/open.js"
import { openPtau, type PtauFile } from "#src/setup/ptau/file.js"
import type { Circuit } from "#src/systems/index.js"
import type { Receipt, VerificationKey } from "#src/verifier/index.js"
import { perceptron } from "./networks.js"
import { contributedPtau } from "./ptau.js"

export const universalSystems = ["plonk", "fflonk"] as const
export type UniversalSystem = (typeof universalSystems)[number]

export const context = `0x${"51".repeat(32)}` as const
export const elsewhere = `0x${"52".repeat(32)}` as const

/** Twelve rows or so; FFLONK needs sixteen powers for each point of its domain of 64. */
export const ptauPower = 9

export interface Universal {
  readonly circuit: Circuit
  readonly input: Record<string, ArrayLike<number>>
  readonly ptauBytes: Uint8Array
  readonly ptau: PtauFile
  readonly provingKey: Uint8Array
  readonly verificationKey: VerificationKey
  /** Of one execution in two contexts. */
  readonly receipt: Receipt
  readonly other: Receipt
}

export async function universal(
  proofSystem: UniversalSystem,
  input: "private" | "public" = "private",
): Promise<Universal> {
  const network = await perceptron([3, 2], 6)
  const circuit = await compile(network.graph, { proofSystem, input })
  const ptauBytes = await contributedPtau(ptauPower)
  const ptau = await openPtau(ptauBytes)
  const { provingKey, verificationKey } = await setup(circuit, { ptau })
  if (!verificationKey) throw new Error("universal keys are whole at once")
  await using prover = await openProver(circuit, provingKey, { verificationKey })
  const prove = (to: string) => prover.prove(network.input, { context: to, clampInputs: true })
  const [receipt, other] = [await prove(context), await prove(elsewhere)]
  return { circuit, input: network.input, ptauBytes, ptau, provingKey, verificationKey, receipt, other }
}
