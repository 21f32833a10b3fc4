/**
 * Does a circuit say what its model says? The model is run in integers without limit (quantize/integers/exact.ts),
 * its tensors are put on the wires that stand for them, and what the linker stamped is compared with it, number by
 * number: the rows of each gadget with its stamp, the sums of earlier wires in them with the node's operands, what the
 * gadget then proves (specification.ts) with the node's result, and outputs and words with the values they show.
 * Nothing here trusts a double, the hints or the planner.
 */

import type { SparseRows } from "../circuit/formats/r1cs.js"
import { gadgetKey } from "../circuit/gadgets/families.js"
import type { Stamp } from "../circuit/gadgets/ranges.js"
import { type Lc, ONE } from "../circuit/gadgets/reduce.js"
import { specified } from "../circuit/gadgets/specification.js"
import type { Lookup } from "../circuit/link/lookup.js"
import type { StampedNode } from "../circuit/link/nodes.js"
import { NONE, type NodePlan, sourceOf } from "../circuit/plan/plan.js"
import type { Projection } from "../circuit/plan/projection.js"
import { packingOf } from "../circuit/plan/rows.js"
import { secretConstants } from "../circuit/witness/secret.js"
import { invariant } from "../errors.js"
import { signed } from "../field.js"
import { depthOf, type IntNode, type PerKind, perKind, type TensorId } from "../ops/program.js"
import { platformRandom } from "../platform.js"
import { runExactly } from "../quantize/integers/exact.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import { runInteger } from "../quantize/integers/run.js"
import { isSecret } from "../quantize/integers/secrets.js"
import { draw } from "../setup/trapdoor.js"
import { type Circuit, systemOf } from "../systems/index.js"
import { publicWires } from "../systems/mirage/wires.js"
import { type Followed, followed, projectedDifference } from "./projected-difference.js"
import { rowsDifference } from "./rows-difference.js"
import { checkedDifference, secretDifference } from "./secret-difference.js"
import { sortedDifference } from "./sorted-difference.js"

/** Integers of the inputs, by name. */
export type Probe = Readonly<Record<string, Float64Array>>

/**
 * Inputs at which a circuit is compared: all elements at the least of their range, all at the largest, both in turn,
 * and `count` random ones, every second of them at random corners. `random` is uniform in [0, 1).
 */
export function probes({ inputs, tensors }: IntGraph, count: number, random: () => number): Probe[] {
  const make = (draw: (i: number) => number): Probe =>
    Object.fromEntries(
      inputs.map(({ name, tensor, lo, bits }) => [
        name,
        Float64Array.from(tensors[tensor].lo, (_, i) => lo + Math.floor(draw(i) * 2 ** bits)),
      ]),
    )
  const corner = (isTop: boolean) => (isTop ? 1 - 2 ** -53 : 0)
  return [
    make(() => corner(false)),
    make(() => corner(true)),
    make((i) => corner(i % 2 === 0)),
    make((i) => corner(i % 2 === 1)),
    ...Array.from({ length: count }, (_, k) => make(k % 2 === 0 ? random : () => corner(random() < 0.5))),
  ]
}

/** What differs between a circuit and its model on an input: a line for the first element of each node, if any. */
export function differences(circuit: Circuit, probe: Probe): string[] {
  const exact = runExactly(circuit.graph, probe)
  const evaluated = evaluationDifferences(circuit.graph, probe, exact)
  return evaluated.length > 0 ? evaluated : new Comparison(circuit, exact).run()
}

const nameOf = ({ tensors }: IntGraph, node: IntNode, tensor: TensorId, i: number): string =>
  `${node.kind} of node \`${node.origin.name}\`, tensor \`${tensors[tensor].name}\`[${i}]`

/** Where the fast evaluation, or a static bound, is wrong. */
function evaluationDifferences(graph: IntGraph, probe: Probe, exact: readonly bigint[][]): string[] {
  const fast = runInteger(graph, probe)
  return graph.nodes.flatMap((node) => {
    const { lo, hi } = graph.tensors[node.out]
    const given = fast.get(node.out) ?? new Float64Array()
    for (const [i, value] of exact[node.out].entries()) {
      const name = nameOf(graph, node, node.out, i)
      if (`${given[i]}` !== `${value}` && BigInt(given[i]) !== value)
        return [`${name}: evaluation gives ${given[i]}, the model gives ${value}`]
      if (value < BigInt(lo[i]) || value > BigInt(hi[i]))
        return [`${name}: the model gives ${value}, outside of its bounds ${lo[i]} to ${hi[i]}`]
    }
    return []
  })
}

const unmoved = () => 0n

/** What is added to the operands of a node before its gadgets see them, from the definition of the node. */
const offsets: PerKind<IntNode, [graph: IntGraph], bigint> = {
  input: ({ out }, { inputs }) => -BigInt(inputs.find(({ tensor }) => tensor === out)?.lo ?? 0),
  index: unmoved,
  linear: unmoved,
  max: unmoved,
  argmax: unmoved,
  product: unmoved,
  contraction: unmoved,
  quotient: unmoved,
  below: unmoved,
  sort: unmoved,
  rows: (node) => -BigInt(packingOf(node, 1).least),
  isqrt: unmoved,
  rescale: ({ lo, shift }) => -BigInt(lo) << BigInt(shift),
  table: ({ lo }) => -BigInt(lo),
}

/** A gadget of one element: what its rows must say, and what they would prove of other operands. */
interface Instance {
  readonly stamp: Stamp
  readonly base: number
  /** The model's operands, as the gadget sees them. */
  readonly operands: readonly bigint[]
  readonly says: (operands: readonly bigint[]) => string
}

class Comparison {
  readonly #circuit: Circuit
  readonly #exact: readonly bigint[][]
  readonly #lookup: Lookup | undefined
  readonly #followed: Followed
  readonly #nodes: ReadonlyMap<TensorId, IntNode>
  /** Values of the wires that stand for elements of tensors; wire 0 is one. */
  readonly #wires: bigint[] = [1n]
  readonly #coefficients: readonly bigint[]
  readonly #functions = new Map<number, ReturnType<typeof specified>>()
  /** Queries compared so far: they are numbered in the order of gadgets. */
  #queries = 0

  constructor(circuit: Circuit, exact: readonly bigint[][]) {
    this.#circuit = circuit
    this.#exact = exact
    this.#lookup = systemOf(circuit).lookup(circuit)
    const challenge = this.#lookup?.challenge ?? NONE
    this.#followed = followed(
      circuit.linked.r1cs,
      challenge,
      draw(platformRandom),
      (wire) => this.#wires[wire],
    )
    this.#coefficients = circuit.linked.r1cs.values.map(signed)
    this.#nodes = new Map(circuit.graph.nodes.map((node) => [node.out, node]))
  }

  run(): string[] {
    const { graph, linked } = this.#circuit
    linked.inputs.forEach((first, k) => {
      this.#exact[graph.inputs[k].tensor].forEach((value, i) => {
        this.#wires[first + i] = value
      })
    })
    const found: string[] = []
    for (const group of linked.stamped) {
      let fault: string | undefined
      for (const [i, wire] of (group.free ?? []).entries())
        if (wire !== NONE) this.#wires[wire] = this.#exact[group.tensor][i]
      this.#chosen(group)
      fault ??= this.#secret(group)
      if (group.projection) {
        const given = this.#projected(group, group.projection)
        if (given !== undefined)
          found.push(`${nameOf(graph, this.#nodeOf(group), group.tensor, 0)}: ${given}`)
        continue
      }
      for (let i = 0; i < group.base.length; i++) {
        const given = group.plan ? this.#gadget(group, group.plan, i) : this.#definition(group, i)
        if (given !== undefined && fault === undefined)
          fault = `${nameOf(graph, this.#nodeOf(group), group.tensor, i)}: ${given}`
      }
      const node = this.#nodeOf(group)
      if (node.kind === "sort" && this.#lookup)
        fault ??= sortedDifference(group, node, this.#exact, this.#followed)
      if (node.kind === "rows" && group.shownFrom !== undefined) {
        const [use] = group.plan?.uses ?? []
        const bits = use === undefined ? undefined : linked.stamps[use].gadget.use.parameters[0]
        fault ??= rowsDifference(group, node, this.#exact, this.#followed, bits)
      }
      if (fault !== undefined) found.push(fault)
    }
    const shown = systemOf(this.#circuit).differences(this.#circuit, {
      exact: this.#exact,
      equals: (...of) => this.#equals(...of),
      sumBut: (side, row, first, count) => this.#side(side, row, first, count).sum,
    })
    return [...found, ...shown]
  }

  /** The model's node that makes the tensor of a group, whatever the circuit says that it is. */
  #nodeOf({ tensor }: StampedNode): IntNode {
    const node = this.#nodes.get(tensor)
    invariant(node, `no node makes tensor ${tensor}`)
    return node
  }

  /** What says which rows of a table are taken. */
  #chosen({ node, bits, multiplicities = [] }: StampedNode): void {
    if (node.kind !== "rows") return
    const depth = depthOf(node)
    const firsts =
      bits === undefined ? multiplicities : this.#exact[node.source].map((_, i) => bits + i * depth)
    for (const first of firsts) for (let v = 0; v < depth; v++) this.#wires[first + v] = 0n
    for (const [i, index] of this.#exact[node.source].entries())
      for (const first of bits === undefined ? multiplicities : [firsts[i]])
        this.#wires[first + Number(index) - node.lo] += 1n
  }

  /** Rows with secret weights, which the model is to have here. */
  #secret(group: StampedNode): string | undefined {
    const { checked, secret } = group
    const circuit = this.#circuit
    if ((!checked && !secret) || circuit.proofSystem !== "mirage") return undefined
    const node = this.#nodeOf(group)
    invariant(isSecret(node), "only nodes with secrets have rows of secrets")
    const { graph, linked } = circuit
    const comparison = {
      node,
      graph,
      exact: this.#exact,
      followed: this.#followed,
      set: (wire: number, value: bigint) => {
        this.#wires[wire] = value
      },
    }
    const name = nameOf(graph, node, group.tensor, 0)
    const constants = secretConstants(graph, linked, publicWires).wires
    const fault = checked
      ? checkedDifference(checked, (wire) => BigInt(constants[wire - publicWires]), linked.lookup, comparison)
      : secret && secretDifference(secret, [group.firstRow[0], group.rowEnd], comparison)
    if (checked) this.#queries += checked.queries
    return fault === undefined ? undefined : `${name}: ${fault}`
  }

  #projected(group: StampedNode, projection: Projection): string | undefined {
    const node = this.#nodeOf(group)
    invariant(node.kind === "contraction", "only contractions are projected")
    for (const [i, wire] of group.base.entries())
      if (wire !== NONE) this.#wires[wire] = this.#exact[group.tensor][i]
    return projectedDifference(group, node, projection, this.#circuit.graph, this.#exact, this.#followed)
  }

  #definition({ tensor, base, firstRow }: StampedNode, i: number): string | undefined {
    if (base[i] === NONE) return undefined
    this.#wires[base[i]] = this.#exact[tensor][i]
    return this.#equals(firstRow[i], base[i], this.#exact[tensor][i])
  }

  /** Row 0 · 0 = combination − wire, with a combination that is `value`. */
  #equals(
    row: number,
    wire: number,
    value: bigint,
    isEqual = (x: bigint) => x === value,
  ): string | undefined {
    const { a, b, c } = this.#circuit.linked.r1cs
    const [left, right, side] = [a, b, c].map((matrix) => this.#side(matrix, row, wire, 1))
    if (left.entries + right.entries > 0 || side.own.get(0) !== -1n)
      return `constraint ${row} does not define it`
    return isEqual(side.sum) ? undefined : `the circuit gives ${side.sum}, the model gives ${value}`
  }

  #gadget(group: StampedNode, plan: NodePlan, i: number): string | undefined {
    const { linked } = this.#circuit
    const node = this.#nodeOf(group)
    const value = this.#resultOf(node, plan, i)
    const offset = this.#offset(node, plan)
    const operands = Array.from(
      plan.elements.subarray(plan.operandPtr[i], plan.operandPtr[i + 1]),
      (element, j) => this.#exact[plan.sources[sourceOf(plan, i, j)]][element] + offset,
    )
    const element = (given: bigint) => BigInt(plan.outputSign) * given + BigInt(plan.outputOffset)
    const use = plan.uses[i]
    if (use === NONE) {
      const given = Number.isNaN(plan.constants[i]) ? operands[0] : element(BigInt(plan.constants[i]))
      return given === value ? undefined : `the circuit gives ${given}, the model gives ${value}`
    }
    const stamp = linked.stamps[use]
    const base = group.base[i]
    const [output] = stamp.outputs
    if (output !== undefined)
      this.#wires[base + output - operands.length] =
        BigInt(plan.outputSign) * (value - BigInt(plan.outputOffset))
    const prove = this.#functions.get(use) ?? specified(stamp.gadget.use)
    this.#functions.set(use, prove)
    const says = (of: readonly bigint[]): string => {
      const proven = prove(of)
      const result = proven === undefined || output === undefined ? proven : element(proven)
      return `${result ?? "nothing"} for ${of.slice(0, 4).join(", ")}${of.length > 4 ? ", …" : ""}`
    }
    const proven = prove(operands)
    if (proven === undefined || ((output !== undefined || plan.own) && element(proven) !== value))
      return `the circuit gives ${says(operands)}, the model gives ${value}`
    if (node.kind === "input" && linked.inputs.length === 0) {
      // a hidden input without a wire is the sum of its bits
      stamp.sources.forEach((source, j) => {
        if ("of" in source) this.#wires[base + j] = (operands[0] >> BigInt(source.shift)) % 2n
      })
      return undefined
    }
    return this.#stamped({ stamp, base, operands, says }, group.firstRow[i])
  }

  /** What is added to operands; a table may read the accumulator of the rescale before it. */
  #offset(node: IntNode, plan: NodePlan): bigint {
    const offset = perKind(offsets, node, this.#circuit.graph)
    if (node.kind !== "table" || plan.sources[0] === node.source) return offset
    const rescale = this.#nodes.get(node.source)
    invariant(
      rescale?.kind === "rescale" && rescale.source === plan.sources[0],
      "a table reads its own source",
    )
    return offset << BigInt(rescale.shift)
  }

  /**
   * What gadget i of a node has to give: an element of its tensor, or a product that such an element sums; a check gives
   * the first of its operands.
   */
  #resultOf(node: IntNode, plan: NodePlan, i: number): bigint {
    if (node.kind === "sort") return this.#exact[node.out][plan.elements[plan.operandPtr[i]]]
    if (node.kind !== "contraction") return this.#exact[node.out][i]
    const { left, right, m, k, n } = node
    const [inner, element] = [i % k, Math.floor(i / k)]
    const [column, row] = [element % n, Math.floor(element / n)]
    return (
      this.#exact[left][row * k + inner] * this.#exact[right][(Math.floor(row / m) * k + inner) * n + column]
    )
  }

  /** The rows and queries of a gadget, as its stamp has them. */
  #stamped(instance: Instance, firstRow: number): string | undefined {
    const { rows, queries } = instance.stamp
    const { a, b, c } = this.#circuit.linked.r1cs
    for (const [k, row] of rows.entries()) {
      const fault =
        this.#combination(instance, a, firstRow + k, row.a) ??
        this.#combination(instance, b, firstRow + k, row.b) ??
        this.#combination(instance, c, firstRow + k, row.c)
      if (fault !== undefined) return fault
    }
    const lookup = this.#lookup
    if (!lookup) return undefined
    for (const [k, { lc, scale, table }] of queries.entries()) {
      const row = firstRow + rows.length + k
      const query = this.#queries++
      const [inverse, one] = [this.#side(a, row, lookup.inverses + query, 1), this.#side(c, row, 0, 1)]
      const isQuery =
        lookup.row[query] === row &&
        lookup.scale[query] === scale &&
        lookup.tables[lookup.table[query]].key === table.key &&
        inverse.entries === 1 &&
        inverse.own.get(0) === 1n &&
        one.entries === 1 &&
        one.own.get(0) === BigInt(scale)
      if (!isQuery) return `constraint ${row} is no query of ${gadgetKey(instance.stamp.gadget.use)}`
      const fault = this.#combination(instance, b, row, lc, BigInt(scale))
      if (fault !== undefined) return fault
    }
    return undefined
  }

  /**
   * A side of a gadget's row: its own wires with the coefficients of the stamp, and of the others a sum that is the
   * model's. A query has the negative of that, next to the challenge.
   */
  #combination(
    { stamp, base, operands, says }: Instance,
    matrix: SparseRows,
    row: number,
    lc: Lc,
    challenge?: bigint,
  ): string | undefined {
    const sign = challenge === undefined ? 1n : -1n
    const given = this.#side(matrix, row, base, stamp.wires, challenge)
    let [expected, constant, own] = [0n, 0n, 0]
    const used: number[] = []
    for (const [local, coefficient] of lc) {
      if (local === ONE) constant = BigInt(coefficient)
      else if (local < operands.length) {
        expected += BigInt(coefficient) * operands[local]
        used.push(local)
      } else if (given.own.get(local - operands.length) === sign * BigInt(coefficient)) own++
    }
    if (
      given.own.size !== own ||
      own !== lc.size - used.length - (lc.has(ONE) ? 1 : 0) ||
      !given.isChallenged
    )
      return `constraint ${row} is not that of ${gadgetKey(stamp.gadget.use)}`
    const sum = sign * given.sum - constant
    if (sum === expected) return undefined
    const factor = BigInt(lc.get(used[0]) ?? 0)
    if (operands.length === 1 && used.length === 1 && sum % factor === 0n)
      return `the circuit gives ${says([sum / factor])}, the model gives ${says(operands)}`
    return `the operands in constraint ${row} give ${sum}, those of the model give ${expected}`
  }

  /**
   * One side of a row: coefficients of `count` wires from `first` on by position, and the sum of all others; the
   * challenge apart, which must have the given coefficient.
   */
  #side(
    { rowPtr, wires, coefficients }: SparseRows,
    row: number,
    first: number,
    count: number,
    challenge?: bigint,
  ) {
    const own = new Map<number, bigint>()
    let [sum, found] = [0n, 0n]
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const [wire, coefficient] = [wires[j], this.#coefficients[coefficients[j]]]
      if (wire >= first && wire < first + count)
        own.set(wire - first, (own.get(wire - first) ?? 0n) + coefficient)
      else if (challenge !== undefined && wire === this.#lookup?.challenge) found += coefficient
      else sum += coefficient * (this.#wires[wire] ?? 0n)
    }
    const isChallenged = found === (challenge ?? 0n)
    return { own, sum, isChallenged, entries: rowPtr[row + 1] - rowPtr[row] }
  }
}
