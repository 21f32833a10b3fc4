/**
 * A linked circuit as a file, so that a prover need not link again. What it says is the linker's word only as long as
 * nobody else has written to the file, and no reader can tell. So nothing that has to be right depends on it: the statement
 * is made from the model, keys and audits are made of circuits that were linked where they are made, and a proof of other
 * constraints than the key's does not verify and is not given out. What is checked here is that every number stays inside
 * what it counts, so that the worst that a file can do is a proof that fails.
 *
 * Gadgets come back as what circom made of them, tables as those of the gadgets, linear maps as those of the model.
 */

import { type MappedRows, mappedB, mappedSystem, NO_ROW } from "../../circuit/formats/mapped.js"
import { packRecord, unpackRecord } from "../../circuit/formats/packed.js"
import { digestOf, type R1cs, type SparseRows, trustDigest } from "../../circuit/formats/r1cs.js"
import { type GadgetUse, gadgetKinds } from "../../circuit/gadgets/families.js"
import { type Block, parseBlock } from "../../circuit/gadgets/poseidon.js"
import { lookups, type Stamp } from "../../circuit/gadgets/ranges.js"
import { type CompiledGadgets, parseGadgets, reduceGadgets } from "../../circuit/gadgets/reduce.js"
import type { Table } from "../../circuit/gadgets/tables.js"
import { type CircuitBase, nonzerosOf, stampsOf } from "../../circuit/link/circuit.js"
import type { Commitment } from "../../circuit/link/commitment.js"
import type { StampedNode } from "../../circuit/link/nodes.js"
import { NONE, type NodePlan, type Plan, sourceOf } from "../../circuit/plan/plan.js"
import { FileError } from "../../errors.js"
import { r } from "../../field.js"
import { outputsOf } from "../../ops/linearmap.js"
import { depthOf, type LinearMap } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { MirageCircuit, MirageLinked } from "./circuit.js"
import { publicWires } from "./wires.js"

/** Of what is kept, and of how it is linked: another one where linking makes another circuit of a model. */
const version = 1

/** A circuit as a file; null for one with private weights, of which nothing is kept. */
export function keepMirage(circuit: MirageCircuit): Uint8Array | null {
  const { graph, linked, tableBits, gadgets, model, input, output } = circuit
  if (circuit.weights === "private") return null
  const { r1cs, stamps, stamped, lookup, ...others } = linked
  const node = new Map(graph.nodes.map((of, i) => [of, i]))
  const mapped = mappedB(r1cs)
  const places = new Map<LinearMap, readonly [number, number]>()
  for (const [i, of] of graph.nodes.entries())
    if (of.kind === "linear") for (const [t, { map }] of of.terms.entries()) places.set(map, [i, t])
  const { values, wires, rows, publicOutputs, publicInputs, privateInputs, a, c } = r1cs
  const numbers = { values, wires, rows, publicOutputs, publicInputs, privateInputs, a, c }
  return packRecord({
    version,
    identity: { model, input, output },
    tableBits,
    gadgets: { version: gadgets.version, gadgets: gadgets.gadgets },
    digest: Uint8Array.from(digestOf(r1cs)),
    r1cs: {
      ...numbers,
      b: mapped?.rest ?? r1cs.b,
      maps: mapped?.maps.map(({ map, ...rest }) => ({ ...rest, map: places.get(map) })) ?? null,
      entries: mapped?.entries ?? null,
      others: mapped?.others ?? null,
    },
    uses: stamps.map(({ gadget: { use } }) => [
      Object.entries(gadgetKinds).find(([, kind]) => kind === use.kind)?.[0],
      use.parameters,
    ]),
    stamped: stamped.map(({ plan, ...group }) => ({
      ...group,
      node: node.get(group.node),
      ...(plan && { plan: { ...plan, node: node.get(plan.node) } }),
    })),
    lookup: { ...lookup, tables: lookup.tables.map(({ key }) => key) },
    ...others,
    commitments: Object.fromEntries(
      Object.entries(others.commitments).map(([side, { block: _, ...commitment }]) => [side, commitment]),
    ),
  })
}

/** What a file is restored for; Poseidon is the installed one, since commitments are shown before anything is proven. */
type Common = Omit<CircuitBase, "domain" | "nonzeros" | "gadgets"> & Pick<CompiledGadgets, "poseidon">

/**
 * The circuit of a file, of a model and choices that it must be of.
 * @throws FileError for a file that is damaged, stale or of something else
 */
export function restoreMirage(
  file: Uint8Array,
  common: Common,
  domainOf: (system: R1cs) => number,
  where: string,
): MirageCircuit {
  const record = unpackRecord(file, where)
  const { model, input, output } = common
  if (
    record.version !== version ||
    JSON.stringify(record.identity) !== JSON.stringify({ model, input, output })
  )
    throw new FileError({
      what: "is of another circuit, or was linked by another version",
      where,
      fix: "Remove the file: it is made again",
    })
  return new Reader(record, common, where).circuit(domainOf)
}

const isCount = (x: unknown, end: number): boolean =>
  Number.isSafeInteger(x) && Number(x) >= 0 && Number(x) <= end

/** Reads what a record says, and refuses whatever could point outside of what it counts. */
class Reader {
  readonly #graph: IntGraph

  constructor(
    private readonly record: Record<string, unknown>,
    private readonly common: Common,
    private readonly where: string,
  ) {
    this.#graph = common.graph
  }

  circuit(domainOf: (system: R1cs) => number): MirageCircuit {
    const { tableBits } = this.record as { tableBits: number }
    this.#check(Number.isInteger(tableBits) && tableBits >= 1 && tableBits <= 16, "tableBits")
    const { poseidon, ...common } = this.common
    const { version: form, gadgets: own } = parseGadgets(this.record.gadgets, this.where)
    const gadgets = { version: form, gadgets: own, ...(poseidon && { poseidon }) }
    const stamps = this.#stamps(gadgets, tableBits)
    const r1cs = this.#system()
    const { digest } = this.record
    this.#check(digest instanceof Uint8Array && digest.length === 32, "digest")
    trustDigest(r1cs, digest as Uint8Array)
    const linked = this.#linked(r1cs, stamps, gadgets)
    return {
      ...common,
      proofSystem: "mirage",
      gadgets,
      linked,
      tableBits,
      domain: domainOf(r1cs),
      nonzeros: nonzerosOf(r1cs),
    }
  }

  #check(holds: boolean, what: string): asserts holds {
    if (holds) return
    throw new FileError({
      what: `has numbers that fit no circuit: ${what}`,
      where: this.where,
      fix: "Remove the file: it is made again",
    })
  }

  #u32(value: unknown, what: string, length?: number): Uint32Array {
    this.#check(value instanceof Uint32Array && (length === undefined || value.length === length), what)
    return value
  }

  /** Numbers below `end`, or NONE. */
  #below(value: unknown, end: number, what: string, length?: number, none = false): Uint32Array {
    const list = this.#u32(value, what, length)
    for (const x of list) if (x >= end && !(none && x === NONE)) this.#check(false, what)
    return list
  }

  /** Places where lists begin, the end of all of them behind. */
  #starts(value: unknown, count: number, end: number, what: string): Uint32Array {
    const list = this.#u32(value, what, count + 1)
    this.#check(list[0] === 0 && list[count] === end, what)
    for (let i = 0; i < count; i++) if (list[i] > list[i + 1]) this.#check(false, what)
    return list
  }

  #stamps({ gadgets }: CompiledGadgets, tableBits: number): readonly Stamp[] {
    const { uses } = this.record
    this.#check(Array.isArray(uses), "uses")
    const known: GadgetUse[] = uses.map((use: unknown) => {
      const [name, parameters] = (use ?? []) as [keyof typeof gadgetKinds, number[]]
      const isKnown = Object.hasOwn(gadgetKinds, name) && Array.isArray(parameters)
      this.#check(isKnown && parameters.every(Number.isSafeInteger), "uses")
      return { kind: gadgetKinds[name], parameters }
    })
    const plan = { uses: known } as unknown as Plan
    return stampsOf(plan, reduceGadgets(known, gadgets), lookups(tableBits))
  }

  #side(value: unknown, rows: number, wires: number, coefficients: number, what: string): SparseRows {
    const side = (value ?? {}) as SparseRows
    const list = this.#below(side.wires, wires, what)
    return {
      rowPtr: this.#starts(side.rowPtr, rows, list.length, what),
      wires: list,
      coefficients: this.#below(side.coefficients, coefficients, what, list.length),
    }
  }

  #system(): R1cs {
    const given = (this.record.r1cs ?? {}) as R1cs & {
      maps: unknown
      entries: number
      others: unknown
    }
    const { values, wires, rows, publicOutputs, publicInputs, privateInputs } = given
    this.#check(isCount(wires, 2 ** 31) && isCount(rows, 2 ** 31), "r1cs")
    this.#check(publicOutputs === 0 && privateInputs === 0 && publicInputs === 2, "r1cs")
    this.#check(Array.isArray(values), "values")
    for (const value of values as unknown[])
      this.#check(typeof value === "bigint" && value >= 0n && value < r, "values")
    const side = (name: "a" | "b" | "c") => this.#side(given[name], rows, wires, values.length, name)
    const numbers = { values, wires, rows, publicOutputs, publicInputs, privateInputs }
    const [a, b, c] = [side("a"), side("b"), side("c")]
    // every wire is in a row: a short file has few of them
    const entries = [a, b, c].reduce((sum, { wires: list }) => sum + list.length, 0)
    this.#check(wires <= publicWires + entries, "r1cs")
    if (given.maps === null) return { ...numbers, a, b, c }
    this.#check(Array.isArray(given.maps), "maps")
    const maps = given.maps.map((map: unknown) => this.#map(map, wires, rows, b))
    const others = this.#below(given.others, values.length, "others")
    // rows are 32-bit places, also when they are made
    this.#check(isCount(given.entries, 2 ** 32 - 1), "entries")
    return mappedSystem({ ...numbers, a, c }, { rest: b, maps, entries: given.entries, others })
  }

  #map(value: unknown, wires: number, rows: number, rest: SparseRows): MappedRows {
    const given = (value ?? {}) as { [K in keyof MappedRows]: unknown }
    const [i, t] = (Array.isArray(given.map) ? given.map : []) as number[]
    const node = this.#graph.nodes[i]
    this.#check(node?.kind === "linear" && node.terms[t] !== undefined, "maps")
    const { map, source } = node.terms[t]
    this.#check(map.kind !== "sparse", "maps")
    const inputs = this.#graph.tensors[source].lo.length
    const count = outputsOf(map)
    const at = this.#u32(given.at, "maps", count)
    const of = this.#below(given.rows, rows, "maps", count, true)
    const { factors } = given
    this.#check(factors instanceof Float64Array && factors.length === count, "maps")
    for (let k = 0; k < count; k++) {
      const row = of[k]
      if (row === NO_ROW) continue
      if (at[k] > rest.rowPtr[row + 1] - rest.rowPtr[row] || !Number.isSafeInteger(factors[k]))
        this.#check(false, "maps")
    }
    return { map, wires: this.#below(given.wires, wires, "maps", inputs, true), rows: of, factors, at }
  }

  #linked(r1cs: R1cs, stamps: readonly Stamp[], gadgets: CompiledGadgets): MirageLinked {
    const { wires, rows } = r1cs
    const given = this.record as unknown as MirageLinked
    const { firstFinal, steps, hornerRow, large, inputs, projected } = given
    this.#check(isCount(firstFinal, wires) && isCount(steps, wires) && isCount(hornerRow, rows), "wires")
    this.#check(Array.isArray(inputs) && inputs.length === this.#graph.inputs.length, "inputs")
    inputs.forEach((first, i) => {
      const count = this.#graph.tensors[this.#graph.inputs[i].tensor].lo.length
      this.#check(isCount(first, wires - count), "inputs")
    })
    this.#below(projected?.rows, rows, "projected")
    const { first, defines } = projected
    this.#check(isCount(first, wires) && isCount(projected.wires, wires - first), "projected")
    this.#check(defines instanceof Uint8Array && defines.length === projected.rows.length, "projected")
    const block = gadgets.poseidon && parseBlock(gadgets.poseidon)
    return {
      r1cs,
      stamps,
      stamped: this.#stamped(stamps, wires),
      inputs,
      lookup: this.#lookup(stamps, wires, rows),
      weights: 0,
      firstFinal,
      commitments: this.#commitments(block, wires, rows),
      steps,
      hornerRow,
      projected,
      large: this.#below(large, wires, "large"),
    }
  }

  #stamped(stamps: readonly Stamp[], wires: number): StampedNode[] {
    const { stamped } = this.record
    this.#check(Array.isArray(stamped), "stamped")
    const { nodes, tensors } = this.#graph
    return stamped.map((value: unknown): StampedNode => {
      const given = (value ?? {}) as Omit<StampedNode, "node" | "plan"> & { node: number; plan?: unknown }
      const node = nodes[given.node]
      this.#check(node !== undefined && tensors[given.tensor] !== undefined, "stamped")
      const plan = given.plan === undefined ? undefined : this.#plan(given.plan, stamps.length)
      const count = plan?.uses.length ?? tensors[given.tensor].lo.length
      const base = this.#below(given.base, wires, "stamped", count, true)
      this.#u32(given.firstRow, "stamped", count)
      for (let i = 0; i < (plan ? count : 0); i++) {
        const use = plan?.uses[i] as number
        if (use !== NONE && !(base[i] + stamps[use].wires <= wires)) this.#check(false, "stamped")
      }
      const { free, multiplicities, bits } = given
      if (free !== undefined) this.#below(free, wires, "stamped", tensors[given.tensor].lo.length, true)
      const depth = node.kind === "rows" ? depthOf(node) : 0
      this.#check(multiplicities === undefined || Array.isArray(multiplicities), "stamped")
      for (const from of multiplicities ?? []) this.#check(isCount(from, wires - depth), "stamped")
      this.#check(bits === undefined && !("secret" in given) && !("checked" in given), "stamped")
      const { plan: _, ...rest } = given
      return { ...rest, node, ...(plan && { plan }) }
    })
  }

  #plan(value: unknown, uses: number): NodePlan {
    const given = (value ?? {}) as Omit<NodePlan, "node"> & { node: number }
    const { nodes, tensors } = this.#graph
    const node = nodes[given.node]
    this.#check(node !== undefined && Array.isArray(given.sources) && given.sources.length > 0, "plan")
    for (const source of given.sources) this.#check(tensors[source] !== undefined, "plan")
    const sizes = given.sources.map((source) => tensors[source].lo.length)
    const used = this.#below(given.uses, uses, "plan", undefined, true)
    const elements = this.#u32(given.elements, "plan")
    const count = used.length
    const operandPtr = this.#starts(given.operandPtr, count, elements.length, "plan")
    const { own, constants } = given
    this.#check(own === undefined || (own instanceof Uint8Array && own.length === count), "plan")
    this.#check(constants instanceof Float64Array && constants.length === count, "plan")
    this.#check([given.terms, given.operandOffset, given.outputOffset].every(Number.isSafeInteger), "plan")
    this.#check(given.terms > 0 && Math.abs(given.outputSign) === 1, "plan")
    this.#check(own === undefined || given.sources.length === 2, "plan")
    const plan: NodePlan = { ...given, node }
    for (let i = 0; i < count; i++)
      for (let j = operandPtr[i]; j < operandPtr[i + 1]; j++)
        if (elements[j] >= sizes[sourceOf(plan, i, j - operandPtr[i])]) this.#check(false, "plan")
    return plan
  }

  #lookup(stamps: readonly Stamp[], wires: number, rows: number): MirageLinked["lookup"] {
    const given = (this.record.lookup ?? {}) as MirageLinked["lookup"]
    const known = new Map<unknown, Table>(
      stamps.flatMap(({ queries }) => queries.map(({ table }) => [table.key, table] as const)),
    )
    this.#check(Array.isArray(given.tables), "lookup")
    const tables = given.tables.map((key: unknown): Table => {
      const table = known.get(key)
      this.#check(table !== undefined, "lookup")
      return table
    })
    const entries = tables.reduce((sum, table) => sum + table.entries.length, 0)
    const tableStart = this.#starts(given.tableStart, tables.length, entries, "lookup")
    for (const [i, table] of tables.entries())
      this.#check(tableStart[i + 1] - tableStart[i] === table.entries.length, "lookup")
    const table = this.#below(given.table, tables.length, "lookup")
    const { scale, challenge, multiplicities, inverses, quotients, entryRow } = given
    this.#check(scale instanceof Float64Array && scale.length === table.length, "lookup")
    for (const x of scale) if (!(Number.isSafeInteger(x) && x > 0)) this.#check(false, "lookup")
    const row = this.#below(given.row, rows, "lookup", table.length)
    this.#check(challenge === 1 && isCount(multiplicities, wires - entries), "lookup")
    this.#check(isCount(inverses, wires - table.length) && isCount(quotients, wires - entries), "lookup")
    this.#check(isCount(entryRow, rows - entries), "lookup")
    return { tables, challenge, tableStart, table, scale, row, multiplicities, inverses, quotients, entryRow }
  }

  #commitments(block: Block | undefined, wires: number, rows: number): MirageLinked["commitments"] {
    const given = (this.record.commitments ?? {}) as Record<string, Commitment>
    return Object.fromEntries(
      (["output", "input"] as const).flatMap((side) => {
        const commitment = given[side]
        this.#check((commitment !== undefined) === (this.common[side] === "committed"), "commitments")
        if (commitment === undefined) return []
        const { value, wires: own, words, firstRow } = commitment
        this.#check(block !== undefined && value instanceof Map && Array.isArray(own), "commitments")
        for (const wire of [...own, ...value.keys()]) this.#check(isCount(wire, wires - 1), "commitments")
        this.#check(isCount(words, own.length) && isCount(firstRow, rows), "commitments")
        this.#check(isCount(commitment.rows, rows - firstRow), "commitments")
        return [[side, { value, wires: own, words, block, firstRow, rows: commitment.rows }]]
      }),
    )
  }
}
