/**
 * HTML that is safe by construction: whatever a template is given is a stranger's text, shown on one line and escaped, unless
 * it was made by a template itself. So there is no way to forget it.
 */
import { printable } from "../errors.js"

/** What a template made. */
export class Html {
  constructor(readonly text: string) {}
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

type Value = string | number | Html | readonly Html[]

function textOf(value: Value): string {
  if (value instanceof Html) return value.text
  if (typeof value === "object") return value.map(({ text }) => text).join("")
  return printable(`${value}`).replace(/[&<>"']/g, (character) => entities[character])
}

/** HTML or SVG of a template; attributes stand between double quotes. */
export const html = (parts: TemplateStringsArray, ...values: readonly Value[]): Html =>
  new Html(parts.map((part, i) => (i === 0 ? part : textOf(values[i - 1]) + part)).join(""))

/** Nothing. */
export const none: Html = html``

/** Longest name that a page has in full. */
const longest = 200

/** The beginning of a text that is too long. */
export const cutEnd = (text: string, most = longest): string => {
  const characters = text.length > most ? Array.from(text.slice(0, 2 * most)) : []
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text
}

/** The end of a text, as far as there is room for so many letters; those of East Asia take two. */
export function endOf(text: string, room: number): string {
  const characters = Array.from(printable(text.slice(-4 * room)))
  let [left, first] = [room, characters.length]
  while (first > 0) {
    left -= (characters[first - 1].codePointAt(0) ?? 0) > 0x2e7f ? 2 : 1
    if (left < 0) break
    first--
  }
  const isWhole = first === 0 && text.length <= 4 * room
  return isWhole ? characters.join("") : `…${characters.slice(first + 1).join("")}`
}

/** A whole number with its thousands apart. */
export const counted = (x: number): string => x.toLocaleString("en-US")

/** A share in percent, with as many digits as tell something. */
export function percent(share: number): string {
  const value = 100 * share
  if (value === 0) return "0 %"
  if (value < 0.001) return "< 0.001 %"
  return `${value >= 10 ? value.toFixed(1) : Number(value.toPrecision(2))} %`
}

/** Bytes as people read them. */
export function bytes(count: number | null): string {
  if (count === null) return "none yet"
  if (count < 2 ** 14) return `${counted(count)} bytes`
  return count < 2 ** 20 ? `${Math.round(count / 2 ** 10)} KiB` : `${(count / 2 ** 20).toFixed(1)} MiB`
}
