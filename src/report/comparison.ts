/** The page of two compilations side by side: choices, totals, operators and nodes that differ. */
import type { Comparison, NodeDifference, Pair } from "../compile/comparison.js"
import { bytes, counted, cutEnd, type Html, html, none, percent } from "./html.js"
import { documentOf } from "./page.js"
import { enhance } from "./script.js"
import { bar, shortened } from "./table.js"

/** By how much a figure changed; less is good. */
function change({ a, b }: Pair<number | null>): Html {
  if (a === null || b === null || a === b) return none
  const text = `${b > a ? "+" : "−"}${counted(Math.abs(b - a))}`
  const share = a === 0 ? none : html` <small>(${percent(Math.abs(b - a) / a)})</small>`
  return html`<span class="${b > a ? "plus" : "minus"}">${text}</span>${share}`
}

/** What totals are called here, those of files behind the others. */
const sizes: Readonly<Record<string, string>> = {
  provingKey: "proving key",
  verificationKey: "verification key",
  proof: "proof",
}

/** Both ends of a digest, which tell it from another one. */
const shown = (choice: string) => choice.replace(/^(0x[0-9a-f]{8})[0-9a-f]+([0-9a-f]{8})$/, "$1…$2")

type Total = Comparison["totals"][number]

function totalRow(total: Total): Html {
  const { name, a, b } = total
  const show = (value: number | null) => (name in sizes || value === null ? bytes(value) : counted(value))
  return html`<tr><th scope="row">${sizes[name] ?? (name === "nonzeros" ? "non-zeros" : name)}</th><td class="number">${show(a)}</td><td class="number">${show(b)}</td><td class="number">${change(total)}</td></tr>
`
}

/** A figure of both, or the one there is. */
const both = (a: string | number | undefined, b: string | number | undefined): Html => {
  const one = a ?? b ?? ""
  return a === undefined || b === undefined || a === b ? html`${one}` : html`${a} → ${b}`
}

function nodeRow(kind: string, { name, operator, primitive, a, b }: NodeDifference, i: number): Html {
  const [before, after] = [a?.constraints ?? 0, b?.constraints ?? 0]
  const number = (value: number, shown: Html | string) =>
    html`<td class="number" data-value="${value}">${shown}</td>`
  return html`<tr id="row-${i}"${before === after ? none : html` data-paid=""`}><th scope="row">${cutEnd(name) || "(no name)"}</th><td>${kind}</td>${number(after - before, change({ a: before, b: after }))}${number(before, a ? counted(before) : "")}${number(after, b ? counted(after) : "")}<td class="operator">${cutEnd(operator)}</td><td>${primitive}</td><td class="shape">${both(a?.accBits || undefined, b?.accBits || undefined)}</td><td class="shape">${both(a?.lookups, b?.lookups)}</td><td class="gadgets">${both(a && cutEnd(shortened(a.gadget), 200), b && cutEnd(shortened(b.gadget), 200))}</td></tr>
`
}

const heads = [
  ["name", "Node"],
  ["kind", "Change"],
  ["difference", "Difference"],
  ["a", "Constraints A"],
  ["b", "Constraints B"],
  ["operator", "Operator"],
  ["primitive", "Primitive"],
  ["bits", "Bits"],
  ["lookups", "Lookups"],
  ["gadgets", "Gadgets"],
] as const
const numbers: readonly string[] = ["difference", "a", "b"]

function operatorRows(operators: Comparison["operators"]): Html {
  const most = operators.reduce((all, { a, b }) => Math.max(all, a, b), 1)
  const rows = operators.map(
    (each) =>
      html`<tr><th scope="row">${cutEnd(each.operator, 60)}</th><td class="number">${counted(each.a)}${bar(each.a / most)}</td><td class="number">${counted(each.b)}${bar(each.b / most)}</td><td class="number">${change(each)}</td></tr>
`,
  )
  return html`<div class="scroll" role="region" aria-label="Table of operators" tabindex="0"><table><thead><tr><th scope="col">Operator</th><th scope="col" class="number">A</th><th scope="col" class="number">B</th><th scope="col" class="number">Difference</th></tr></thead><tbody>
${rows}</tbody></table></div>`
}

/** The page of a comparison, as a text; `a` and `b` are what the two are called. */
export function comparisonPage(comparison: Comparison, a: string, b: string): string {
  const { options, totals, operators, nodes } = comparison
  const rows = [
    ...nodes.changed.map((node) => ["changed", node] as const),
    ...nodes.added.map((node) => ["added", node] as const),
    ...nodes.removed.map((node) => ["removed", node] as const),
  ].map(([kind, node], i) => nodeRow(kind, node, i))
  const body = html`<a class="skip" href="#table">Skip to the nodes</a>
<header class="top"><div class="wide"><span class="brand">Countersign</span><span>two circuits side by side</span></div></header>
<main class="wide">
<section aria-labelledby="title">
<h1 id="title">${cutEnd(a)} and ${cutEnd(b)}</h1>
<p class="lead">A is ${cutEnd(a)}, B is ${cutEnd(b)}. ${counted(nodes.changed.length)} nodes changed, ${counted(nodes.added.length)} were added, ${counted(nodes.removed.length)} removed; ${counted(nodes.same)} are the same.</p>
<div class="scroll" role="region" aria-label="Choices and totals" tabindex="0"><table><thead><tr><th scope="col">Circuit</th><th scope="col" class="number">A</th><th scope="col" class="number">B</th><th scope="col" class="number">Difference</th></tr></thead><tbody>
${options.map(
  (each) =>
    html`<tr><th scope="row">${each.name}</th><td class="number">${shown(each.a)}</td><td class="number">${shown(each.b)}</td><td></td></tr>
`,
)}${totals.map(totalRow)}</tbody></table></div>
</section>
<section aria-labelledby="operators">
<h2 id="operators">Constraints by operator</h2>
${operators.length > 0 ? operatorRows(operators) : html`<p class="help">They are the same.</p>`}
</section>
<section aria-labelledby="table">
<h2 id="table" tabindex="-1">Nodes that differ</h2>
<div class="search" role="search" data-script=""><label for="search">Search</label><input id="search" type="search" autocomplete="off" spellcheck="false" placeholder="name, operator, primitive, gadget"><label class="check"><input id="paid" type="checkbox"> with other constraints only</label><output id="found" for="search paid">${counted(rows.length)} nodes</output></div>
<div class="scroll" role="region" aria-label="Table of nodes" tabindex="0"><table id="nodes"><caption class="hidden">Nodes that differ</caption><thead><tr>${heads.map(
    ([name, label]) =>
      html`<th scope="col" data-sort="${name}" data-as="${numbers.includes(name) ? "number" : "text"}"${numbers.includes(name) ? html` class="number"` : none}>${label}</th>`,
  )}</tr></thead><tbody>
${rows}</tbody></table></div>
</section>
</main>`
  return documentOf(`${a} and ${b}`, body, `"use strict";(${enhance})()`)
}
