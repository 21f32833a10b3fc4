/** The graph of a model as SVG. Boxes are links to rows of the table, so that it works as it stands, without a script. */
import type { NodeReport } from "../compile/inspect.js"
import { counted, cutEnd, endOf, type Html, html, none } from "./html.js"
import { type Box, boxSize, type Drawing, type Edge } from "./layout.js"

/** Letters that a box has room for, of its head and of its name. */
const room = { head: 14, name: 26 } as const

const { width, height } = boxSize
const rounded = (x: number) => Math.round(10 * x) / 10

/** A smooth line through the points that an edge passes. */
function pathOf({ points }: Edge): string {
  const at = ({ x, y }: { readonly x: number; readonly y: number }) => `${rounded(x)} ${rounded(y)}`
  const [first, ...others] = points
  const last = others.at(-1) ?? first
  const bends = others.slice(0, -1).map((point, i) => {
    const next = others[i + 1]
    const middle = i === others.length - 2 ? next : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 }
    return `Q${at(point)} ${at(middle)}`
  })
  return `M${at(first)}${bends.join("")}${bends.length === 0 ? `L${at(last)}` : ""}`
}

/** What a box is called and how it looks: by the node that costs most, which stands for its operator. */
function headOf(nodes: readonly NodeReport[]): { readonly label: string; readonly kind: string } {
  const [{ operator, primitive }] = nodes
  const constraints = nodes.reduce((sum, node) => sum + node.constraints, 0)
  if (primitive === "input") return { label: "input", kind: "port" }
  if (constraints > 0) return { label: operator || primitive, kind: "paid" }
  const moves = nodes.every((node) => node.primitive === "index")
  return { label: operator || primitive, kind: moves ? "moves" : "free" }
}

/** Families of gadgets that nodes use, those of the node that comes first first. */
const families = (nodes: readonly NodeReport[]): readonly string[] => [
  ...new Set(nodes.flatMap(({ gadget }) => gadget.match(/\b[A-Z]\w*/g) ?? [])),
]

/** A box at its place; `most`: constraints of the box that has most. */
function boxOf({ nodes: places, x, y }: Box, i: number, nodes: readonly NodeReport[], most: number): Html {
  const inside = places.map((place) => nodes[place])
  const constraints = inside.reduce((sum, node) => sum + node.constraints, 0)
  const { label, kind } = headOf(inside)
  const [{ name, primitive }] = inside
  const parts = inside.length === 1 ? primitive : `${inside.length} nodes`
  const costless = constraints === 0
  const gadgets = families(inside).join(", ")
  const form = gadgets ? `${parts}: ${gadgets}` : parts
  const outputs = inside.flatMap((node) => node.outputs ?? [])
  const told = `${label} ${cutEnd(name, 80)}: ${parts}, ${counted(constraints)} constraints${outputs.length > 0 ? `, output ${outputs.map((each) => cutEnd(each, 40)).join(", ")}` : ""}`
  const bar = Math.max(constraints > 0 ? 2 : 0, ((width - 20) * constraints) / most)
  const cost =
    constraints > 0 ? html`<text class="cost" x="${width - 10}" y="19">${counted(constraints)}</text>` : none
  return html`<a id="box-${i}" class="box ${outputs.length > 0 ? `${kind} result` : kind}" href="#row-${places[0]}" data-rows="${places.join(" ")}" transform="translate(${rounded(x - width / 2)} ${rounded(y - height / 2)})"><title>${told}</title><rect class="card" width="${width}" height="${height}" rx="8"/><text class="head" x="10" y="19">${cutEnd(label, costless ? 2 * room.head - 4 : room.head)}</text>${cost}<text class="name" x="10" y="36">${endOf(name, room.name)}</text><text class="name" x="10" y="51">${cutEnd(form, room.name)}</text><rect class="rail" x="10" y="59" width="${width - 20}" height="5" rx="2.5"/><rect class="bar" x="10" y="59" width="${rounded(bar)}" height="5" rx="2.5"/></a>
`
}

/** The whole drawing. */
export function drawingOf({ boxes, edges, ...size }: Drawing, nodes: readonly NodeReport[]): Html {
  const costs = boxes.map((box) => box.nodes.reduce((sum, place) => sum + nodes[place].constraints, 0))
  const most = costs.reduce((a, b) => Math.max(a, b), 1)
  const lines = edges.map(
    (edge) => html`<path data-from="${edge.from}" data-to="${edge.to}" d="${pathOf(edge)}"/>
`,
  )
  return html`<svg id="graph" viewBox="0 0 ${rounded(size.width)} ${rounded(size.height)}" role="group" aria-label="Graph of the model, from inputs to outputs">
<g class="edges" aria-hidden="true">${lines}</g>
${boxes.map((box, i) => boxOf(box, i, nodes, most))}</svg>`
}
