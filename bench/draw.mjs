/**
 * Pictures and the README's table, from bench/results/*.csv alone: whoever has the files makes the same text.
 *
 *   npm run bench -- draw
 *
 * Of the files in bench/results they go to docs/pictures and into README.md; of those of another folder, into that folder.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { checkColumns } from "./draw/columns.mjs"
import { nodesPicture } from "./draw/nodes.mjs"
import { formsPicture, primitivesPicture } from "./draw/operators.mjs"
import { readmeTable, withTable } from "./draw/readme.mjs"
import { scalingPicture } from "./draw/scaling.mjs"
import { stagesPicture } from "./draw/stages.mjs"
import { timePicture } from "./draw/time.mjs"
import { readRows } from "./record.mjs"

export { readmeTable, withTable }

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
  for (const section of ["models", "peers", "scaling", "operators", "nodes"]) {
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

/** Draws what a folder has results for. */
export async function draw(directory = results) {
  const rows = resultsOf(directory)
  const isOurs = resolve(directory) === results
  const folder = isOurs ? join(root, "docs/pictures") : directory
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(drawn(rows))) writeFileSync(join(folder, `${name}.svg`), text)
  if (rows.models === undefined) return
  const table = readmeTable(rows)
  if (!isOurs) return writeFileSync(join(folder, "table.md"), table)
  const readme = join(root, "README.md")
  writeFileSync(readme, withTable(readFileSync(readme, "utf8"), table))
}
