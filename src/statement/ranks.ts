/**
 * Inputs that a model compares with constants and does nothing else with: trees do. What stands for such a number is
 * not a rounded multiple of a scale but its rank among those constants, so that every comparison comes out as it does in
 * floating point. Each element has a rising list of edges, and its integer is how many of them are at most the number.
 *
 * Numbers are in the order of floating point: −0 is 0, the infinities are the ends, and NaN, a missing value, is above them.
 */
import { array, fail, fields, oneOf, shown } from "./strict.js"

/** Element types whose order is known. */
const types = ["float32", "float64"] as const

/** How the numbers of an input tensor become integers. */
export interface Ranks {
  /** What a number is rounded to before it is compared. */
  readonly type: (typeof types)[number]
  /** Whether the model says what becomes of a missing value. */
  readonly missing: boolean
  /** For each element, row-major, numbers of the type, each above the one before: from −∞ without it up to +∞ and NaN. */
  readonly edges: readonly Float64Array[]
}

/** Most edges of all elements of an input. */
export const maxEdges = 2 ** 20

/** A number as the comparisons of a model see it. */
export const rounded = (x: number, type: Ranks["type"]): number => (type === "float32" ? Math.fround(x) : x)

/** x ≥ y in the order of edges, in which NaN is last. */
export const isAtLeast = (x: number, y: number): boolean => Number.isNaN(x) || x >= y

/** How many of the edges are at most x. */
export function rankOf(x: number, edges: Float64Array, type: Ranks["type"]): number {
  const given = rounded(x, type)
  let [least, most] = [0, edges.length]
  while (least < most) {
    const middle = (least + most) >> 1
    if (isAtLeast(given, edges[middle])) least = middle + 1
    else most = middle
  }
  return least
}

/** Bits of the largest rank of any element; at least one. */
export function rankBits({ edges }: { readonly edges: readonly ArrayLike<unknown>[] }): number {
  const most = edges.reduce((longest, { length }) => Math.max(longest, length), 1)
  return most.toString(2).length
}

/** What is wrong with a list of edges, if anything. */
export function edgesFault(edges: Float64Array, type: Ranks["type"]): string | undefined {
  for (let i = 0; i < edges.length; i++) {
    const [edge, before] = [edges[i], i > 0 ? edges[i - 1] : Number.NEGATIVE_INFINITY]
    if (Object.is(edge, -0) || !(Number.isNaN(edge) || edge > before) || Number.isNaN(before))
      return "edges do not rise"
    if (!Object.is(rounded(edge, type), edge)) return `an edge is no ${type}`
  }
  return undefined
}

const words = new Map([
  ["Infinity", Number.POSITIVE_INFINITY],
  ["NaN", Number.NaN],
])

/** Ranks as a layout has them, which is plain JSON: what is no finite number is its name. */
export interface RanksLayout {
  readonly type: Ranks["type"]
  readonly missing: boolean
  readonly edges: readonly (readonly (number | string)[])[]
}

export const ranksLayout = ({ type, missing, edges }: Ranks): RanksLayout => ({
  type,
  missing,
  edges: edges.map((list) => Array.from(list, (edge) => (Number.isFinite(edge) ? edge : String(edge)))),
})

/** An edge of a layout. */
export const edgeNumber = (edge: number | string): number =>
  typeof edge === "string" ? (words.get(edge) ?? Number.NaN) : edge

/** Reads the ranks of so many elements strictly. @throws FileError naming the path of what is malformed */
export function parseRanks(value: unknown, path: string, elements: number): RanksLayout {
  const given = fields(value, path, ["type", "missing", "edges"])
  const type = oneOf(given.type, `${path}.type`, types)
  if (typeof given.missing !== "boolean")
    fail(`${path}.missing`, { what: "wrong type", expected: "true or false", given: shown(given.missing) })
  let left = maxEdges
  const edges = Array.from(array(given.edges, `${path}.edges`, elements), (list, i) => {
    const at = `${path}.edges[${i}]`
    const listed = array(list, at)
    left -= listed.length
    if (left < 0) fail(at, { what: "too many edges", expected: `at most ${maxEdges}` })
    const numbers = Float64Array.from(listed, (edge, j) => {
      const number = typeof edge === "string" ? words.get(edge) : edge
      if (typeof number !== "number" || (typeof edge === "number" && !Number.isFinite(edge)))
        return fail(`${at}[${j}]`, {
          what: "not an edge",
          expected: "a number, Infinity or NaN",
          given: shown(edge),
        })
      return number
    })
    const fault = edgesFault(numbers, type)
    if (fault) fail(at, { what: fault, expected: `rising numbers of type ${type}` })
    return [...listed] as (number | string)[]
  })
  return { type, missing: given.missing, edges }
}
