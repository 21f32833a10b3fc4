/** Order and single assignment of nodes: the two promises Graph makes about its list of nodes. */
import { LeastFirst } from "../queue.js"
import { type Node, namesRead } from "./graph.js"

/** A node as error messages name it: its name, operator and position in the file. */
export const describeNode = (name: string, operator: string, position: number): string =>
  name && name !== `#${position}`
    ? `node \`${name.slice(0, mostShown)}\` (${operator.slice(0, mostShown)}, number ${position})`
    : `node number ${position} (${operator.slice(0, mostShown)})`

/** Characters of a name that a message shows. */
const mostShown = 200

export interface Placed {
  readonly node: Node
  /** Position in the file, from 0. */
  readonly position: number
}

const label = ({ node, position }: Placed): string => describeNode(node.name, node.operator, position)

/**
 * The nodes in an order in which every input is there before it is read: the file's own order where it
 * already is one. `available` are the graph inputs and constants; one line in `problems` for every name
 * that is produced twice or by nothing, and one for the nodes of cycles.
 */
export function sortNodes(
  placed: readonly Placed[],
  available: Iterable<string>,
  problems: string[],
): readonly Node[] {
  const producer = new Map<string, number>()
  const ready = new Set(available)
  placed.forEach((entry, i) => {
    for (const name of entry.node.outputs) {
      if (name === "") continue
      const first = producer.get(name)
      if (first !== undefined)
        problems.push(`${label(entry)}: tensor \`${name}\` is already produced by ${label(placed[first])}`)
      else if (ready.has(name))
        problems.push(`${label(entry)}: tensor \`${name}\` is already an input or a constant of the graph`)
      else producer.set(name, i)
    }
  })

  const readers: number[][] = placed.map(() => [])
  const waiting = placed.map((entry, i) => {
    const sources = new Set<number>()
    namesRead(entry.node).forEach((name, slot) => {
      if (name === "" || ready.has(name)) return
      const source = producer.get(name)
      const what = slot < entry.node.inputs.length ? `input ${slot}` : "what a subgraph of it reads,"
      if (source === undefined) problems.push(`${label(entry)}: ${what} \`${name}\` is produced by nothing`)
      else sources.add(source)
    })
    for (const source of sources) readers[source].push(i)
    return sources.size
  })

  const order: number[] = []
  const done = placed.map(() => false)
  // the least first, so that nodes already in order stay in order
  const runnable = new LeastFirst()
  waiting.forEach((count, i) => {
    if (count === 0) runnable.add(i)
  })
  for (let i = runnable.take(); i !== undefined; i = runnable.take()) {
    order.push(i)
    done[i] = true
    for (const reader of readers[i]) if (--waiting[reader] === 0) runnable.add(reader)
  }
  const stuck = placed.filter((_, i) => !done[i])
  if (stuck.length > 0) {
    const names = stuck.slice(0, 8).map(label).join(", ")
    problems.push(`${stuck.length} nodes wait for each other in a cycle or behind one: ${names}`)
  }
  return order.map((i) => placed[i].node)
}
