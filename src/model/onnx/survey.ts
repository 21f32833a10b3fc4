/** Walks over the nodes of an ONNX file as they stand in it, those of nested graphs with them, without reading tensors. */
import type { Problem } from "../../errors.js"
import { type Link, missingEnds, needed } from "../cut.js"
import { describeNode } from "../topology.js"
import type { GraphProto, NodeProto } from "./schema.js"

/** ONNX's own domain has two names, and goes by none. */
export const normalDomain = (domain: string): string => (domain === "ai.onnx" ? "" : domain)

/** What is wrong with an operator, wherever it stands; nothing if it could be proven. */
export type Judge = (node: {
  readonly operator: string
  readonly domain: string
}) => Pick<Problem, "reason" | "help"> | undefined

const nestedGraphs = ({ attribute }: NodeProto): GraphProto[] =>
  attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs))

/** What a node reads: its inputs, and names that its nested graphs may take from outside. */
const readsOf = (node: NodeProto): string[] => [
  ...node.input,
  ...nestedGraphs(node).flatMap((graph) => [
    ...graph.node.flatMap(readsOf),
    ...graph.output.map(({ name }) => name),
  ]),
]

/** The part of a graph that some of its tensors need, which become its outputs; problems for tensors it has not. */
export function cutProto(graph: GraphProto, ends: readonly string[], problems: string[]): GraphProto {
  const links = graph.node.map(
    (node): Link => ({ name: node.name, reads: readsOf(node), gives: node.output }),
  )
  const given = [...graph.input, ...graph.initializer].map(({ name }) => name)
  const missing = missingEnds(links, ends, given)
  problems.push(...missing)
  if (missing.length > 0) return graph
  const { nodes, read } = needed(links, ends)
  return {
    ...graph,
    node: graph.node.filter((_, i) => nodes.has(i)),
    input: graph.input.filter(({ name }) => read.has(name)),
    initializer: graph.initializer.filter(({ name }) => read.has(name)),
    output: [...new Set(ends)].map((name) => ({ name })),
  }
}

/** A problem for every node, nested ones too, whose operator cannot be proven. */
export function surveyOperators(graph: GraphProto, judge: Judge, inside = ""): Problem[] {
  return graph.node.flatMap((proto, position) => {
    const { name, opType: operator } = proto
    const domain = normalDomain(proto.domain)
    const where = `${describeNode(name, operator, position)}${inside}`
    const nested = nestedGraphs(proto).flatMap((graph) => surveyOperators(graph, judge, ` in ${where}`))
    const isConstant = domain === "" && operator === "Constant"
    const found = operator === "" || isConstant ? undefined : judge({ operator, domain })
    if (!found) return nested
    const known = domain === "" ? operator : `${domain}.${operator}`
    return [{ ...found, node: name || `#${position}`, operator: known, where }, ...nested]
  })
}
