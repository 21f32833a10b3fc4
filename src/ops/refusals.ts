/** Why a model cannot be proven: all that lowering finds, each with what would help, and how far the model would go. */
import { ModelError, type Problem } from "../errors.js"
import { type Graph, isSubgraph, type Node, namesRead } from "../model/graph.js"
import { remedyFor } from "./remedies.js"

/** Where a refusal sends its reader: the page is made of the operators' limits. */
const supported = "docs/OPERATORS.md lists the operators that are supported, and their limits"

/** Tensors at which a model could end that a message names. */
const shownEnds = 3

/** An operator as messages name it. */
export const operatorName = ({ domain, operator }: Pick<Node, "domain" | "operator">): string =>
  domain === "" ? operator : `${domain}.${operator}`

/** A node as messages name it: its name, operator and position. */
export const nodeLabel = (node: Node, position: number): string =>
  `node \`${node.name}\`, operator \`${operatorName(node)}\` (#${position})`

export class Refusals {
  readonly #problems: Problem[] = []
  /** Nodes that were refused, or not looked at because they read what a refused one gives. */
  readonly #lost = new Set<Node>()

  /** How many of them were not looked at. */
  #behind = 0

  get isEmpty(): boolean {
    return this.#problems.length === 0
  }

  /** Something that is no node's. */
  add(reason: string): void {
    this.#problems.push({ reason })
  }

  /** A node that cannot be lowered. */
  refuse(node: Node, position: number, reason: string, help = remedyFor(reason)): void {
    this.#problems.push({
      node: node.name,
      operator: operatorName(node),
      where: nodeLabel(node, position),
      reason,
      ...(help !== undefined && { help }),
    })
    this.#lost.add(node)
  }

  /**
   * Operators in the subgraphs of a node that was refused or skipped, which nobody else looks at: those that `help` has
   * something for. Whether there are any.
   */
  inside(node: Node, reason: string, help: (inner: Node) => string | undefined, place = ""): boolean {
    let found = false
    for (const graph of Object.values(node.attributes).filter(isSubgraph))
      for (const [position, inner] of graph.nodes.entries()) {
        const within = ` in a subgraph of \`${node.name}\`${place}`
        const remedy = help(inner)
        if (remedy !== undefined) {
          const where = `${nodeLabel(inner, position)}${within}`
          this.#problems.push({
            node: inner.name,
            operator: operatorName(inner),
            where,
            reason,
            help: remedy,
          })
          found = true
        }
        found = this.inside(inner, reason, help, within) || found
      }
    return found
  }

  /** A node that reads what another was refused for. */
  skip(node: Node): void {
    this.#behind++
    this.lose(node)
  }

  /** A node that is refused for what was said already. */
  lose(node: Node): void {
    this.#lost.add(node)
  }

  /** The error that says all of it; `isLive` tells tensors that were lowered and depend on the model's input. */
  error(graph: Graph, isLive: (tensor: string) => boolean): ModelError {
    const problems = this.#problems
    const count = problems.length === 1 ? "one problem" : `${problems.length} problems`
    const where = graph.name === "" ? "model" : `model \`${graph.name}\``
    const behind = this.#behind
    const hidden =
      behind > 0
        ? `${behind} more ${behind === 1 ? "node reads" : "nodes read"} what these give and could not be checked. `
        : ""
    return new ModelError(
      {
        what: `the model cannot be proven, ${count}:`,
        where,
        fix: `${hidden}${this.#ends(graph, isLive)}${supported}`,
      },
      problems,
    )
  }

  /** How far the model could be proven, if that is the larger part of it. */
  #ends({ nodes, inputs }: Graph, isLive: (tensor: string) => boolean): string {
    const kept = nodes.length - this.#lost.size
    if (this.#lost.size === 0 || 2 * kept < nodes.length) return ""
    const given = new Set(inputs.map(({ name }) => name))
    const ends = new Set([...this.#lost].flatMap(namesRead))
    const found = [...ends].filter((name) => !given.has(name) && isLive(name))
    if (found.length === 0 || found.length > shownEnds) return ""
    const names = found.map((name) => `\`${name}\``).join(", ")
    return `${kept} of ${nodes.length} nodes can be proven: option \`outputs\` with ${names} ends the model there. `
  }
}
