/**
 * What a circuit will take, said before it is taken: constraints and non-zeros from the plan, and the memory of linking.
 * Circuits that would take more than they may are refused here, before anything is allocated for them.
 */
import { checkThing } from "../arguments.js"
import { NONE, type Plan } from "../circuit/plan/plan.js"
import { defaults } from "../defaults.js"
import { CountersignError } from "../errors.js"
import { r } from "../field.js"
import { productsOf } from "../ops/linearmap.js"
import type { IntNode, LinearNode, TensorId } from "../ops/program.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { Expectation } from "../systems/system.js"

/** What the plan of a circuit comes to. */
export interface Expected {
  readonly constraints: number
  readonly nonzeros: number
  /** Bytes that linking takes at most, beside the model and what runs it. */
  readonly memory: number
}

/** Bytes for each constraint: rows, wires, plans and what witnesses need. */
const bytesPerRow = 240
/** Bytes for each non-zero that is written: in rows of tensors, in the system, and in the array that it is copied from. */
const bytesPerNonzero = 28

/** Bytes for a circuit of which so many non-zeros are written. */
export const linkingMemory = (constraints: number, written: number): number =>
  bytesPerRow * constraints + bytesPerNonzero * written

/**
 * Constraints (exact but for linear results that get wires, and words) and non-zeros (approximate), before
 * linking. `lookupRows`: what the lookup strategy predicts; without, the bit strategy's costs are added up.
 */
export function estimate(graph: IntGraph, plan: Plan, lookupRows?: number): Expected {
  let constraints = lookupRows ?? 1
  let nonzeros = 0
  let kept = 0
  const makers = new Map(graph.nodes.map((node) => [node.out, node]))
  /** Wires that an element of a tensor is combined of, on average. */
  const lengths = new Map<TensorId, number>()
  const lengthOf = (id: TensorId): number => lengths.get(id) ?? 1
  const sizeOf = (id: TensorId): number => graph.tensors[id].lo.length
  for (const node of graph.nodes) {
    if (node.kind === "index")
      lengths.set(node.out, Math.max(...node.sources.map((source) => lengthOf(source))))
    if (node.kind === "linear") {
      let [own, fromWires] = [0, 0]
      for (const { map, source } of node.terms) {
        const [products, length, elements] = [productsOf(map), lengthOf(source), sizeOf(source)]
        // what circuit/link/nodes.ts gives wires of their own
        if (products * (length - 1) - length * elements > defaults.nonzerosPerRow * elements) {
          lengths.set(source, 1)
          constraints += elements
          nonzeros += (length + 1) * elements
        }
        own += products * lengthOf(source)
        fromWires += products
      }
      nonzeros += own
      lengths.set(node.out, own / sizeOf(node.out))
      // rows of side B that are no bits of something: linear maps stand for them
      if (lookupRows !== undefined && own === fromWires && readsWires(node, makers)) kept += own
    }
    for (const use of plan.nodes.get(node)?.uses ?? []) {
      if (use === NONE || lookupRows !== undefined) continue
      const { kind, parameters } = plan.uses[use]
      constraints += kind.cost?.(parameters) ?? 0
      // a table is written into the rows of its gadget
      if (kind.scalars !== undefined) nonzeros += parameters.length
    }
  }
  for (const output of graph.outputs) constraints += graph.tensors[output.tensor].lo.length
  nonzeros += 4 * constraints
  return { constraints, nonzeros, memory: linkingMemory(constraints, nonzeros - kept) }
}

/** Whether the elements of all sources of a linear node are wires, so that it need not become rows (circuit/link/rows.ts). */
function readsWires(node: LinearNode, makers: ReadonlyMap<TensorId, IntNode>): boolean {
  const isWire = (id: TensorId): boolean => {
    const maker = makers.get(id)
    if (maker === undefined || maker.kind === "linear") return false
    if (maker.kind === "index") return maker.fill === 0 && maker.sources.every(isWire)
    return maker.kind !== "rescale" || maker.lo === 0
  }
  return node.terms.every(({ map, source }) => map.kind === "sparse" || isWire(source))
}

/** Largest of what a circuit may be. */
export interface Limits {
  readonly maxConstraints: number
  readonly maxMemory: number
}

/** @throws CountersignError for a circuit that would be larger than it may be, saying what it would take */
export function checkLimits(
  { constraints, nonzeros, memory }: Expected,
  { maxConstraints, maxMemory }: Limits,
  where: string,
): void {
  if (constraints > maxConstraints)
    throw new CountersignError({
      what: `the circuit would have about ${constraints} constraints`,
      where,
      expected: `at most ${maxConstraints}`,
      fix: "Use a smaller model or lower precision, or raise option `maxConstraints`",
    })
  if (memory > maxMemory)
    throw new CountersignError({
      what: `the circuit would take about ${mebibytes(memory)} of memory, with about ${constraints} constraints and ${nonzeros} non-zeros`,
      where,
      expected: `at most ${mebibytes(maxMemory)}`,
      fix: "Use a smaller model or lower precision, or raise option `maxMemory` if the machine has more",
    })
}

/** What a circuit will take, or takes. Where nobody knows, as of systems of others, there is null. */
export interface CircuitEstimate {
  readonly constraints: number
  readonly nonzeros: number
  /** Points of the domain of its polynomials. */
  readonly domain: number | null
  /** Bytes of the proving key. */
  readonly keyBytes: number | null
  /** Bytes that each stage adds to the memory of the process, at most. */
  readonly memory: Stages
  /** Seconds that each stage takes here, by a short measurement of how fast this machine is. */
  readonly seconds: Stages
}
interface Stages {
  readonly compile: number | null
  readonly setup: number | null
  readonly prove: number | null
}

const unknown: Stages = { compile: null, setup: null, prove: null }

/** An estimate of what a system expects, in the seconds of this machine. */
export function estimateFrom(
  expected: Pick<Expected, "constraints" | "nonzeros" | "memory">,
  taken: Expectation | undefined,
): CircuitEstimate {
  const { constraints, nonzeros, memory } = expected
  if (taken === undefined) {
    const known = { ...unknown, compile: memory }
    return { constraints, nonzeros, domain: null, keyBytes: null, memory: known, seconds: unknown }
  }
  const factor = slowness()
  const { compile, setup, prove } = taken.seconds
  return {
    ...taken,
    keyBytes: Math.ceil(taken.keyBytes),
    seconds: { compile: compile * factor, setup: setup * factor, prove: prove * factor },
  }
}

/** What a compiled circuit takes. */
export function estimateCircuit(circuit: Circuit): CircuitEstimate {
  checkThing("circuit", circuit, "circuit")
  const { r1cs } = circuit.linked
  const expected = { constraints: r1cs.rows, nonzeros: circuit.nonzeros, memory: 0 }
  return estimateFrom(expected, systemOf(circuit).takes?.(circuit))
}

/** Milliseconds of the probe below on the machine of docs/decisions/circuit.md, when nothing else ran there. */
const referenceMs = 4
let measured: number | undefined

/** How much slower this machine is than that one, one thread of it: of products in the field, the fastest of a few tries. */
function slowness(): number {
  if (measured !== undefined) return measured
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    let x = 3n
    for (let j = 0; j < 10_000; j++) x = (x * x + 1n) % r
    if (x >= 0n) least = Math.min(least, performance.now() - start)
  }
  measured = Math.max(0.05, least / referenceMs)
  return measured
}

/** A number of bytes, as people read it. */
export const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`
