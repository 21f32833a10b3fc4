/** The budget itself, and what became linear because of it against the slow way it was before. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { allowanceFor, Budget } from "#src/budget.js"
import { defaults } from "#src/defaults.js"
import { FileError, ModelError } from "#src/errors.js"
import { applyMap, sparseRows } from "#src/ops/linearmap.js"
import type { ClampNode, LinearMap, Program, RealNode, TensorId, TensorInfo } from "#src/ops/program.js"
import { ownerOf } from "#src/ops/segments.js"
import { readersOf } from "#src/ops/traversal.js"
import { hoistClamps } from "#src/quantize/prepare.js"
import { ProgramBuilder, randomProgram } from "./support/programs.js"
import { Random } from "./support/random.js"

describe("a budget", () => {
  it("is spent in all, and nothing is given back", () => {
    const budget = new Budget({ elements: 10, work: 100 })
    budget.elements(4, "a")
    budget.work(100, "a")
    budget.elements(6, "b")
    expect(() => budget.elements(1, "tensor `c`")).toThrow(ModelError)
    expect(() => budget.elements(1, "tensor `c`")).toThrow(
      "tensor `c`: needs more than the budget of elements; expected at most 10 in the whole file; given 1, after 10 before",
    )
    expect(() => budget.work(0.5, "d")).toThrow(/steps of work/)
    budget.elements(0, "nothing is free")
  })

  it("has room for what is held for a moment, time and again", () => {
    const budget = new Budget({ elements: 10, work: 0 })
    budget.elements(4, "a")
    for (let i = 0; i < 100; i++) budget.momentary(6, "b")
    expect(() => budget.momentary(7, "b")).toThrow(ModelError)
    budget.elements(6, "c")
    expect(() => budget.momentary(1, "d")).toThrow(ModelError)
  })

  it("is exceeded by whatever is no count", () => {
    for (const count of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
      expect(() => new Budget().elements(count, "x")).toThrow(ModelError)
      expect(() => new Budget().work(count, "x")).toThrow(ModelError)
    }
  })

  it("speaks through the error of its file", () => {
    const budget = new Budget({ elements: 0, work: 0 }, (facts) => {
      throw new FileError(facts)
    })
    expect(() => budget.elements(1, "field `x`")).toThrow(FileError)
  })

  it("grows with what a file holds itself, not with what it asks for", () => {
    expect(allowanceFor(0)).toEqual(defaults.budget)
    expect(allowanceFor(2 ** 20).elements).toBeGreaterThan(defaults.budget.elements + 2 ** 20)
  })
})

it("the owner of a position is the one that looking at each in turn finds", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 40 }), (sizes) => {
      let end = 0
      const ends = sizes.map((size) => (end += size))
      for (let at = 0; at < end; at++) {
        let slow = 0
        while (ends[slow] <= at) slow++
        expect(ownerOf(ends, at)).toBe(slow)
      }
    }),
  )
})

it("a convolution whose taps are held in parts is the convolution", () => {
  const random = new Random(5)
  const map: LinearMap = {
    kind: "conv",
    weight: Float64Array.from(random.reals(2 * 2 * 9)),
    n: 1,
    groups: 1,
    inChannels: 2,
    outChannels: 2,
    inSize: [360, 361],
    kernel: [3, 3],
    outSize: [360, 361],
    strides: [1, 1],
    padsBegin: [1, 1],
    dilations: [1, 1],
  }
  const [size, [height, width]] = [360 * 361, map.inSize]
  const x = Float64Array.from(random.reals(2 * size))
  const y = new Float64Array(2 * size)
  applyMap(map, x, y)
  const { rowPtr, columns, values } = sparseRows(map)
  for (let i = 0; i < y.length; i++) {
    const [out, row, column] = [Math.floor(i / size), Math.floor((i % size) / width), i % width]
    let [slow, sparse] = [0, 0]
    for (let channel = 0; channel < 2; channel++)
      for (let tap = 0; tap < 9; tap++) {
        const [r, c] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1]
        if (r >= 0 && r < height && c >= 0 && c < width)
          slow += map.weight[(out * 2 + channel) * 9 + tap] * x[channel * size + r * width + c]
      }
    for (let j = rowPtr[i]; j < rowPtr[i + 1]; j++) sparse += values[j] * x[columns[j]]
    if (Math.abs(y[i] - slow) > 1e-9 || Math.abs(sparse - slow) > 1e-9)
      throw new Error(`output ${i} is ${y[i]}, by rows ${sparse}, and should be ${slow}`)
  }
})

/** One clamp one step at a time, from the start again after each. */
function slowHoist(program: Program): Program {
  const nodes = [...program.nodes]
  const tensors: TensorInfo[] = [...program.tensors]
  for (let moved = true; moved; ) {
    moved = false
    const uses = readersOf({ nodes, outputs: program.outputs })
    const producers = new Map<TensorId, number>(nodes.map((node, i) => [node.out, i]))
    const isWide = (id: TensorId): boolean => {
      const node = nodes[producers.get(id) ?? -1]
      if (node?.kind === "linear" || node?.kind === "product") return true
      if (node?.kind === "index") return node.sources.some(isWide)
      return node?.kind === "max" && isWide(node.source)
    }
    const passes = (node: RealNode): boolean => {
      if (node.kind === "max") return isWide(node.source)
      if (node.kind !== "index" || node.sources.length !== 1 || uses.get(node.sources[0]) !== 1) return false
      const read = [...node.map].filter((from) => from >= 0)
      return isWide(node.sources[0]) && new Set(read).size === read.length
    }
    for (const [at, clamp] of nodes.entries()) {
      if (clamp.kind !== "clamp" || uses.get(clamp.source) !== 1) continue
      const above = producers.get(clamp.source)
      if (above === undefined || !passes(nodes[above])) continue
      const mover = nodes[above] as Extract<RealNode, { kind: "max" | "index" }>
      const source = mover.kind === "max" ? mover.source : mover.sources[0]
      const out = tensors.length
      tensors.push({ ...tensors[source], name: `${tensors[source].name}:${clamp.origin.name}` })
      const hoisted: ClampNode = { ...clamp, source, out }
      const fill = (x: number) => Math.min(Math.max(x, clamp.lo), clamp.hi)
      const after: RealNode =
        mover.kind === "max"
          ? { ...mover, source: out, out: clamp.out }
          : { ...mover, sources: [out], fill: fill(mover.fill), out: clamp.out }
      nodes.splice(at, 1)
      nodes.splice(above, 1, hoisted, after)
      moved = true
      break
    }
  }
  return { ...program, nodes, tensors }
}

/** Maxima, movements and clamps in long rows behind sums and products. */
function randomRows(seed: number): Program {
  const random = new Random(seed)
  const builder = new ProgramBuilder()
  const x = builder.input([4])
  const made = [x, builder.sum([[x, 2]]), builder.clamp(x)]
  for (let i = 0; i < 24; i++) {
    const source = random.next() < 0.7 ? made[made.length - 1] : random.pick(made)
    const order = random.next() < 0.8 ? random.permutation(4) : [0, 0, -1, 3]
    const kind = random.integer(0, 4)
    if (kind === 0) made.push(builder.clamp(source, random.integer(-2, 0), random.integer(0, 3)))
    else if (kind === 1) made.push(builder.max(source, 2, [...order, ...random.permutation(4)]))
    else if (kind === 2 && random.next() < 0.3)
      made.push(
        builder.sum([
          [source, 3],
          [random.pick(made), 1],
        ]),
      )
    else made.push(builder.index([source], order, [4], random.integer(-1, 1)))
  }
  const { nodes, tensors, inputs } = builder
  const outputs = [{ name: "y", tensor: made[made.length - 1] }]
  return { name: "rows", nodes, tensors, inputs, outputs }
}

it("clamps end up where moving them one by one puts them", () => {
  let moved = 0
  for (let seed = 0; seed < 300; seed++) {
    for (const program of [randomRows(seed), randomProgram(seed).program]) {
      const fast = hoistClamps(program)
      const slow = slowHoist(program)
      expect(fast, `seed ${seed}`).toEqual(slow)
      if (fast.tensors.length > program.tensors.length) moved++
    }
  }
  expect(moved).toBeGreaterThan(50)
})
