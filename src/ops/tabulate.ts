/**
 * Finds what depends on one variable. Chains of functions, uniform scalings and shifts, clamps, sums and
 * products whose operands all come from the same element of one tensor are one function of that element,
 * and one table later on: GELU, Swish or Mish written out cost what a sigmoid costs.
 *
 * Left alone is what is cheaper as it stands: sums of scaled tensors are free, a clamp or a leaky ReLU is a
 * rescale, x² is a product. So a node becomes a function only where that replaces a function, or a product
 * of clamps, and a sum only where it replaces two of them.
 */
import { invariant } from "../errors.js"
import { appliedIn, apply, type Formula, sizeOfFormula, substitute, variable } from "./formula.js"
import { type LinearMap, type Program, type RealNode, sizeOf, type TensorId } from "./program.js"
import { diagonalOf } from "./scaling.js"

/** A tensor as a function of the elements of another, `base`. */
interface Form {
  readonly base: TensorId
  readonly formula: Formula
}

/** Longer formulas are cut: shared branches are written out, and could grow without end. */
const maxFormula = 400

/** Joins every such expression into one `function` node; what it replaces is left for `fuse` to drop. */
export function tabulate(program: Program): { program: Program; changed: boolean } {
  const forms = new Map<TensorId, readonly Form[]>()
  const made = new Map<TensorId, RealNode>()
  const formsOf = (id: TensorId): readonly Form[] => {
    const found = forms.get(id)
    invariant(found, `tensor ${id} is read before it is written`)
    return found
  }
  let changed = false
  const nodes = program.nodes.map((node): RealNode => {
    const derived = derive(node, formsOf, (id) => sizeOf(program.tensors[id].shape))
    const usable = derived.filter(({ formula }) => sizeOfFormula(formula) <= maxFormula)
    // nearest first, so that what stays separate can be read from where it is
    forms.set(node.out, [{ base: node.out, formula: variable }, ...usable])
    made.set(node.out, node)
    const best = choose(usable, (id) => made.get(id)?.kind === "clamp")
    if (!best || !pays(node, best, formsOf)) return node
    changed = true
    return { kind: "function", out: node.out, source: best.base, formula: best.formula, origin: node.origin }
  })
  return { program: { ...program, nodes }, changed }
}

/** The node's output as functions of tensors before it. */
function derive(
  node: RealNode,
  formsOf: (id: TensorId) => readonly Form[],
  size: (id: TensorId) => number,
): Form[] {
  switch (node.kind) {
    case "function":
      return formsOf(node.source).map(({ base, formula }) => ({
        base,
        formula: substitute(node.formula, formula),
      }))
    case "clamp":
      return formsOf(node.source).map(({ base, formula }) => ({
        base,
        formula: apply("clamp", formula, [node.lo, node.hi]),
      }))
    case "product":
      return common([node.left, node.right].map(formsOf), ([left, right]) => ({
        kind: "product",
        left,
        right,
      }))
    case "linear": {
      const offset = node.bias ? uniform(node.bias) : 0
      const factors = node.terms.map(({ source, map }) =>
        size(source) === size(node.out) ? uniformFactor(map) : undefined,
      )
      if (offset === undefined || factors.length === 0 || factors.includes(undefined)) return []
      return common(
        node.terms.map(({ source }) => formsOf(source)),
        (parts) => ({
          kind: "sum",
          terms: parts.map((of, i) => ({ factor: factors[i] as number, of })),
          offset,
        }),
      )
    }
    default:
      return []
  }
}

/** Joins the forms of several operands wherever they have a base in common. */
function common(operands: readonly (readonly Form[])[], join: (parts: Formula[]) => Formula): Form[] {
  return operands[0].flatMap(({ base }) => {
    const parts = operands.map((forms) => forms.find((form) => form.base === base)?.formula)
    return parts.every((part) => part !== undefined) ? [{ base, formula: join(parts) }] : []
  })
}

/**
 * The form to compute by: the one furthest back, but not past a clamp, because a clamped tensor is one that a
 * table can read as it is, and further back lies a wide one.
 */
function choose(forms: readonly Form[], isClamp: (base: TensorId) => boolean): Form | undefined {
  let best = forms[0]
  for (const next of forms.slice(1)) {
    if (isClamp(best.base)) break
    best = next
  }
  return best
}

/** Whether computing the node as one function is cheaper than as it stands. */
function pays(node: RealNode, { base, formula }: Form, formsOf: (id: TensorId) => readonly Form[]): boolean {
  const isTable = (part: Formula) => appliedIn(part).some((name) => name !== "clamp")
  switch (node.kind) {
    case "function":
      return base !== node.source
    case "clamp":
      return isTable(formula)
    case "product":
      return appliedIn(formula).length > 0
    case "linear":
      return (
        node.terms.filter(({ source }) => {
          const form = formsOf(source).find((each) => each.base === base)
          return form && isTable(form.formula)
        }).length > 1
      )
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
