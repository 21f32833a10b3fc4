/**
 * Groth16's keys (eprint 2016/260) in snarkjs's conventions: γ = 1, and H in the Lagrange basis of the odd half of
 * the domain of twice the size.
 */

import { coordinates, coordinates2 } from "../../circuit/formats/points.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { plainDomain, publicCount } from "../../setup/qap.js"
import { publicColumns, type Secret } from "../../setup/queries.js"
import { type DevSetupOptions, evaluateByTrapdoor } from "../../setup/trapdoor.js"
import { writeZkey } from "./zkey.js"

/** In the order in which they are drawn. */
const secrets: readonly Secret[] = ["alpha", "beta", "delta"]

/** What each section of a key holds; the single points by group. */
function plainQueries(system: R1cs) {
  const all = wireRange(0, system.wires)
  const shown = publicCount(system) + 1
  return {
    b2: { group: "g2", wires: all, sum: [{ column: "v" }] },
    a: { group: "g1", wires: all, sum: [{ column: "u" }] },
    b1: { group: "g1", wires: all, sum: [{ column: "v" }] },
    ic: { group: "g1", wires: wireRange(0, shown), sum: publicColumns },
    c: { group: "g1", wires: wireRange(shown, system.wires), sum: publicColumns, over: "delta" },
    h: { group: "g1", layers: { bits: 256, count: 1 }, over: "delta" },
    one: { group: "g1", secrets: ["alpha", "beta", "delta"] },
    two: { group: "g2", secrets: ["beta", "one", "delta"] },
  } as const
}

/** Points of a verification key: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface KeyParts {
  readonly alpha1: bigint[]
  readonly beta2: bigint[][]
  readonly gamma2: bigint[][]
  readonly delta2: bigint[][]
  readonly ic: bigint[][]
}

/** Makes proving and verification key of a system for development. @throws AbortError */
export async function devSetup(
  system: R1cs,
  options: DevSetupOptions = {},
): Promise<{ zkey: Uint8Array; key: KeyParts }> {
  const domain = plainDomain(system)
  const points = await evaluateByTrapdoor(system, domain, secrets, plainQueries(system), options)
  const { one, two } = points
  const keyPoints = {
    ...points,
    alpha1: one.subarray(0, 64),
    beta1: one.subarray(64, 128),
    delta1: one.subarray(128, 192),
    beta2: two.subarray(0, 128),
    gamma2: two.subarray(128, 256),
    delta2: two.subarray(256, 384),
  }
  const key: KeyParts = {
    alpha1: coordinates(keyPoints.alpha1),
    beta2: coordinates2(keyPoints.beta2),
    gamma2: coordinates2(keyPoints.gamma2),
    delta2: coordinates2(keyPoints.delta2),
    ic: Array.from({ length: points.ic.length / 64 }, (_, i) =>
      coordinates(points.ic.subarray(64 * i, 64 * i + 64)),
    ),
  }
  return { zkey: writeZkey(system, domain, keyPoints, "dev"), key }
}
