/**
 * Development setup of the two-phase proof (MIRAGE, eprint 2020/278, with γ = 1). Trapdoor τ, α, β, δ_C, δ;
 * for a wire i, K_i = β·u_i(τ) + α·v_i(τ) + w_i(τ). δ_C is as secret as δ: whoever knows either can forge.
 */

import { lagrangeBasis } from "../../circuit/link/domain.js"
import { inverse, mod, power, r } from "../../field.js"
import { evaluateQap } from "../../setup/qap.js"
import { type DevSetupOptions, draw, multiplyParts, type Part, platformRandom } from "../../setup/trapdoor.js"
import type { MirageLinked } from "./circuit.js"
import {
  checkKeySize,
  checkMemory,
  mirageDomain,
  quotientLayers,
  supportOf,
  writeMirageKey,
} from "./keyfile.js"
import { type WireGroup, wireGroupsOf } from "./wires.js"

/**
 * Makes the proving key of a two-phase circuit.
 * @throws CountersignError for a key that is too large to make or to prove with, before any work; AbortError
 */
export async function mirageDevSetup(
  linked: MirageLinked,
  options: DevSetupOptions = {},
): Promise<Uint8Array> {
  checkMemory(linked)
  checkKeySize(linked)
  const random = options.random ?? platformRandom
  const [tau, alpha, beta, deltaC, delta] = Array.from({ length: 5 }, () => draw(random))
  const { r1cs } = linked
  options.onProgress?.({ stage: "evaluate circuit", done: 0, total: 1 })
  const domain = mirageDomain(r1cs)
  const { u, v, w, wProducts } = evaluateQap(r1cs, domain, tau)
  const k = u.map((_, i) => (beta * u[i] + alpha * v[i] + w[i]) % r)
  const over = (list: readonly bigint[], divisor: bigint) => {
    const factor = inverse(divisor)
    return list.map((value) => (value * factor) % r)
  }
  const pick = (list: readonly bigint[], wires: Uint32Array) => Array.from(wires, (wire) => list[wire])
  const b = pick(v, supportOf(r1cs, "b"))
  // what C adds to A·B − C at the odd points of the domain of twice the size, see prove.ts
  const oddPart = mod((power(tau, BigInt(domain)) - 1n) * inverse(2n))
  const c = pick(wProducts, supportOf(r1cs, "c")).map((value) => (value * oddPart) % r)
  const layers = quotientLayers(r1cs)
  const quotient = over(lagrangeBasis(2 * domain, tau, 1, 2), delta)
  const h = Array.from({ length: layers.count }, (_, k) => {
    const factor = power(2n, BigInt(layers.bits * k))
    return quotient.map((value) => (value * factor) % r)
  }).flat()
  const divisors = { deltaC, delta }
  const byGroup = Object.fromEntries(
    wireGroupsOf(linked).map(({ section, divisor, first, count }): [string, Part] => {
      const own = k.slice(first, first + count)
      return [section, { group: "g1", scalars: divisor === undefined ? own : over(own, divisors[divisor]) }]
    }),
  ) as Record<WireGroup["section"], Part>
  const { g1, g2, ...rest } = await multiplyParts(
    {
      b2: { group: "g2", scalars: b },
      b1: { group: "g1", scalars: b },
      a: { group: "g1", scalars: pick(u, supportOf(r1cs, "a")) },
      ...byGroup,
      h: { group: "g1", scalars: h },
      c: { group: "g1", scalars: over(c, delta) },
      g1: { group: "g1", scalars: [alpha, beta, delta, deltaC] },
      g2: { group: "g2", scalars: [beta, delta, deltaC] },
    },
    options,
  )
  return writeMirageKey(linked, { ...rest, points: Buffer.concat([g1, g2]) }, "dev")
}
