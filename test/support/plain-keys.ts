/** Development keys of bare constraint systems, and their verification keys as integers. */
import { coordinates, coordinates2 } from "#src/circuit/formats/points.js"
import type { R1cs } from "#src/circuit/formats/r1cs.js"
import { type DevSetupOptions, evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { plainKeyOf, plainKeyQueries } from "#src/systems/groth16/setup.js"

/** Points of a verification key: G1 [x, y], G2 [[x0, x1], [y0, y1]]. */
export interface KeyParts {
  readonly alpha1: bigint[]
  readonly beta2: bigint[][]
  readonly gamma2: bigint[][]
  readonly delta2: bigint[][]
  readonly ic: bigint[][]
}

export async function devSetup(
  system: R1cs,
  options: DevSetupOptions = {},
): Promise<{ zkey: Uint8Array; key: KeyParts }> {
  const { domain, secrets, queries } = plainKeyQueries(system)
  const points = await evaluateByTrapdoor(options)(system, domain, secrets, queries)
  const { one, two, ic } = points
  const key: KeyParts = {
    alpha1: coordinates(one.subarray(0, 64)),
    beta2: coordinates2(two.subarray(0, 128)),
    gamma2: coordinates2(two.subarray(128, 256)),
    delta2: coordinates2(two.subarray(256)),
    ic: Array.from({ length: ic.length / 64 }, (_, i) => coordinates(ic.subarray(64 * i, 64 * i + 64))),
  }
  return { zkey: plainKeyOf(system, points, "dev"), key }
}
