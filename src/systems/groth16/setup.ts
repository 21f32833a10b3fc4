/**
 * Development setup: this process draws the trapdoor, evaluates the circuit's polynomials at it and writes
 * the keys by fixed-base multiplication. Whoever has seen the trapdoor can forge; it lives in this
 * function only, is never written anywhere, and the keys say `dev`.
 *
 * Groth16 (eprint 2016/260) in snarkjs's conventions: γ = 1, and H in the Lagrange basis of the odd
 * half of the domain of twice the size.
 */

import { coordinates, coordinates2 } from "../../circuit/formats/points.js"
import type { R1cs } from "../../circuit/formats/r1cs.js"
import { lagrangeBasis } from "../../circuit/link/domain.js"
import { inverse, r } from "../../field.js"
import { evaluateQap, plainDomain, publicCount } from "../../setup/qap.js"
import { type DevSetupOptions, draw, multiplyParts, platformRandom } from "../../setup/trapdoor.js"
import { writeZkey } from "./zkey.js"

/** Points of a verification key: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface KeyParts {
  readonly alpha1: bigint[]
  readonly beta2: bigint[][]
  readonly gamma2: bigint[][]
  readonly delta2: bigint[][]
  readonly ic: bigint[][]
}

/** Makes proving and verification key of a system. @throws AbortError */
export async function devSetup(
  system: R1cs,
  options: DevSetupOptions = {},
): Promise<{ zkey: Uint8Array; key: KeyParts }> {
  const random = options.random ?? platformRandom
  const [tau, alpha, beta, delta] = [draw(random), draw(random), draw(random), draw(random)]
  options.onProgress?.({ stage: "evaluate circuit", done: 0, total: 1 })
  const domain = plainDomain(system)
  const { u, v, w } = evaluateQap(system, domain, tau)
  const nPublic = publicCount(system)
  const invDelta = inverse(delta)
  const k = u.map((_, i) => {
    const value = beta * u[i] + alpha * v[i] + w[i]
    return i <= nPublic ? value % r : ((value % r) * invDelta) % r
  })
  const h = lagrangeBasis(2 * domain, tau, 1, 2).map((value) => (value * invDelta) % r)

  const points = await multiplyParts(
    {
      b2: { group: "g2", scalars: v },
      a: { group: "g1", scalars: u },
      b1: { group: "g1", scalars: v },
      ic: { group: "g1", scalars: k.slice(0, nPublic + 1) },
      c: { group: "g1", scalars: k.slice(nPublic + 1) },
      h: { group: "g1", scalars: h },
      one: { group: "g1", scalars: [alpha, beta, delta] },
      two: { group: "g2", scalars: [beta, 1n, delta] },
    },
    options,
  )
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
    ic: Array.from({ length: nPublic + 1 }, (_, i) => coordinates(points.ic.subarray(64 * i, 64 * i + 64))),
  }
  return { zkey: writeZkey(system, domain, keyPoints, "dev"), key }
}
