/**
 * Which inputs are ranks. An input that a program moves about and compares with constants, and does nothing else with, needs no
 * more than its place among those constants, and that is exact (../statement/ranks.ts). All other comparisons are of
 * differences: [x > c] is [x − c > 0].
 */
import type { Budget } from "../budget.js"
import { InvariantError, invariant } from "../errors.js"
import { numberAfter } from "../model/floats.js"
import type { DataType } from "../model/graph.js"
import { maxEdges, type Ranks, rankOf, rounded } from "../statement/ranks.js"
import {
  type CompareNode,
  type LinearNode,
  type Program,
  type RealNode,
  type StepNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "./program.js"
import { diagonalMap } from "./scaling.js"
import { liveNodes, sourcesOf } from "./traversal.js"

/** Element types whose numbers are known as they are given. */
const known = /^(u?int\d+|float32|float64)$/

/** Where each element of a tensor comes from: input · elements before it. */
type Places = Int32Array

/**
 * The program with ranks for every input that may have them, and its other comparisons as steps.
 * @throws ModelError where that would exceed the budget
 */
export function withRanks(program: Program, types: readonly DataType[], budget: Budget): Program {
  if (!program.nodes.some(({ kind }) => kind === "compare")) return program
  const live = { ...program, nodes: liveNodes(program) }
  const { places, starts, elements } = rankable(live, types, budget)
  const typeOf = (input: number): Ranks["type"] => (types[input] === "float32" ? "float32" : "float64")
  // edges of every element of the inputs that are ranks
  const sets = new Map<number, number[]>()
  const missing = live.inputs.map(() => true)
  const inputOf = new Int32Array(elements)
  starts.forEach((start, input) => {
    const size = sizeOf(live.tensors[live.inputs[input].tensor].shape)
    if (start >= 0) inputOf.fill(input, start, start + size)
  })
  let found = 0
  for (const node of live.nodes) {
    const from = node.kind === "compare" ? places.get(node.source) : undefined
    if (node.kind !== "compare" || !from) continue
    from.forEach((place, i) => {
      const input = inputOf[place]
      missing[input] &&= node.missing
      const edges = sets.get(place) ?? []
      sets.set(place, edges)
      edges.push(edgeOf(node, i, typeOf(input)))
    })
    found += from.length
    budget.elements(2 * from.length, node.origin.name)
  }
  if (found > maxEdges) return withoutRanks(live)
  const edgesAt = (place: number): Float64Array => {
    const sorted = Float64Array.from(new Set(sets.get(place) ?? [])).sort() // NaN last
    return sorted.filter((edge) => edge !== Number.NEGATIVE_INFINITY)
  }
  const all = new Map<number, Float64Array>()
  const inputs = live.inputs.map((input, i) => {
    if (starts[i] < 0) return input
    const size = sizeOf(live.tensors[input.tensor].shape)
    const edges = Array.from({ length: size }, (_, at) => edgesAt(starts[i] + at))
    for (const [at, list] of edges.entries()) all.set(starts[i] + at, list)
    const { whole: _whole, grid: _grid, ...rest } = input
    return { ...rest, ranks: { type: typeOf(i), missing: missing[i], edges } }
  })
  const nodes = live.nodes.map((node): RealNode => {
    const from = node.kind === "compare" ? places.get(node.source) : undefined
    if (node.kind !== "compare" || !from) return node
    const ranks = Float64Array.from(from, (place, i) => {
      const edges = all.get(place)
      invariant(edges, `element ${place} has no edges`)
      const type = typeOf(inputOf[place])
      const edge = edgeOf(node, i, type)
      return Number.isNaN(edge)
        ? edges.length
        : edge === Number.NEGATIVE_INFINITY
          ? 0
          : rankOf(edge, edges, type)
    })
    return { ...node, ranks }
  })
  return withSteps({ ...live, inputs, nodes }, (node) => !node.ranks)
}

/** The program without ranks: its inputs are numbers again, and all comparisons steps. */
export function withoutRanks(program: Program): Program {
  const inputs = program.inputs.map(({ ranks: _, ...input }) => input)
  return withSteps({ ...program, inputs }, () => true)
}

/**
 * The least number of the input's type at which a comparison comes out as it does above: the number itself or what
 * follows it, as the comparison sees the input, which may have been rounded before.
 */
function edgeOf({ than, below, type }: CompareNode, i: number, given: Ranks["type"]): number {
  const edge = below ? than[i] + 0 : numberAfter(than[i], type)
  const first = type === "float32" && Math.fround(edge) < edge ? numberAfter(edge, "float32") : edge
  if (!Number.isFinite(first) || given === type) return given === type ? roundedUp(first, type) : first
  if (given === "float32") return roundedUp(first, "float32")
  // the least double that rounds to the edge: half way from the single before it, or what follows
  const before = -numberAfter(-first, "float32")
  const half = before + (first - before) / 2
  return Math.fround(half) >= first ? half : numberAfter(half, "float64")
}

/** The least number of a type that is at least x. */
const roundedUp = (x: number, type: Ranks["type"]): number =>
  Number.isNaN(x) || rounded(x, type) >= x ? rounded(x, type) + 0 : numberAfter(x, type)

/** The inputs that nothing but movements and comparisons read, and where the elements of what is moved come from. */
function rankable(program: Program, types: readonly DataType[], budget: Budget) {
  const inputs = new Map(program.inputs.map(({ tensor }, i) => [tensor, i]))
  const spoilt = new Set<TensorId>(program.outputs.map(({ tensor }) => tensor))
  // from the end: what reads a tensor decides before it is met
  for (const node of program.nodes.toReversed()) {
    const isMoved = node.kind === "index" && !spoilt.has(node.out) && !node.map.includes(-1)
    if (node.kind !== "compare" && !isMoved) for (const id of sourcesOf(node)) spoilt.add(id)
  }
  // a movement of several sources, one of which is spoilt or no input, spoils the others
  const clean = new Map<TensorId, Places>()
  for (let changed = true; changed; ) {
    changed = false
    clean.clear()
    let elements = 0
    const starts = program.inputs.map(({ tensor }, i) => {
      if (spoilt.has(tensor) || !known.test(types[i])) return -1
      elements += sizeOf(program.tensors[tensor].shape)
      return elements - sizeOf(program.tensors[tensor].shape)
    })
    for (const node of program.nodes) {
      budget.work(1 + (node.kind === "index" ? node.map.length : 0), node.origin.name)
      const input = inputs.get(node.out)
      if (input !== undefined && starts[input] >= 0) {
        const size = sizeOf(program.tensors[node.out].shape)
        budget.elements(size, node.origin.name)
        clean.set(
          node.out,
          Int32Array.from({ length: size }, (_, i) => starts[input] + i),
        )
      }
      if (node.kind !== "index" || spoilt.has(node.out)) continue
      const sources = node.sources.map((id) => clean.get(id))
      if (sources.every((places) => places !== undefined)) {
        const joined =
          sources.length === 1 ? sources[0] : Int32Array.from(sources.flatMap((places) => [...places]))
        budget.elements(node.map.length, node.origin.name)
        clean.set(
          node.out,
          node.map.map((from) => joined[from]),
        )
      } else
        for (const id of [node.out, ...node.sources]) {
          changed ||= !spoilt.has(id)
          spoilt.add(id)
        }
    }
    if (!changed) return { places: clean, starts, elements }
  }
  throw new InvariantError("the search for ranks does not end")
}

/** Comparisons as steps of differences. */
function withSteps(program: Program, isMeant: (node: CompareNode) => boolean): Program {
  const tensors: TensorInfo[] = [...program.tensors]
  const nodes = program.nodes.flatMap((node): RealNode[] => {
    if (node.kind !== "compare" || !isMeant(node)) return [node]
    const { source, than, below, out, origin } = node
    const sign = below ? -1 : 1
    // nothing is beyond an infinite number, or all is
    const factors = than.map((x) => (Number.isFinite(x) ? sign : 0))
    const bias = than.map((x) => (Number.isFinite(x) ? -sign * x : Math.sign(-sign * x)) + 0)
    const difference = tensors.push({ ...tensors[out] }) - 1
    const linear: LinearNode = {
      kind: "linear",
      out: difference,
      terms: [{ source, map: diagonalMap(factors) }],
      ...(bias.some((b) => b !== 0) && { bias }),
      origin,
    }
    const step: StepNode = { kind: "step", source: difference, out, origin }
    return [linear, step]
  })
  return { ...program, tensors, nodes }
}
