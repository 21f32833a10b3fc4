/**
 * Which gadget serves which element of which tensor, from static bounds alone: nothing here has seen an
 * input. The plan is what `inspect` reports, what the linker stamps and what the witness replays.
 */
import { InvariantError, invariant, ModelError } from "../../errors.js"
import {
  type ArgmaxNode,
  type ContractionNode,
  type IntNode,
  type MaxNode,
  type PerKind,
  perKind,
  productsIn,
  type RescaleNode,
  type TableNode,
  type TensorId,
} from "../../ops/program.js"
import { readersOf } from "../../ops/traversal.js"
import { hull, shiftedBounds, spreadBits, windowOffset } from "../../quantize/integers/bounds.js"
import type { Interval } from "../../quantize/integers/interval.js"
import { type IntGraph, tableOutput } from "../../quantize/integers/intgraph.js"
import {
  argmaxGadget,
  belowTableGadget,
  chosenGadget,
  clampGadget,
  type GadgetUse,
  gadgetKey,
  gadgetKinds,
  quotientGadget,
  rootGadget,
  tableGadget,
} from "../gadgets/families.js"
import { hostOf } from "./hosts.js"
import { isZero, type Projection } from "./projection.js"
import { checkBits, columnBits, packingOf } from "./rows.js"
import type { Secrets } from "./secret.js"
import { sortChecks } from "./sorting.js"

/** No gadget: the element is a constant, or a copy of its single operand. */
export const NONE = 0xffffffff

/** One node's instances, `terms` per output element (one per input element for an `input` node). */
export interface NodePlan {
  readonly node: IntNode
  /** Instances whose outputs are added up to one element. */
  readonly terms: number
  /** Operand j of an instance is an element of sources[min(j, sources.length − 1)], or see `own`. */
  readonly sources: readonly TensorId[]
  /** If the node's own output is the first of two sources: of each instance, how many operands are elements of it. */
  readonly own?: Uint8Array
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

/** Which of its sources operand j of an instance is of. */
export const sourceOf = ({ sources, own }: NodePlan, instance: number, j: number): number =>
  own ? (j < own[instance] ? 0 : 1) : Math.min(j, sources.length - 1)

export interface Plan {
  readonly uses: readonly GadgetUse[]
  /** Only nodes that need gadgets; linear and index nodes cost nothing. */
  readonly nodes: ReadonlyMap<IntNode, NodePlan>
  /** Contractions that are proven under the challenge, without gadgets. */
  readonly projected: ReadonlyMap<ContractionNode, Projection>
  /** Tables that read the accumulator of a rescale, which has no wires of its own. */
  readonly stepped: ReadonlyMap<TableNode, RescaleNode>
  /** Linear nodes with secret weights. */
  readonly secrets: Secrets
}

const noSteps: Plan["stepped"] = new Map()
const noProjections: Plan["projected"] = new Map()
const noSecrets: Secrets = { plans: new Map(), rows: 0, checked: new Map() }

/** Which gadget family serves what: the part of planning that depends on the range strategy. */
export interface Forms {
  /** clamp(acc >> shift, 0, 2^bits − 1) of one element of a rescale node, for acc in [min, max]. */
  clamp(node: RescaleNode, min: number, max: number): GadgetUse | number
  /** Maximum, and position of the maximum, of m integers that differ by less than 2^b. */
  max(m: number, b: number): GadgetUse
  argmax(m: number, b: number): GadgetUse
  /** One of m integers, if its being the largest is shown elsewhere. */
  pick(m: number): GadgetUse
  /** The value, none negative, that a distance from a maximum of less than values.length · 2^shift names. */
  below(shift: number, values: Float64Array): GadgetUse
  /** A quotient in [least, most] less `least`, of a denominator of at most `den`; and the root of at most `square`. */
  quotient(least: number, most: number, den: number): GadgetUse
  root(square: number): GadgetUse
  /** Contractions that are better projected than multiplied out, where there is a challenge. */
  readonly projected?: Plan["projected"]
  /** Where there is a challenge: bits of a range check that may be as wide as asked or wider. */
  readonly widen?: (bits: number) => number
  /** The entry of a table of non-negative integers that an integer in [0, values.length) names. */
  table(values: Float64Array): GadgetUse
  /** The value that floor(acc / 2^shift) names, for rescales that a table alone reads: those have no wires then. */
  step(shift: number, values: Float64Array): GadgetUse
  readonly stepped?: ReadonlyMap<TableNode, RescaleNode>
  /** How linear nodes with secret weights are proven, where there is a challenge. */
  readonly secrets?: Secrets
}

/** The cheapest forms under bit decomposition. */
export const bitForms: Forms = {
  clamp: ({ shift, bits }, min, max) => clampGadget(shift, bits, min, max),
  max: (m, b) => ({ kind: gadgetKinds.Max, parameters: [m, b] }),
  argmax: argmaxGadget,
  pick: chosenGadget,
  below: belowTableGadget,
  quotient: quotientGadget,
  root: rootGadget,
  table: tableGadget,
  step() {
    throw new InvariantError("a table is merged with a rescale where there is a lookup argument")
  },
}

/**
 * Tables that are the only reader of a rescale which cuts nothing off: the table itself says then that the quotient is one of its
 * indices.
 */
export function steppedTables(graph: IntGraph): ReadonlyMap<TableNode, RescaleNode> {
  const made = new Map(graph.nodes.map((node) => [node.out, node]))
  const readers = readersOf(graph)
  const stepped = new Map<TableNode, RescaleNode>()
  for (const node of graph.nodes) {
    if (node.kind !== "table" || readers.get(node.source) !== 1) continue
    const rescale = made.get(node.source)
    if (rescale?.kind !== "rescale" || rescale.bits === 1) continue
    const { lo, hi } = graph.tensors[rescale.source]
    const [least, most] = hull({ lo, hi }).map((x) => Math.floor(x / 2 ** rescale.shift))
    // what is read in a longer table has no rows of its own to save
    if (hostOf(graph, node) !== node) continue
    if (least >= rescale.lo && most < rescale.lo + 2 ** rescale.bits) stepped.set(node, rescale)
  }
  return stepped
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
    const service = perKind(services, node, graph, forms)
    if (service) nodes.set(node, planNode(node, graph.tensors[node.out].lo.length, service, intern))
  }
  return {
    uses,
    nodes,
    projected: forms.projected ?? noProjections,
    stepped: forms.stepped ?? noSteps,
    secrets: forms.secrets ?? noSecrets,
  }
}

/** What one element takes: a gadget, a constant before sign and offset, or a copy of its single operand. */
interface Choice {
  readonly serve: GadgetUse | number | "copy"
  readonly operands: readonly number[]
  readonly own?: number
}

/** How the elements of a node are served. */
interface Service {
  readonly sources: readonly TensorId[]
  readonly choose: (i: number) => Choice
  /** If they are no elements: how many gadgets there are. */
  readonly instances?: number
  readonly terms?: number
  readonly operandOffset?: number
  readonly outputOffset?: number
  readonly outputSign?: 1 | -1
}

/** Lists the gadgets and operands of all elements of a node. */
function planNode(
  node: IntNode,
  elements: number,
  { sources, choose, instances, terms = 1, operandOffset = 0, outputOffset = 0, outputSign = 1 }: Service,
  intern: (use: GadgetUse) => number,
): NodePlan {
  const count = instances ?? elements * terms
  const uses = new Uint32Array(count).fill(NONE)
  const constants = new Float64Array(count).fill(Number.NaN)
  const operandPtr = new Uint32Array(count + 1)
  const listed: number[] = []
  const own = new Uint8Array(instances ?? 0)
  for (let i = 0; i < count; i++) {
    const { serve, operands, own: first } = choose(i)
    if (instances !== undefined) own[i] = first ?? 0
    if (typeof serve === "number") constants[i] = serve
    else if (serve !== "copy") uses[i] = intern(serve)
    for (const element of operands) listed.push(element)
    operandPtr[i + 1] = listed.length
  }
  return {
    node,
    terms,
    sources,
    ...(instances !== undefined && { own }),
    uses,
    constants,
    operandPtr,
    elements: Uint32Array.from(listed),
    operandOffset,
    outputSign,
    outputOffset,
  }
}

/** Linear and index nodes take no gadgets: they combine rows. */
const free = () => undefined

const services: PerKind<IntNode, [graph: IntGraph, forms: Forms], Service | undefined> = {
  linear: free,
  index: free,
  input({ out, name }, { inputs }) {
    const input = inputs.find((candidate) => candidate.tensor === out)
    invariant(input, `input node ${name} is not declared`)
    const serve = { kind: gadgetKinds.InRange, parameters: [input.bits] }
    return { sources: [out], choose: (i) => ({ serve, operands: [i] }), operandOffset: -input.lo }
  },
  rescale(node, graph, forms) {
    // the table that reads it takes its source
    for (const rescale of forms.stepped?.values() ?? []) if (rescale === node) return undefined
    const choose = (i: number): Choice => {
      const serve = forms.clamp(node, ...accumulatorBounds(graph, node, i))
      return { serve, operands: typeof serve === "number" ? [] : [i] }
    }
    return { sources: [node.source], choose, operandOffset: windowOffset(node), outputOffset: node.lo }
  },
  max(node, graph, forms) {
    const { tensors } = graph
    const isShown = isLargest(node, graph)
    const source = tensors[node.source]
    const choose = (i: number): Choice => {
      const operands = contenders(windowOf(node, i), source)
      if (operands.length === 1) return { serve: "copy", operands }
      const bits = spreadBits(node, source, operands)
      return { serve: isShown ? forms.pick(operands.length) : forms.max(operands.length, bits), operands }
    }
    return { sources: [node.source], choose }
  },
  argmax(node, { tensors }, forms) {
    const choose = (i: number): Choice => {
      const operands = windowOf(node, i)
      invariant(operands.length === node.window, "argmax windows have no padding")
      if (operands.length === 1) return { serve: 0, operands: [] }
      // the last of equal maxima is the first of the reversed window
      if (node.last) operands.reverse()
      const bits = spreadBits(node, tensors[node.source], operands)
      return { serve: forms.argmax(operands.length, bits), operands }
    }
    const sources = [node.source]
    return node.last
      ? { sources, choose, outputOffset: node.window - 1, outputSign: -1 }
      : { sources, choose }
  },
  table(node, graph, forms) {
    const { tensors } = graph
    const out = tensors[node.out]
    invariant(
      tensors[node.source].lo.length === out.lo.length,
      `table ${node.origin.name} has another size than its source`,
    )
    const rescale = forms.stepped?.get(node)
    if (rescale) {
      // such a table shows which integer its source is, so it has no others than that can be
      const { lo } = tableOutput(node)
      const serve = forms.step(
        rescale.shift,
        node.values.map((y) => y - lo),
      )
      const choose = (i: number) => constantOr(out, i, lo, { serve, operands: [i] })
      const operandOffset = -node.lo * 2 ** rescale.shift
      return { sources: [rescale.source], choose, operandOffset, outputOffset: lo }
    }
    const host = hostOf(graph, node)
    const { lo } = tableOutput(host)
    const serve = forms.table(host.values.map((y) => y - lo))
    // of the entries that this element can reach, all may be the same
    const choose = (i: number) => constantOr(out, i, lo, { serve, operands: [i] })
    return { sources: [node.source], choose, operandOffset: -host.lo, outputOffset: lo }
  },
  quotient(node, { tensors }, forms) {
    const { numerator, denominator } = node
    const [least, most] = hull(tensors[node.out])
    const serve = forms.quotient(least, most, hull(tensors[denominator])[1])
    const sources = [numerator, denominator]
    return {
      sources,
      choose: (i) => constantOr(tensors[node.out], i, least, { serve, operands: [i, i] }),
      outputOffset: least,
    }
  },
  below(node, { tensors }, forms) {
    const { source, maximum, owner, shift } = node
    const out = tensors[node.out]
    const { lo } = tableOutput(node)
    const serve = forms.below(
      shift,
      node.values.map((y) => y - lo),
    )
    // of every element: that none exceeds the maximum is shown here, also where all values are the same
    const choose = (i: number) => ({ serve, operands: [owner[i], i] })
    invariant(out.lo.length === owner.length, `node ${node.origin.name} has a window for each element`)
    return { sources: [maximum, source], choose, outputOffset: lo }
  },
  isqrt(node, { tensors }, forms) {
    const serve = forms.root(hull(tensors[node.source])[1])
    return {
      sources: [node.source],
      choose: (i) => constantOr(tensors[node.out], i, 0, { serve, operands: [i] }),
    }
  },
  rows(node, graph, { widen }) {
    // without a challenge its elements are combinations of bits
    if (!widen) {
      checkBits(node, graph)
      return undefined
    }
    const bits = widen(columnBits(node))
    const serve = { kind: gadgetKinds.InRange, parameters: [bits] }
    const { least } = packingOf(node, bits)
    return { sources: [node.out], choose: (i) => ({ serve, operands: [i] }), operandOffset: -least }
  },
  sort(node, graph, { widen }) {
    const checks = sortChecks(node, graph, widen !== undefined, widen ?? ((bits) => bits))
    return { sources: [node.out, node.source], choose: (i) => checks[i], instances: checks.length }
  },
  product({ left, right }) {
    const serve = { kind: gadgetKinds.Product, parameters: [] }
    return { sources: [left, right], choose: (i) => ({ serve, operands: [i, i] }) }
  },
  contraction(node, { tensors }, { projected }) {
    const { left, right, m, k, n } = node
    if (projected?.has(node)) return undefined
    if (productsIn(node) > mostProducts) tooManyProducts(node)
    const serve = { kind: gadgetKinds.Product, parameters: [] }
    const choose = (i: number): Choice => {
      const [inner, element] = [i % k, Math.floor(i / k)]
      const [column, row] = [element % n, Math.floor(element / n)]
      const operands = [row * k + inner, (Math.floor(row / m) * k + inner) * n + column]
      const vanishes = isZero(tensors[left], operands[0]) || isZero(tensors[right], operands[1])
      return vanishes ? { serve: 0, operands: [] } : { serve, operands }
    }
    return { sources: [left, right], choose, terms: k }
  },
}

/** Products of two activations that one node may have multiplied out. */
const mostProducts = 2 ** 22

function tooManyProducts(node: ContractionNode): never {
  throw new ModelError({
    what: `\`${node.origin.operator}\`: the products of two activations are too many to be multiplied out`,
    where: node.origin.name,
    expected: `at most ${mostProducts} products`,
    given: `${productsIn(node)}`,
    fix: "Use proof system mirage, or a smaller model",
  })
}

/** What serves an element that its bounds leave open; `offset` is added to what a gadget gives. */
const constantOr = ({ lo, hi }: Interval, i: number, offset: number, choice: Choice): Choice =>
  lo[i] === hi[i] ? { serve: lo[i] - offset, operands: [] } : choice

/** Whether gadgets of `below` nodes show that no element of a window exceeds its maximum, of all windows of a node. */
const isLargest = (node: MaxNode, { nodes }: IntGraph): boolean =>
  nodes.some(
    (other) =>
      other.kind === "below" &&
      other.maximum === node.out &&
      other.source === node.source &&
      node.map.every((element, j) => element < 0 || other.owner[element] === Math.floor(j / node.window)),
  )

/** Elements in window i, without padding. */
const windowOf = ({ map, window }: MaxNode | ArgmaxNode, i: number): number[] =>
  [...map.subarray(i * window, (i + 1) * window)].filter((element) => element >= 0)

/** The elements of a window that can be its maximum, each once. */
function contenders(window: readonly number[], { lo, hi }: Interval): number[] {
  // an element that can never exceed another one's least value decides nothing
  const floor = window.reduce((least, element) => Math.max(least, lo[element]), Number.NEGATIVE_INFINITY)
  const keeper = window.find((element) => lo[element] === floor)
  return [...new Set(window)].filter((element) => element === keeper || hi[element] > floor)
}
