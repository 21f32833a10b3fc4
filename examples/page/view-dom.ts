/**
 * Reports as elements. Whatever a document says becomes text of a node, by `textContent` or `append`; nothing here takes
 * markup, so a hostile name is shown as it is written.
 */
import type { Card, Line, Numbers, Verdict } from "./view-report.js"

type Child = Node | string | null | undefined | false

/** An element with attributes and children; strings become text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | boolean>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes))
    if (value === true) element.setAttribute(name, "")
    else if (value !== false) element.setAttribute(name, value)
  element.append(
    ...children.filter((child): child is Node | string => child instanceof Node || typeof child === "string"),
  )
  return element
}

/** What stands before a line: a sign for the eye, and words for whoever cannot see it. */
const signs: Readonly<Record<Verdict, readonly [sign: string, words: string]>> = {
  holds: ["✓", "Checked: "],
  caution: ["!", "Checked, on somebody's word: "],
  open: ["?", "Not checked: "],
  fails: ["✗", "Does not hold: "],
  plain: ["·", ""],
}
const chips: Readonly<Record<Verdict, string>> = {
  holds: "holds",
  caution: "holds, on somebody's word",
  open: "not checked",
  fails: "does not hold",
  plain: "a fact of the file",
}

/** Text in which digests, addresses and commands are set as code. */
const marked = (text: string): (Node | string)[] =>
  text
    .split(/(0x[0-9a-f]{6,}(?:…[0-9a-f]{6,})?|`[^`]+`)/g)
    .map((part, i) => (i % 2 === 0 ? part : h("code", {}, part.replaceAll("`", ""))))

const lineItem = ({ verdict, text }: Line): HTMLElement => {
  const [sign, words] = signs[verdict]
  const hidden = words && h("span", { class: "hidden" }, words)
  return h(
    "li",
    { "data-verdict": verdict },
    h("span", { class: "sign", "aria-hidden": "true" }, sign),
    h("span", {}, hidden, ...marked(text)),
  )
}

function numbersTable({ title, rows, rest }: Numbers): HTMLElement {
  const least = Math.min(0, ...rows.map(({ share }) => share))
  const most = Math.max(0, ...rows.map(({ share }) => share))
  const bar = (share: number) => {
    const drawn = h("span", { class: "bar", "aria-hidden": "true" })
    // two lengths are all that a style is given
    const place = (x: number) => `${(100 * (x - least)) / (most - least)}%`
    drawn.style.setProperty("--from", place(Math.min(0, share)))
    drawn.style.setProperty("--to", place(Math.max(0, share)))
    return drawn
  }
  const withBars = most > least
  return h(
    "div",
    { class: "numbers" },
    h(
      "table",
      rows.some(({ name }) => name.length > 5) ? { class: "named" } : {},
      h("caption", {}, title),
      h(
        "thead",
        { class: "hidden" },
        h("tr", {}, h("th", { scope: "col" }, "Element"), h("th", { scope: "col" }, "Value")),
      ),
      h(
        "tbody",
        {},
        ...rows.map(({ name, value, share, largest }) =>
          h(
            "tr",
            largest ? { class: "largest" } : {},
            h("th", { scope: "row" }, name),
            h("td", {}, withBars && bar(share), h("span", {}, value)),
          ),
        ),
      ),
    ),
    rest !== null && h("p", { class: "help" }, rest),
  )
}

/** A document's report; `remove` takes it away again. */
export function cardElement(card: Card, id: string, remove: (() => void) | null): HTMLElement {
  const { kind, name, verdict, chip = chips[verdict], headline, sections } = card
  const button =
    remove &&
    h("button", { type: "button", class: "quiet" }, "Take away", h("span", { class: "hidden" }, ` ${name}`))
  button?.addEventListener("click", () => remove?.())
  return h(
    "article",
    { class: "card report", "data-verdict": verdict, "aria-labelledby": id },
    h(
      "header",
      {},
      h("p", { class: "what" }, h("strong", {}, kind), " ", h("span", { class: "file" }, name)),
      button,
    ),
    h(
      "div",
      { class: "finding", "data-verdict": verdict },
      h("p", { class: "chip" }, h("span", { class: "sign", "aria-hidden": "true" }, signs[verdict][0]), chip),
      h("h2", { id }, ...marked(headline)),
    ),
    h(
      "div",
      { class: "sections" },
      ...sections.map(({ title, lines, numbers = [] }) =>
        h(
          "section",
          {},
          h("h3", {}, title),
          ...numbers.map(numbersTable),
          lines.length > 0 && h("ul", { class: "said" }, ...lines.map(lineItem)),
        ),
      ),
    ),
  )
}
