/** How pages look: colours and type of the page that proves (examples/page), by the reader's choice light or dark. */
export const style = `
:root { color-scheme: light dark; --paper: #f7f6f2; --card: #ffffff; --sunk: #f1efe9; --line: #dcd8cf; --edge: #8a857a; --ink: #1d1f23; --soft: #5a5c63; --accent: #0b6b5d; --accent-ink: #ffffff; --accent-wash: #dcefe9; --warn: #7a4b00; --warn-wash: #fbefd6; --good: #0f6b3c; --bad: #a4262c; --focus: #1f5fd0; --shadow: 0 1px 2px rgb(40 34 20 / 6%), 0 6px 20px rgb(40 34 20 / 5%); --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; --small: 0.875rem; --round: 10px }
@media (prefers-color-scheme: dark) { :root { --paper: #131518; --card: #1b1e22; --sunk: #15181b; --line: #32363c; --edge: #7d838c; --ink: #e8e6e1; --soft: #a6a8ad; --accent: #63cdb5; --accent-ink: #08231d; --accent-wash: #17352f; --warn: #f0c168; --warn-wash: #352a12; --good: #74d39a; --bad: #ff9c95; --focus: #8fb6ff; --shadow: none } }
*, ::before, ::after { box-sizing: border-box }
[hidden] { display: none !important }
html:not(.script) [data-script] { display: none }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 var(--font); overflow-wrap: break-word }
.wide { width: min(90rem, 100% - 2rem); margin-inline: auto }
h1, h2, h3, p, dl, dd, ul { margin: 0; padding: 0 }
h1 { font-size: clamp(1.5rem, 1.1rem + 2vw, 2.1rem); line-height: 1.2; letter-spacing: -0.015em; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; line-height: 1.3 }
h3 { font-size: 1rem; overflow-wrap: anywhere }
a { color: var(--accent) }
code { font: var(--small) var(--mono); overflow-wrap: anywhere }
small { color: var(--soft); font-size: 0.85em }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px }
.hidden, .skip:not(:focus) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.skip:focus { position: absolute; z-index: 2; padding: 0.5rem 1rem; background: var(--card) }
.top { border-bottom: 1px solid var(--line); background: var(--card) }
.top > div { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding-block: 0.75rem; color: var(--soft) }
.brand { font-weight: 650; color: var(--ink) }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2.25rem; padding-block: 1.5rem 3rem }
section { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.75rem }
.lead, .help { color: var(--soft) }
.help { max-width: 62rem; font-size: var(--small) }
.help b { color: var(--ink); font-weight: 600 }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem; margin-top: 0.5rem }
.card { display: grid; grid-template-columns: minmax(0, 1fr); align-content: start; gap: 0.75rem; padding: 1.1rem; border: 1px solid var(--line); border-radius: var(--round); background: var(--card); box-shadow: var(--shadow) }
.facts { display: grid; grid-template-columns: minmax(5.5rem, max-content) minmax(0, 1fr); gap: 0.3rem 1rem; font-size: var(--small) }
.facts dt { color: var(--soft) }
.facts dd { overflow-wrap: anywhere }
.line { display: block }
.bars { display: grid; gap: 0.45rem; list-style: none; font-size: var(--small) }
.bars li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 1rem }
.bars .meter { grid-column: 1 / -1 }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.meter { display: block; width: 100%; height: 4px; margin-top: 3px; border-radius: 2px; background: var(--line) }
.meter rect { fill: var(--accent) }
.tag { padding: 0 0.45em; border-radius: 99px; background: var(--accent-wash); color: var(--accent); font: 600 0.75rem/1.6 var(--font) }

.stage { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; gap: 1rem; align-items: start }
html:not(.script) .stage { grid-template-columns: minmax(0, 1fr) }
#view { position: relative; height: min(70vh, 46rem); border: 1px solid var(--line); border-radius: var(--round); background: var(--sunk); overflow: hidden }
#graph { display: block; width: 100%; height: 100% }
.script #graph { touch-action: none; cursor: grab }
.script #graph.dragged { cursor: grabbing }
.tools { display: flex; gap: 0.35rem }
.edges path { fill: none; stroke: var(--edge); stroke-width: 1.3; opacity: 0.65 }
.edges path.near { stroke: var(--accent); stroke-width: 2.6; opacity: 1 }
.box { cursor: pointer; text-decoration: none }
.box .card { fill: var(--card); stroke: var(--line); stroke-width: 1.2 }
.box.port .card, .box.result .card { stroke: var(--ink); stroke-width: 1.8 }
.box.moves .card, .box.free .card { fill: var(--paper) }
.box.moves .card { stroke-dasharray: 5 4; stroke: var(--edge) }
.box text { fill: var(--ink); font: 12px var(--mono) }
.box .head { font: 650 13px var(--font) }
.box .cost { font: 12px var(--font); text-anchor: end; fill: var(--soft) }
.box .name { font-size: 10.5px; fill: var(--soft) }
.box .rail { fill: var(--line) }
.box .bar { fill: var(--accent) }
.box:hover .card { stroke: var(--accent) }
.box:focus { outline: none }
.box:focus-visible .card { stroke: var(--focus); stroke-width: 4 }
.box.chosen .card { stroke: var(--accent); stroke-width: 3.2; fill: var(--accent-wash) }
.box.other { opacity: 0.25 }
#details { max-height: min(70vh, 46rem); overflow: auto }
#details .facts + h4 { margin: 0 }
#details h4 { margin: 0; padding-top: 0.6rem; border-top: 1px solid var(--line); font-size: var(--small) }

button { min-height: 2.4rem; min-width: 2.4rem; padding: 0.25rem 0.7rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--card); color: var(--ink); font: inherit; cursor: pointer }
button:hover { background: var(--sunk) }
.search { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 0.9rem }
.search > label:first-child { font-weight: 600 }
.search [type="search"] { flex: 1 1 14rem; max-width: 28rem; min-height: 2.6rem; padding: 0.4rem 0.8rem; border: 1px solid var(--edge); border-radius: 8px; background: var(--card); color: var(--ink); font: inherit }
.check { display: inline-flex; align-items: center; gap: 0.4rem; min-height: 2.4rem }
.check input { width: 1.15rem; height: 1.15rem; accent-color: var(--accent) }
.search output { color: var(--soft) }
.scroll { max-height: 85vh; overflow: auto; border: 1px solid var(--line); border-radius: var(--round); background: var(--card) }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: var(--small) }
th, td { padding: 0.4rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
thead th { position: sticky; top: 0; z-index: 1; background: var(--sunk); vertical-align: bottom; font-weight: 600 }
thead button { min-height: 1.6rem; min-width: 0; padding: 0; border: 0; background: none; font-weight: 600; line-height: 1.3; text-align: inherit }
thead button::after { content: "↕"; padding-left: 0.35em; color: var(--soft) }
[aria-sort="ascending"] button::after { content: "↑"; color: var(--accent) }
[aria-sort="descending"] button::after { content: "↓"; color: var(--accent) }
tbody th { min-width: 12rem; max-width: 22rem; font: 0.8125rem/1.5 var(--mono); overflow-wrap: anywhere }
th.number, td.number { text-align: right }
td.shape, td.operator { white-space: nowrap }
td.gadgets { min-width: 14rem; max-width: 30rem; color: var(--soft); font: 0.8125rem/1.5 var(--mono); overflow-wrap: anywhere }
tbody tr:hover > * { background: var(--sunk) }
tbody tr.chosen > * { background: var(--accent-wash) }
tbody tr:last-child > * { border-bottom: 0 }
.plus { color: var(--bad) }
.minus { color: var(--good) }
@media (max-width: 60rem) {
  .stage { grid-template-columns: minmax(0, 1fr) }
  #view { height: 60vh }
  #details { max-height: 26rem }
}
@media (max-width: 30rem) {
  tbody th { min-width: 9rem; max-width: 11rem }
}
@media print { #view { height: auto } .scroll { max-height: none; overflow: visible } .tools, .search { display: none } }
`
