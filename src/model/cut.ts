/**
 * A model that ends earlier: at tensors that its owner names, without what only others need. What comes after the
 * numbers that matter (a list of boxes, a decoder, a label) is often what cannot be proven, and need not be.
 */
import { checkTexts, checkThing } from "../arguments.js"
import { ModelError } from "../errors.js"
import { type Graph, namesRead } from "./graph.js"

/** A node as far as its place goes: the tensors it reads and those it gives. */
export interface Link {
  readonly name: string
  readonly reads: readonly string[]
  readonly gives: readonly string[]
}

/** Names that a message shows. */
const shown = 5

/** Which of some nodes, in any order, the tensors `ends` need, and all that those read. */
export function needed(
  links: readonly Link[],
  ends: readonly string[],
): { readonly nodes: ReadonlySet<number>; readonly read: ReadonlySet<string> } {
  const makers = new Map(links.flatMap(({ gives }, i) => gives.map((name) => [name, i])))
  const nodes = new Set<number>()
  const read = new Set(ends)
  for (const name of read) {
    const maker = makers.get(name)
    if (maker === undefined || nodes.has(maker)) continue
    nodes.add(maker)
    for (const source of links[maker].reads) if (source !== "") read.add(source)
  }
  return { nodes, read }
}

/** One line for each of the tensors `ends` that a model does not have, with those that may have been meant. */
export function missingEnds(
  links: readonly Link[],
  ends: readonly string[],
  others: Iterable<string>,
): string[] {
  const names = new Set([...links.flatMap(({ gives }) => gives), ...others])
  const lines = ends.length === 0 ? ["option `outputs` names no tensor"] : []
  for (const end of ends) {
    if (end !== "" && names.has(end)) continue
    const node = links.find(({ name }) => name === end)
    const part = end.slice(end.lastIndexOf("/") + 1).toLowerCase()
    const alike = node?.gives ?? [...names].filter((name) => name.toLowerCase().includes(part))
    const list = alike.slice(0, shown).map((name) => `\`${name}\``)
    const hint = list.length === 0 ? "" : `; ${node ? "that node gives" : "there are"} ${list.join(", ")}`
    lines.push(`option \`outputs\`: the model has no tensor \`${end}\`${hint}`)
  }
  return lines
}

/** The model that ends at some of its tensors. @throws ModelError for one that it does not have */
export function cutGraph(graph: Graph, ends: readonly string[]): Graph {
  checkThing("graph", graph, "graph")
  checkTexts(ends, "ends")
  const links = graph.nodes.map((node) => ({ name: node.name, reads: namesRead(node), gives: node.outputs }))
  const given = [...graph.inputs.map(({ name }) => name), ...graph.constants.keys()]
  const problems = missingEnds(links, ends, given)
  if (problems.length > 0)
    throw new ModelError({ where: `model \`${graph.name}\``, what: "the model cannot be cut:" }, problems)
  const { nodes, read } = needed(links, ends)
  return {
    ...graph,
    outputs: [...new Set(ends)],
    inputs: graph.inputs.filter(({ name }) => read.has(name)),
    nodes: graph.nodes.filter((_, i) => nodes.has(i)),
    constants: new Map([...graph.constants].filter(([name]) => read.has(name))),
  }
}
