/**
 * What snarkjs calls the circuit hash of a `.zkey`: BLAKE2b-512 of the points of the first key, before anyone
 * contributed, in section 10 of it and of all that follow. snarkjs refuses to go on from a key with another one. Points
 * are uncompressed: big-endian coordinates, of G2 the imaginary part first. With lists behind their length (4 bytes, big
 * endian),
 *
 *     alpha1, beta1, beta2, gamma2, delta1, delta2, [IC], [D], [C], [A], [B1], [B2]
 *
 * where D are the differences D_m = τ^(n+m) − τ^m (lagrange.ts), n − 1 by the length in front of them. snarkjs takes
 * them 2^14 at a time, and whole such blocks where they are more: then the last one is the n-th. It needs τ^(2n−1), so
 * a file of powers of just that size gives no hash that snarkjs finds, once n is beyond 2^14.
 */
import type { Group, KernelEngine } from "../../prover/kernels/engine.js"
import { fileBytes } from "../../prover/kernels/points/points.js"
import { powerDifferences } from "../../setup/lagrange.js"
import { newHasher } from "../../setup/ptau/blake2b.js"
import type { PowersOfTau } from "../../setup/ptau/powers.js"
import type { ZkeyPoints } from "./zkey.js"

/** Points that are in both forms at the same time; and differences that snarkjs takes at a time. */
const block = 2 ** 14

/** The hash of a first key over a domain. @throws what reading the powers throws, what KernelPool.run throws */
export async function circuitHashOf(
  engine: KernelEngine,
  powers: PowersOfTau,
  domain: number,
  points: ZkeyPoints,
): Promise<Uint8Array> {
  const hasher = await newHasher()
  const add = async (group: Group, bytes: Uint8Array) => {
    const most = block * fileBytes[group]
    for (let at = 0; at < bytes.length; at += most) {
      hasher.update(await engine.uncompressed(group, bytes.subarray(at, at + most)))
    }
  }
  const addCount = (count: number) => {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, count)
    hasher.update(bytes)
  }
  const addList = async (group: Group, bytes: Uint8Array) => {
    addCount(bytes.length / fileBytes[group])
    await add(group, bytes)
  }
  try {
    await add("g1", points.alpha1)
    await add("g1", points.beta1)
    await add("g2", points.beta2)
    await add("g2", points.gamma2)
    await add("g1", points.delta1)
    await add("g2", points.delta2)
    await addList("g1", points.ic)
    addCount(domain - 1)
    const last = domain > block ? domain : domain - 1
    for (let first = 0; first < last; first += block) {
      const count = Math.min(block, last - first)
      await add("g1", await powerDifferences(engine, powers, domain, [first, count]))
    }
    await addList("g1", points.c)
    await addList("g1", points.a)
    await addList("g1", points.b1)
    await addList("g2", points.b2)
  } catch (error) {
    // which gives its place back
    hasher.digest()
    throw error
  }
  return hasher.digest()
}
