/**
 * The output by which a circuit says whether its answer is within a policy document: one public bit, 1 if every limit and
 * the margin hold (src/compile/predicate.ts makes it). Its name has the document's digest, and names are in the layout,
 * so the digests of key and attestation bind a bit to the document that it is about.
 *
 * A name is what whoever compiled the model says. `countersign audit --policy` shows that it is true of a circuit.
 */
import { count, type Layout, type TensorLayout } from "../statement/layout.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"

const pattern = /^within (0x[0-9a-f]{64})$/

/** The name of the output that is about the document with this digest. */
export const predicateName = (document: Hex): string => `within ${document}`

/** The digest of the document that an output of this name is about; null for any other name. */
export const documentIn = (name: string): Hex | null => (pattern.exec(name)?.[1] as Hex | undefined) ?? null

const isBit = ({ shape, scale, lo, bits }: TensorLayout): boolean =>
  count(shape) === 1 && scale === 1 && lo === 0 && bits === 1

/** Which output of a layout is the public bit of the document with this digest; null if none is. */
export function predicateOf({ outputs }: Layout, document: Hex): number | null {
  const index = outputs.findIndex(({ name }) => name === predicateName(document))
  return index >= 0 && outputs[index].visibility === "public" && isBit(outputs[index]) ? index : null
}

/** What a statement says by the bit of that document; null if its model has none. */
export function predicateSays({ output }: Statement, layout: Layout, document: Hex): boolean | null {
  const index = predicateOf(layout, document)
  return index === null ? null : output.values?.[layout.outputs[index].name]?.[0] === "1"
}
