/**
 * Two compilations side by side: what a change of precision costs, or a node that was added. Nodes are the same if they
 * have the same name, operator and primitive; of several that are called alike the first is compared with the first, and so
 * on. A node that one of the two lacks is added or removed, and what all others have gained or lost adds up with these to
 * the difference of the circuits.
 */
import type { CircuitInfo } from "./description.js"
import type { Inspection, NodeReport } from "./inspect.js"

/** What is compared: how a circuit is described, what it costs, and what its files take, if that is known. */
export interface Compilation extends Inspection {
  readonly circuit: Pick<CircuitInfo, "proofSystem" | "input" | "output" | "precision" | "weights" | "model">
  /** Sizes of keys and of a proof; null for keys that are not there. */
  readonly bytes: {
    readonly provingKey: number | null
    readonly verificationKey: number | null
    readonly proof: number
  }
}

/** A figure before and after. */
export interface Pair<T = number> {
  readonly a: T
  readonly b: T
}

/** What of a node costs something. */
type Figures = Pick<NodeReport, "accBits" | "lookups" | "constraints" | "gadget">

/** A node that both have, or one of them: undefined where it is not. */
export interface NodeDifference extends Pick<NodeReport, "name" | "operator" | "primitive"> {
  readonly a?: Figures
  readonly b?: Figures
}

export interface Comparison {
  /** Choices that differ. */
  readonly options: readonly ({ readonly name: string } & Pair<string>)[]
  /** Totals, then sizes of files in bytes; null where there is no such file. */
  readonly totals: readonly ({ readonly name: string } & Pair<number | null>)[]
  /** Constraints by operator of the model, or by primitive of what has none, those that differ most first. */
  readonly operators: readonly ({ readonly operator: string } & Pair)[]
  readonly nodes: {
    readonly added: readonly NodeDifference[]
    readonly removed: readonly NodeDifference[]
    readonly changed: readonly NodeDifference[]
    readonly same: number
  }
}

/** Compares two compilations, of one model or of two. */
export function compareCompilations(a: Compilation, b: Compilation): Comparison {
  const choices = (x: Compilation): Readonly<Record<string, string>> => {
    const { model, proofSystem, precision, input, output, weights = "fixed" } = x.circuit
    return { model, "proof system": proofSystem, precision: `${precision}`, input, output, weights }
  }
  const [before, after] = [choices(a), choices(b)]
  return {
    options: Object.keys(before)
      .filter((name) => before[name] !== after[name])
      .map((name) => ({ name, a: before[name], b: after[name] })),
    totals: [
      ...Object.keys(a.totals).map((name) => {
        const total = name as keyof Inspection["totals"]
        return { name, a: a.totals[total], b: b.totals[total] }
      }),
      { name: "nodes", a: a.nodes.length, b: b.nodes.length },
      ...(["provingKey", "verificationKey", "proof"] as const).map((name) => ({
        name,
        a: a.bytes[name],
        b: b.bytes[name],
      })),
    ],
    operators: operators(a.nodes, b.nodes),
    nodes: compareNodes(a.nodes, b.nodes),
  }
}

function operators(a: readonly NodeReport[], b: readonly NodeReport[]): Comparison["operators"] {
  const found = new Map<string, { a: number; b: number }>()
  for (const [side, nodes] of [["a", a] as const, ["b", b] as const])
    for (const node of nodes) {
      const label = node.operator || node.primitive
      const sums = found.get(label) ?? { a: 0, b: 0 }
      sums[side] += node.constraints
      found.set(label, sums)
    }
  return [...found]
    .map(([operator, sums]) => ({ operator, ...sums }))
    .filter((each) => each.a !== each.b)
    .sort((x, y) => Math.abs(y.b - y.a) - Math.abs(x.b - x.a))
}

const keyOf = ({ name, operator, primitive }: NodeReport) => JSON.stringify([name, operator, primitive])
const figures = ({ accBits, lookups, constraints, gadget }: NodeReport): Figures => ({
  accBits,
  lookups,
  constraints,
  gadget,
})
const named = ({ name, operator, primitive }: NodeReport) => ({ name, operator, primitive })

function compareNodes(a: readonly NodeReport[], b: readonly NodeReport[]): Comparison["nodes"] {
  const waiting = new Map<string, NodeReport[]>()
  for (const node of a) {
    const alike = waiting.get(keyOf(node))
    if (alike) alike.push(node)
    else waiting.set(keyOf(node), [node])
  }
  const [added, changed]: NodeDifference[][] = [[], []]
  const met = new Set<NodeReport>()
  let same = 0
  for (const node of b) {
    const before = waiting.get(keyOf(node))?.shift()
    if (before === undefined) {
      added.push({ ...named(node), b: figures(node) })
      continue
    }
    met.add(before)
    const [old, now] = [figures(before), figures(node)]
    const isSame = (Object.keys(old) as (keyof Figures)[]).every((name) => old[name] === now[name])
    if (isSame) same++
    else changed.push({ ...named(node), a: old, b: now })
  }
  const removed = a.filter((node) => !met.has(node)).map((node) => ({ ...named(node), a: figures(node) }))
  return { added, removed, changed, same }
}
