/**
 * The softmax of scores that are known exactly, as those of trees are: to some millionths, whatever the precision.
 *
 * With t = floor((max − x) / step) cut off where nothing is left, a step of about 2^−20 and t in digits,
 *
 *     exp(−t·step) ≈ (1 − low·step) · Π exp(−digit·weight·step)         low < 2^10, so that its square is none
 *
 * each of the factors is a small table, of as many entries as its digit has values; as many tables of w bits as the factor
 * has limbs. What is rounded away of each product is half of 2^−20 at most, and so is it of the quotient by the sum, which is
 * no less than what the largest score adds.
 */
import type { LinearMap, Origin, SoftmaxNode, TensorId, TensorInfo } from "../ops/program.js"
import { diagonalMap } from "../ops/scaling.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { hull } from "./integers/bounds.js"

/** Bits of a probability, of an exponential, and of the digits that are no table. */
const bits = { result: 20, power: 20, low: 10 } as const

/** Bits of most digits. */
const digitBits = 5

/** Distance from the maximum from which on nothing is left: exp(−17) is less than a tenth of a step. */
const farthest = 17

/** Adds the softmax of some integers. Throws ModelError for integers beyond 52 bits. */
export function addSoftmax(
  builder: IntBuilder,
  { window, origin }: SoftmaxNode,
  source: TensorId,
  { info, range }: { readonly info: TensorInfo; readonly range: Range },
): TensorId {
  const size = builder.tensors[source].lo.length
  const scores = new Scores(builder, origin, info, size, window)
  const { powers, largest } = scores.exponentials(source)
  const sums = scores.sums(powers, largest)
  const dividend = scores.linear([{ source: powers, factor: 2 ** bits.result }])
  const node = { kind: "quotient", numerator: dividend, denominator: sums, origin } as const
  return builder.add(node, info, 2 ** -bits.result, range)
}

/** Any real range: what is known of the integers is their bounds. */
const unknown: Range = { min: 0, max: 1, rms: 1 }

class Scores {
  readonly #named: TensorInfo
  readonly #rows: number

  constructor(
    readonly builder: IntBuilder,
    readonly origin: Origin,
    info: TensorInfo,
    readonly size: number,
    readonly window: number,
  ) {
    this.#named = { name: `${info.name}:softmax`, shape: [size] }
    this.#rows = size / window
  }

  /** Σ factor·source + offset, elementwise. */
  linear(terms: readonly { source: TensorId; factor: number; map?: LinearMap }[], offset = 0): TensorId {
    const { builder, origin, size } = this
    const of = terms.map(({ source, factor, map }) => ({
      source,
      map: map ?? diagonalMap(new Float64Array(size).fill(factor)),
    }))
    const bias = offset === 0 ? {} : { bias: new Float64Array(size).fill(offset) }
    return builder.add({ kind: "linear", terms: of, ...bias, origin }, this.#named, 1, unknown)
  }

  /** floor(source / 2^shift), cut off at [lo, lo + 2^width). */
  #shifted(source: TensorId, shift: number, width: number, lo = 0, info = this.#named): TensorId {
    return this.builder.add(
      { kind: "rescale", source, shift, lo, bits: width, origin: this.origin },
      info,
      1,
      unknown,
    )
  }

  /** What is in [0, 2^width) for certain, as bounds cannot tell. */
  #within(source: TensorId, width: number): TensorId {
    return this.#shifted(this.linear([{ source, factor: 2 }]), 1, width)
  }

  /** The exponentials of distances from the maxima, in integers of one scale, and that of no distance. */
  exponentials(source: TensorId): { readonly powers: TensorId; readonly largest: number } {
    const { scale } = this.builder.tensors[source]
    // a rescale shifts by at least one bit
    const shift = Math.max(1, Math.floor(Math.log2(2 ** -bits.power / scale)))
    const factor = 2 ** Math.max(0, Math.ceil(Math.log2((scale * 2 ** shift) / 2 ** -bits.power)))
    const step = (scale * 2 ** shift) / factor
    const width = Math.ceil(Math.log2(farthest / step))
    const distances = this.#shifted(this.#distances(source, factor, 2 ** (shift - 1)), shift, width)
    return this.#product(distances, width, step)
  }

  /** factor·(maximum − score) + offset. */
  #distances(source: TensorId, factor: number, offset: number): TensorId {
    const { builder, origin, size, window } = this
    const map = Int32Array.from({ length: size }, (_, i) => i)
    const info = { ...this.#named, shape: [this.#rows] }
    const maxima = builder.add({ kind: "max", source, window, map, origin }, info, 1, unknown)
    const rowPtr = Uint32Array.from({ length: size + 1 }, (_, i) => i)
    const columns = Uint32Array.from({ length: size }, (_, i) => Math.floor(i / window))
    const values = new Float64Array(size).fill(factor)
    return this.linear(
      [
        { source: maxima, factor, map: { kind: "sparse", rowPtr, columns, values } },
        { source, factor: -factor },
      ],
      offset,
    )
  }

  /** The product of the exponentials of the digits of −t·step. */
  #product(t: TensorId, width: number, step: number) {
    // from below: where each digit begins
    const starts: number[] = []
    for (let at: number = bits.low; at < width - 1 || starts.length === 0; at += digitBits) starts.push(at)
    const floors = starts.map((at) => this.#shifted(t, at, width - at))
    const low = this.#within(
      this.linear([
        { source: t, factor: 1 },
        { source: floors[0], factor: -(2 ** bits.low) },
      ]),
      bits.low,
    )
    const top = 2 ** bits.power - 1
    let product: readonly [TensorId, number] | undefined
    starts.forEach((start, i) => {
      const isTop = i === starts.length - 1
      const digit = isTop
        ? floors[i]
        : this.#within(
            this.linear([
              { source: floors[i], factor: 1 },
              { source: floors[i + 1], factor: -(2 ** digitBits) },
            ]),
            digitBits,
          )
      // scores may be bounded so that a digit is never more than nothing
      if (hull(this.builder.tensors[digit])[1] === 0) return
      const made = this.#factor(digit, (d) => Math.round(top * Math.exp(-d * 2 ** start * step)))
      product = product ? this.#times(...product, made, top) : [made, top]
    })
    const one = Math.round(1 / step)
    const rest = this.linear([{ source: low, factor: -1 }], one)
    const [powers, largest] = product ? this.#times(...product, rest, one) : [rest, one]
    return { powers, largest }
  }

  /** left·right in the bits of an exponential, and what it is of the largest of both, `most` and `by`. */
  #times(left: TensorId, most: number, right: TensorId, by: number): readonly [TensorId, number] {
    const { builder, origin } = this
    const product = builder.add({ kind: "product", left, right, origin }, this.#named, 1, unknown)
    const shift = Math.max(1, Math.ceil(Math.log2(most * by)) - bits.power)
    const half = 2 ** (shift - 1)
    const [, top] = hull(builder.tensors[product])
    const width = Math.ceil(Math.log2(Math.floor((top + half) / 2 ** shift) + 1))
    const rounded = this.#shifted(this.linear([{ source: product, factor: 1 }], half), shift, width)
    return [rounded, Math.floor((most * by + half) / 2 ** shift)]
  }

  /** A function of a digit, in as many tables of w bits as its limbs. */
  #factor(digit: TensorId, f: (digit: number) => number): TensorId {
    const { builder, origin } = this
    const { precision } = builder
    // a digit begins at nothing: of the largest score it is that
    const [, most] = hull(builder.tensors[digit])
    const entries = Float64Array.from({ length: most + 1 }, (_, i) => f(i))
    const limbs = Math.ceil(bits.power / precision)
    const tables = Array.from({ length: limbs }, (_, limb) => {
      const values = entries.map((entry) => Math.floor(entry / 2 ** (limb * precision)) % 2 ** precision)
      const source = builder.add(
        { kind: "table", source: digit, lo: 0, values, origin },
        this.#named,
        1,
        unknown,
      )
      return { source, factor: 2 ** (limb * precision) }
    })
    return this.linear(tables)
  }

  /** The sum of each window, beside each element of it; no less than `least`, which is among its summands. */
  sums(powers: TensorId, least: number): TensorId {
    const { builder, origin, size, window } = this
    const rows = this.#rows
    const rowPtr = Uint32Array.from({ length: rows + 1 }, (_, i) => i * window)
    const columns = Uint32Array.from({ length: size }, (_, i) => i)
    const map = { kind: "sparse", rowPtr, columns, values: new Float64Array(size).fill(2) } as const
    const info = { ...this.#named, shape: [rows] }
    const doubled = builder.add(
      { kind: "linear", terms: [{ source: powers, map }], origin },
      info,
      1,
      unknown,
    )
    const [, top] = hull(builder.tensors[doubled])
    const width = Math.ceil(Math.log2(Math.floor(top / 2) - least + 1))
    const sums = this.#shifted(doubled, 1, Math.max(1, width), least, info)
    const spread = Int32Array.from({ length: size }, (_, i) => Math.floor(i / window))
    return builder.add(
      { kind: "index", sources: [sums], map: spread, fill: 0, origin },
      this.#named,
      1,
      unknown,
    )
  }
}
