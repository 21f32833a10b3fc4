/**
 * What all pictures share: a surface of their own, so that they are read on whatever page shows them, colours that follow
 * light and dark, and a size of letters that stays readable where a picture of 520 units is shown on a telephone. Charts are
 * drawn by Observable Plot without a browser, and stand in one file below each other. Series have colours that are told
 * apart by whoever is colour-blind, and never by colour alone.
 */
import * as Plot from "@observablehq/plot"
import { Window } from "happy-dom"

export { Plot }

/** Units a picture is wide. */
export const width = 520
export const fontSize = 14

/** Colours by name: on light, on dark. */
const colours = {
  surface: ["#ffffff", "#15181c"],
  edge: ["#d5dae0", "#343a42"],
  ink: ["#1c2126", "#e8ebee"],
  muted: ["#5a636d", "#a3adb8"],
  grid: ["#e5e8ec", "#2a3037"],
  blue: ["#0a67b0", "#62b6f3"],
  orange: ["#c04d00", "#ff9d5c"],
  green: ["#00775a", "#4fcfa4"],
  purple: ["#9a3a7a", "#ec92c6"],
  gold: ["#7d5a00", "#e3b94f"],
  pale: ["#9cc6e8", "#28557a"],
}
export const colour = Object.fromEntries(Object.keys(colours).map((name) => [name, `var(--${name})`]))

const variables = (i) =>
  Object.entries(colours)
    .map(([name, pair]) => `--${name}:${pair[i]}`)
    .join(";")

const { document } = new Window()

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

/** Two digits behind the point: what is drawn is the same, and no last digit depends on the machine. */
const rounded = (text) =>
  text.replace(/<[^>]*>/g, (tag) =>
    tag.replace(/-?\d+\.\d{3,}(e-?\d+)?/g, (number) => String(Math.round(Number(number) * 100) / 100)),
  )

/** A chart as Plot makes it, in our letters and colours. */
export function chart(options) {
  const made = Plot.plot({ document, className: "chart", width, style: { fontSize }, ...options })
  for (const style of made.querySelectorAll("style")) style.remove()
  return made
}

/** Ticks are round numbers: without zeros behind the point. */
const whole = (format) => (tick) => format(tick).replace(/\.0+(?!\d)/, "")

/** Both axes with ticks and words of ours: where scales are logarithmic Plot leaves some of its own out. */
export const axes = ({ x, y }) => [
  Plot.gridX(x.ticks, { stroke: colour.grid, strokeOpacity: 1 }),
  Plot.gridY(y.ticks, { stroke: colour.grid, strokeOpacity: 1 }),
  Plot.axisX(x.ticks, { text: whole(x.format), label: null, tickSize: 4 }),
  Plot.axisY(y.ticks, { text: whole(y.format), label: null, tickSize: 0 }),
]

/** A word below a chart. */
export const below = (text) =>
  Plot.text([text], { frameAnchor: "bottom", dy: 36, text: (x) => x, fill: colour.muted })

/** A word at a place of the chart, from its top left corner. */
export const wordAt = (text, { x, y, marginLeft, marginTop, ...look }) =>
  Plot.text([text], {
    frameAnchor: "top-left",
    dx: x - marginLeft,
    dy: y - marginTop,
    lineAnchor: "middle",
    text: (word) => word,
    ...look,
  })

/** What a scale of a chart makes of a value, without drawing: for where labels go. */
export const scalesOf = (options) => {
  const made = Plot.plot({ document, width, ...options })
  return { x: made.scale("x"), y: made.scale("y") }
}

/**
 * Charts below each other, under a title and a line of what is seen.
 * @param parts of each its chart and, if it has one, a heading of its own
 */
export function picture({ title, subtitle = [], description, parts }) {
  const texts = []
  let y = 28
  texts.push(`<text class="title" x="16" y="${y}">${escaped(title)}</text>`)
  for (const line of subtitle) {
    y += 20
    texts.push(`<text class="subtitle" x="16" y="${y}">${escaped(line)}</text>`)
  }
  y += 8
  const drawn = parts.map(({ heading, chart: made }) => {
    if (heading) {
      y += 26
      texts.push(`<text class="heading" x="16" y="${y}">${escaped(heading)}</text>`)
      y += 4
    }
    const height = Number(made.getAttribute("height"))
    const inner = made.innerHTML
    const placed = `<g class="chart" fill="currentColor" text-anchor="middle" font-size="${fontSize}" transform="translate(0,${y})">${inner}</g>`
    y += height
    return placed
  })
  const height = Math.ceil(y + 8)
  return rounded(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(description)}</desc>
<style>
svg{${variables(0)};color:var(--ink);font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){svg{${variables(1)}}}
text{white-space:pre}
.title{font-size:17px;font-weight:650;fill:var(--ink)}
.subtitle{font-size:13.5px;fill:var(--muted)}
.heading{font-size:15px;font-weight:600;fill:var(--ink)}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8" fill="var(--surface)" stroke="var(--edge)"/>
${[...texts, ...drawn].join("\n")}
</svg>
`)
}
