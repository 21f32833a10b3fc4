/**
 * Pictures, and the tables of README.md and docs/BENCHMARKS.md, from bench/results/*.csv alone: whoever has the files makes
 * the same text.
 *
 *   npm run bench -- draw
 *
 * Of the files in bench/results they go to docs/pictures and into both documents; of those of another folder, into that
 * folder.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { checkColumns, columns } from "./draw/columns.mjs"
import { between } from "./draw/markdown.mjs"
import { nodesPicture } from "./draw/nodes.mjs"
import { formsPicture, primitivesPicture } from "./draw/operators.mjs"
import { scalingPicture } from "./draw/scaling.mjs"
import { stagesPicture } from "./draw/stages.mjs"
import { benchmarkTables, readmeTable } from "./draw/tables.mjs"
import { timePicture } from "./draw/time.mjs"
import { readRows } from "./record.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
const results = join(root, "bench/results")

/** Of each picture the sections without which there is none. */
const pictures = {
  time: { needs: ["models"], make: timePicture },
  stages: { needs: ["models"], make: stagesPicture },
  nodes: { needs: ["nodes"], make: nodesPicture },
  primitives: { needs: ["operators"], make: primitivesPicture },
  forms: { needs: ["operators"], make: formsPicture },
  scaling: { needs: ["scaling"], make: scalingPicture },
}

/** Rows by section of a folder, as far as it has them. @throws Error if a section lacks a column */
export function resultsOf(directory = results) {
  const rows = {}
  for (const section of Object.keys(columns)) {
    const some = readRows(directory, section)
    if (some === undefined || some.length === 0) continue
    checkColumns(section, some)
    rows[section] = some
  }
  return rows
}

/** The text of every picture that there are results for, by name. */
export const drawn = (rows) =>
  Object.fromEntries(
    Object.entries(pictures)
      .filter(([, { needs }]) => needs.every((section) => rows[section] !== undefined))
      .map(([name, { make }]) => [name, make(rows)]),
  )

/** Documents with tables of results in them, given how they read now: the text by path. */
export const written = (rows, read) => ({
  "README.md": rows.models ? between(read("README.md"), "bench", readmeTable(rows)) : read("README.md"),
  "docs/BENCHMARKS.md": Object.entries(benchmarkTables(rows)).reduce(
    (text, [name, table]) => between(text, `bench:${name}`, table),
    read("docs/BENCHMARKS.md"),
  ),
})

/** Draws what a folder has results for, and writes it down. */
export async function draw(directory = results) {
  const rows = resultsOf(directory)
  const isOurs = resolve(directory) === results
  const folder = isOurs ? join(root, "docs/pictures") : directory
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(drawn(rows))) writeFileSync(join(folder, `${name}.svg`), text)
  const documents = isOurs
    ? written(rows, (path) => readFileSync(join(root, path), "utf8"))
    : { "tables.md": tablesOf(rows) }
  for (const [path, text] of Object.entries(documents))
    writeFileSync(isOurs ? join(root, path) : join(folder, path), text)
}

/** The same tables alone. */
const tablesOf = (rows) =>
  [...(rows.models ? [readmeTable(rows)] : []), ...Object.values(benchmarkTables(rows))].join("\n\n")
