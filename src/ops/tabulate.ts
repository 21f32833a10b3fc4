/**
 * Finds what depends on one variable. Chains of functions, uniform scalings and shifts, clamps, sums and
 * products whose operands all come from the same element of one tensor are one function of that element,
 * and one table later on: GELU, Swish or Mish written out cost what a sigmoid costs.
 *
 * Left alone is what is cheaper as it stands: sums of scaled tensors are free, a clamp or a leaky ReLU is a
 * rescale, x² is a product. So a node becomes a function only where that replaces a function, or a product
 * of clamps, and a sum only where it replaces two of them.
 */
import type { Budget } from "../budget.js"
import { invariant } from "../errors.js"
import { appliesOther, apply, type Formula, partsOf, substitute, variable } from "./formula.js"
import { type LinearMap, type Program, type RealNode, sizeOf, sourcesOf, type TensorId } from "./program.js"
import { diagonalOf } from "./scaling.js"

/**
 * The tensors, nearest first, of whose elements a tensor's are functions, itself the first; and how long the
 * formulas would be. The formulas are made of the operations between when one is wanted.
 */
interface Forms {
  readonly bases: Int32Array
  readonly sizes: Int32Array
}

/** One step of a formula: what it makes of the formulas of its operands. */
interface Operation {
  readonly operands: readonly TensorId[]
  /** Length of the formula: `own`, and the lengths of the operands' formulas, each `times` over. */
  readonly own: number
  readonly times: number
  readonly join: (parts: readonly Formula[]) => Formula
}

/** Longer formulas are cut: shared branches are written out, and could grow without end. */
const maxFormula = 400

/**
 * Joins every such expression into one `function` node; what it replaces is left for `fuse` to drop.
 * @throws ModelError where the forms of all tensors would exceed the budget
 */
export function tabulate(program: Program, budget: Budget): { program: Program; changed: boolean } {
  const forms = new Map<TensorId, Forms>()
  const operations = new Map<TensorId, Operation>()
  const clamps = new Set<TensorId>()
  const formsOf = (id: TensorId): Forms => {
    const found = forms.get(id)
    invariant(found, `tensor ${id} is read before it is written`)
    return found
  }
  /** A tensor as a formula of one of its bases. */
  const formulaOf = (id: TensorId, base: TensorId): Formula => {
    if (id === base) return variable
    const operation = operations.get(id)
    invariant(operation, `tensor ${id} is no function of tensor ${base}`)
    return operation.join(operation.operands.map((operand) => formulaOf(operand, base)))
  }
  let changed = false
  const nodes = program.nodes.map((node): RealNode => {
    const operation = operationOf(node, (id) => sizeOf(program.tensors[id].shape))
    const own = operation ? formsWith(operation, node.out, formsOf) : onlyItself(node.out)
    budget.elements(own.bases.length, `node \`${node.origin.name}\`, operator \`${node.origin.operator}\``)
    forms.set(node.out, own)
    if (operation) operations.set(node.out, operation)
    if (node.kind === "clamp") clamps.add(node.out)
    const base = choose(own.bases, clamps)
    if (!operation || base === undefined) return node
    const formula = formulaOf(node.out, base)
    const isBase = (id: TensorId) => formsOf(id).bases.includes(base)
    if (!pays(node, base, formula, (id) => (isBase(id) ? formulaOf(id, base) : undefined))) return node
    changed = true
    return { kind: "function", out: node.out, source: base, formula, origin: node.origin }
  })
  return { program: { ...program, nodes }, changed }
}

const onlyItself = (id: TensorId): Forms => ({ bases: Int32Array.of(id), sizes: Int32Array.of(1) })

/** The forms of an operation's result: itself, and wherever all operands have a base in common. */
function formsWith(
  { operands, own, times }: Operation,
  out: TensorId,
  formsOf: (id: TensorId) => Forms,
): Forms {
  const [first, ...others] = operands.map(formsOf)
  const sizes = others.map((forms) => new Map(Array.from(forms.bases, (base, i) => [base, forms.sizes[i]])))
  const found = { bases: [out], sizes: [1] }
  for (let i = 0; i < first.bases.length; i++) {
    const base = first.bases[i]
    let size = own + times * first.sizes[i]
    // an operand without the base makes the size NaN, which is not at most anything
    for (const sizeFrom of sizes) size += times * (sizeFrom.get(base) ?? Number.NaN)
    if (!(size <= maxFormula)) continue
    found.bases.push(base)
    found.sizes.push(size)
  }
  return { bases: Int32Array.from(found.bases), sizes: Int32Array.from(found.sizes) }
}

/** The node as a step of a formula, if it is one. */
function operationOf(node: RealNode, size: (id: TensorId) => number): Operation | undefined {
  const operands = sourcesOf(node)
  switch (node.kind) {
    case "function": {
      const { formula } = node
      const [own, times] = partsOf(formula)
      return { operands, own, times, join: ([of]) => substitute(formula, of) }
    }
    case "clamp": {
      const bounds = [node.lo, node.hi]
      return { operands, own: 1, times: 1, join: ([of]) => apply("clamp", of, bounds) }
    }
    case "product":
      return { operands, own: 1, times: 1, join: ([left, right]) => ({ kind: "product", left, right }) }
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
      return { operands, own: 1, times: 1, join }
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

/** Whether computing the node as one function is cheaper than as it stands. */
function pays(
  node: RealNode,
  base: TensorId,
  formula: Formula,
  partOf: (operand: TensorId) => Formula | undefined,
): boolean {
  switch (node.kind) {
    case "function":
      return base !== node.source
    case "clamp":
      return appliesOther(formula, "clamp")
    case "product":
      return appliesOther(formula)
    case "linear": {
      let tables = 0
      for (const { source } of node.terms) {
        const part = partOf(source)
        if (part && appliesOther(part, "clamp")) tables++
      }
      return tables > 1
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
