/** Rows about the groups of the curve: multi-scalar multiplications and fixed-base multiplication. */
import { mod } from "../dist/field.js"
import { compare } from "./compare.mjs"
import { fieldElement, generator, toBytes } from "./inputs.mjs"

/** Affine points P, P + D, P + 2D, … for random P and D, as a file has them. */
async function somePoints(group, count, seed) {
  const next = generator(seed)
  let point = group.timesScalar(group.g, fieldElement(next))
  const step = group.timesScalar(group.g, fieldElement(next))
  const bytes = 3 * group.F.n8
  const points = new Uint8Array(count * bytes)
  for (let i = 0; i < count; i++, point = group.add(point, step)) points.set(point, i * bytes)
  return group.batchToAffine(points)
}

/**
 * Σ scalar·point. Scalars of `bits` bits; ffjavascript gets them as 32 bytes each, as snarkjs hands them over.
 */
async function msmRow(row, name, log, bits, { engine, curve }) {
  const group = curve[name.toUpperCase()]
  const count = 2 ** log
  const next = generator(log + bits)
  const points = await somePoints(group, count, log)
  const theirScalars = new Uint8Array(32 * count)
  const small = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const scalar = bits > 32 ? fieldElement(next) : BigInt(next() % 2 ** bits)
    toBytes(scalar, theirScalars.subarray(32 * i, 32 * i + 32))
    if (bits <= 32) small[i] = Number(scalar)
  }
  const scalars = bits > 32 ? { full: theirScalars } : { small }
  const resident = await engine.points(name, points)
  const equal = (ours, theirs) => {
    const [x, y] = group.toObject(group.toAffine(theirs))
    return ours !== null && [x, y].flat().join() === ours.join()
  }
  const result = await compare({
    ...row,
    ours: () => engine.msm(resident, scalars),
    theirs: () => group.multiExpAffine(points, theirScalars),
    equal,
    // what takes milliseconds is disturbed by what takes milliseconds: more of it
    rounds: bits <= 16 ? 15 : log > 16 ? 3 : 5,
    times: 3,
  })
  engine.free(resident)
  return result
}

/**
 * scalar·G for every scalar, our table included. ffjavascript gets a sixteenth of the scalars, a geometric
 * sequence as its function wants them, and its time is multiplied by 16: it has no tables, every point costs the
 * same.
 */
async function fixedBaseRow(row, log, { engine, curve }) {
  const { G1, Fr } = curve
  const [count, sample] = [2 ** log, 2 ** (log - 4)]
  const next = generator(log)
  const [first, ratio] = [fieldElement(next), fieldElement(next)]
  const scalars = new Uint8Array(32 * count)
  for (let i = 0, x = first; i < count; i++, x = mod(x * ratio)) {
    toBytes(x, scalars.subarray(32 * i, 32 * i + 32))
  }
  const base = G1.toAffine(G1.g)
  const bases = new Uint8Array(sample * base.length)
  for (let i = 0; i < sample; i++) bases.set(base, i * base.length)
  const { otherMs, ms, ...rest } = await compare({
    ...row,
    ours: async () => {
      await engine.freeTables()
      return engine.fixedBase("g1", scalars)
    },
    theirs: () => G1.batchApplyKey(bases, Fr.e(first), Fr.e(ratio), "affine", "affine"),
    equal: (ours, theirs) => theirs.every((byte, i) => byte === ours[i]),
    rounds: 3,
  })
  return { ...rest, ms, otherMs: (count / sample) * otherMs, ratio: ((count / sample) * otherMs) / ms }
}

const full = 254

export const groupRows = {
  "msm g1 2^16 full": (row, context) => msmRow(row, "g1", 16, full, context),
  "msm g1 2^18 full": (row, context) => msmRow(row, "g1", 18, full, context),
  "msm g1 2^16 8-bit": (row, context) => msmRow(row, "g1", 16, 8, context),
  "msm g1 2^16 16-bit": (row, context) => msmRow(row, "g1", 16, 16, context),
  "msm g2 2^16 16-bit": (row, context) => msmRow(row, "g2", 16, 16, context),
  "fixed-base g1 2^16": (row, context) => fixedBaseRow(row, 16, context),
}
