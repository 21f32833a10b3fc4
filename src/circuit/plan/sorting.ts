/**
 * What it takes to prove the largest keys of windows. Three checks of small integers are the same for every proof system:
 * falling keys fall, what is not marked is less than the least of them, and marks are 0 or 1. That the falling keys are the
 * marked ones is shown by lookups under the challenge where there is one (circuit/link/sorting.ts); without, each is shown
 * to be among all keys, in one row a key, and the marks to be as many.
 */
import { invariant, ModelError } from "../../errors.js"
import { keysDiffer, type SortNode } from "../../ops/program.js"
import { spreadBits } from "../../quantize/integers/bounds.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { type GadgetUse, gadgetKinds } from "../gadgets/families.js"

/** Most rows for keys that are shown to be among others, of one node. */
const mostCompared = 2 ** 20

/** A gadget, its operands, and which of them are elements of the source; the first ones are elements of the output. */
export interface SortCheck {
  readonly serve: GadgetUse
  readonly operands: readonly number[]
  /** Operands before the first that is a key of the source. */
  readonly own: number
}

/** Where the windows of a sort node stand. */
export const windowsOf = ({ window, count, map }: SortNode) =>
  Array.from({ length: map.length / window }, (_, w) => {
    const first = w * (count + window)
    return {
      /** First of the falling keys, and of the marks, in the output. */
      falling: first,
      marks: first + count,
      /** Elements of the source. */
      keys: map.subarray(w * window, (w + 1) * window),
    }
  })

/**
 * All checks of a node. `isShown`: a challenge shows which keys the falling ones are.
 * @throws ModelError for more keys than can be compared one by one
 */
export function sortChecks(
  node: SortNode,
  graph: IntGraph,
  isShown: boolean,
  widen: (bits: number) => number,
): SortCheck[] {
  const { window, count, source } = node
  const maker = graph.nodes.find(({ out }) => out === source)
  invariant(keysDiffer(node, maker), `keys of ${node.origin.name} may be equal`)
  const windows = windowsOf(node)
  if (!isShown && windows.length * count * window > mostCompared) tooMany(node, windows.length)
  return windows.flatMap(({ falling, marks, keys }) => {
    const bits = widen(spreadBits(node, graph.tensors[source], keys))
    const beyond = { kind: gadgetKinds.Beyond, parameters: [bits] }
    const rest = { kind: gadgetKinds.Rest, parameters: [bits, isShown ? 0 : 1] }
    const among = { kind: gadgetKinds.Among, parameters: [window] }
    const places = Array.from({ length: count }, (_, j) => falling + j)
    return [
      ...places.slice(1).map((at) => ({ serve: beyond, operands: [at - 1, at], own: 2 })),
      ...(count < window
        ? Array.from(keys, (key, j) => ({
            serve: rest,
            operands: [falling + count - 1, marks + j, key],
            own: 2,
          }))
        : []),
      ...(isShown ? [] : places.map((at) => ({ serve: among, operands: [at, ...keys], own: 1 }))),
    ]
  })
}

function tooMany({ origin, window, count }: SortNode, windows: number): never {
  throw new ModelError({
    what: `\`${origin.operator}\`: the largest ${count} of ${window} elements, ${windows} times, are too many to be compared one by one`,
    where: origin.name,
    expected: `at most ${mostCompared} comparisons without a challenge`,
    given: `${windows * count * window}`,
    fix: "Use proof system mirage, or fewer elements",
  })
}

/** Rows of the lookups under a challenge of all sort nodes: one for each key, and one a window for their sum. */
export const sortedRows = ({ nodes }: IntGraph): number =>
  nodes.reduce(
    (rows, node) =>
      node.kind === "sort" ? rows + (node.map.length / node.window) * (node.window + node.count + 1) : rows,
    0,
  )
