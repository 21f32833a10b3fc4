/**
 * All that the command line says, and with what code it ends: 0 done or valid, 1 proof invalid, 2 bad input or
 * usage, or a standard output that takes nothing, 3 a fault of ours. With --json, one JSON object goes to standard
 * output and nothing else. Whatever is shown passes `printable`: names and paths are a stranger's.
 */
import { createInterface } from "node:readline/promises"
import { Writable } from "node:stream"
import { type Command, CommanderError } from "commander"
import { printable, printableJson } from "../errors.js"
import * as api from "../index.js"
import { inOptions } from "./words.js"

const args = process.argv.slice(2)
const isJson = (arg: string, i: number): boolean =>
  arg === "--json" && !(args.includes("--") && args.indexOf("--") < i)
/** Whether --json stands anywhere: also where the arguments cannot be parsed, an error is an object then. */
const json = args.some(isJson)

const show = (stream: NodeJS.WriteStream, text: string): void => {
  stream.write(`${text}\n`)
}
const lines = (text: string): string => text.split("\n").map(printable).join("\n")

let progress = ""
/** Takes the progress line away, so that nothing is left of it beside what follows. */
function clearProgress(): void {
  if (progress !== "") process.stderr.write("\r\x1b[2K")
  progress = ""
}

/** Progress on standard error, only where someone watches. */
export const onProgress: api.OnProgress = ({ stage, done, total }) => {
  if (json || !process.stderr.isTTY) return
  const text = total > 1 ? `${stage} ${Math.floor((100 * done) / total)}%` : stage
  if (text === progress) return
  progress = text
  process.stderr.write(`\r\x1b[2K${printable(text).slice(0, (process.stderr.columns || 80) - 1)}`)
}

/** A line for whoever reads, beside the result. */
export function note(text: string): void {
  clearProgress()
  if (!json) show(process.stderr, printable(inOptions(text)))
}

/** Prints a result: the object itself with --json, else the lines. */
export function print(result: object, text: readonly string[]): void {
  clearProgress()
  show(process.stdout, json ? printableJson(result) : text.map(printable).join("\n"))
}

/** Milliseconds since a time of `performance.now`, as results tell them. */
export const elapsed = (start: number): number => Math.round(performance.now() - start)

/** What was asked for is not so: a receipt is not valid, an audit found something. */
export const invalid = (): void => {
  process.exitCode = 1
}

/** Pads a table of text; a cell is cut where it would only make others wide. */
export function columns(rows: readonly (readonly string[])[], widest = 60): string[] {
  const cells = rows.map((row) => row.map((cell) => cut(printable(cell), widest)))
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)))
  return cells.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  )
}

/** A text that is not longer than `most`, with a mark where it was cut. */
export const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text

/** Files and folders that the platform refuses: full, read-only, not there. The error names them. */
const isSystemError = (error: unknown): error is Error =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string"

/** A mistake, or our fault: on standard error or, with --json, as an object on standard output. */
function fail(error: unknown): void {
  clearProgress()
  const [name, message] = error instanceof Error ? [error.name, error.message] : ["Error", String(error)]
  const expected = error instanceof api.CountersignError || isSystemError(error)
  process.exitCode = expected ? 2 : 3
  if (json) show(process.stdout, printableJson({ error: { name, message: inOptions(lines(message)) } }))
  else if (expected) show(process.stderr, `error: ${inOptions(lines(message))}`)
  else {
    const trace = error instanceof Error ? (error.stack ?? message) : message
    show(process.stderr, `this is a fault of countersign, please report it:\n${lines(trace)}`)
  }
}

/** Arguments that cannot be parsed; help and version are no errors. */
function failUsage({ message, exitCode, code }: CommanderError, said: string): void {
  if (exitCode === 0) return
  process.exitCode = 2
  const text = code === "commander.help" ? "no command given" : message.replace(/^error: /, "")
  if (json) show(process.stdout, printableJson({ error: { name: "UsageError", message: lines(text) } }))
  else process.stderr.write(lines(said))
}

/** What cannot be written is no verdict: a valid receipt does not become invalid by a full disk or a closed pipe. */
function watchOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return
    process.exitCode ||= 2
    show(process.stderr, `error: standard output: ${error.message}`)
  })
  process.stderr.on("error", () => undefined)
}

/** Asks whoever sits there for a line; what is typed is shown. Without a terminal it is a line of standard input. */
export async function ask(question: string): Promise<string> {
  clearProgress()
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(`${printable(question)} `)
  } finally {
    terminal.close()
  }
}

/**
 * Asks whoever sits there for something that is not shown. @throws UsageError where nobody does: what comes through a
 * pipe may have been anywhere
 */
export async function askSecret(question: string): Promise<string> {
  clearProgress()
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new api.UsageError({
      what: "there is no terminal to ask for a password on",
      fix: "Give it in COUNTERSIGN_PASSWORD",
    })
  process.stderr.write(`${printable(question)} `)
  // what the line editor would echo goes nowhere
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  try {
    return await terminal.question("")
  } finally {
    terminal.close()
    process.stderr.write("\n")
  }
}

/** A variable of the environment, if it is set and not empty. */
export const environment = (name: string): string | undefined => process.env[name] || undefined

/**
 * Does work that an interrupt (Ctrl-C, or a request to end) stops in an orderly way: it is told by the signal, and
 * cleans up.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, fix: string): Promise<T> {
  const control = new AbortController()
  const stop = () => control.abort(new api.UsageError({ what: "interrupted", fix }))
  const signals = ["SIGINT", "SIGTERM"] as const
  for (const name of signals) process.once(name, stop)
  try {
    return await work(control.signal)
  } finally {
    for (const name of signals) process.off(name, stop)
  }
}

/** A command and all below it. */
const withNested = (command: Command): Command[] => [command, ...command.commands.flatMap(withNested)]

/** Parses the arguments, runs the command, and says what went wrong. */
export async function execute(program: Command): Promise<void> {
  watchOutput()
  let said = ""
  const keep = (text: string) => {
    said += text
  }
  for (const command of withNested(program)) {
    command.exitOverride().configureOutput({ writeErr: keep, outputError: keep })
  }
  try {
    // wherever it stands it is no value of another option
    await program.parseAsync(
      args.filter((arg, i) => !isJson(arg, i)),
      { from: "user" },
    )
  } catch (error) {
    if (error instanceof CommanderError) failUsage(error, said)
    else fail(error)
  } finally {
    clearProgress()
  }
}
