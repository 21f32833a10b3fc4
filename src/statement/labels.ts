/**
 * Names that a model gives to what comes out: of a classifier's label, whose integer is the place of a name, or of the columns of
 * its scores. They change nothing of what is proven; whoever reads a statement reads them in the key's layout.
 */
import { array, fail, fields, oneOf, shown } from "./strict.js"

/** What is named: each integer from 0 on that the elements can be, or each place of the last dimension. */
const named = ["values", "columns"] as const

export interface Labels {
  readonly of: (typeof named)[number]
  readonly names: readonly string[]
}

/** Most names of an output, and characters of one. */
export const maxLabels = 2 ** 16
export const maxLabel = 1024

/** What is wrong with the names of an output of a shape, if anything. */
export function labelsFault({ of, names }: Labels, shape: readonly number[]): string | undefined {
  if (names.length < 1 || names.length > maxLabels) return `there are 1 to ${maxLabels} names`
  if (names.some((name) => name.length > maxLabel)) return `a name has at most ${maxLabel} characters`
  const columns = shape[shape.length - 1]
  return of === "columns" && columns !== names.length ? `one name for each column, of ${columns}` : undefined
}

/** Reads the names of an output strictly. @throws FileError naming the path of what is malformed */
export function parseLabels(value: unknown, path: string, shape: readonly number[]): Labels {
  const given = fields(value, path, ["of", "names"])
  const of = oneOf(given.of, `${path}.of`, named)
  const names = Array.from(array(given.names, `${path}.names`), (name, i) =>
    typeof name === "string"
      ? name
      : fail(`${path}.names[${i}]`, { what: "not a name", expected: "text", given: shown(name) }),
  )
  const fault = labelsFault({ of, names }, shape)
  if (fault) fail(`${path}.names`, { what: "wrong names", expected: fault, given: `${names.length}` })
  return { of, names }
}
