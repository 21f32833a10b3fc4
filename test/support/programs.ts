/** Programs for tests of quantization: built by hand from primitives, or at random from a seed. */
import { apply, type Formula, variable } from "#src/ops/formula.js"
import { withWeights } from "#src/ops/linearmap.js"
import type { LinearMap, Program, RealNode, TensorId, TensorInfo } from "#src/ops/program.js"
import { sizeOf } from "#src/ops/program.js"
import { Random } from "./random.js"

type Sample = Record<string, number[]>

/** Writes a Program node by node; every method returns the new tensor. */
export class ProgramBuilder {
  readonly tensors: TensorInfo[] = []
  readonly nodes: RealNode[] = []
  readonly inputs: { name: string; tensor: TensorId }[] = []
  readonly outputs: { name: string; tensor: TensorId }[] = []

  #tensor(kind: string, shape: number[]): { out: TensorId; origin: { name: string; operator: string } } {
    const out = this.tensors.length
    this.tensors.push({ name: `${kind}${out}`, shape })
    return { out, origin: { name: `${kind}_${out}`, operator: kind } }
  }

  size(id: TensorId): number {
    return sizeOf(this.tensors[id].shape)
  }

  input(shape: number[]): TensorId {
    const made = this.#tensor("input", shape)
    const { name } = this.tensors[made.out]
    this.nodes.push({ kind: "input", name, ...made })
    this.inputs.push({ name, tensor: made.out })
    return made.out
  }

  linear(terms: { source: TensorId; map: LinearMap }[], shape: number[], bias?: number[]): TensorId {
    const made = this.#tensor("linear", shape)
    this.nodes.push({ kind: "linear", terms, ...(bias && { bias: Float64Array.from(bias) }), ...made })
    return made.out
  }

  dense(source: TensorId, m: number, weight: number[], bias?: number[]): TensorId {
    const k = this.size(source)
    const map = { kind: "dense" as const, weight: Float64Array.from(weight), n: 1, k, m }
    return this.linear([{ source, map }], [1, m], bias)
  }

  /** Σ factor · source, element by element. */
  sum(terms: [source: TensorId, factor: number][]): TensorId {
    const { shape } = this.tensors[terms[0][0]]
    return this.linear(
      terms.map(([source, factor]) => ({ source, map: diagonal(this.size(source), factor) })),
      [...shape],
    )
  }

  clamp(source: TensorId, lo = 0, hi = Number.POSITIVE_INFINITY): TensorId {
    const made = this.#tensor("clamp", [...this.tensors[source].shape])
    this.nodes.push({ kind: "clamp", source, lo, hi, ...made })
    return made.out
  }

  function(source: TensorId, formula: Formula): TensorId {
    const made = this.#tensor("function", [...this.tensors[source].shape])
    this.nodes.push({ kind: "function", source, formula, ...made })
    return made.out
  }

  index(sources: TensorId[], map: number[], shape: number[], fill = 0): TensorId {
    const made = this.#tensor("index", shape)
    this.nodes.push({ kind: "index", sources, map: Int32Array.from(map), fill, ...made })
    return made.out
  }

  max(source: TensorId, window: number, map: number[]): TensorId {
    const made = this.#tensor("max", [map.length / window])
    this.nodes.push({ kind: "max", source, window, map: Int32Array.from(map), ...made })
    return made.out
  }

  argmax(source: TensorId): TensorId {
    const window = this.size(source)
    const made = this.#tensor("argmax", [1])
    const map = Int32Array.from({ length: window }, (_, i) => i)
    this.nodes.push({ kind: "argmax", source, window, map, last: false, ...made })
    return made.out
  }

  /** Rows of a constant table. */
  rows(source: TensorId, width: number, values: number[]): TensorId {
    const made = this.#tensor("rows", [this.size(source), width])
    this.nodes.push({ kind: "rows", source, lo: 0, width, values: Float64Array.from(values), ...made })
    return made.out
  }

  /** The largest elements of windows, or where they stand. */
  top(source: TensorId, window: number, count: number, gives: "values" | "positions"): TensorId {
    const windows = Math.floor(this.size(source) / window)
    const made = this.#tensor("top", [windows, count])
    const map = Int32Array.from({ length: windows * window }, (_, i) => i)
    this.nodes.push({ kind: "top", source, window, map, count, gives, ...made })
    return made.out
  }

  product(left: TensorId, right: TensorId): TensorId {
    const made = this.#tensor("product", [...this.tensors[left].shape])
    this.nodes.push({ kind: "product", left, right, ...made })
    return made.out
  }

  /** Matrices [batch, m, k] times [batch, k, n]. */
  contraction(left: TensorId, right: TensorId, [batch, m, k, n]: readonly number[]): TensorId {
    const made = this.#tensor("contraction", [batch, m, n])
    this.nodes.push({ kind: "contraction", left, right, batch, m, k, n, ...made })
    return made.out
  }

  divide(numerator: TensorId, denominator: TensorId): TensorId {
    const made = this.#tensor("divide", [...this.tensors[numerator].shape])
    this.nodes.push({ kind: "divide", numerator, denominator, ...made })
    return made.out
  }

  root(source: TensorId): TensorId {
    const made = this.#tensor("root", [...this.tensors[source].shape])
    this.nodes.push({ kind: "root", source, ...made })
    return made.out
  }

  /** The program with the given outputs, or else every tensor that nothing reads. */
  build(...outputs: TensorId[]): Program {
    const read = new Set(
      this.nodes.flatMap((node) => {
        if (node.kind === "input") return []
        if (node.kind === "index") return [...node.sources]
        if (node.kind === "linear") return node.terms.map((term) => term.source)
        if (node.kind === "divide") return [node.numerator, node.denominator]
        return node.kind === "product" || node.kind === "contraction"
          ? [node.left, node.right]
          : [node.source]
      }),
    )
    const last = this.tensors.map((_, id) => id).filter((id) => !read.has(id))
    for (const tensor of outputs.length ? outputs : last)
      this.outputs.push({ name: this.tensors[tensor].name, tensor })
    return {
      name: "test",
      tensors: this.tensors,
      nodes: this.nodes,
      inputs: this.inputs,
      outputs: this.outputs,
    }
  }
}

export function diagonal(size: number, factor: number): LinearMap {
  const rowPtr = Uint32Array.from({ length: size + 1 }, (_, i) => i)
  return {
    kind: "sparse",
    rowPtr,
    columns: rowPtr.slice(0, size),
    values: new Float64Array(size).fill(factor),
  }
}

/** Values in [−1, 1] or, for an input named unsigned, [0, 1], for each input. */
export function randomSample(program: Program, random: Random, scale = 1): Sample {
  const entries = program.inputs.map(({ name, tensor }) => {
    const values = random.reals(sizeOf(program.tensors[tensor].shape), scale)
    return [name, tensor % 2 ? values.map(Math.abs) : values]
  })
  return Object.fromEntries(entries)
}

/** A random program over all primitives, a few elements a tensor, and samples for it. */
export function randomProgram(seed: number): { program: Program; samples: Sample[] } {
  const random = new Random(seed)
  const b = new ProgramBuilder()
  const pool = [b.input([1, 2, 3, 3])]
  if (random.next() < 0.5) pool.push(b.input([1, 2, 3, 3]))
  for (let steps = random.integer(2, 8); steps > 0; steps--) pool.push(randomNode(b, random, pool))
  if (random.next() < 0.3) b.argmax(random.pick(pool))
  const other = new Random(seed + 2 ** 30)
  const [source, window] = [other.pick(pool), other.integer(2, 4)]
  if (b.size(source) >= window && other.next() < 0.2)
    b.top(source, window, other.integer(1, window), "values")
  const program = b.build()
  return { program, samples: Array.from({ length: 6 }, () => randomSample(program, random)) }
}

/** A program whose linear maps are of private weights, all but some: its twins have others. */
export function privately(program: Program, seed: number): Program {
  const random = new Random(seed)
  const open = program.nodes.map(() => random.next() < 0.25)
  const twins = [1, 2].map((twin) => {
    const draw = new Random(seed + twin)
    const other = (x: number) => (x === 0 ? 0.001 : x) * (1 + 0.1 * (1 + draw.next()))
    const nodes = program.nodes.map((node, i): RealNode => {
      if (node.kind !== "linear" || open[i]) return node
      const terms = node.terms.map(({ source, map }) => ({ source, map: withWeights(map, other) }))
      return { ...node, terms, ...(node.bias && { bias: node.bias.map(other) }) }
    })
    return { ...program, nodes }
  })
  return { ...program, twins }
}

function randomNode(b: ProgramBuilder, random: Random, pool: readonly TensorId[]): TensorId {
  const source = random.pick(pool)
  const size = b.size(source)
  const { shape } = b.tensors[source]
  const same = pool.filter((id) => b.size(id) === size)
  switch (random.integer(0, 12)) {
    case 0: {
      const m = random.integer(1, 8)
      return b.dense(source, m, random.reals(m * size, 1), random.next() < 0.5 ? random.reals(m) : undefined)
    }
    case 1:
      return shape.length === 4 ? conv(b, random, source) : b.sum([[source, random.reals(1)[0]]])
    case 2:
      return b.sum([
        [source, 1],
        [random.pick(same), random.pick([1, -1, 0.5])],
      ])
    case 3:
      return b.sum([
        [source, random.reals(1)[0]],
        [random.pick(same), random.reals(1)[0]],
      ])
    case 4: {
      const other = random.pick(pool)
      const total = size + b.size(other)
      const map = [...random.permutation(total), -1].slice(0, random.integer(1, Math.min(total, 18)) + 1)
      return b.index([source, other], map, [map.length], random.pick([0, 0, 0.5, -1]))
    }
    case 5: {
      const count = random.integer(1, 9)
      // The first entry of a window is real, the others may be padding.
      const map = Array.from({ length: count * 2 }, (_, i) => random.integer(i % 2 ? -1 : 0, size - 1))
      return b.max(source, 2, map)
    }
    case 6:
      return b.product(source, random.pick(same))
    case 7:
      return b.clamp(source, random.pick([0, -0.25, Number.NEGATIVE_INFINITY]), random.pick([0.25, 0.5]))
    case 8: {
      const name = random.pick(["sigmoid", "tanh", "softplus", "erf", "sin"] as const)
      return b.function(source, apply(name, variable))
    }
    case 9: {
      const [batch, m, k, n] = [1, 2, 3, 3].map((most) => random.integer(1, most))
      const some = (count: number) => {
        const from = random.pick(pool)
        const map = Array.from({ length: count }, () => random.integer(-1, b.size(from) - 1))
        return b.index([from], map, [count])
      }
      return b.contraction(some(batch * m * k), some(batch * k * n), [batch, m, k, n])
    }
    case 10:
      return b.root(positive(b, random.pick(pool)))
    case 11: {
      // of one sign, or below several numerators
      const squares = positive(b, random.pick(pool))
      const size = b.size(squares)
      const den = random.pick([squares, b.root(squares), b.sum([[squares, -1]])])
      const map = Array.from({ length: b.size(source) }, (_, i) => (random.next() < 0.5 ? 0 : i) % size)
      return b.divide(source, b.index([den], map, [...shape]))
    }
    default:
      return b.clamp(source)
  }
}

/** x² + 1/2 */
function positive(b: ProgramBuilder, x: TensorId): TensorId {
  const size = b.size(x)
  const terms = [{ source: b.product(x, x), map: diagonal(size, 1) }]
  return b.linear(terms, [...b.tensors[x].shape], new Array<number>(size).fill(0.5))
}

function conv(b: ProgramBuilder, random: Random, source: TensorId): TensorId {
  const [, channels, height, width] = b.tensors[source].shape
  const groups = random.pick([1, channels])
  const outChannels = channels * random.integer(1, 2)
  const [stride, pad] = [random.integer(1, 2), random.integer(0, 1)]
  const kernel = Math.min(2, height + pad, width + pad)
  const outSize = [height, width].map((x) => Math.floor((x + 2 * pad - kernel) / stride) + 1)
  const map: LinearMap = {
    kind: "conv",
    weight: Float64Array.from(random.reals(outChannels * (channels / groups) * kernel * kernel, 1)),
    n: 1,
    groups,
    inChannels: channels,
    outChannels,
    inSize: [height, width],
    kernel: [kernel, kernel],
    outSize,
    strides: [stride, stride],
    padsBegin: [pad, pad],
    dilations: [1, 1],
  }
  return b.linear([{ source, map }], [1, outChannels, ...outSize])
}
