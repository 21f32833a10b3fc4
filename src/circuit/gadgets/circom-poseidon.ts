/** circomlib's Poseidon as one block of constraints (poseidon.ts), compiled by circom, in Node. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { checkList } from "../../arguments.js"
import { InvariantError, invariant } from "../../errors.js"
import { inverse, mod, r } from "../../field.js"
import type { R1cs, SparseRows } from "../formats/r1cs.js"
import { readR1cs } from "../formats/r1csfile.js"
import { cached, runCircom } from "./circom.js"
import {
  type Block,
  type BlockJson,
  blockInputs,
  blockResult,
  commitBy,
  parseBlock,
  type Terms,
  wordsPerBlock,
} from "./poseidon.js"

const source = `pragma circom 2.2.0;
include "poseidon.circom";
template Block() {
    signal input in[16];
    signal output out;
    component hash = Poseidon(16);
    hash.inputs <== in;
    out <== hash.out;
}
component main {public [in]} = Block();
`

let loaded: Promise<BlockJson> | undefined

/** Compiles circomlib's Poseidon, once. @throws InvariantError if it has not the expected form */
export function compilePoseidon(): Promise<BlockJson> {
  loaded ??= load()
  return loaded
}

/**
 * The commitment to words under a salt, all in [0, r): what a circuit with committed values shows.
 * @throws UsageError for no words, or a word or salt that is no field element
 */
export async function commit(words: readonly bigint[], salt: bigint): Promise<bigint> {
  checkList(words, "words")
  return commitBy(parseBlock(await compilePoseidon()), words, salt)
}

async function load(): Promise<BlockJson> {
  const require = createRequire(import.meta.url)
  const read = (name: string) => readFileSync(require.resolve(`circomlib/circuits/${name}`), "utf8")
  const files = Object.fromEntries(
    ["poseidon.circom", "poseidon_constants.circom"].map((name) => [name, read(name)]),
  )
  const digest = createHash("sha256")
    .update(source + Object.values(files).join(""))
    .digest("hex")
  return cached(`poseidon-block-${digest}`, async () => {
    const { wires, rows } = reduce(readR1cs((await runCircom(source, files)).r1cs))
    return {
      wires,
      rows: rows.map(({ a, b, c, defines }) => ({ a: write(a), b: write(b), c: write(c), defines })),
    }
  })
}

const write = (terms: Terms): [number, string][] => terms.map(([wire, value]) => [wire, `${value}`])

/** A combination of the wires that are kept. */
type Combination = Map<number, bigint>

/**
 * Keeps the wires that products define and expresses all others by them. circom's rows come unsimplified: a
 * linear one names a signal, a product defines one.
 */
function reduce(system: R1cs): Block {
  const inputs = Array.from({ length: wordsPerBlock + 1 }, (_, i) => blockInputs + i)
  const known = new Map<number, Combination>([0, ...inputs].map((wire) => [wire, new Map([[wire, 1n]])]))
  const rows: { a: Combination; b: Combination; c: Combination; wire: number }[] = []
  /** What is known of a side, and the signals of it that are not. */
  const expand = ({ rowPtr, wires, coefficients }: SparseRows, row: number) => {
    const sum: Combination = new Map()
    const unknown: [number, bigint][] = []
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const value = system.values[coefficients[j]]
      const definition = known.get(wires[j])
      if (definition) add(sum, definition, value)
      else unknown.push([wires[j], value])
    }
    return { sum, unknown }
  }
  let rest = Array.from({ length: system.rows }, (_, row) => row)
  while (rest.length > 0) {
    const later = rest.filter((row) => {
      const [a, b, c] = [system.a, system.b, system.c].map((side) => expand(side, row))
      if (a.unknown.length > 0 || b.unknown.length > 0 || c.unknown.length !== 1) {
        const defined = linearDefinition(a, b, c)
        if (defined === undefined) return true
        known.set(defined.wire, defined.sum)
        return false
      }
      const [[wire, factor]] = c.unknown
      const scale = constant(a.sum) ?? constant(b.sum)
      if (scale === undefined) {
        known.set(wire, new Map([[wire, 1n]]))
        rows.push({ a: a.sum, b: b.sum, c: c.sum.set(wire, factor), wire })
      } else {
        const product = constant(a.sum) === undefined ? a.sum : b.sum
        const sum: Combination = new Map()
        add(sum, product, (scale * inverse(factor)) % r)
        add(sum, c.sum, mod(-inverse(factor)))
        known.set(wire, sum)
      }
      return false
    })
    if (later.length === rest.length)
      throw new InvariantError("Poseidon's rows do not define its wires in turn")
    rest = later
  }
  // the result is a combination: it gets a wire by a last row, sum · 1 = result
  const result = known.get(blockResult)
  invariant(result, "Poseidon has a result")
  if (!rows.some(({ wire }) => wire === blockResult))
    rows.push({ a: result, b: new Map([[0, 1n]]), c: new Map([[blockResult, 1n]]), wire: blockResult })
  const number = new Map([0, blockResult, ...inputs].map((wire) => [wire, wire]))
  for (const { wire } of rows) if (!number.has(wire)) number.set(wire, number.size)
  const local = (sum: Combination): Terms =>
    [...sum].map(([wire, value]): [number, bigint] => [number.get(wire) as number, value])
  return {
    wires: number.size,
    rows: rows.map(({ a, b, c, wire }) => {
      // the longer side is A: B is multiplied in G2 as well
      const [first, second] = a.size >= b.size ? [a, b] : [b, a]
      return { a: local(first), b: local(second), c: local(c), defines: number.get(wire) as number }
    }),
  }
}

interface Side {
  readonly sum: Combination
  readonly unknown: readonly [number, bigint][]
}

/** The signal that a linear row defines on side A or B, where circom put the whole sum there. */
function linearDefinition(a: Side, b: Side, c: Side): { wire: number; sum: Combination } | undefined {
  const [factor, side] = constant(b.sum) !== undefined && b.unknown.length === 0 ? [b, a] : [a, b]
  const scale = constant(factor.sum)
  if (scale === undefined || scale === 0n || factor.unknown.length > 0) return undefined
  if (side.unknown.length + c.unknown.length !== 1 || side.unknown.length === 0) return undefined
  const [[wire, value]] = side.unknown
  const over = inverse((scale * value) % r)
  const sum: Combination = new Map()
  add(sum, c.sum, over)
  add(sum, side.sum, mod(-scale * over))
  return { wire, sum }
}

function add(target: Combination, added: Combination, factor: bigint): void {
  for (const [wire, value] of added) {
    const sum = ((target.get(wire) ?? 0n) + factor * value) % r
    if (sum === 0n) target.delete(wire)
    else target.set(wire, sum)
  }
}

/** The value of a combination of one alone. */
const constant = (sum: Combination): bigint | undefined =>
  sum.size === 0 ? 0n : sum.size === 1 ? sum.get(0) : undefined
