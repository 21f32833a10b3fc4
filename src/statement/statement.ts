/**
 * What a proof says: this model, run on this input in this context, gave this output. Here, and nowhere
 * else, are the form of a statement, what makes it fit a layout, and (for Groth16) the order of its public
 * signals and the context signal; the words of the two-phase proof system are in words.ts.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import { checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { mod, r } from "../field.js"
import {
  count,
  elementCount,
  type InputLayout,
  inputVisibility,
  type Layout,
  maxInteger,
  maxValues,
  outputVisibility,
  publicInputs,
  publicOutputs,
  type TensorLayout,
} from "./layout.js"
import { array, bytes32, fail, fields, type Hex, integer, object, oneOf } from "./strict.js"

/** Per tensor the model's integers as canonical decimal strings, flat in row-major order. */
export type Values = Readonly<Record<string, readonly string[]>>

/** A side of the statement that everybody sees. */
export interface PublicClaim {
  readonly visibility: "public"
  readonly values: Values
}

/** A side of which the statement has the salted commitment: 0x and 64 hexadecimal digits, below r. */
export interface CommittedClaim {
  readonly visibility: "committed"
  readonly commitment: Hex
  /** Of the tensors that are public all the same; absent if there are none. */
  readonly values?: Values
}

/** The public claim. */
export interface Statement {
  /** Digest of the integer model, 0x and 64 lower-case hexadecimal digits. */
  readonly model: Hex
  /** The caller's 32 bytes (chain, contract, request, operator), in the same form. */
  readonly context: Hex
  readonly input: { readonly visibility: "hidden" } | PublicClaim | CommittedClaim
  readonly output: PublicClaim | CommittedClaim
}

/** Number of output elements, the first public signals. */
export const outputCount = (layout: Layout): number => elementCount(layout.outputs)

/** Number of public signals of a layout: outputs, one for the context, public inputs. */
export const signalCount = (layout: Layout): number =>
  outputCount(layout) + 1 + elementCount(publicInputs(layout))

/** The context's public signal, keccak256(context) mod r: hashed, so that no two contexts can be made equal. */
export function contextSignal(context: string): bigint {
  const bytes = hexToBytes(bytes32(context, "context").slice(2))
  return BigInt(`0x${bytesToHex(keccak_256(bytes))}`) % r
}

/** The values that a side of a statement shows. */
export const shownValues = (claim: Statement["input"]): Values =>
  (claim.visibility === "hidden" ? undefined : claim.values) ?? {}

/**
 * The integers that one side shows, in layout order.
 * @param tensors the public ones of the side
 * @throws UsageError unless its values have exactly the names and counts of `tensors`.
 */
export function flatten(
  claim: Statement["input"],
  tensors: readonly TensorLayout[],
  side: "input" | "output",
): bigint[] {
  const values = shownValues(claim)
  const problem = mismatch(values, tensors, side)
  if (problem !== null) throw new UsageError({ what: problem })
  return tensors.flatMap((tensor) => values[tensor.name].map(BigInt))
}

/**
 * The public signals of a statement in [0, r) for Groth16: all outputs in layout order, the context signal,
 * the public inputs in layout order; a negative integer x is r + x. The circuit's public wires have the
 * same order.
 * @throws UsageError when the statement does not fit the layout.
 */
export function publicSignals(statement: Statement, layout: Layout): bigint[] {
  checkThing("statement", statement, "statement")
  checkThing("layout", layout, "layout")
  const { input, output } = statement
  return [
    ...flatten(output, publicOutputs(layout), "output"),
    contextSignal(statement.context),
    ...flatten(input, publicInputs(layout), "input"),
  ].map((signal) => mod(signal))
}

/** Why a statement does not fit a layout (visibility, names, counts, ranges), or null. */
export function shapeProblem({ input, output }: Statement, layout: Layout): string | null {
  if (input.visibility !== inputVisibility(layout))
    return `the statement's input is ${input.visibility}, the key's is ${inputVisibility(layout)}`
  if (output.visibility !== outputVisibility(layout))
    return `the statement's output is ${output.visibility}, the key's is ${outputVisibility(layout)}`
  return (
    valuesProblem(shownValues(output), publicOutputs(layout), "output") ??
    valuesProblem(shownValues(input), publicInputs(layout), "input")
  )
}

function valuesProblem(values: Values, tensors: readonly TensorLayout[], side: string): string | null {
  const problem = mismatch(values, tensors, side)
  if (problem !== null) return problem
  for (const tensor of tensors) {
    const { name, lo, bits } = tensor
    const ranks = (tensor as InputLayout).ranks
    const least = BigInt(lo)
    // no number has a rank above its element's edges
    const most = (i: number) => (ranks ? BigInt(ranks.edges[i].length) : BigInt(lo) + 2n ** BigInt(bits) - 1n)
    const wrong = values[name].findIndex((text, i) => BigInt(text) < least || BigInt(text) > most(i))
    if (wrong >= 0)
      return `${side} ${JSON.stringify(name)}[${wrong}] is ${values[name][wrong]}, expected ${least} to ${most(wrong)}`
  }
  return null
}

function mismatch(values: Values, tensors: readonly TensorLayout[], side: string): string | null {
  for (const { name, shape } of tensors) {
    if (!Object.hasOwn(values, name)) return `${side} ${JSON.stringify(name)} is missing`
    if (values[name].length !== count(shape))
      return `${side} ${JSON.stringify(name)} has ${values[name].length} values, expected ${count(shape)}`
  }
  const known = new Set(tensors.map(({ name }) => name))
  const extra = Object.keys(values).find((name) => !known.has(name))
  return extra === undefined ? null : `${side} ${JSON.stringify(extra)} is not one of the model's`
}

/**
 * Reads a statement strictly. Of lists that have more than `most` values in all none is read.
 * @throws FileError naming the path of the first malformed element.
 */
export function parseStatement(value: unknown, path: string, most = maxValues): Statement {
  const given = fields(value, path, ["model", "context", "input", "output"])
  const budget: ValueBudget = { most, left: most }
  return {
    model: bytes32(given.model, `${path}.model`),
    context: bytes32(given.context, `${path}.context`),
    input: parseInput(given.input, `${path}.input`, budget),
    output: parseClaim(given.output, `${path}.output`, budget),
  }
}

interface ValueBudget {
  readonly most: number
  left: number
}

function parseInput(value: unknown, path: string, budget: ValueBudget): Statement["input"] {
  const visibilities = ["hidden", "public", "committed"] as const
  const visibility = oneOf(object(value, path).visibility, `${path}.visibility`, visibilities)
  if (visibility !== "hidden") return parseClaim(value, path, budget)
  fields(value, path, ["visibility"])
  return { visibility }
}

function parseClaim(value: unknown, path: string, budget: ValueBudget): Statement["output"] {
  const visibility = oneOf(object(value, path).visibility, `${path}.visibility`, ["public", "committed"])
  if (visibility === "committed") {
    const shows = Object.hasOwn(object(value, path), "values")
    const given = fields(value, path, ["visibility", "commitment", ...(shows ? ["values" as const] : [])])
    const claim = { visibility, commitment: parseCommitment(given.commitment, `${path}.commitment`) }
    if (!shows) return claim
    const values = parseValues(given.values, `${path}.values`, budget)
    // a statement has one form: nothing is shown by leaving `values` out
    if (Object.keys(values).length === 0) fail(`${path}.values`, { what: "shows no tensor" })
    return { ...claim, values }
  }
  const given = fields(value, path, ["visibility", "values"])
  return { visibility, values: parseValues(given.values, `${path}.values`, budget) }
}

function parseCommitment(value: unknown, path: string): Hex {
  const commitment = bytes32(value, path)
  if (BigInt(commitment) >= r)
    fail(path, { what: "not a field element", expected: `below ${r}`, given: commitment })
  return commitment
}

function parseValues(value: unknown, path: string, budget: ValueBudget): Values {
  // Object.fromEntries defines own properties, so a tensor named "__proto__" stays a tensor.
  return Object.fromEntries(
    Object.entries(object(value, path)).map(([name, list]) => {
      const at = `${path}[${JSON.stringify(name)}]`
      const elements = array(list, at)
      budget.left -= elements.length
      if (budget.left < 0) fail(at, { what: "too many values", expected: `at most ${budget.most} in all` })
      return [name, Array.from(elements, (x, i) => `${integer(x, `${at}[${i}]`, -maxInteger, maxInteger)}`)]
    }),
  )
}
