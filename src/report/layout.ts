/**
 * Where the boxes of a drawing stand. Each node of the integer model has a box of its own while they are few; of a large
 * model all nodes that an operator became share one, for its rescales and copies would only hide what it is. Data flows
 * downwards; the layers are dagre's.
 */
import type { NodeReport } from "../compile/inspect.js"

/** Width and height of a box, in the units of the drawing. */
export const boxSize = { width: 196, height: 72 } as const

/** Most boxes of single nodes; most boxes that anybody sees something in, and a drawing is made of. */
const mostSingle = 120
const mostBoxes = 2000
/** Boxes of which the best layers are found within a second or two. */
const mostSimplex = 150

export interface Box {
  /** Places of its nodes. */
  readonly nodes: readonly number[]
  /** Of its centre. */
  readonly x: number
  readonly y: number
}

export interface Edge {
  readonly from: number
  readonly to: number
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface Drawing {
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  readonly edges: readonly Edge[]
}

/** The nodes that share a box: each alone, or all of one operator of the model. Rows of the proof system have none. */
export function groups(nodes: readonly NodeReport[]): readonly (readonly number[])[] {
  const places = nodes.flatMap(({ shape }, i) => (shape === null ? [] : [i]))
  if (places.length <= mostSingle) return places.map((i) => [i])
  const found = new Map<string, number[]>()
  for (const i of places) {
    const { name, operator } = nodes[i]
    const key = JSON.stringify([name, operator])
    const group = found.get(key)
    if (group) group.push(i)
    else found.set(key, [i])
  }
  return [...found.values()]
}

/** Places for all boxes, or null for a model of which there would be too many. */
export async function layOut(nodes: readonly NodeReport[]): Promise<Drawing | null> {
  const boxes = groups(nodes)
  if (boxes.length > mostBoxes) return null
  const { default: dagre } = await import("@dagrejs/dagre")
  const graph = new dagre.graphlib.Graph()
  const ranker = boxes.length <= mostSimplex ? "network-simplex" : "longest-path"
  graph.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 34, edgesep: 12, marginx: 16, marginy: 16, ranker })
  graph.setDefaultEdgeLabel(() => ({}))
  const boxOf = new Map<number, number>()
  for (const [box, places] of boxes.entries()) {
    graph.setNode(`${box}`, { ...boxSize })
    for (const place of places) boxOf.set(place, box)
  }
  for (const [box, places] of boxes.entries())
    for (const place of places)
      for (const source of nodes[place].sources) {
        const from = boxOf.get(source)
        if (from !== undefined && from !== box) graph.setEdge(`${from}`, `${box}`)
      }
  dagre.layout(graph)
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return {
    width: Math.max(width, boxSize.width),
    height: Math.max(height, boxSize.height),
    boxes: boxes.map((places, box) => {
      const { x, y } = graph.node(`${box}`) as { x: number; y: number }
      return { nodes: places, x, y }
    }),
    edges: graph.edges().map((edge: { readonly v: string; readonly w: string }) => {
      const { points } = graph.edge(edge) as { points: Edge["points"] }
      return { from: Number(edge.v), to: Number(edge.w), points }
    }),
  }
}
