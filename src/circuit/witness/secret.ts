/** Wires of linear maps with secret weights: those that are constants of a model, and those of each execution. */
import { invariant, ModelError } from "../../errors.js"
import { applyMap, forEachProduct, weightsOf } from "../../ops/linearmap.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { isSecret, needSecrets, type SecretNode } from "../../quantize/integers/secrets.js"
import type { LinkedNodes } from "../link/circuit.js"
import type { Lookup } from "../link/lookup.js"
import { type CheckedRun, runQueries, type SecretStamp, type SecretWires } from "../link/secret.js"
import { type BankPlan, productBits } from "../plan/secret.js"

/** What the weights of a model are in all of its executions. */
export interface SecretConstants {
  /** Values of the wires of the group `weights`, from the first on. */
  readonly wires: Float64Array
  /** Entries that their range checks find, numbered over all tables. */
  readonly entries: Uint32Array
}

/** A linked circuit with its lookups. */
type Linked = Pick<LinkedNodes, "stamped"> & { readonly lookup: Lookup; readonly weights: number }

const kept = new WeakMap<IntGraph, { readonly linked: object; readonly constants: SecretConstants }>()

/**
 * The constants of a model; `first`: the first wire of the group. Kept with the model.
 * @throws CountersignError for a model that is without its secrets; ModelError for a constant that is out of its range
 */
export function secretConstants(graph: IntGraph, linked: Linked, first: number): SecretConstants {
  const known = kept.get(graph)
  if (known?.linked === linked.lookup) return known.constants
  if (linked.weights > 0) needSecrets(graph, "this")
  const wires = new Float64Array(linked.weights)
  const secrets = new Map(graph.nodes.flatMap((node) => (isSecret(node) ? [[node.out, node] as const] : [])))
  const checked = linked.stamped.flatMap((group) => (group.checked ? [group.checked] : []))
  for (const of of checked) {
    const node = secrets.get(of.plan.node.out)
    invariant(node, "a secret node of the circuit is one of its model")
    for (const [t, run] of of.weights.entries())
      if (run) assignRun(run, weightsOf(node.terms[t].map), node, wires, first)
    if (of.constants) assignRun(of.constants, constantsOf(of, node), node, wires, first)
    assignTaken(of, node, wires, first)
  }
  const constants = { wires, entries: entriesOf(checked, linked.lookup, wires, first) }
  kept.set(graph, { linked: linked.lookup, constants })
  return constants
}

/** Without the number: what a message says may be read by others. */
function outOfRange({ origin }: SecretNode, { window: { lo, bits } }: CheckedRun): never {
  throw new ModelError({
    what: `\`${origin.operator}\`: a constant that its weights and bias give is out of its range`,
    where: origin.name,
    expected: `integers from ${lo} to ${lo + 2 ** bits - 1}`,
    fix: "Quantize the model again",
  })
}

function assignRun(
  run: CheckedRun,
  values: ArrayLike<number>,
  node: SecretNode,
  wires: Float64Array,
  first: number,
): void {
  const { window, count, tableBits, limbs } = run
  invariant(values.length === count, `secret integers of node ${node.origin.name}`)
  for (let i = 0; i < count; i++) {
    let rest = values[i] - window.lo
    if (!(Number.isSafeInteger(rest) && rest >= 0 && rest < 2 ** window.bits)) outOfRange(node, run)
    wires[run.first + i - first] = values[i]
    for (let l = 0; l < limbs - 1; l++) {
      wires[run.firstLimb + i * (limbs - 1) + l - first] = rest % 2 ** tableBits
      rest = Math.floor(rest / 2 ** tableBits)
    }
  }
}

/** Biases, or what pairs leave of them: bias − Σ w_1 · w_2. */
function constantsOf({ plan: { pairs } }: SecretWires, node: SecretNode): Float64Array {
  const { bias } = node.secret
  invariant(bias && node.bias, "a secret bias")
  const { inner } = bias
  const values = Float64Array.from({ length: bias.count }, (_, i) => node.bias?.[i * inner] ?? 0)
  if (!pairs) return values
  const { columns } = pairs
  const maps = node.terms.map(({ map }) => ({ weights: weightsOf(map), k: weightsOf(map).length / pairs.m }))
  const weight = (output: number, at: number): number => {
    const { term, column } = columns[at]
    return maps[term].weights[output * maps[term].k + column]
  }
  return values.map((value, output) => {
    for (let j = 0; j + 1 < columns.length; j += 2) value -= weight(output, j) * weight(output, j + 1)
    return value
  })
}

/** What the products of paired weights of each tap come to. */
function assignTaken(
  { plan, taken }: SecretWires,
  node: SecretNode,
  wires: Float64Array,
  first: number,
): void {
  for (const [t, term] of plan.terms.entries()) {
    let at = taken[t]
    if (term?.form !== "windows" || at === undefined) continue
    const weights = weightsOf(node.terms[t].map)
    for (const { bank, slots } of term.banks) {
      if (!slots.paired) continue
      const { outputs, channels, taps, weight } = bank
      for (let channel = 0; channel < channels; channel++)
        for (let tap = 0; tap < taps; tap++) {
          let sum = 0
          for (let o = 0; o < Math.floor(outputs / 2); o++)
            sum += weights[weight(o, channel, tap)] * weights[weight(outputs - 1 - o, channel, tap)]
          wires[at++ - first] = sum
        }
    }
  }
}

function entriesOf(
  checked: readonly SecretWires[],
  { tables, tableStart, table, scale }: Lookup,
  wires: Float64Array,
  first: number,
): Uint32Array {
  const entries = new Uint32Array(checked.reduce((sum, { queries }) => sum + queries, 0))
  let query = 0
  for (const { weights, constants } of checked)
    for (const run of [...weights, constants]) {
      if (!run) continue
      for (let i = 0; i < run.count; i++)
        for (const { wires: of, coefficients, constant } of runQueries(run, i)) {
          const sum = of.reduce((total, wire, j) => total + coefficients[j] * wires[wire - first], constant)
          const entry = tables[table[query]].rowOf(sum / scale[query])
          invariant(entry >= 0, "a secret integer in its range is in its table")
          entries[query] = tableStart[table[query]] + entry
          query++
        }
    }
  return entries
}

/** Assigns the wires of a secret node that depend on its execution; those of its weights are there. */
export function assignSecret(
  stamp: SecretStamp,
  graph: IntGraph,
  tensor: (id: number) => Float64Array,
  small: Float64Array,
): void {
  if (stamp.pairs) assignPairs(stamp, tensor, small)
  else assignTerms(stamp, graph, tensor, small)
}

function assignPairs(
  { plan, pairs: at, weights }: SecretStamp,
  tensor: (id: number) => Float64Array,
  small: Float64Array,
): void {
  const { node, pairs } = plan
  invariant(pairs && at, "a node of pairs")
  const { n, m, columns } = pairs
  const count = Math.floor(columns.length / 2)
  const sources = node.terms.map(({ source }) => tensor(source))
  const widths = sources.map(({ length }) => length / n)
  const x = new Float64Array(columns.length)
  small.set(tensor(node.out), at.y)
  for (let row = 0; row < n; row++) {
    for (const [k, { term, column }] of columns.entries()) x[k] = sources[term][row * widths[term] + column]
    let sum = 0
    for (let j = 0; j < count; j++) {
      sum += x[2 * j] * x[2 * j + 1]
      small[at.shared + row * count + j] = sum
    }
    for (let output = 0; output < m; output++) {
      const element = row * m + output
      const weight = (k: number): number => {
        const { term, column } = columns[k]
        return small[(weights[term]?.first ?? 0) + output * widths[term] + column]
      }
      for (let j = 0; j < count; j++)
        small[at.products + element * count + j] =
          (weight(2 * j) + x[2 * j + 1]) * (weight(2 * j + 1) + x[2 * j])
      if (columns.length % 2 === 1)
        small[at.single + element] = weight(columns.length - 1) * x[columns.length - 1]
    }
  }
}

function assignTerms(
  { plan, terms, weights }: SecretStamp,
  graph: IntGraph,
  tensor: (id: number) => Float64Array,
  small: Float64Array,
): void {
  const { node } = plan
  for (const [t, term] of terms.entries()) {
    const run = weights[t]
    if (!term || !run) continue
    const { source, map } = node.terms[t]
    const x = tensor(source)
    const values = small.subarray(run.first, run.first + run.count)
    const y = new Float64Array(graph.tensors[node.out].lo.length)
    applyMap(map.kind === "sparse" ? { ...map, values } : { ...map, weight: values }, x, y)
    small.set(y, term.y)
    const form = plan.terms[t]
    if (form?.form === "windows" && term.outputs !== undefined)
      assignOutputs(form.banks, y, small, term.outputs)
    if (term.products === undefined) continue
    let at = term.products
    forEachProduct(map, (_, input, weight) => {
      small[at++] = values[weight] * x[input]
    })
  }
}

/** What the products of paired outputs come to, in two limbs. */
function assignOutputs(
  banks: readonly BankPlan[],
  y: Float64Array,
  small: Float64Array,
  first: number,
): void {
  let at = first
  for (const { bank, slots } of banks) {
    if (!slots.pairedOutputs) continue
    const { n, outArea, outputs, output } = bank
    for (let image = 0; image < n; image++)
      for (let place = 0; place < outArea; place++) {
        let sum = 0n
        for (let o = 0; o < Math.floor(outputs / 2); o++)
          sum += BigInt(y[output(image, o, place)]) * BigInt(y[output(image, outputs - 1 - o, place)])
        const high = sum >> BigInt(productBits)
        small[at++] = Number(sum - (high << BigInt(productBits)))
        small[at++] = Number(high)
      }
  }
}
