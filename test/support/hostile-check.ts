/** Hostile graphs, many at a time, because circom compiles the gadgets of all of them in one run. */

import { compileGadgets } from "#src/circuit/gadgets/circom.js"
import { entriesOf } from "#src/circuit/link/lookup.js"
import { lookupForms } from "#src/circuit/plan/forms.js"
import { bitForms, planGadgets } from "#src/circuit/plan/plan.js"
import { describeRow, firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues, Witness } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { differences, type Probe, probes } from "#src/compile/differential.js"
import { CountersignError } from "#src/errors.js"
import { inverseAll, mod } from "#src/field.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { runInteger } from "#src/quantize/integers/run.js"
import type { Circuit } from "#src/systems/index.js"
import { assignCommitted, challengedWitness, statementWords } from "#src/systems/mirage/witness.js"
import { assignPlain } from "#src/systems/plain/witness.js"
import { hostile, readGraph } from "./hostile-graphs.js"
import { Random } from "./random.js"

export interface Findings {
  /** Graphs refused as files, and circuits refused of those that were not. */
  refusedFiles: number
  refusedCircuits: number
  circuits: number
  /** False outputs and false executions tried. */
  forgeries: number
  /** What should not be, by seed. */
  readonly faults: string[]
}

const c = 2n ** 250n + 12345n

/** Every wire of an execution, at a challenge; `shown` are the integers that the statement shows. */
function fullWitness(circuit: Circuit, values: TensorValues, shown = values): Witness {
  const { graph } = circuit
  if (circuit.proofSystem !== "mirage") {
    const { small, large } = assignPlain(graph, circuit.linked, values, 7n)
    graph.outputs.forEach(({ tensor }, k) => {
      small.set(shown.get(tensor) ?? [], circuit.linked.outputs[k])
    })
    return { small, large }
  }
  const committed = assignCommitted(graph, circuit.linked, values)
  const inverse = entriesOf(circuit.linked.lookup).map((entry) => mod(c - entry))
  inverseAll(inverse)
  return challengedWitness(circuit.linked, committed, statementWords(circuit, shown, {}), c, inverse)
}

/** One for each kind of circuit: plonk and fflonk prove that of groth16. */
const systems = ["mirage", "groth16"] as const

/** A fault of ours, unless it is a typed error. */
function refusal(error: unknown): string | undefined {
  return error instanceof CountersignError ? undefined : `${error instanceof Error ? error.stack : error}`
}

/** Examines the graphs of some seeds; whatever is neither refused nor right is a fault. */
export async function examine(seeds: readonly number[]): Promise<Findings> {
  const findings: Findings = { refusedFiles: 0, refusedCircuits: 0, circuits: 0, forgeries: 0, faults: [] }
  const guard = <T>(seed: number, f: () => T, refuse: () => void): T | undefined => {
    try {
      return f()
    } catch (error) {
      const fault = refusal(error)
      if (fault === undefined) refuse()
      else findings.faults.push(`seed ${seed}: ${fault}`)
      return undefined
    }
  }
  const planned = seeds.flatMap((seed) => {
    const given = hostile(new Random(seed))
    const graph = guard(
      seed,
      () => readGraph(...given),
      () => findings.refusedFiles++,
    )
    if (!graph) return []
    const refuse = () => findings.refusedCircuits++
    return systems.flatMap((proofSystem) => {
      const forms = () => (proofSystem === "mirage" ? lookupForms(graph) : bitForms)
      const plan = guard(seed, () => planGadgets(graph, forms()), refuse)
      return plan ? [{ seed, graph, proofSystem, uses: plan.uses }] : []
    })
  })
  const gadgets = { version: 1 as const, gadgets: await compileGadgets(planned.flatMap(({ uses }) => uses)) }
  for (const { seed, graph, proofSystem } of planned) {
    const random = new Random(seed + 1)
    let circuit: Circuit
    try {
      circuit = await compile(graph, { proofSystem, gadgets, input: seed % 2 ? "public" : "private" })
    } catch (error) {
      const fault = refusal(error)
      if (fault === undefined) findings.refusedCircuits++
      else findings.faults.push(`seed ${seed}, ${proofSystem}: ${fault}`)
      continue
    }
    findings.circuits++
    for (const probe of probes(graph, 2, () => random.next())) {
      const faults = guard(
        seed,
        () => attack(circuit, probe, random, findings),
        () => findings.faults.push(`seed ${seed}, ${proofSystem}: an honest execution is refused`),
      )
      if (faults && faults.length > 0) {
        findings.faults.push(...faults.map((fault) => `seed ${seed}, ${proofSystem}: ${fault}`))
        break
      }
    }
  }
  return findings
}

/** What is wrong with a circuit on an input: where it differs from its model, or accepts what is false. */
export const faultsOf = (circuit: Circuit, probe: Probe): string[] =>
  attack(circuit, probe, new Random(1), {
    refusedFiles: 0,
    refusedCircuits: 0,
    circuits: 0,
    forgeries: 0,
    faults: [],
  })

/** Compares a circuit on an input, and tries every output moved by one and some false executions. */
function attack(circuit: Circuit, probe: Probe, random: Random, findings: Findings): string[] {
  const { graph, linked } = circuit
  const values = runInteger(graph, probe)
  const found = differences(circuit, probe)
  const row = firstFailingRow(linked.r1cs, fullWitness(circuit, values))
  if (row >= 0) found.push(`constraint ${row} does not hold: ${describeRow(graph, linked, row)}`)
  const accepts = (held: TensorValues, shown: TensorValues): boolean => {
    findings.forgeries++
    try {
      return firstFailingRow(linked.r1cs, fullWitness(circuit, held, shown)) < 0
    } catch (error) {
      if (error instanceof CountersignError) return false
      throw error
    }
  }
  for (const { tensor, name } of graph.outputs) {
    values.get(tensor)?.forEach((_, i) => {
      for (const step of [1, -1]) {
        const shown = new Map(values).set(tensor, moved(values.get(tensor), i, step))
        if (accepts(values, shown)) found.push(`output ${name}[${i}] moved by ${step} is accepted`)
      }
    })
  }
  for (const { out } of graph.nodes) {
    const i = random.integer(0, graph.tensors[out].lo.length - 1)
    const forged = continued(graph, values, out, moved(values.get(out), i, random.pick([1, -1])))
    const isFalse = graph.outputs.some(({ tensor }) => `${forged?.get(tensor)}` !== `${values.get(tensor)}`)
    if (forged && isFalse && graph.nodes.some((node) => node.out === out && node.kind !== "input"))
      if (accepts(forged, forged)) found.push(`tensor ${out}[${i}] moved is accepted`)
  }
  return found
}

const moved = (values: Float64Array | undefined, i: number, step: number): Float64Array =>
  Float64Array.from(values ?? [], (x, j) => (j === i ? x + step : x))

/** An execution in which one tensor is another; undefined where a table has no entry for it. */
function continued(
  { tensors, nodes }: IntGraph,
  values: TensorValues,
  out: number,
  forged: Float64Array,
): TensorValues | undefined {
  const before = nodes.slice(0, nodes.findIndex((node) => node.out === out) + 1)
  const inputs = Object.fromEntries(
    before.map((node) => [`${node.out}`, node.out === out ? forged : (values.get(node.out) ?? [])]),
  )
  const fed = nodes.map((node) =>
    before.includes(node)
      ? { kind: "input" as const, out: node.out, name: `${node.out}`, origin: node.origin }
      : node,
  )
  try {
    const all = runInteger({ tensors, nodes: fed } as unknown as IntGraph, inputs)
    // what has grown out of doubles is no execution that anyone could write down here
    return [...all.values()].every((data) => data.every(Number.isSafeInteger)) ? all : undefined
  } catch {
    return undefined
  }
}
