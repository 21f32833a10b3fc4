/**
 * Poseidon (Grassi et al., eprint 2019/458) as circomlib defines it, with 16 inputs: one block of
 * constraints, compiled once, and salted commitments made of it.
 *
 * The commitment of words w_0 … w_(m−1) under a salt s: h = s; for every 15 words, the last ones padded with
 * zeros, h = Poseidon(h, 15 words). How many words there are is part of the circuit, so padding is no other
 * message. Whoever does not know the salt learns nothing of the words.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { InvariantError, invariant, UsageError } from "../errors.js"
import { inverse, mod, r } from "../field.js"
import { cached, runCircom } from "./compile-gadgets.js"
import type { R1cs, SparseRows } from "./r1cs.js"
import { readR1cs } from "./r1csfile.js"

/** Words per block: one input carries the state. */
export const wordsPerBlock = 15

type Terms = readonly (readonly [wire: number, coefficient: bigint])[]

/**
 * Poseidon's rows a · b = c over local wires: 0 is one, 1 the result, 2 … 17 the inputs, then the others.
 * Row i defines wire `defines[i]`, of which only its side c speaks, from wires known before.
 */
export interface Block {
  readonly wires: number
  readonly rows: readonly {
    readonly a: Terms
    readonly b: Terms
    readonly c: Terms
    readonly defines: number
  }[]
}
export const blockResult = 1
export const blockInputs = 2

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

let loaded: Promise<Block> | undefined

/** Compiles circomlib's Poseidon, once. @throws InvariantError if it has not the expected form */
export function poseidonBlock(): Promise<Block> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Block> {
  const require = createRequire(import.meta.url)
  const read = (name: string) => readFileSync(require.resolve(`circomlib/circuits/${name}`), "utf8")
  const files = Object.fromEntries(
    ["poseidon.circom", "poseidon_constants.circom"].map((name) => [name, read(name)]),
  )
  const digest = createHash("sha256")
    .update(source + Object.values(files).join(""))
    .digest("hex")
  const text = await cached(`poseidon-block-${digest.slice(0, 24)}`, async () => {
    const block = reduce(readR1cs((await runCircom(source, files)).r1cs))
    return {
      ...block,
      rows: block.rows.map(({ a, b, c, defines }) => ({ a: write(a), b: write(b), c: write(c), defines })),
    }
  })
  const parse = (terms: [number, string][]): Terms => terms.map(([wire, value]) => [wire, BigInt(value)])
  const rows = text.rows.map(({ a, b, c, defines }) => ({ a: parse(a), b: parse(b), c: parse(c), defines }))
  return { wires: text.wires, rows }
}

const write = (terms: Terms): [number, string][] => terms.map(([wire, value]) => [wire, `${value}`])

/** A combination of the wires that are kept. */
type Lc = Map<number, bigint>

/**
 * Keeps the wires that products define and expresses all others by them. circom's rows come unsimplified: a
 * linear one names a signal, a product defines one.
 */
function reduce(system: R1cs): Block {
  const inputs = Array.from({ length: wordsPerBlock + 1 }, (_, i) => blockInputs + i)
  const known = new Map<number, Lc>([0, ...inputs].map((wire) => [wire, new Map([[wire, 1n]])]))
  const rows: { a: Lc; b: Lc; c: Lc; wire: number }[] = []
  /** What is known of a side, and the signals of it that are not. */
  const expand = ({ rowPtr, wires, coefficients }: SparseRows, row: number) => {
    const lc: Lc = new Map()
    const unknown: [number, bigint][] = []
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++) {
      const value = system.values[coefficients[j]]
      const definition = known.get(wires[j])
      if (definition) add(lc, definition, value)
      else unknown.push([wires[j], value])
    }
    return { lc, unknown }
  }
  let rest = Array.from({ length: system.rows }, (_, row) => row)
  while (rest.length > 0) {
    const later = rest.filter((row) => {
      const [a, b, c] = [system.a, system.b, system.c].map((side) => expand(side, row))
      if (a.unknown.length > 0 || b.unknown.length > 0 || c.unknown.length !== 1) {
        const defined = linearDefinition(a, b, c)
        if (defined === undefined) return true
        known.set(defined.wire, defined.lc)
        return false
      }
      const [[wire, factor]] = c.unknown
      const scale = constant(a.lc) ?? constant(b.lc)
      if (scale === undefined) {
        known.set(wire, new Map([[wire, 1n]]))
        rows.push({ a: a.lc, b: b.lc, c: c.lc.set(wire, factor), wire })
      } else {
        const product = constant(a.lc) === undefined ? a.lc : b.lc
        const lc: Lc = new Map()
        add(lc, product, (scale * inverse(factor)) % r)
        add(lc, c.lc, mod(-inverse(factor)))
        known.set(wire, lc)
      }
      return false
    })
    if (later.length === rest.length)
      throw new InvariantError("Poseidon's rows do not define its wires in turn")
    rest = later
  }
  // the result is a combination: it gets a wire by a last row, lc · 1 = result
  const result = known.get(blockResult)
  invariant(result, "Poseidon has a result")
  if (!rows.some(({ wire }) => wire === blockResult))
    rows.push({ a: result, b: new Map([[0, 1n]]), c: new Map([[blockResult, 1n]]), wire: blockResult })
  const number = new Map([0, blockResult, ...inputs].map((wire) => [wire, wire]))
  for (const { wire } of rows) if (!number.has(wire)) number.set(wire, number.size)
  const local = (lc: Lc): Terms =>
    [...lc].map(([wire, value]): [number, bigint] => [number.get(wire) as number, value])
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
  readonly lc: Lc
  readonly unknown: readonly [number, bigint][]
}

/** The signal that a linear row defines on side A or B, where circom put the whole sum there. */
function linearDefinition(a: Side, b: Side, c: Side): { wire: number; lc: Lc } | undefined {
  const [factor, side] = constant(b.lc) !== undefined && b.unknown.length === 0 ? [b, a] : [a, b]
  const scale = constant(factor.lc)
  if (scale === undefined || scale === 0n || factor.unknown.length > 0) return undefined
  if (side.unknown.length + c.unknown.length !== 1 || side.unknown.length === 0) return undefined
  const [[wire, value]] = side.unknown
  const over = inverse((scale * value) % r)
  const lc: Lc = new Map()
  add(lc, c.lc, over)
  add(lc, side.lc, mod(-scale * over))
  return { wire, lc }
}

function add(target: Lc, lc: Lc, factor: bigint): void {
  for (const [wire, value] of lc) {
    const sum = ((target.get(wire) ?? 0n) + factor * value) % r
    if (sum === 0n) target.delete(wire)
    else target.set(wire, sum)
  }
}

/** The value of a combination of one alone. */
const constant = (lc: Lc): bigint | undefined => (lc.size === 0 ? 0n : lc.size === 1 ? lc.get(0) : undefined)

/** Values of all local wires for 16 inputs in [0, r). */
export function solveBlock({ wires, rows }: Block, inputs: readonly bigint[]): bigint[] {
  invariant(inputs.length === wordsPerBlock + 1, "a block has 16 inputs")
  const values = new Array<bigint>(wires).fill(0n)
  values[0] = 1n
  inputs.forEach((value, i) => {
    values[blockInputs + i] = value
  })
  const sum = (terms: Terms) =>
    terms.reduce((total, [wire, coefficient]) => total + coefficient * values[wire], 0n)
  for (const { a, b, c, defines } of rows) {
    const known = mod(sum(a) * sum(b) - sum(c))
    const factor = c.find(([wire]) => wire === defines)?.[1] ?? 0n
    values[defines] = factor === 1n ? known : (known * inverse(factor)) % r
  }
  return values
}

/** Inputs of each block of a commitment, given the result of the one before. */
export function blockWords<T>(words: readonly T[], zero: T): T[][] {
  return Array.from({ length: Math.ceil(words.length / wordsPerBlock) }, (_, i) => {
    const part = words.slice(i * wordsPerBlock, (i + 1) * wordsPerBlock)
    return [...part, ...new Array<T>(wordsPerBlock - part.length).fill(zero)]
  })
}

/**
 * The commitment to words under a salt, all in [0, r): what a circuit with committed values shows.
 * @throws UsageError for no words, or a word or salt that is no field element
 */
export async function commit(words: readonly bigint[], salt: bigint): Promise<bigint> {
  if (words.length === 0)
    throw new UsageError({ what: "nothing to commit to", expected: "at least one word" })
  for (const [i, value] of [salt, ...words].entries()) {
    if (typeof value === "bigint" && value >= 0n && value < r) continue
    throw new UsageError({
      what: i === 0 ? "the salt is no field element" : `word ${i - 1} is no field element`,
      expected: "a bigint from 0 to r - 1",
      given: `${value}`,
    })
  }
  const block = await poseidonBlock()
  return blockWords(words, 0n).reduce((h, part) => solveBlock(block, [h, ...part])[blockResult], salt)
}

/** A uniform salt. Keep it: without it the commitment cannot be opened, and who has it can test guesses. */
export function drawSalt(): bigint {
  // 384 random bits leave a bias below 2^-128
  const bytes = crypto.getRandomValues(new Uint8Array(48))
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) % r
}
