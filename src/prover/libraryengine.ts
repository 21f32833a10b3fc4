/** The engine on snarkjs's curve package: slower than the kernels, and independent of them. */
import { readField, writeField } from "../circuit/binfile.js"
import { mod } from "../field.js"
import type { Affine, Engine, Points, Scalars } from "./engine.js"
import { coordinates } from "./provingkey.js"
import { fieldValues, toOddCoset } from "./slowengine.js"
import type { SnarkjsWorker } from "./snarkjs-worker.js"
import { WorkerPool } from "./workers.js"

interface KeptPoints extends Points {
  readonly kept: Promise<number>
}

/** Opens a worker with the curve package. */
export function libraryEngine(): Engine {
  const pool = new WorkerPool<SnarkjsWorker>(new URL("./snarkjs-worker.js", import.meta.url), 1)
  // one call at a time: the package has threads of its own
  let last: Promise<unknown> = Promise.resolve()
  const call = <T>(task: Parameters<typeof pool.map<null, T>>[1]): Promise<T> => {
    const result = last.then(async () => (await pool.map([null], task))[0])
    last = result.catch(() => undefined)
    return result
  }
  const msm = async (points: Points, scalars: Scalars): Promise<Affine> => {
    const { kept, group } = points as KeptPoints
    const number = await kept
    const bytes = encode(Array.from<number | bigint, bigint>(scalars, (scalar) => mod(BigInt(scalar))))
    const sum = coordinates(await call((remote) => remote.multiply(group, number, bytes)))
    return sum.every((x) => x === 0n) ? null : sum
  }
  return {
    load(group, bytes) {
      const count = bytes.length / (group === "g1" ? 64 : 128)
      // a copy: the caller's bytes may be part of a larger file
      const own = bytes.slice()
      return { group, count, kept: call((remote) => remote.keep(own)) } as KeptPoints
    },
    msm,
    groupedMsm: (points, group, scalars) =>
      msm(
        points,
        Array.from(group, (g) => scalars[g]),
      ),
    async quotientMsm(h, { a, b, c }) {
      const sides: bigint[][] = []
      for (const vector of [a, b, c]) {
        const values = fieldValues(vector)
        // the package's transforms come in powers of two only
        if (!Number.isInteger(Math.log2(values.length))) sides.push(toOddCoset(values))
        else sides.push(decode(await call((remote) => remote.toOddCoset(encode(values)))))
      }
      return msm(
        h,
        sides[0].map((x, k) => mod(x * sides[1][k] - sides[2][k])),
      )
    },
    close: () => pool.close(),
  }
}

function encode(values: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(32 * values.length)
  const view = new DataView(bytes.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, value)
  })
  return bytes
}

function decode(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  return Array.from({ length: bytes.length / 32 }, (_, i) => readField(view, 32 * i))
}
