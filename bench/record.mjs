/**
 * What a run leaves behind: rows as CSV, and where they were measured. A row is flat: numbers, strings, booleans; a field
 * without a value is an empty cell. Strings that could be read as something else are in quotes, so that reading gives back
 * what was written; numbers that are not whole keep six digits. A file is written beside its place and renamed: whoever
 * aborts a run finds the files of the one before.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

/** What every row has first; of a row without another side the last are undefined. */
export const leading = ["name", "against", "ms", "otherMs", "ratio"]

const git = (...args) =>
  execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()

/** The commit, with a `+` when something that is measured differs from it; empty outside of a repository. */
function commit() {
  try {
    const changed = git(
      "status",
      "--porcelain",
      "--",
      "src",
      "kernels",
      "circuits",
      "contracts",
      "bench/*.mjs",
    )
    return `${git("rev-parse", "--short=10", "HEAD")}${changed === "" ? "" : "+"}`
  } catch {
    return ""
  }
}

/** Where and when: { date, commit, cpu, cores, node }. */
export function environment() {
  const list = cpus()
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    cpu: list[0]?.model.trim() ?? "",
    cores: list.length,
    node: process.versions.node,
  }
}

const numeral = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/

function toCell(value, field) {
  if (value === undefined || value === null) return ""
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new Error(`\`${field}\` is ${value}, which is no figure`)
    return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)))
  }
  if (typeof value === "boolean") return String(value)
  if (typeof value !== "string") throw new Error(`\`${field}\` is ${typeof value}; rows are flat`)
  const isPlain = value !== "" && !/[",\r\n]|^\s|\s$/.test(value)
  if (isPlain && !numeral.test(value) && value !== "true" && value !== "false") return value
  return `"${value.replaceAll('"', '""')}"`
}

function fromCell({ text, quoted }) {
  if (quoted) return text
  if (text === "") return undefined
  if (text === "true" || text === "false") return text === "true"
  return numeral.test(text) ? Number(text) : text
}

/** The text of rows: a head of all their fields, in the order in which they first occur. */
export function toCsv(rows) {
  const fields = [...new Set([...leading, ...rows.flatMap((row) => Object.keys(row))])]
  const lines = rows.map((row) => fields.map((field) => toCell(row[field], field)).join(","))
  return `${[fields.map((field) => toCell(field)).join(","), ...lines].join("\n")}\n`
}

/** Lines of cells { text, quoted }. @throws Error if a quote is not closed */
function cells(given) {
  const text = given.endsWith("\n") ? given : `${given}\n`
  const lines = []
  let line = []
  let at = 0
  while (at < text.length) {
    const quoted = text[at] === '"'
    let cell = ""
    if (quoted) {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        if (at >= text.length) throw new Error(`line ${lines.length + 1}: a quote is not closed`)
        if (text[at] === '"') at++
        cell += text[at]
      }
      at++
    } else for (; at < text.length && !",\r\n".includes(text[at]); at++) cell += text[at]
    line.push({ text: cell, quoted })
    if (text[at] === ",") {
      at++
      continue
    }
    if (text[at] === "\r") at++
    if (at < text.length && text[at] !== "\n")
      throw new Error(`line ${lines.length + 1}: text behind a quote`)
    at++
    lines.push(line)
    line = []
  }
  return lines
}

/** The rows of a text. @throws Error if a line has another number of cells than the head */
export function fromCsv(text) {
  const [head = [], ...lines] = cells(text)
  return lines.map((line, i) => {
    if (line.length !== head.length)
      throw new Error(`line ${i + 2}: ${line.length} cells, and the head has ${head.length}`)
    return Object.fromEntries(head.map(({ text: field }, j) => [field, fromCell(line[j])]))
  })
}

/** Writes `<section>.csv`, whole or not at all; gives the path. */
export function writeRows(directory, section, rows) {
  const where = environment()
  const text = toCsv(rows.map((row) => ({ ...row, ...where })))
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${section}.csv`)
  const beside = `${path}.${process.pid}`
  try {
    writeFileSync(beside, text, { flag: "wx" })
    renameSync(beside, path)
  } finally {
    rmSync(beside, { force: true })
  }
  return path
}

/** Rows of `<section>.csv`, numbers as numbers; none if there is no such file. @throws Error if it is malformed */
export function readRows(directory, section) {
  const path = join(directory, `${section}.csv`)
  if (!existsSync(path)) return []
  try {
    return fromCsv(readFileSync(path, "utf8"))
  } catch (error) {
    throw new Error(`${path}: ${error.message}`)
  }
}
