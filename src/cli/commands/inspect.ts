/** `countersign inspect`: what each node of a circuit costs, how its key was made; and of two circuits what differs. */
import { basename, resolve } from "node:path"
import { type Comparison, compareCompilations } from "../../compile/comparison.js"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { differenceLines } from "../differences.js"
import { type FolderInspection, inspectFolder } from "../inspection.js"
import { command } from "../options.js"
import { columns, print } from "../terminal.js"
import { madeBy } from "../words.js"

interface Asked {
  readonly samples?: string
  readonly html?: string
}

const heads = ["node", "operator", "primitive", "bits", "lookups", "constraints", "share", "gadgets"]

export const inspectCommand = command("inspect", "what each node costs, and how the key was made")
  .argument("<folder>")
  .argument("[other]", "another folder: what differs between the two, and by how much")
  .option("--samples <file>", "inputs that show how often clamps saturate: a JSON array or .npz")
  .option("--html <file>", "write a page that stands alone, with the graph as a drawing")
  .action(async (folder: string, other: string | undefined, { samples, html }: Asked) => {
    if (html !== undefined) checkOutput(html)
    if (other !== undefined) {
      if (samples !== undefined)
        throw new api.UsageError({ what: "--samples is for one folder", fix: "Leave it out" })
      const comparison = compareCompilations(await inspectFolder(folder), await inspectFolder(other))
      const written = html === undefined ? undefined : await writeComparison(html, comparison, folder, other)
      print({ ...comparison, ...written }, [
        ...differenceLines(comparison, folder, other),
        ...pageLines(written),
      ])
      return
    }
    const { foreign, ...found } = await inspectFolder(folder, samples)
    const written = html === undefined ? undefined : await writePage(html, folder, found, foreign)
    print({ ...found, ...written }, [...lines(found, foreign), ...pageLines(written)])
  })

type Found = Omit<FolderInspection, "foreign">

/** Writes the page of a folder. */
async function writePage(path: string, folder: string, found: Found, foreign: boolean) {
  const { pageOf } = await import("../../report/page.js")
  const { key } = found
  const made = key && {
    digest: `${key.digest}${foreign ? " (of another model)" : ""}`,
    made: madeBy(key.setup, ""),
  }
  const page = await pageOf({ ...found, key: made, title: basename(resolve(folder)) })
  return written(path, page)
}

/** Writes the page of a comparison. */
async function writeComparison(path: string, comparison: Comparison, folder: string, other: string) {
  const { comparisonPage } = await import("../../report/comparison.js")
  return written(path, comparisonPage(comparison, folder, other))
}

interface Written {
  readonly html: string
  readonly htmlBytes: number
}

function written(path: string, page: string): Written {
  writeWhole(path, page)
  return { html: path, htmlBytes: Buffer.byteLength(page) }
}

const pageLines = (page: Written | undefined): string[] =>
  page ? ["", `page     ${page.html} (${page.htmlBytes} bytes)`] : []

function lines(
  { nodes, totals, key, samples }: Omit<FolderInspection, "foreign">,
  foreign: boolean,
): string[] {
  const { constraints, lookups, domain } = totals
  const share = (count: number) => `${((100 * count) / constraints).toFixed(1)} %`
  const shown = nodes.filter((node) => node.constraints > 0 || node.primitive === "linear")
  const rows = shown.map((n) => [
    n.name,
    n.operator,
    n.primitive,
    String(n.accBits || ""),
    String(n.lookups || ""),
    String(n.constraints),
    share(n.constraints),
    n.gadget,
  ])
  const total = ["total", "", "", "", String(lookups), String(constraints), "", `domain ${domain}`]
  const made = key
    ? [`key      ${key.digest}${foreign ? " (of another model)" : ""}`, ...madeBy(key.setup, "made by  ")]
    : ["no key"]
  return [...columns([heads, ...rows, total]), "", ...saturationLines(nodes, samples.given), ...made]
}

/** Nodes that most is cut off of, on samples that were given. */
const shownNodes = 5

function saturationLines(nodes: FolderInspection["nodes"], samples: number | null): string[] {
  if (samples === null) return []
  const cut = nodes
    .map(({ name, saturation }) => ({ name, low: saturation?.low ?? 0, high: saturation?.high ?? 0 }))
    .filter(({ low, high }) => low + high > 0)
    .sort((x, y) => y.high - x.high || y.low - x.low)
  const percent = (x: number) => `${(100 * x).toFixed(2)} %`
  const told = cut
    .slice(0, shownNodes)
    .map(({ name, low, high }) => [
      `  ${name}`,
      `${percent(low)} at the lower end`,
      `${percent(high)} at the upper`,
    ])
  return [
    `on ${samples} samples ${cut.length || "no"} ${cut.length === 1 ? "node cuts" : "nodes cut"} something off${told.length < cut.length ? "; most at the upper end:" : ""}`,
    ...(told.length > 0 ? columns(told) : []),
    "",
  ]
}
