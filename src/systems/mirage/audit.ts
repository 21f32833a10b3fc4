/** What an audit tries and compares in a two-phase circuit and its key. */
import type { ByteSource, ProvingKey } from "../../circuit/formats/source.js"
import { drawSalt } from "../../circuit/gadgets/poseidon.js"
import { wireRange } from "../../circuit/link/circuit.js"
import { entriesOf } from "../../circuit/link/lookup.js"
import type { CheckedRun } from "../../circuit/link/secret.js"
import { NONE } from "../../circuit/plan/plan.js"
import { sideWords } from "../../circuit/witness/commitment.js"
import type { TensorValues, Witness } from "../../circuit/witness/witness.js"
import { inverseAll, mod } from "../../field.js"
import { depthOf } from "../../ops/program.js"
import { platformRandom } from "../../platform.js"
import { draw } from "../../setup/trapdoor.js"
import { generator2Point } from "../../statement/points.js"
import type { Compared, KeySections, Pick, Target } from "../system.js"
import type { MirageCircuit } from "./circuit.js"
import { readMirageKey, sectionName, supportOf } from "./keyfile.js"
import type { CheckedMirageKey } from "./verify.js"
import { CHALLENGE, EVALUATION, wireGroupsOf } from "./wires.js"
import { challengedWitness, committedWitness, statementWords } from "./witness.js"

/** Every wire of an honest execution, with random salts and challenge. */
export function fullWitness(circuit: MirageCircuit, values: TensorValues): Witness {
  const salts = { input: drawSalt(), output: drawSalt() }
  const committed = committedWitness(circuit, values, salts)
  const words = statementWords(circuit, values, salts)
  const c = draw(platformRandom)
  const inverse = entriesOf(circuit.linked.lookup).map((entry) => mod(c - entry))
  inverseAll(inverse)
  return challengedWitness(circuit.linked, committed, words, c, inverse)
}

/** Wires beside those of gadgets that a forger moves. */
export function boundaryTargets(circuit: MirageCircuit, perKind: number, pick: Pick): Target[] {
  const { graph } = circuit
  const { lookup, firstFinal, steps, r1cs, commitments, projected, stamped } = circuit.linked
  const entries = lookup.tableStart[lookup.tables.length]
  const some = (kind: string, from: number, to: number) =>
    pick(from, to, 4 * perKind).map((wire): Target => ({ what: `${kind} ${wire - from}`, kind, wire }))
  const inside = (side: "input" | "output"): Target[] => {
    const wires = commitments[side]?.wires ?? []
    return pick(0, wires.length, 8 * perKind).map((i) => {
      return { what: `wire ${i} of the ${side}'s commitment`, kind: "commitment", wire: wires[i] }
    })
  }
  return [
    { what: "the challenge", kind: "challenge", wire: CHALLENGE },
    { what: "the evaluation", kind: "evaluation", wire: EVALUATION },
    ...some("multiplicity", lookup.multiplicities, lookup.multiplicities + entries),
    ...some("inverse", firstFinal, lookup.quotients),
    ...some("quotient", lookup.quotients, lookup.quotients + entries),
    ...some("word", steps, projected.first),
    ...some("projection", projected.first, r1cs.wires),
    ...stamped.flatMap(({ projection, base, tensor }): Target[] => {
      if (!projection) return []
      const wires = base.filter((wire) => wire !== NONE)
      return pick(0, wires.length, 4 * perKind).map((i) => {
        return { what: `\`${graph.tensors[tensor].name}\`[${i}]`, kind: "contraction", wire: wires[i] }
      })
    }),
    ...stamped.flatMap(({ free, tensor }): Target[] => {
      const wires = free?.filter((wire) => wire !== NONE) ?? []
      return pick(0, wires.length, 4 * perKind).map((i) => {
        return {
          what: `\`${graph.tensors[tensor].name}\`, wire ${i}`,
          kind: "checked",
          wire: wires[i],
        }
      })
    }),
    ...stamped.flatMap(({ checked, secret }): Target[] => {
      if (checked) {
        const { weights, constants } = checked
        const limbsOf = ({ firstLimb, count, limbs }: CheckedRun) =>
          some("limb of a private weight", firstLimb, firstLimb + count * (limbs - 1))
        return [
          // what they are is the model's own commitment's to say: other ones in their ranges may give the same
          ...weights.flatMap((run) => {
            if (!run) return []
            const moves = [1n << BigInt(run.window.bits), -(1n << BigInt(run.window.bits))]
            const own = some("private weight", run.first, run.first + run.count)
            return [...own.map((target) => ({ ...target, moves })), ...limbsOf(run)]
          }),
          ...(constants
            ? [
                ...some("private bias", constants.first, constants.first + constants.count),
                ...limbsOf(constants),
              ]
            : []),
        ]
      }
      if (!secret) return []
      const { pairs, terms, plan } = secret
      const elements = graph.tensors[plan.node.out].lo.length
      const half = Math.floor((plan.pairs?.columns.length ?? 0) / 2)
      return [
        ...(pairs && plan.pairs
          ? [
              ...some("shared product", pairs.shared, pairs.shared + plan.pairs.n * half),
              ...some("pair", pairs.products, pairs.products + elements * half),
              ...some("private sum", pairs.y, pairs.y + elements),
            ]
          : []),
        ...terms.flatMap((term) => (term ? some("private sum", term.y, term.y + elements) : [])),
      ]
    }),
    ...stamped.flatMap(({ multiplicities = [], node }): Target[] =>
      node.kind === "rows"
        ? multiplicities.flatMap((first) => some("rows taken", first, first + depthOf(node)))
        : [],
    ),
    ...inside("output"),
    ...inside("input"),
    // a hidden input may be anything in range; a public or committed one is in a word
    ...(circuit.input === "private"
      ? []
      : circuit.linked.inputs.map((wire, i) => ({
          what: `input \`${graph.inputs[i].name}\`[0]`,
          kind: "input",
          wire,
        }))),
  ]
}

/** The packed words: in the rows of Horner's rule, the last one first, or committed to. */
export function wordDifferences(circuit: MirageCircuit, { exact, equals, sumBut }: Compared): string[] {
  const { layout, linked } = circuit
  const { r1cs, hornerRow, firstFinal, commitments } = linked
  for (const [tensors, entries] of [
    [layout.outputs, circuit.graph.outputs],
    [layout.inputs, circuit.graph.inputs],
  ] as const) {
    for (const [k, { name, lo, bits }] of tensors.entries()) {
      const [least, end] = [BigInt(lo), BigInt(lo) + (1n << BigInt(bits))]
      const beyond = exact[entries[k].tensor].find((value) => value < least || value >= end)
      if (beyond !== undefined)
        return [`\`${name}\`: the circuit shows ${least} to ${end - 1n}, the model gives ${beyond}`]
    }
  }
  const values = new Map(exact.map((list, id) => [id, Float64Array.from(list, Number)]))
  const found: string[] = []
  const isSame = (given: bigint, word: bigint) => mod(given - word) === 0n
  const expected = (["output", "input"] as const).flatMap((side) => {
    const shown = sideWords(circuit, values, side, "public")
    const commitment = commitments[side]
    if (!commitment) return shown
    for (const [k, word] of sideWords(circuit, values, side, "committed").entries()) {
      const wire = commitment.wires[1 + k]
      const fault = equals(commitment.firstRow + k, wire, word, (given) => isSame(given, word))
      if (fault !== undefined) found.push(`word ${k} of the ${side}: ${fault}`)
    }
    return [...shown, undefined]
  })
  for (const [j, word] of expected.entries()) {
    if (word === undefined) continue
    const row = hornerRow + expected.length - 1 - j
    const sum = sumBut(r1cs.a, row, firstFinal, r1cs.wires - firstFinal)
    if (!isSame(sum, word)) found.push(`word ${j}: the circuit gives ${mod(sum)}, the model gives ${word}`)
  }
  return found
}

/** Sections of a key whose verification key is `key`. */
export async function sectionsOf(
  { linked }: MirageCircuit,
  provingKey: ProvingKey,
  key: CheckedMirageKey,
): Promise<KeySections> {
  const { r1cs } = linked
  const { weights, ...held } = await readMirageKey(provingKey, linked)
  const wires = { a: supportOf(r1cs, "a"), b: supportOf(r1cs, "b"), c: supportOf(r1cs, "c") }
  const divisors = { deltaC: key.deltaC2, delta: key.delta2, deltaW: key.deltaW2 ?? generator2Point }
  const sections = { ...held, weights: weights as ByteSource }
  return {
    system: r1cs,
    alpha1: key.alpha1,
    beta2: key.beta2,
    delta2: key.delta2,
    domain: held.domain,
    a: { name: sectionName("a"), wires: wires.a, points: held.a },
    b1: { name: sectionName("b1"), wires: wires.b, points: held.b1 },
    b2: { name: sectionName("b2"), wires: wires.b, points: held.b2 },
    groups: wireGroupsOf(linked).map(({ section, divisor, first, count }) => ({
      name: sectionName(section),
      wires: wireRange(first, first + count),
      points: sections[section],
      divisor: divisor === undefined ? generator2Point : divisors[divisor],
    })),
    h: { name: sectionName("h"), points: held.h, layers: held.layers },
    c: { name: sectionName("c"), wires: wires.c, points: held.c },
  }
}
