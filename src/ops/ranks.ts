/**
 * Which inputs are ranks. An input that a program moves about and compares with constants, and does nothing else with, needs no
 * more than its place among those constants, and that is exact (../statement/ranks.ts). It may be scaled before, as floats
 * scale (FloatSteps): that never turns two numbers round, so what is compared with a constant is the input itself, with the
 * least number that is scaled beyond it. All other comparisons are of differences: [x > c] is [x − c > 0].
 */
import type { Budget } from "../budget.js"
import { InvariantError, invariant } from "../errors.js"
import { leastNumber, numberAfter, numberBefore, stepsOfSearch } from "../model/floats.js"
import type { DataType } from "../model/graph.js"
import { maxEdges, type Ranks, rankOf, rounded } from "../statement/ranks.js"
import {
  type CompareNode,
  type FloatSteps,
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

/** Where each element of a tensor comes from: input · elements before it, and what was made of it on the way. */
interface Places {
  readonly elements: Int32Array
  /** Places in a list of ways; 0 is as it was given. */
  readonly ways: Int32Array
}

/** What is made of an element last, and the way before that. */
interface Way {
  readonly before: number
  readonly floats: FloatSteps
  readonly at: number
}

/** Ways by their places; none has the first. */
type Ways = readonly (Way | undefined)[]

/**
 * The program with ranks for every input that may have them, and its other comparisons as steps.
 * @throws ModelError where that would exceed the budget
 */
export function withRanks(program: Program, types: readonly DataType[], budget: Budget): Program {
  if (!program.nodes.some(({ kind }) => kind === "compare")) return program
  const live = { ...program, nodes: liveNodes(program) }
  const { places, starts, elements, ways } = rankable(live, types, budget)
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
    from.elements.forEach((place, i) => {
      const input = inputOf[place]
      missing[input] &&= node.missing && !imputes(ways, from.ways[i])
      const edges = sets.get(place) ?? []
      sets.set(place, edges)
      edges.push(edgeOf(node, i, typeOf(input), ways, from.ways[i]))
    })
    found += from.elements.length
    budget.elements(2 * from.elements.length, node.origin.name)
    budget.work(2 * stepsOfSearch * from.elements.length, node.origin.name)
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
    if (node.kind === "linear" && places.has(node.out)) return asMovement(node)
    const from = node.kind === "compare" ? places.get(node.source) : undefined
    if (node.kind !== "compare" || !from) return node
    const edges = Float64Array.from(from.elements, (place, i) =>
      edgeOf(node, i, typeOf(inputOf[place]), ways, from.ways[i]),
    )
    const ranks = edges.map((edge, i) => {
      const place = from.elements[i]
      const list = all.get(place)
      invariant(list, `element ${place} has no edges`)
      return Number.isNaN(edge)
        ? list.length
        : edge === Number.NEGATIVE_INFINITY
          ? 0
          : rankOf(edge, list, typeOf(inputOf[place]))
    })
    if (from.ways.every((way) => way === 0)) return { ...node, ranks }
    // of the input itself
    const isSingle = from.elements.every((place) => typeOf(inputOf[place]) === "float32")
    const than = node.below
      ? edges
      : edges.map((edge, i) => numberBefore(edge, typeOf(inputOf[from.elements[i]])))
    return { ...node, than, type: isSingle ? "float32" : "float64", ranks }
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
 * follows it, as the comparison sees the input, which may have been rounded and scaled before.
 */
function edgeOf(node: CompareNode, i: number, given: Ranks["type"], ways: Ways, way: number): number {
  const { than, below, type } = node
  if (way !== 0 || given !== type) {
    const seen = (x: number) => rounded(along(ways, way, x), type)
    return leastNumber(given, (x) => (below ? seen(x) >= than[i] : seen(x) > than[i]))
  }
  return roundedUp(below ? than[i] + 0 : numberAfter(than[i], type), type)
}

/** What a way makes of a number. */
function along(ways: Ways, way: number, x: number): number {
  const step = ways[way]
  if (!step) return x
  const { floats, at } = step
  const given = rounded(along(ways, step.before, x), floats.type)
  const moved = rounded(given - rounded(floats.offset[at], floats.type), floats.type)
  return Math.fround(rounded(moved * rounded(floats.factor[at], floats.type), floats.type))
}

/** Whether a way makes a number of a missing value. */
function imputes(ways: Ways, way: number): boolean {
  const step = ways[way]
  return step !== undefined && (step.floats.imputes || imputes(ways, step.before))
}

/** The least number of a type that is at least x. */
const roundedUp = (x: number, type: Ranks["type"]): number =>
  Number.isNaN(x) || rounded(x, type) >= x ? rounded(x, type) + 0 : numberAfter(x, type)

/** A linear node that comparisons look through, as the movement that it is then. */
const asMovement = ({ out, terms, origin }: LinearNode): RealNode => ({
  kind: "index",
  out,
  sources: [terms[0].source],
  map: terms[0].map.kind === "sparse" ? Int32Array.from(terms[0].map.columns) : new Int32Array(0),
  fill: 0,
  origin,
})

/** A node whose elements are one element each of what it reads, moved or scaled as floats scale. */
const passes = (node: RealNode): boolean =>
  (node.kind === "index" && !node.map.includes(-1)) || (node.kind === "linear" && node.floats !== undefined)

/** The inputs that nothing but movements, scalings and comparisons read, and where the elements of what is moved come from. */
function rankable(program: Program, types: readonly DataType[], budget: Budget) {
  const inputs = new Map(program.inputs.map(({ tensor }, i) => [tensor, i]))
  const spoilt = new Set<TensorId>(program.outputs.map(({ tensor }) => tensor))
  // from the end: what reads a tensor decides before it is met
  for (const node of program.nodes.toReversed()) {
    const isMoved = passes(node) && !spoilt.has(node.out)
    if (node.kind !== "compare" && !isMoved) for (const id of sourcesOf(node)) spoilt.add(id)
  }
  const ways: (Way | undefined)[] = []
  // a movement of several sources, one of which is spoilt or no input, spoils the others
  const clean = new Map<TensorId, Places>()
  for (let changed = true; changed; ) {
    changed = false
    clean.clear()
    ways.splice(0, ways.length, undefined)
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
        const places = Int32Array.from({ length: size }, (_, i) => starts[input] + i)
        clean.set(node.out, { elements: places, ways: new Int32Array(size) })
      }
      if (!passes(node) || spoilt.has(node.out)) continue
      const sources = sourcesOf(node).map((id) => clean.get(id))
      if (sources.every((places) => places !== undefined)) {
        budget.elements(2 * sizeOf(program.tensors[node.out].shape), node.origin.name)
        clean.set(node.out, placesAfter(node, sources, ways))
      } else
        for (const id of [node.out, ...sourcesOf(node)]) {
          changed ||= !spoilt.has(id)
          spoilt.add(id)
        }
    }
    if (!changed) return { places: clean, starts, elements, ways }
  }
  throw new InvariantError("the search for ranks does not end")
}

/** Where the elements of what passes through a node come from; new ways are added to the list. */
function placesAfter(node: RealNode, sources: readonly Places[], ways: (Way | undefined)[]): Places {
  const join = (of: (places: Places) => Int32Array): Int32Array =>
    sources.length === 1 ? of(sources[0]) : Int32Array.from(sources.flatMap((places) => [...of(places)]))
  const [elements, before] = [join((places) => places.elements), join((places) => places.ways)]
  if (node.kind === "index")
    return { elements: node.map.map((from) => elements[from]), ways: node.map.map((from) => before[from]) }
  invariant(node.kind === "linear" && node.floats, "a node that nothing passes through")
  const { floats } = node
  return { elements, ways: before.map((way, at) => ways.push({ before: way, floats, at }) - 1) }
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
