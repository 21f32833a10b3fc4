/** Integer graphs that somebody might write to break a circuit: every primitive, with numbers near the limits. */

import { ModelError } from "#src/errors.js"
import { type IntNode, type LinearMap, type TensorId, tieBits } from "#src/ops/program.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import { graphBounds, hull, stepsBelow, sumLimit } from "#src/quantize/integers/bounds.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import type { Random } from "./random.js"

type Inputs = { name: string; tensor: TensorId; lo: number; bits: number }[]

/** The graph of nodes, through its bytes, as a file of somebody else's comes in. Throws FileError. */
export function readGraph(
  sizes: readonly number[],
  nodes: readonly IntNode[],
  inputs: Inputs,
  outputs: readonly TensorId[],
  precision = 10,
): IntGraph {
  const none = new Float64Array()
  const tensors = sizes.map((size, i) => ({ name: `t${i}`, shape: [size], scale: 1, lo: none, hi: none }))
  const named = outputs.map((tensor, i) => ({ name: `y${i}`, tensor }))
  return deserialize(serialize({ name: "hostile", precision, tensors, nodes, inputs, outputs: named }))
}

/** A sparse map of rows of [column, weight]. */
export function sparse(rows: readonly (readonly (readonly [number, number])[])[]): LinearMap {
  const flat = rows.flat()
  let length = 0
  return {
    kind: "sparse",
    rowPtr: Uint32Array.from([0, ...rows.map((row) => (length += row.length))]),
    columns: Uint32Array.from(flat, ([column]) => column),
    values: Float64Array.from(flat, ([, weight]) => weight),
  }
}

export const origin = (name: string) => ({ name, operator: "Hostile" })

/** An integer of up to `bits` bits: small, at a power of two, or anywhere. */
function extreme(random: Random, bits = 52): number {
  const sign = random.pick([-1, 1])
  const size = 2 ** random.integer(0, bits)
  const x = random.pick([
    () => random.integer(0, 3),
    () => size + random.integer(-1, 1),
    () => Math.floor(random.next() * size),
  ])()
  return Math.min(Math.max(sign * x, -(2 ** 52)), 2 ** 52) + 0
}

class HostileBuilder {
  readonly sizes: number[] = []
  readonly nodes: IntNode[] = []
  readonly inputs: Inputs = []
  /** A node that does not fit is the last one. */
  isRefused = false
  bounds: readonly { lo: Float64Array; hi: Float64Array }[] = []

  constructor(
    private readonly random: Random,
    private readonly precision: number,
  ) {}

  /** Adds a node whose integers fit, or with some luck one whose do not. */
  add(size: number, node: IntNode, input?: { lo: number; bits: number }): boolean {
    const { random } = this
    const inputs = input
      ? [...this.inputs, { name: `x${node.out}`, tensor: node.out, ...input }]
      : this.inputs
    const tensors = [...this.sizes, size].map((n) => ({ name: "", shape: [n] }))
    try {
      this.bounds = graphBounds({ tensors, nodes: [...this.nodes, node], inputs })
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      this.isRefused = random.next() < 0.04
      return this.isRefused && this.keep(size, node, inputs)
    }
    return this.keep(size, node, inputs)
  }

  private keep(size: number, node: IntNode, inputs: Inputs): true {
    this.sizes.push(size)
    this.nodes.push(node)
    this.inputs.splice(0, this.inputs.length, ...inputs)
    return true
  }

  get next(): TensorId {
    return this.sizes.length
  }
  source(): TensorId {
    // mostly what was made last, so that nodes compose
    return this.random.next() < 0.6 ? this.next - 1 : this.random.integer(0, this.next - 1)
  }

  input(): boolean {
    const { random, next } = this
    const node: IntNode = { kind: "input", out: next, name: `x${next}`, origin: origin(`input${next}`) }
    const bits = random.pick([1, 1, 2, 4, 8, 10, random.integer(1, 32)])
    return this.add(random.integer(1, 4), node, {
      lo: random.pick([0, 0, -(2 ** (bits - 1)), extreme(random)]),
      bits,
    })
  }

  /** A weight for a source: often as large as the limit allows, as its range may be narrow or zero. */
  private weight(source: TensorId): number {
    const { random } = this
    const [least, most] = hull(this.bounds[source])
    const room = Math.floor(sumLimit / Math.max(1, -least, most))
    if (random.next() < 0.4) return extreme(random, 12)
    return (
      random.pick([-1, 1]) *
      Math.max(
        0,
        Math.floor(room / random.pick([1, 2, 3, 2 ** random.integer(0, 20)])) - random.integer(0, 2),
      )
    )
  }

  linear(): boolean {
    const { random, next } = this
    const size = random.integer(1, 3)
    const terms = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => {
      const source = this.source()
      return { source, map: this.map(source, size) }
    })
    // a bias that moves an accumulator to where it is small
    const cancelling = () => {
      const { source, map } = terms[0]
      const rows = map.kind === "sparse" ? (map.values[0] ?? 0) : map.weight[0]
      return Math.min(Math.max(-rows * this.bounds[source].lo[0], -(2 ** 52)), 2 ** 52) + 0
    }
    const bias = Float64Array.from({ length: size }, () =>
      random.pick([() => 0, () => random.integer(-2, 2), () => extreme(random), cancelling, cancelling])(),
    )
    return this.add(size, {
      kind: "linear",
      out: next,
      terms,
      ...(random.next() < 0.7 && { bias }),
      origin: origin(`linear${next}`),
    })
  }

  private map(source: TensorId, size: number): LinearMap {
    const { random } = this
    const from = this.sizes[source]
    const weights = (n: number) => Float64Array.from({ length: n }, () => this.weight(source))
    const kind = random.pick(["sparse", "sparse", "dense", "conv"])
    if (kind === "dense") return { kind: "dense", n: 1, k: from, m: size, weight: weights(from * size) }
    if (kind === "conv") {
      const width = random.integer(1, from)
      return {
        kind: "conv",
        n: 1,
        groups: 1,
        inChannels: 1,
        outChannels: 1,
        inSize: [from],
        kernel: [width],
        outSize: [size],
        strides: [1],
        padsBegin: [random.integer(0, 1)],
        dilations: [random.integer(1, 2)],
        weight: weights(width),
      }
    }
    const entry = (): [number, number] => [random.integer(0, from - 1), this.weight(source)]
    const pair = (): [number, number][] => {
      const [column, weight] = entry()
      // the same element twice: the weights cancel
      return [
        [column, weight],
        [column, -weight + random.integer(0, 1)],
      ]
    }
    return sparse(
      Array.from({ length: size }, () =>
        random.next() < 0.2 ? pair() : Array.from({ length: random.integer(0, 2) }, entry),
      ),
    )
  }

  rescale(): boolean {
    const { random, next } = this
    const source = this.source()
    const [least, most] = hull(this.bounds[source])
    const shift = random.pick([1, 2, 8, random.integer(1, 52), random.integer(1, 52)])
    const bits = random.pick([1, 2, 8, random.integer(1, 32)])
    const near = Math.floor(random.pick([least, most]) / 2 ** shift) + random.integer(-2, 2)
    const lo = random.pick([0, near, near - 2 ** bits, near - 2 ** (bits - 1), extreme(random)])
    if (!Number.isSafeInteger(lo) || Math.abs(lo) > 2 ** 52) return false
    return this.add(this.sizes[source], {
      kind: "rescale",
      out: next,
      source,
      shift,
      lo: lo + 0,
      bits,
      origin: origin(`rescale${next}`),
    })
  }

  table(): boolean {
    const { random, next } = this
    const source = this.source()
    const [least, most] = hull(this.bounds[source])
    if (most - least >= 32) return false
    const base = extreme(random, 51)
    const width = 2 ** random.integer(0, this.precision) - 1
    const values = Float64Array.from({ length: most - least + 1 }, () => base + random.integer(0, width))
    return this.add(this.sizes[source], {
      kind: "table",
      out: next,
      source,
      lo: least + 0,
      values,
      origin: origin(`table${next}`),
    })
  }

  windows(kind: "max" | "argmax"): boolean {
    const { random, next } = this
    const source = this.source()
    const [size, window] = [random.integer(1, 2), random.integer(1, 4)]
    const element = () => random.integer(0, this.sizes[source] - 1)
    const map = Int32Array.from({ length: size * window }, (_, j) =>
      kind === "max" && j % window > 0 && random.next() < 0.2 ? -1 : element(),
    )
    const common = { out: next, source, window, map, origin: origin(`${kind}${next}`) }
    return this.add(
      size,
      kind === "max" ? { kind, ...common } : { kind, last: random.next() < 0.5, ...common },
    )
  }

  product(): boolean {
    const { next } = this
    const left = this.source()
    const candidates = this.sizes.flatMap((size, id) => (size === this.sizes[left] ? [id] : []))
    const right = this.random.pick(candidates)
    return this.add(this.sizes[left], {
      kind: "product",
      out: next,
      left,
      right,
      origin: origin(`product${next}`),
    })
  }

  contraction(): boolean {
    const { random, next } = this
    const [left, right] = [this.source(), this.source()]
    const [a, b] = [this.sizes[left], this.sizes[right]]
    const divides = (d: number) => a % d === 0 && b % d === 0
    const k = random.pick([1, 2, 3, 4].filter(divides))
    const batch = random.pick([1, 2].filter((d) => divides(d * k)))
    const [m, n] = [a / (batch * k), b / (batch * k)]
    const node = { kind: "contraction", out: next, left, right, batch, m, k, n } as const
    return this.add(batch * m * n, { ...node, origin: origin(`contraction${next}`) })
  }

  /** An integer map of a tensor whose least value is `least`, often as far as it goes. */
  private raised(source: TensorId, least: number): TensorId | undefined {
    const { random, next } = this
    const size = this.sizes[source]
    const factor = random.pick([1, 1, random.integer(1, 9), Math.max(1, this.weight(source))])
    const bias = Float64Array.from({ length: size }, (_, i) =>
      Math.max(-factor * this.bounds[source].lo[i] + least, -(2 ** 52)),
    )
    const map = sparse(Array.from({ length: size }, (_, i) => [[i, factor]]))
    const node: IntNode = {
      kind: "linear",
      out: next,
      terms: [{ source, map }],
      bias,
      origin: origin(`raised${next}`),
    }
    return this.add(size, node) ? next : undefined
  }

  quotient(): boolean {
    const { random } = this
    const numerator = this.source()
    const size = this.sizes[numerator]
    const candidates = this.sizes.flatMap((each, id) => (each === size ? [id] : []))
    const least = random.pick([1, 1, 1, 2, random.integer(0, 40), Math.abs(extreme(random))])
    const denominator = this.raised(random.pick(candidates), least)
    if (denominator === undefined || this.isRefused) return false
    const out = this.next
    return this.add(size, { kind: "quotient", out, numerator, denominator, origin: origin(`quotient${out}`) })
  }

  /** A maximum of one or two windows that share no element, and a table of the distances from it. */
  below(): boolean {
    const { random } = this
    const source = this.source()
    const from = this.sizes[source]
    const windows = random.integer(1, Math.min(2, from))
    const owner = Int32Array.from({ length: from }, (_, i) =>
      i < windows ? i : random.integer(0, windows - 1),
    )
    const map = new Int32Array(windows * from).fill(-1)
    owner.forEach((window, i) => {
      map[window * from + i] = i
    })
    const maximum = this.next
    if (
      !this.add(windows, {
        kind: "max",
        out: maximum,
        source,
        window: from,
        map,
        origin: origin(`max${maximum}`),
      })
    )
      return false
    if (this.isRefused) return true
    const out = this.next
    const node = {
      source,
      maximum,
      owner,
      shift: random.pick([1, 2, random.integer(1, 52)]),
      origin: origin(`below${out}`),
    }
    const [, last] = hull(stepsBelow(node, (id) => this.bounds[id]))
    if (last >= 64) return false
    const base = extreme(random, 51)
    const width = 2 ** random.integer(0, this.precision) - 1
    const values = Float64Array.from({ length: last + 1 }, () => base + random.integer(0, width))
    return this.add(from, { kind: "below", out, ...node, values })
  }

  isqrt(): boolean {
    const given = this.source()
    const source = this.raised(given, this.random.pick([0, 0, 1, -1, Math.abs(extreme(this.random))]))
    if (source === undefined || this.isRefused) return false
    const out = this.next
    return this.add(this.sizes[given], { kind: "isqrt", out, source, origin: origin(`isqrt${out}`) })
  }

  /** Rows of a table for whatever a source can be, if that is few numbers. */
  rows(): boolean {
    const { random, next } = this
    const source = this.source()
    const [lo, most] = hull(this.bounds[source])
    if (most - lo >= 16) return false
    const width = random.integer(1, 3)
    const base = extreme(random, 51)
    const values = Float64Array.from({ length: (most - lo + 1) * width }, () =>
      random.pick([base, base + random.integer(0, 2 ** this.precision), extreme(random, 51)]),
    )
    const node = { kind: "rows", out: next, source, lo, width, values } as const
    return this.add(this.sizes[source] * width, { ...node, origin: origin(`rows${next}`) })
  }

  /** Keys of one or two windows, and their order. */
  sort(): boolean {
    const { random, next } = this
    const source = this.source()
    const window = random.integer(2, 3)
    const size = window * random.integer(1, 2)
    const unit = random.pick([2 ** tieBits(window), 2 ** tieBits(window), 2 ** 20])
    const factor = Math.trunc(extreme(random, 50) / unit) * unit
    const map = sparse(
      Array.from({ length: size }, () => [[random.integer(0, this.sizes[source] - 1), factor]]),
    )
    const bias = Float64Array.from({ length: size }, (_, i) => window - 1 - (i % window))
    const keys: IntNode = {
      kind: "linear",
      out: next,
      terms: [{ source, map }],
      bias,
      origin: origin(`keys${next}`),
    }
    if (!this.add(size, keys)) return false
    if (this.isRefused) return true
    const out = this.next
    const count = random.integer(1, window)
    const order = Int32Array.from({ length: size }, (_, i) => i)
    const node = { kind: "sort", out, source: next, window, count, map: order } as const
    return this.add((size / window) * (count + window), { ...node, origin: origin(`sort${out}`) })
  }

  index(): boolean {
    const { random, next } = this
    const sources = Array.from({ length: random.integer(1, 2) }, () => this.source())
    const total = sources.reduce((sum, id) => sum + this.sizes[id], 0)
    const map = Int32Array.from({ length: random.integer(1, 4) }, () => random.integer(-1, total - 1))
    return this.add(map.length, {
      kind: "index",
      out: next,
      sources,
      fill: extreme(random),
      map,
      origin: origin(`index${next}`),
    })
  }
}

/** What a hostile file holds, as arguments of `readGraph`. */
export function hostile(random: Random): Parameters<typeof readGraph> {
  const precision = random.integer(6, 14)
  const b = new HostileBuilder(random, precision)
  const more = [
    () => b.linear(),
    () => b.linear(),
    () => b.linear(),
    () => b.linear(),
    () => b.rescale(),
    () => b.rescale(),
    () => b.table(),
    () => b.windows("max"),
    () => b.windows("argmax"),
    () => b.product(),
    () => b.quotient(),
    () => b.isqrt(),
    () => b.below(),
    () => b.sort(),
    () => b.rows(),
    () => b.contraction(),
    () => b.index(),
  ]
  while (!b.input()) {}
  if (!b.isRefused && random.next() < 0.3) b.input()
  const nodes = b.next + random.integer(1, 9)
  for (let tries = 0; !b.isRefused && b.next < nodes && tries < 60; tries++) random.pick(more)()
  const outputs = new Set([b.next - 1, ...(random.next() < 0.5 ? [random.integer(0, b.next - 1)] : [])])
  return [b.sizes, b.nodes, b.inputs, [...outputs], precision]
}
