/**
 * The witness, straight from the integer execution: every wire's value is a small integer that follows
 * from tensor values and gadget hints. Only the context is a full field element.
 */
import { CountersignError, invariant } from "../errors.js"
import { mod, r } from "../field.js"
import type { TensorId } from "../ops/program.js"
import type { IntGraph } from "../quantize/intgraph.js"
import { evaluation } from "../verifier/words.js"
import type { LinkedNodes, PlainLinked } from "./link.js"
import { CHALLENGE, EVALUATION, type MirageLinked } from "./link-mirage.js"
import type { StampGroup } from "./link-nodes.js"
import { NONE } from "./plan.js"
import type { Stamp } from "./ranges.js"
import { type Lc, ONE } from "./reduce-gadgets.js"

/** Values per wire: safe integers in `small`; wires in `large` hold canonical field elements instead. */
export interface Witness {
  readonly small: Float64Array
  readonly large: ReadonlyMap<number, bigint>
}

/** Canonical field element of a wire. */
export const fieldValue = (witness: Witness, wire: number): bigint =>
  witness.large.get(wire) ?? mod(BigInt(witness.small[wire]))

/** Integers of every tensor, see quantize/run. */
export type TensorValues = ReadonlyMap<TensorId, Float64Array>

/** Assigns every wire of a plain circuit. `contextSignal` is the context as a field element. */
export function assignPlain(
  graph: IntGraph,
  linked: PlainLinked,
  values: TensorValues,
  contextSignal: bigint,
): Witness {
  const small = new Float64Array(linked.r1cs.wires)
  assignNodes(graph, linked, values, small)
  const tensor = tensorsOf(graph, values)
  for (const [i, output] of graph.outputs.entries()) small.set(tensor(output.tensor), linked.outputs[i])
  const large = new Map([
    [linked.context, mod(contextSignal)],
    [linked.contextSquare, (contextSignal * contextSignal) % r],
  ])
  return { small, large }
}

/** What is known of a two-phase witness before its challenge. */
export interface CommittedWitness extends Witness {
  /** Per query the entry it hits, numbered over all tables. */
  readonly entries: Uint32Array
}

/**
 * Assigns the committed wires of a two-phase circuit.
 * @throws CountersignError if a query hits no entry: the integers are not an execution of the model
 */
export function assignCommitted(
  graph: IntGraph,
  linked: MirageLinked,
  values: TensorValues,
): CommittedWitness {
  const { lookup } = linked
  const small = new Float64Array(linked.r1cs.wires)
  const entries = new Uint32Array(lookup.table.length)
  let query = 0
  assignNodes(graph, linked, values, small, (sum, group, i) => {
    const table = lookup.table[query]
    const entry = lookup.tables[table].rowOf(sum / lookup.scale[query])
    if (entry < 0) {
      throw new CountersignError({
        what: `query ${query} finds no entry of ${lookup.tables[table].key}`,
        where: `tensor \`${graph.tensors[group.tensor].name}\`[${i}] (node \`${group.node.origin.name}\`)`,
        given: `${sum / lookup.scale[query]}`,
        fix: "The integers given are not an execution of this model",
      })
    }
    entries[query++] = lookup.tableStart[table] + entry
  })
  for (const entry of entries) small[lookup.multiplicities + entry]++
  return { small, large: new Map(), entries }
}

/**
 * What joins a committed witness once the challenge is known: c, ev and the Horner steps; and, if `inverse` gives
 * 1 / (c − t) for each entry t, the inverses and quotients of the lookup argument.
 */
export function challengedWitness(
  { lookup, steps }: MirageLinked,
  committed: CommittedWitness,
  words: readonly bigint[],
  c: bigint,
  inverse?: readonly bigint[],
): Witness {
  const large = new Map(committed.large)
  large.set(CHALLENGE, c)
  large.set(EVALUATION, evaluation(words, c))
  // the linker allocates the step of the last word first
  let step = 0n
  for (let j = words.length - 1; j > 0; j--) {
    step = ((words[j] + step) * c) % r
    large.set(steps + words.length - 1 - j, step)
  }
  if (inverse) {
    inverse.forEach((value, entry) => {
      const multiplicity = committed.small[lookup.multiplicities + entry]
      if (multiplicity > 0) large.set(lookup.quotients + entry, (value * BigInt(multiplicity)) % r)
    })
    committed.entries.forEach((entry, query) => {
      large.set(lookup.inverses + query, inverse[entry])
    })
  }
  return { small: committed.small, large }
}

function tensorsOf(graph: IntGraph, values: TensorValues): (id: TensorId) => Float64Array {
  return (id) => {
    const data = values.get(id)
    invariant(data, `tensor ${graph.tensors[id].name} has no values`)
    return data
  }
}

type OnQuery = (sum: number, group: StampGroup, instance: number) => void

/** Assigns inputs and gadgets, in the linker's order. */
function assignNodes(
  graph: IntGraph,
  linked: LinkedNodes,
  values: TensorValues,
  small: Float64Array,
  onQuery?: OnQuery,
): void {
  small[0] = 1
  const tensor = tensorsOf(graph, values)
  for (const [i, first] of linked.inputs.entries()) small.set(tensor(graph.inputs[i].tensor), first)
  for (const group of linked.groups) {
    if (group.plan) assignGadgets(group, linked.stamps, tensor, small, onQuery)
    else {
      const data = tensor(group.tensor)
      group.base.forEach((wire, i) => {
        if (wire !== NONE) small[wire] = data[i]
      })
    }
  }
}

function assignGadgets(
  group: StampGroup,
  stamps: readonly Stamp[],
  tensor: (id: TensorId) => Float64Array,
  small: Float64Array,
  onQuery: OnQuery | undefined,
): void {
  const plan = group.plan
  invariant(plan, "a gadget group has a plan")
  const sources = plan.sources.map(tensor)
  const writers = new Map<number, StampWriter>()
  const operands: number[] = []
  for (let i = 0; i < plan.uses.length; i++) {
    const use = plan.uses[i]
    if (use === NONE) continue
    operands.length = 0
    for (let j = plan.operandPtr[i]; j < plan.operandPtr[i + 1]; j++) {
      const source = sources[Math.min(operands.length, sources.length - 1)]
      operands.push(source[plan.elements[j]] + plan.operandOffset)
    }
    let writer = writers.get(use)
    if (!writer) {
      writer = stampWriter(stamps[use])
      writers.set(use, writer)
    }
    writer(operands, small, group.base[i], (sum) => onQuery?.(sum, group, i))
  }
}

type StampWriter = (
  operands: readonly number[],
  small: Float64Array,
  base: number,
  onQuery: (sum: number) => void,
) => void

/** Prepares the assignment of one kind of stamp, so that names are looked up once. */
function stampWriter(stamp: Stamp): StampWriter {
  const { gadget } = stamp
  const signal = new Map(gadget.signals.map((name, i) => [name, i]))
  const values = new Float64Array(gadget.signals.length)
  const set = (name: string, value: number) => {
    const index = signal.get(name)
    if (index !== undefined) values[index] = value
  }
  const evaluate = (lc: Lc): number => {
    let sum = 0
    for (const [index, coefficient] of lc) sum += coefficient * (index === ONE ? 1 : values[index])
    return sum
  }
  // limbs of one operand are neighbours: evaluate each operand once
  const operandsOfBits = [...new Set(stamp.sources.flatMap((source) => ("of" in source ? [source.of] : [])))]
  const plan = stamp.sources.map((source) =>
    "of" in source
      ? { operand: operandsOfBits.indexOf(source.of), from: 2 ** source.shift, size: 2 ** source.size }
      : { signal: source.signal },
  )
  const queries = stamp.queries.map(({ lc }) => [...lc])
  const { inputs } = gadget
  return (operands, small, base, onQuery) => {
    values.set(operands)
    gadget.use.kind.hints(gadget.use.parameters, operands, set)
    const ranged = operandsOfBits.map(evaluate)
    for (let j = 0; j < plan.length; j++) {
      const source = plan[j]
      small[base + j] =
        source.signal === undefined
          ? Math.floor(ranged[source.operand] / source.from) % source.size
          : values[source.signal]
    }
    for (const query of queries) {
      let sum = 0
      for (const [local, coefficient] of query) {
        const value = local === ONE ? 1 : local < inputs ? operands[local] : small[base + local - inputs]
        sum += coefficient * value
      }
      onQuery(sum)
    }
  }
}
