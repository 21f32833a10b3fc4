/** Tables of a page: of all nodes, each row with what is known of it, and small ones of names and figures. */
import type { NodeReport } from "../compile/inspect.js"
import { counted, cutEnd, type Html, html, none, percent } from "./html.js"

/** A bar for a share of the longest one. */
export const bar = (share: number): Html =>
  html`<svg class="meter" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="${Math.round(1000 * Math.min(1, share)) / 10}" height="4"/></svg>`

/** A column: what its cells show, and the number that they are sorted by. */
interface Column {
  readonly name: string
  readonly label: string
  readonly cell: (node: NodeReport, i: number) => Html
  /** Columns of numbers stand to the right, and are sorted from the largest on. */
  readonly value?: (node: NodeReport, i: number) => number | undefined
}

const share = (name: string, label: string, of: (node: NodeReport) => number | undefined): Column => ({
  name,
  label,
  value: of,
  cell: (node) => {
    const value = of(node)
    return value === undefined ? none : html`${percent(value)}`
  },
})

const whole = (name: string, label: string, of: (node: NodeReport) => number): Column => ({
  name,
  label,
  value: of,
  cell: (node) => html`${of(node) === 0 ? "" : counted(of(node))}`,
})

/** Gadgets with the digests of their tables cut. */
export const shortened = (gadget: string) =>
  gadget.replace(/[0-9a-f]{24,}/g, (digest) => `${digest.slice(0, 8)}…`)

/** The columns that there are figures for. */
function columnsOf(nodes: readonly NodeReport[], constraints: number): readonly Column[] {
  const most = nodes.reduce((all, node) => Math.max(all, node.constraints), 1)
  const measured: Column[] = [
    share("cut", "Cut off", ({ saturation }) => saturation?.cut),
    share("low", "At lower end", ({ saturation }) => saturation?.low),
    share("high", "At upper end", ({ saturation }) => saturation?.high),
    share("error", "Error", ({ error }) => error),
  ]
  return [
    {
      name: "constraints",
      label: "Constraints",
      value: (node) => node.constraints,
      cell: (node) =>
        html`${counted(node.constraints)}${node.constraints > 0 ? html` <small>(${percent(node.constraints / constraints)})</small>${bar(node.constraints / most)}` : none}`,
    },
    { name: "operator", label: "Operator", cell: ({ operator }) => html`${cutEnd(operator)}` },
    { name: "primitive", label: "Primitive", cell: ({ primitive }) => html`${primitive}` },
    {
      name: "shape",
      label: "Shape",
      cell: ({ shape }) => html`${shape === null ? "" : `[${shape.join(", ")}]`}`,
    },
    whole("bits", "Bits", ({ accBits }) => accBits),
    whole("lookups", "Lookups", (node) => node.lookups),
    ...measured.filter(({ value }) => nodes.some((node, i) => value?.(node, i) !== undefined)),
    { name: "gadgets", label: "Gadgets", cell: ({ gadget }) => html`${cutEnd(shortened(gadget), 400)}` },
  ]
}

/** The table of all nodes; `boxes` says which box of the drawing a node is in. */
export function nodeTable(
  nodes: readonly NodeReport[],
  constraints: number,
  boxes: ReadonlyMap<number, number>,
): Html {
  const columns = columnsOf(nodes, constraints)
  const heads = columns.map(
    ({ name, label, value }) =>
      html`<th scope="col" data-sort="${name}" data-as="${value ? "number" : "text"}"${value ? html` class="number"` : none}>${label}</th>`,
  )
  const rows = nodes.map((node, i) => {
    const box = boxes.get(i)
    const name = cutEnd(node.name) || "(no name)"
    const title = box === undefined ? html`${name}` : html`<a href="#box-${box}">${name}</a>`
    const outputs = node.outputs ? html` <span class="tag">output</span>` : none
    const cells = columns.map(({ name: column, cell, value }) => {
      const sorted = value?.(node, i)
      return value
        ? html`<td class="number" data-value="${sorted ?? -1}">${cell(node, i)}</td>`
        : html`<td class="${column}">${cell(node, i)}</td>`
    })
    return html`<tr id="row-${i}"${box === undefined ? none : html` data-box="${box}"`}${node.constraints > 0 ? html` data-paid=""` : none}><th scope="row">${title}${outputs}</th>${cells}</tr>
`
  })
  return html`<table id="nodes"><caption class="hidden">Nodes of the integer model, and rows of the proof system</caption>
<thead><tr><th scope="col" data-sort="name" data-as="text">Node</th>${heads}</tr></thead>
<tbody>
${rows}</tbody></table>`
}

/** Names and figures. */
export const facts = (entries: readonly (readonly [name: string, value: Html | string])[]): Html =>
  html`<dl class="facts">${entries.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`

/** Operators of most constraints, which are shown; what the others have together. */
const shownOperators = 12

/** Where the constraints go, by operator of the model; what has none is named by its primitive. */
export function operatorBars(nodes: readonly NodeReport[], constraints: number): Html {
  const sums = new Map<string, number>()
  for (const { operator, primitive, constraints: count } of nodes) {
    const label = operator || primitive
    sums.set(label, (sums.get(label) ?? 0) + count)
  }
  const sorted = [...sums].filter(([, count]) => count > 0).sort((x, y) => y[1] - x[1])
  const rest = sorted.slice(shownOperators)
  const shown = sorted.slice(0, shownOperators)
  if (rest.length > 0) shown.push([`${rest.length} others`, rest.reduce((sum, [, count]) => sum + count, 0)])
  const most = shown.reduce((all, [, count]) => Math.max(all, count), 1)
  return html`<ul class="bars">${shown.map(
    ([label, count]) =>
      html`<li><span>${cutEnd(label, 60)}</span><span class="number">${counted(count)} <small>(${percent(count / constraints)})</small></span>${bar(count / most)}</li>
`,
  )}</ul>`
}
