/** Points as key files have them: affine coordinates, Montgomery, 32 little-endian bytes each. */
import { FileError } from "../../errors.js"
import { mod, power, q } from "../../field.js"
import { readField, writeField } from "./container.js"

/** Montgomery radix of both fields. */
export const radix = 1n << 256n
const fromMontgomery = power(mod(radix, q), q - 2n, q)

/**
 * Affine coordinates of a Montgomery point: [x, y] for G1, [x0, x1, y0, y1] for G2.
 * @throws FileError for a coordinate that is not reduced
 */
export function coordinates(point: Uint8Array): bigint[] {
  const view = new DataView(point.buffer, point.byteOffset, point.length)
  return Array.from({ length: point.length / 32 }, (_, i) => {
    const value = readField(view, 32 * i)
    if (value >= q) {
      throw new FileError({ what: "a coordinate is not below q", where: "proving key", given: `${value}` })
    }
    return (value * fromMontgomery) % q
  })
}

/** Affine coordinates as a Montgomery point: the other way round. */
export function montgomeryPoint(values: readonly bigint[]): Uint8Array {
  const point = new Uint8Array(32 * values.length)
  const view = new DataView(point.buffer)
  values.forEach((value, i) => {
    writeField(view, 32 * i, mod(value * radix, q))
  })
  return point
}

/** Affine coordinates of a Montgomery point of G2: [[x0, x1], [y0, y1]]. */
export function coordinates2(point: Uint8Array): bigint[][] {
  const [x0, x1, y0, y1] = coordinates(point)
  return [
    [x0, x1],
    [y0, y1],
  ]
}
