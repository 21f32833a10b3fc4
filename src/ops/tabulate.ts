/**
 * Finds what depends on one variable. Chains of functions, uniform scalings and shifts, clamps, sums and
 * products whose operands all come from the same element of one tensor are one function of that element,
 * and one table later on: GELU, Swish or Mish written out cost what a sigmoid costs.
 *
 * What is rounded to integers of a model's own is such a function of the integers before it, exactly.
 *
 * Left alone is what is cheaper as it stands: sums of scaled tensors are free, a clamp or a leaky ReLU is a
 * rescale, x² is a product, and a root or a reciprocal is no dearer than a table. So a node becomes a function only where that replaces a function, or a product
 * of clamps, and a sum only where it replaces two of them.
 */
import type { Budget } from "../budget.js"
import { invariant } from "../errors.js"
import { apply, type Formula, partsOf, substitute, variable } from "./formula.js"
import { type LinearMap, type Program, type RealNode, sizeOf, type TensorId } from "./program.js"
import { diagonalOf } from "./scaling.js"
import { liveNodes, sourcesOf } from "./traversal.js"

/**
 * The tensors, nearest first, of whose elements a tensor's are functions, itself the first; how long the
 * formulas would be, and what they apply. The formulas themselves are made only where one is taken.
 */
interface Forms {
  readonly bases: Int32Array
  readonly sizes: Int32Array
  readonly applied: Uint8Array
}

/** What a formula applies: flags of clamps, of roots and quotients, and of other functions. */
const applies = { clamp: 1, quotient: 2, other: 4 }

/** One step of a formula: what it makes of the formulas of its operands. */
interface Operation {
  readonly operands: readonly TensorId[]
  /** Length of the formula: `own`, and the lengths of the operands' formulas, each `times` over. */
  readonly own: number
  readonly times: number
  /** What the step itself applies. */
  readonly applied: number
  readonly join: (parts: readonly Formula[]) => Formula
}

/** Longer formulas are cut: shared branches are written out, and could grow without end. */
const maxFormula = 400

/** Numbers of 8 bytes that one step of a formula takes in memory. */
const stepCost = 12

/**
 * Joins every such expression into one `function` node; what it replaces is left out.
 * @throws ModelError where the forms of all tensors would exceed the budget
 */
export function tabulate(program: Program, budget: Budget): { program: Program; changed: boolean } {
  const forms = new Map<TensorId, Forms>()
  const operations = new Map<TensorId, Operation>()
  /** Tensors with one number everywhere. */
  const numbers = new Map<TensorId, number>()
  /** Tensors that a table can read as they are. */
  const clamps = new Set<TensorId>()
  const made = new Map<TensorId, RealNode>()
  const formsOf = (id: TensorId): Forms => {
    const found = forms.get(id)
    invariant(found, `tensor ${id} is read before it is written`)
    return found
  }
  /** Whether a tensor is another one scaled, shifted and clamped, which a rounding takes in. */
  const isChain = (id: TensorId, base: TensorId): boolean => {
    for (let at = id; at !== base; ) {
      const node = made.get(at)
      invariant(node, `tensor ${at} is no function of tensor ${base}`)
      const sources = sourcesOf(node)
      if ((node.kind !== "linear" && node.kind !== "clamp") || sources.length !== 1) return false
      at = sources[0]
    }
    return true
  }
  /** Tensors that are better computed from another, by that one. */
  const chosen = new Map<TensorId, TensorId>()
  for (const node of program.nodes) {
    const number = node.kind === "linear" && node.terms.length === 0 && node.bias && uniform(node.bias)
    if (typeof number === "number") numbers.set(node.out, number)
    const operation = operationOf(node, (id) => sizeOf(program.tensors[id].shape), numbers)
    const own = operation ? formsWith(operation, node.out, formsOf) : onlyItself(node.out)
    budget.elements(2 * own.bases.length, describe(node))
    forms.set(node.out, own)
    if (operation) operations.set(node.out, operation)
    if (node.kind === "clamp" || node.kind === "round") clamps.add(node.out)
    made.set(node.out, node)
    const base = choose(own.bases, clamps)
    if (base === undefined) continue
    const rounds = node.kind === "round" && made.get(base)?.kind === "round" && !isChain(node.source, base)
    if (rounds || pays(node, base, formsOf)) chosen.set(node.out, base)
  }
  if (chosen.size === 0) return { program, changed: false }
  /** A tensor as a formula of one of its bases. */
  const formulaOf = (id: TensorId, base: TensorId): Formula => {
    if (id === base) return variable
    const operation = operations.get(id)
    invariant(operation, `tensor ${id} is no function of tensor ${base}`)
    return operation.join(operation.operands.map((operand) => formulaOf(operand, base)))
  }
  const nodes = liveNodes(program, (node): RealNode => {
    const source = chosen.get(node.out)
    if (source === undefined) return node
    const { bases, sizes } = formsOf(node.out)
    budget.elements(stepCost * sizes[bases.indexOf(source)], describe(node))
    return {
      kind: "function",
      out: node.out,
      source,
      formula: formulaOf(node.out, source),
      origin: node.origin,
    }
  })
  return { program: { ...program, nodes }, changed: true }
}

const describe = ({ origin }: RealNode): string => `node \`${origin.name}\`, operator \`${origin.operator}\``

const onlyItself = (id: TensorId): Forms => ({
  bases: Int32Array.of(id),
  sizes: Int32Array.of(1),
  applied: Uint8Array.of(0),
})

/** The forms of an operation's result: itself, and wherever all operands have a base in common. */
function formsWith(
  { operands, own, times, applied }: Operation,
  out: TensorId,
  formsOf: (id: TensorId) => Forms,
): Forms {
  const [first, ...others] = operands.map(formsOf)
  const places = others.map(({ bases }) => new Map(Array.from(bases, (base, i) => [base, i])))
  const found = { bases: [out], sizes: [1], applied: [0] }
  for (let i = 0; i < first.bases.length; i++) {
    const base = first.bases[i]
    let size = own + times * first.sizes[i]
    let flags = applied | first.applied[i]
    for (let j = 0; j < others.length && size <= maxFormula; j++) {
      const place = places[j].get(base)
      // without the base in common there is no formula, of whatever length
      size += place === undefined ? Number.POSITIVE_INFINITY : times * others[j].sizes[place]
      if (place !== undefined) flags |= others[j].applied[place]
    }
    if (size > maxFormula) continue
    found.bases.push(base)
    found.sizes.push(size)
    found.applied.push(flags)
  }
  return {
    bases: Int32Array.from(found.bases),
    sizes: Int32Array.from(found.sizes),
    applied: Uint8Array.from(found.applied),
  }
}

/** The node as a step of a formula, if it is one. */
function operationOf(
  node: RealNode,
  size: (id: TensorId) => number,
  numbers: ReadonlyMap<TensorId, number>,
): Operation | undefined {
  const operands = sourcesOf(node)
  switch (node.kind) {
    case "function": {
      const { formula } = node
      const { others: own, variables: times, names } = partsOf(formula)
      const clamps = names.has("clamp") ? applies.clamp : 0
      const applied = clamps | (names.size > (clamps ? 1 : 0) ? applies.other : 0)
      return { operands, own, times, applied, join: ([of]) => substitute(formula, of) }
    }
    case "clamp": {
      const bounds = [node.lo, node.hi]
      return {
        operands,
        own: 1,
        times: 1,
        applied: applies.clamp,
        join: ([of]) => apply("clamp", of, bounds),
      }
    }
    case "round": {
      const join = ([of]: readonly Formula[]) => apply("clamp", apply("round", of), [node.lo, node.hi])
      return { operands, own: 2, times: 1, applied: applies.clamp, join }
    }
    case "product":
      return {
        operands,
        own: 1,
        times: 1,
        applied: 0,
        join: ([left, right]) => ({ kind: "product", left, right }),
      }
    case "root":
      return { operands, own: 1, times: 1, applied: applies.quotient, join: ([of]) => apply("sqrt", of) }
    case "divide": {
      const dividend = numbers.get(node.numerator)
      const inverse = (of: Formula) => apply("reciprocal", of)
      const common = { own: 2, times: 1, applied: applies.quotient }
      if (dividend === undefined)
        return { ...common, operands, join: ([left, y]) => ({ kind: "product", left, right: inverse(y) }) }
      const join = ([y]: readonly Formula[]): Formula => ({
        kind: "sum",
        terms: [{ factor: dividend, of: inverse(y) }],
        offset: 0,
      })
      return { ...common, operands: [node.denominator], join }
    }
    case "linear": {
      if (operands.length === 0 || operands.length >= maxFormula) return undefined
      const offset = node.bias ? uniform(node.bias) : 0
      if (offset === undefined) return undefined
      const factors: number[] = []
      for (const { source, map } of node.terms) {
        const factor = size(source) === size(node.out) ? uniformFactor(map) : undefined
        if (factor === undefined) return undefined
        factors.push(factor)
      }
      const join = (parts: readonly Formula[]): Formula => ({
        kind: "sum",
        terms: parts.map((of, i) => ({ factor: factors[i], of })),
        offset,
      })
      return { operands, own: 1, times: 1, applied: 0, join }
    }
    default:
      return undefined
  }
}

/**
 * The base to compute by: the one furthest back, but not past a clamp, because a clamped tensor is one that a
 * table can read as it is, and further back lies a wide one. The first is the tensor itself.
 */
function choose(bases: Int32Array, clamps: ReadonlySet<TensorId>): TensorId | undefined {
  if (bases.length < 2) return undefined
  let best = 1
  while (best + 1 < bases.length && !clamps.has(bases[best])) best++
  return bases[best]
}

/** Whether computing the node as one function of `base` is cheaper than as it stands. */
function pays(node: RealNode, base: TensorId, formsOf: (id: TensorId) => Forms): boolean {
  const appliedIn = (id: TensorId): number => {
    const { bases, applied } = formsOf(id)
    return applied[bases.indexOf(base)] ?? 0
  }
  switch (node.kind) {
    case "function":
      return base !== node.source
    case "clamp":
    case "round":
      return (appliedIn(node.out) & applies.other) !== 0
    case "product":
      return appliedIn(node.out) !== 0
    // alone or one of the other they are more exact than a table, and no dearer
    case "root":
    case "divide":
      return (appliedIn(node.out) & (applies.clamp | applies.other)) !== 0
    case "linear": {
      const costly = applies.quotient | applies.other
      return node.terms.filter(({ source }) => (appliedIn(source) & costly) !== 0).length > 1
    }
    default:
      return false
  }
}

function uniform(values: Float64Array): number | undefined {
  const [first] = values
  return values.every((value) => value === first) ? first : undefined
}

function uniformFactor(map: LinearMap): number | undefined {
  const factors = diagonalOf(map)
  return factors && uniform(factors)
}
