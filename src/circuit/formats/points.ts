/** Points as key files have them: affine coordinates, Montgomery, 32 little-endian bytes each. */
import { FileError } from "../../errors.js"
import { mod, power, q, radix } from "../../field.js"
import { encodeFields, readField } from "./container.js"

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
export const montgomeryPoint = (values: readonly bigint[]): Uint8Array =>
  encodeFields(values.map((value) => mod(value * radix, q)))

/** Affine coordinates of a Montgomery point of G2: [[x0, x1], [y0, y1]]. */
export function coordinates2(point: Uint8Array): bigint[][] {
  const [x0, x1, y0, y1] = coordinates(point)
  return [
    [x0, x1],
    [y0, y1],
  ]
}
