/**
 * The first key of a ceremony: the queries of a circuit (setup/queries.ts) at powers of tau, with every δ one. Nobody
 * needs to be trusted for it, since anyone can make it again, or check it; and it protects nothing, because everyone
 * knows its δs, until somebody contributes.
 */
import { checkArgument } from "../arguments.js"
import type { R1cs } from "../circuit/formats/r1cs.js"
import { checkedSource } from "../circuit/formats/source.js"
import { FileError, type OnProgress } from "../errors.js"
import { headFor } from "../setup/ceremony/transcript.js"
import { Combinations } from "../setup/combination.js"
import { type ClaimedSection, Comparison, type ComparisonOptions } from "../setup/comparison.js"
import { openLagrange } from "../setup/lagrange.js"
import type { LagrangeStore } from "../setup/lagrange-file.js"
import { evaluateByPowers, sectionsFor } from "../setup/powers.js"
import { generator2 } from "../setup/ptau/points.js"
import { type PowersOfTau, requirePower } from "../setup/ptau/powers.js"
import type { KeyPoints, KeyQueries } from "../setup/queries.js"
import type { Circuit } from "../systems/index.js"
import type { ContributedKeys } from "../systems/system.js"
import type { CheckedKey } from "../systems/verifiers.js"
import { type KernelEngine, openEngine } from "./kernels/engine.js"

export interface FirstKeyOptions {
  /**
   * Powers of tau; `lagrange` is where Lagrange points are kept for the next setup (`openPtauFile` has that). Whether
   * they are powers, and whose, is for `checkPtau` to say.
   */
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
      await checkPoints(engine, ptau, { r1cs, domain, queries, points }, { onProgress, signal })
      return await keys.write(circuit, points, { head: headFor(circuit, ptau), powers: ptau, engine })
    } finally {
      await lagrange.close()
    }
  } finally {
    await engine.close()
  }
}

/**
 * Compares the points with the powers, without Lagrange points: those that were kept may have been changed by whoever
 * can write there, and nobody should contribute to a key that no verification will accept.
 * @throws FileError; AbortError
 */
async function checkPoints(
  engine: KernelEngine,
  powers: PowersOfTau,
  made: Pick<KeyQueries, "domain" | "queries"> & { readonly r1cs: R1cs; readonly points: KeyPoints },
  options: ComparisonOptions,
): Promise<void> {
  const { r1cs, domain, queries, points } = made
  const sections = Object.entries(queries).flatMap(([name, query]): ClaimedSection[] =>
    "secrets" in query ? [] : [{ name, query, points: checkedSource(points[name], "first key") }],
  )
  const combinations = await Combinations.open(engine, powers, r1cs, domain)
  try {
    const divisors = { delta: generator2, deltaC: generator2, deltaW: generator2 }
    const comparison = new Comparison(engine, combinations, r1cs, sections, divisors, options)
    const [problem] = await comparison.problems()
    if (problem === undefined) return
    throw new FileError({
      what: `does not become what the powers of tau make of the circuit: ${problem}`,
      where: "first key",
      fix: "Remove the `.lagrange-…` files beside the `.ptau` file, and check that file itself (`checkPtau`)",
    })
  } finally {
    combinations.close()
  }
}
