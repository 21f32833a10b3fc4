/**
 * Tables within tables. A table has an entry for every integer that its source can be, so where one function is applied to
 * sources of one grid of which some reach less, there are tables that are a part of another. What reads such a part may
 * read the whole: its source is what its own constraints make it, whatever else the table would answer.
 */
import type { TableNode } from "../../ops/program.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"

/** Tables that another is looked for in. */
const mostHosts = 32

const found = new WeakMap<IntGraph, ReadonlyMap<TableNode, TableNode>>()

/** Whether every entry of a table is one of another, at the same integer. */
function isWithin(part: TableNode, whole: TableNode): boolean {
  const offset = part.lo - whole.lo
  if (offset < 0 || offset + part.values.length > whole.values.length) return false
  return part.values.every((y, i) => y === whole.values[offset + i])
}

/** The table that a node reads: its own, or a longer one of which its own is a part. */
export function hostOf(graph: IntGraph, node: TableNode): TableNode {
  let hosts = found.get(graph)
  if (!hosts) {
    hosts = hostsOf(graph)
    found.set(graph, hosts)
  }
  return hosts.get(node) ?? node
}

function hostsOf({ nodes }: IntGraph): ReadonlyMap<TableNode, TableNode> {
  const tables = nodes.flatMap((node) => (node.kind === "table" ? [node] : []))
  tables.sort((a, b) => b.values.length - a.values.length)
  const wholes: TableNode[] = []
  const hosts = new Map<TableNode, TableNode>()
  for (const table of tables) {
    const host = wholes.find((whole) => isWithin(table, whole))
    if (host) hosts.set(table, host)
    else if (wholes.length < mostHosts) wholes.push(table)
  }
  return hosts
}
