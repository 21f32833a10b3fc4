/**
 * The numbers of a statement in words for people: the same line in a terminal, a page and a log. Names are those of the
 * key's layout, cut and made printable; whoever shows them as HTML escapes them.
 */
import { checkArgument } from "../arguments.js"
import { printable } from "../errors.js"
import type { RealTensor } from "../statement/values.js"

/** Most values on a line, and characters of a name. */
const mostShown = 16
const mostName = 80

const isTensor = (x: unknown): x is RealTensor => {
  const { name, shape, values, integers } = (x ?? {}) as Partial<RealTensor>
  return (
    typeof name === "string" &&
    Array.isArray(shape) &&
    values instanceof Float64Array &&
    Array.isArray(integers)
  )
}
const checkTensor = (tensor: unknown): void =>
  checkArgument(isTensor(tensor), "tensor", "a tensor of `realValues`", tensor)

const cut = (text: string): string => (text.length > mostName ? `${text.slice(0, mostName - 1)}…` : text)

/** Place of the largest value, the first of equal ones: the class, where the values are scores of classes. */
export function largestElement(tensor: RealTensor): number {
  checkTensor(tensor)
  const { values } = tensor
  let best = 0
  values.forEach((x, i) => {
    if (x > values[best]) best = i
  })
  return best
}

/**
 * What a model calls an element, printable, or null: the name of its column or, where integers are places of names, of
 * its integer.
 */
export function elementName(tensor: RealTensor, element: number): string | null {
  checkTensor(tensor)
  const { labels, integers } = tensor
  if (!labels) return null
  const place = labels.of === "columns" ? element % labels.names.length : Number(integers[element])
  const name = labels.names[place]
  return typeof name === "string" ? cut(printable(name)) : null
}

/**
 * A tensor that a statement shows, on one line: `logits [1, 10]: -2.96473 …; largest: element 7`, with names of the
 * model where it has any.
 */
export function describeTensor(tensor: RealTensor): string {
  checkTensor(tensor)
  const { name, shape, values, labels } = tensor
  const named = (i: number): string => {
    const found = elementName(tensor, i)
    return found === null ? "" : ` ${JSON.stringify(found)}`
  }
  const all = Array.from(values.subarray(0, mostShown), (x, i) => {
    const real = `${Number(x.toPrecision(6))}`
    return labels?.of === "values" ? `${real}${named(i)}` : real
  })
  const more = values.length > mostShown ? ` … (${values.length} in all)` : ""
  const best = largestElement(tensor)
  const most =
    values.length > 1 && labels?.of !== "values"
      ? `; largest: element ${best}${labels ? named(best) : ""}`
      : ""
  return `${cut(printable(name))} [${shape.join(", ")}]: ${all.join(" ")}${more}${most}`
}
