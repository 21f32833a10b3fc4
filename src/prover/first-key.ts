/**
 * The first key of a ceremony: the queries of a circuit (setup/queries.ts) at powers of tau, with every δ one. Nobody
 * needs to be trusted for it, since anyone can make it again, or check it; and it protects nothing, because everyone
 * knows its δs, until somebody contributes.
 */
import { checkArgument } from "../arguments.js"
import type { OnProgress } from "../errors.js"
import { headFor } from "../setup/ceremony/transcript.js"
import { openLagrange } from "../setup/lagrange.js"
import type { LagrangeStore } from "../setup/lagrange-file.js"
import { evaluateByPowers, sectionsFor } from "../setup/powers.js"
import { type PowersOfTau, requirePower } from "../setup/ptau/powers.js"
import type { Circuit } from "../systems/index.js"
import type { ContributedKeys } from "../systems/system.js"
import type { CheckedKey } from "../systems/verifiers.js"
import { openEngine } from "./kernels/engine.js"

export interface FirstKeyOptions {
  /** Powers of tau; `lagrange` is where Lagrange points are kept for the next setup (`openPtauFile` has that). */
  readonly ptau: PowersOfTau & { readonly lagrange?: LagrangeStore | undefined }
  readonly threads?: number
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/**
 * The proving key that contributions start from.
 * @throws CountersignError for a key that is too large to make or to prove with; FileError for powers that are too few,
 * or wrong; AbortError
 */
export async function firstKey(
  circuit: Circuit,
  keys: ContributedKeys<Circuit, unknown, CheckedKey>,
  options: FirstKeyOptions,
): Promise<Uint8Array> {
  const { ptau, threads, onProgress, signal } = options
  const isPowers = typeof ptau === "object" && ptau !== null && typeof ptau.read === "function"
  checkArgument(isPowers, "options.ptau", "powers of tau: `openPtau` or `openPtauFile`", ptau)
  const { r1cs } = circuit.linked
  const { domain, secrets, queries } = keys.queries(circuit)
  requirePower(ptau, domain)
  signal?.throwIfAborted()
  const engine = await openEngine(threads === undefined ? {} : { threads })
  try {
    const sections = sectionsFor(queries)
    const store = ptau.lagrange
    const lagrange = await openLagrange(engine, ptau, domain, sections, { store, onProgress, signal })
    try {
      const evaluate = evaluateByPowers(engine, ptau, lagrange, { onProgress, signal })
      const points = await evaluate(r1cs, domain, secrets, queries)
      return await keys.write(circuit, points, { head: headFor(circuit, ptau), powers: ptau, engine })
    } finally {
      await lagrange.close()
    }
  } finally {
    await engine.close()
  }
}
