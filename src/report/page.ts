/**
 * One page of a circuit that stands alone: it asks nobody for anything, and its policy allows nothing but its own style and
 * script, which are named by their digests. Whatever comes from a file, names above all, is text in it (html.ts).
 */
import { createHash } from "node:crypto"
import type { Compilation } from "../compile/comparison.js"
import { drawingOf } from "./drawing.js"
import { bytes, counted, cutEnd, Html, html, none } from "./html.js"
import { layOut } from "./layout.js"
import { enhance } from "./script.js"
import { style } from "./style.js"
import { facts, nodeTable, operatorBars } from "./table.js"

/** What a page is made of. */
export interface PageContent extends Compilation {
  readonly title: string
  /** The key's digest, and in lines what it says of how it was made; null without a key. */
  readonly key: { readonly digest: string; readonly made: readonly string[] } | null
  /** How many samples figures are from: those of `compile`, and others. */
  readonly samples: { readonly compile: number | null; readonly given: number | null }
}

const digestOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** A whole document around its body. */
export function documentOf(title: string, body: Html, script = ""): string {
  const policy = [
    "default-src 'none'",
    `style-src ${digestOf(style)}`,
    ...(script ? [`script-src ${digestOf(script)}`] : []),
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ")
  // the policy, style and script are ours, and neither has a character that HTML would read otherwise
  const head = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${title} – Countersign</title>
<style>${new Html(style)}</style>
</head>
<body>
${body}
${script ? html`<script>${new Html(script)}</script>` : none}
</body>
</html>
`
  return head.text
}

/** The page of a circuit, as a text. */
export async function pageOf(content: PageContent): Promise<string> {
  const { title, nodes, totals } = content
  const drawing = await layOut(nodes)
  const boxes = new Map(
    drawing?.boxes.flatMap(({ nodes: places }, box) => places.map((place) => [place, box])),
  )
  const isGrouped = drawing !== null && drawing.boxes.length < boxes.size
  const body = html`<a class="skip" href="#table">Skip to the table of nodes</a>
<header class="top"><div class="wide"><span class="brand">Countersign</span><span>inspection of a circuit</span></div></header>
<main class="wide">
<section aria-labelledby="title">
<h1 id="title">${cutEnd(title)}</h1>
<p class="lead">${counted(totals.constraints)} constraints, ${counted(totals.lookups)} lookups, ${counted(nodes.length)} nodes.</p>
<div class="cards">${summary(content)}
<div class="card"><h2>Constraints by operator</h2>${operatorBars(nodes, totals.constraints)}</div></div>
</section>
<section aria-labelledby="graph-title">
<h2 id="graph-title">Graph</h2>
${
  drawing === null
    ? html`<p class="help">The graph has too many nodes for a drawing; the table has them all.</p>`
    : html`<p class="help">${isGrouped ? "A box is an operator of the model, with all nodes that it became. " : "A box is a node. "}Bars are constraints. <span data-script="">Drag to move, Ctrl and wheel to zoom; with the keyboard, arrows go from box to box, Shift and arrows move, + and − zoom, 0 shows all.</span></p>
<div class="tools" data-script="" role="group" aria-label="Zoom"><button type="button" data-zoom="in" aria-label="Zoom in">+</button><button type="button" data-zoom="out" aria-label="Zoom out">−</button><button type="button" data-zoom="all">All</button></div>
<div class="stage"><div id="view">${drawingOf(drawing, nodes)}</div>
<div id="details" class="card" data-script="" aria-live="polite"><h3>No node chosen</h3><p class="help">Choose a box, or a name in the table.</p></div></div>`
}
</section>
<section aria-labelledby="table">
<h2 id="table" tabindex="-1">Nodes</h2>
${samplesNote(content)}
<div class="search" role="search" data-script=""><label for="search">Search</label><input id="search" type="search" autocomplete="off" spellcheck="false" placeholder="name, operator, primitive, gadget"><label class="check"><input id="paid" type="checkbox"> with constraints only</label><output id="found" for="search paid">${counted(nodes.length)} nodes</output></div>
<div class="scroll" role="region" aria-label="Table of nodes" tabindex="0">${nodeTable(nodes, totals.constraints, boxes)}</div>
</section>
</main>`
  return documentOf(title, body, `"use strict";(${enhance})()`)
}

function summary({ circuit, totals, bytes: sizes, key }: PageContent): Html {
  const code = (text: string) => html`<code>${text}</code>`
  const { weights = "fixed" } = circuit
  return html`<div class="card"><h2>Circuit</h2>${facts([
    [weights === "private" ? "Architecture" : "Model", code(circuit.model)],
    ["Proof system", circuit.proofSystem],
    ["Input, output", `${circuit.input}, ${circuit.output}`],
    ["Weights", weights === "private" ? "private: not in this page" : "fixed"],
    ["Precision", `${circuit.precision} bits`],
    ["Domain", counted(totals.domain)],
    ["Wires", counted(totals.wires)],
    ["Non-zeros", counted(totals.nonzeros)],
  ])}</div>
<div class="card"><h2>Key and proof</h2>${facts([
    ...(key === null
      ? ([["Key", "none yet"]] as const)
      : ([
          ["Key", code(key.digest)],
          ["Made by", html`${key.made.map((line) => html`<span class="line">${line}</span>`)}`],
        ] as const)),
    ["Proving key", bytes(sizes.provingKey)],
    ["Verification key", bytes(sizes.verificationKey)],
    ["Proof", bytes(sizes.proof)],
  ])}</div>`
}

/** What the columns of figures are, and of which samples. */
function samplesNote({ samples: { compile, given }, circuit, nodes }: PageContent): Html {
  const has = nodes.some(({ saturation, error }) => (saturation?.cut ?? error) !== undefined)
  const measured =
    compile === null
      ? circuit.weights === "private"
        ? html`Saturation and error were not measured: they say something of weights that are private.`
        : html`Error was not measured: the folder does not say how the model was quantized.`
      : !has
        ? html`Nothing of this model is brought to fewer bits, and so nothing can be cut off.`
        : html`On the ${counted(compile)} samples of <code>compile</code>: <b>cut off</b> is the share of elements that the float model has beyond the integers’ range, <b>error</b> the root mean square of the difference to the float model’s tensor, relative to it, with what it inherits.`
  const others =
    given === null
      ? none
      : html` On ${counted(given)} samples that were given: <b>at lower end</b> and <b>at upper end</b> are shares of elements that a clamp cuts off there; at the lower end of a ReLU that is what the model says, and no loss.`
  return html`<p class="help">${measured}${others} A node without constraints is a combination of wires, and costs nothing.</p>`
}
