/**
 * Brings roundings to where sums are made, and inputs to the integers that a model makes of them. Rounding commutes with
 * movement, with maxima and with clamps, also behind a positive factor and an offset that all elements share; so between two
 * roundings there is one sum, and nothing of it is rounded otherwise.
 */

import { roundHalfEven } from "../ops/formula.js"
import {
  type InputGrid,
  type LinearNode,
  type Origin,
  type Program,
  type RealNode,
  sizeOf,
  type TensorId,
  type TensorInfo,
} from "../ops/program.js"
import { diagonalMap, diagonalOf } from "../ops/scaling.js"
import { readersOf, sourcesOf } from "../ops/traversal.js"
import { scaledTerms } from "./prepare.js"

/** out = min(max(round(factor·source + offset), lo), hi) */
interface Rounding {
  readonly source: TensorId
  readonly factor: number
  readonly offset: number
  readonly lo: number
  readonly hi: number
  readonly origin: Origin
}

const rounded = ({ factor, offset, lo, hi }: Rounding, x: number): number =>
  Math.min(Math.max(roundHalfEven(factor * x + offset), lo), hi)

/** The program with every rounding as near to the inputs as it commutes. */
export function hoistRounds(program: Program): Program {
  if (!program.nodes.some(({ kind }) => kind === "round")) return program
  const tensors: TensorInfo[] = [...program.tensors]
  const uses = readersOf(program)
  const made = new Map<TensorId, RealNode>()
  const nodes: RealNode[] = []
  const size = (id: TensorId) => sizeOf(tensors[id].shape)
  const add = (node: RealNode) => {
    nodes.push(node)
    made.set(node.out, node)
  }
  /** A tensor for what is rounded of another. */
  const fresh = (like: TensorId, origin: Origin): TensorId =>
    tensors.push({ ...tensors[like], name: `${tensors[like].name}:${origin.name}` }) - 1
  const place = (given: Rounding, out: TensorId): void => {
    const rounding = throughChain(given, made, size)
    const { source, factor, offset, origin } = rounding
    const node = made.get(source)
    if (node?.kind === "max" && uses.get(source) === 1 && !isNarrow(node.source, made, size)) {
      const inner = fresh(node.source, origin)
      place({ ...rounding, source: node.source }, inner)
      add({ ...node, source: inner, out })
    } else if (
      node?.kind === "index" &&
      node.sources.reduce((sum, id) => sum + size(id), 0) <= node.map.length
    ) {
      const sources = node.sources.map((id) => {
        const inner = fresh(id, origin)
        place({ ...rounding, source: id }, inner)
        return inner
      })
      add({ ...node, sources, fill: rounded(rounding, node.fill), out })
    } else {
      const { lo, hi } = rounding
      let at = source
      if (factor !== 1 || offset !== 0) {
        at = fresh(out, origin)
        add(scaled(node, source, factor, offset, size(source), at, origin))
      }
      add({ kind: "round", source: at, lo, hi, out, origin })
    }
  }
  for (const node of program.nodes) {
    if (node.kind !== "round") add(node)
    else place({ ...node, factor: 1, offset: 0 }, node.out)
  }
  return withGrids({ ...program, tensors, nodes })
}

/** The rounding of what its source is a scaled, shifted or clamped copy of. */
function throughChain(
  given: Rounding,
  made: ReadonlyMap<TensorId, RealNode>,
  size: (id: TensorId) => number,
): Rounding {
  let rounding = given
  for (;;) {
    const node = made.get(rounding.source)
    const copy = node?.kind === "linear" ? copyOf(node, size) : undefined
    const { factor, offset } = rounding
    if (copy)
      rounding = {
        ...rounding,
        source: copy.source,
        factor: factor * copy.factor,
        offset: offset + factor * copy.offset,
      }
    else if (node?.kind === "clamp") {
      const [lo, hi] = [rounded(rounding, node.lo), rounded(rounding, node.hi)]
      rounding = { ...rounding, source: node.source, lo, hi }
    } else return rounding
  }
}

/** What a linear node is if it is one tensor with a positive factor and an offset for all elements. */
function copyOf({ terms, bias, unit }: LinearNode, size: (id: TensorId) => number) {
  if (terms.length !== 1 || unit !== undefined) return undefined
  const [{ source, map }] = terms
  const factors = diagonalOf(map)
  if (factors?.length !== size(source)) return undefined
  const [factor, offset] = [factors[0], bias?.[0] ?? 0]
  const isUniform =
    factor > 0 && factors.every((f) => f === factor) && (bias?.every((b) => b === offset) ?? true)
  return isUniform ? { source, factor, offset } : undefined
}

/** factor·source + offset; of a sum, as that sum. */
function scaled(
  node: RealNode | undefined,
  source: TensorId,
  factor: number,
  offset: number,
  size: number,
  out: TensorId,
  origin: Origin,
): LinearNode {
  const factors = new Float64Array(size).fill(factor)
  const inner = node?.kind === "linear" && node.unit === undefined ? scaledTerms(node, factors) : undefined
  const bias = Float64Array.from(factors, (_, i) => (inner?.bias?.[i] ?? 0) + offset)
  return { kind: "linear", out, terms: inner?.terms ?? [{ source, map: diagonalMap(factors) }], bias, origin }
}

/** Whether a tensor holds integers of few bits, up to a scale and an offset. */
function isNarrow(
  id: TensorId,
  made: ReadonlyMap<TensorId, RealNode>,
  size: (id: TensorId) => number,
): boolean {
  for (let at = id; ; ) {
    const node = made.get(at)
    if (!node) return false
    const copy = node.kind === "linear" ? copyOf(node, size) : undefined
    if (copy) at = copy.source
    else if (node.kind === "max") at = node.source
    else if (node.kind === "index" && node.sources.length === 1) at = node.sources[0]
    else return node.kind === "round" || node.kind === "function" || node.kind === "step"
  }
}

/** The program with a grid for every input that is only rounded, and always to the same integers. */
function withGrids(program: Program): Program {
  const readers = new Map<TensorId, RealNode[]>()
  for (const node of program.nodes)
    for (const id of new Set(sourcesOf(node))) readers.set(id, [...(readers.get(id) ?? []), node])
  const kept = new Set(program.outputs.map(({ tensor }) => tensor))
  const size = (id: TensorId) => sizeOf(program.tensors[id].shape)
  /** All that reads a tensor as roundings of it; undefined if something else does. */
  const roundings = (id: TensorId, factor: number): Rounding[] | undefined => {
    const found: Rounding[] = []
    if (kept.has(id)) return undefined
    for (const node of readers.get(id) ?? []) {
      const copy = node.kind === "linear" ? copyOf(node, size) : undefined
      const isMoved = node.kind === "index" && (node.fill === 0 || !node.map.includes(-1))
      const more: Rounding[] | undefined =
        node.kind === "round"
          ? [{ ...node, source: id, factor, offset: 0 }]
          : copy?.offset === 0
            ? roundings(node.out, factor * copy.factor)
            : isMoved
              ? roundings(node.out, factor)
              : undefined
      if (!more) return undefined
      found.push(...more)
    }
    return found
  }
  const inputs = program.inputs.map((input) => {
    if (input.whole || input.ranks || input.grid) return input
    const grid = commonGrid(roundings(input.tensor, 1) ?? [])
    return grid ? { ...input, grid } : input
  })
  return { ...program, inputs }
}

/** The grid of which all roundings are the integers. */
function commonGrid(roundings: readonly Rounding[]): InputGrid | undefined {
  const [first, ...others] = roundings
  if (
    !first ||
    !others.every(({ factor, lo, hi }) => factor === first.factor && lo === first.lo && hi === first.hi)
  )
    return undefined
  const { factor, lo, hi } = first
  const bits = Math.max(1, Math.ceil(Math.log2(hi - lo + 1)))
  return bits <= 32 ? { scale: 1 / factor, lo, bits } : undefined
}
