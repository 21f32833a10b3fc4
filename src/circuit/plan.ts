/**
 * Which gadget serves which element of which tensor, from static bounds alone: nothing here has seen an
 * input. The plan is what `inspect` reports, what the linker stamps and what the witness replays.
 */
import { InvariantError, invariant } from "../errors.js"
import type { IntNode, RescaleNode, TensorId } from "../ops/program.js"
import { shiftedBounds, spreadBits, windowOffset } from "../quantize/bounds.js"
import { type IntGraph, tableOutput } from "../quantize/intgraph.js"
import { argmaxGadget, clampGadget, type GadgetUse, gadgetKey, gadgetKinds, tableGadget } from "./gadgets.js"

/** No gadget: the element is a constant, or a copy of its single operand. */
export const NONE = 0xffffffff

/** One node's instances, one per output element (per input element for an `input` node). */
export interface NodePlan {
  readonly node: IntNode
  /** Operand j of an instance is an element of sources[min(j, sources.length − 1)]. */
  readonly sources: readonly TensorId[]
  /** Index into Plan.uses per instance, or NONE. */
  readonly uses: Uint32Array
  /** Value of an instance without gadget; NaN where it copies its operand. */
  readonly constants: Float64Array
  /** Operands of instance i: elements[operandPtr[i]] … elements[operandPtr[i+1] − 1]. */
  readonly operandPtr: Uint32Array
  readonly elements: Uint32Array
  /** Added to every operand before the gadget. */
  readonly operandOffset: number
  /** The element is outputSign · (gadget output) + outputOffset. */
  readonly outputSign: 1 | -1
  readonly outputOffset: number
}

export interface Plan {
  readonly uses: readonly GadgetUse[]
  /** Only nodes that need gadgets; linear and index nodes cost nothing. */
  readonly nodes: ReadonlyMap<IntNode, NodePlan>
}

/** Which gadget family serves what: the part of planning that depends on the range strategy. */
export interface Forms {
  /** clamp(acc >> shift, 0, 2^bits − 1) of one element of a rescale node, for acc in [min, max]. */
  clamp(node: RescaleNode, min: number, max: number): GadgetUse | number
  /** Maximum, and position of the maximum, of m integers that differ by less than 2^b. */
  max(m: number, b: number): GadgetUse
  argmax(m: number, b: number): GadgetUse
  /** The entry of a table of non-negative integers that an integer in [0, values.length) names. */
  table(values: Float64Array): GadgetUse
}

/** The cheapest forms under bit decomposition. */
export const bitForms: Forms = {
  clamp: ({ shift, bits }, min, max) => clampGadget(shift, bits, min, max),
  max: (m, b) => ({ kind: gadgetKinds.Max, parameters: [m, b] }),
  argmax: argmaxGadget,
  table: tableGadget,
}

/** Interval of element i of a rescale node's accumulator, shifted so that the window begins at zero. */
export function accumulatorBounds(graph: IntGraph, node: RescaleNode, i: number): [min: number, max: number] {
  const { lo, hi } = graph.tensors[node.source]
  return shiftedBounds(node, lo[i], hi[i])
}

/** Chooses gadgets for every node of an integer model. Throws ModelError for numbers that are no safe integers. */
export function planGadgets(graph: IntGraph, forms: Forms = bitForms): Plan {
  const uses: GadgetUse[] = []
  const known = new Map<string, number>()
  const intern = (use: GadgetUse): number => {
    const key = gadgetKey(use)
    let index = known.get(key)
    if (index === undefined) {
      index = uses.push(use) - 1
      known.set(key, index)
    }
    return index
  }
  const nodes = new Map<IntNode, NodePlan>()
  for (const node of graph.nodes) {
    const plan = planNode(graph, node, forms, intern)
    if (plan) nodes.set(node, plan)
  }
  return { uses, nodes }
}

type Choice = GadgetUse | number | "copy"

function planNode(
  graph: IntGraph,
  node: IntNode,
  forms: Forms,
  intern: (use: GadgetUse) => number,
): NodePlan | undefined {
  const count = graph.tensors[node.out].lo.length
  const assemble = (
    sources: readonly TensorId[],
    choose: (i: number) => { choice: Choice; operands: number[] },
    operandOffset = 0,
    outputOffset = 0,
    outputSign: 1 | -1 = 1,
  ): NodePlan => {
    const uses = new Uint32Array(count).fill(NONE)
    const constants = new Float64Array(count).fill(Number.NaN)
    const operandPtr = new Uint32Array(count + 1)
    const elements: number[] = []
    for (let i = 0; i < count; i++) {
      const { choice, operands } = choose(i)
      if (typeof choice === "number") constants[i] = choice
      else if (choice !== "copy") uses[i] = intern(choice)
      for (const element of operands) elements.push(element)
      operandPtr[i + 1] = elements.length
    }
    const operands = Uint32Array.from(elements)
    return {
      node,
      sources,
      uses,
      constants,
      operandPtr,
      elements: operands,
      operandOffset,
      outputSign,
      outputOffset,
    }
  }

  switch (node.kind) {
    case "linear":
    case "index":
      return undefined
    case "input": {
      const input = graph.inputs.find((candidate) => candidate.tensor === node.out)
      invariant(input, `input node ${node.name} is not declared`)
      const use = { kind: gadgetKinds.InRange, parameters: [input.bits] }
      return assemble([node.out], (i) => ({ choice: use, operands: [i] }), -input.lo)
    }
    case "rescale": {
      return assemble(
        [node.source],
        (i) => {
          const choice = forms.clamp(node, ...accumulatorBounds(graph, node, i))
          return { choice, operands: typeof choice === "number" ? [] : [i] }
        },
        windowOffset(node),
        node.lo,
      )
    }
    case "max": {
      const source = graph.tensors[node.source]
      return assemble([node.source], (i) => {
        const window = [...node.map.subarray(i * node.window, (i + 1) * node.window)].filter(
          (element) => element >= 0,
        )
        // an element that can never exceed another one's least value decides nothing
        const floor = window.reduce(
          (least, element) => Math.max(least, source.lo[element]),
          Number.NEGATIVE_INFINITY,
        )
        const keeper = window.find((element) => source.lo[element] === floor)
        const operands = [...new Set(window)].filter(
          (element) => element === keeper || source.hi[element] > floor,
        )
        if (operands.length === 1) return { choice: "copy", operands }
        return { choice: forms.max(operands.length, spreadBits(node, source, operands)), operands }
      })
    }
    case "argmax": {
      const source = graph.tensors[node.source]
      const choose = (i: number) => {
        const operands = [...node.map.subarray(i * node.window, (i + 1) * node.window)]
        invariant(
          operands.every((element) => element >= 0),
          "argmax windows have no padding",
        )
        if (operands.length === 1) return { choice: 0, operands: [] }
        // the last of equal maxima is the first of the reversed window
        if (node.last) operands.reverse()
        return { choice: forms.argmax(operands.length, spreadBits(node, source, operands)), operands }
      }
      return node.last
        ? assemble([node.source], choose, 0, node.window - 1, -1)
        : assemble([node.source], choose)
    }
    case "table": {
      const source = graph.tensors[node.source]
      const out = graph.tensors[node.out]
      const { lo } = tableOutput(node)
      const use = forms.table(node.values.map((y) => y - lo))
      const choose = (i: number) => {
        // of the entries that this element can reach, all may be the same
        const isConstant = out.lo[i] === out.hi[i]
        return isConstant ? { choice: out.lo[i] - lo, operands: [] } : { choice: use, operands: [i] }
      }
      invariant(source.lo.length === count, `table ${node.origin.name} has another size than its source`)
      return assemble([node.source], choose, -node.lo, lo)
    }
    case "product":
      return assemble([node.left, node.right], (i) => ({
        choice: { kind: gadgetKinds.Product, parameters: [] },
        operands: [i, i],
      }))
    default:
      throw new InvariantError(`no gadget for ${(node as IntNode).kind}`)
  }
}
