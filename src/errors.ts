/**
 * Three failures, never mixed: bad input throws one of the typed errors below; a broken assumption of
 * ours throws InvariantError; an invalid proof is `false`, with a reason on request, never an exception.
 */

/** What every typed error states. `where` is a file, node, tensor or field; values go in backticks. */
export interface Facts {
  what: string
  where?: string
  expected?: string
  given?: string
  fix?: string
}

/** Control and format characters (bidi overrides, zero width), line ends, and what stands for no character. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu

/**
 * Text of strangers (a name in a model, say) on one line and without effect on whatever shows it: what is not
 * printable becomes `\n` or `\u{…}`. It says nothing about quotes, `<` or the like. What is printable stays, so
 * doing it twice changes nothing.
 */
export const printable = (text: string): string =>
  String(text).replace(unprintable, (c) =>
    c === "\n" ? "\\n" : `\\u{${(c.codePointAt(0) as number).toString(16).padStart(4, "0")}}`,
  )

/** A time in messages, from seconds since 1970. */
export function timeText(seconds: number | bigint): string {
  const date = new Date(1000 * Number(seconds))
  return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString().replace(".000Z", "Z")
}

/** JSON text in which some characters are written as escapes; a reader gets the very same value. */
export const escapedJson = (value: unknown, escaped: RegExp): string =>
  JSON.stringify(value).replace(escaped, (c) =>
    Array.from({ length: c.length }, (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`).join(
      "",
    ),
  )

/** JSON text on one line that has nothing unprintable in it either. */
export const printableJson = (value: unknown): string => escapedJson(value, unprintable)

/**
 * Base of all errors caused by what the caller gave. A message may be shown as it is: it is printable, and the
 * only line ends are those between the problems of a ModelError. `facts` and `problems` are as they were given.
 */
export class CountersignError extends Error {
  // written out, here and below: a bundler may shorten the names of classes
  override name = "CountersignError"
  readonly facts: Facts
  constructor(facts: Facts, problems: readonly string[] = []) {
    const what = [facts.what, ...problems].map(printable).join("\n  ")
    const parts = [facts.where ? `${printable(facts.where)}: ${what}` : what]
    if (facts.expected !== undefined) parts.push(`expected ${printable(facts.expected)}`)
    if (facts.given !== undefined) parts.push(`given ${printable(facts.given)}`)
    super(parts.join("; ") + (facts.fix ? `. ${printable(facts.fix)}` : ""))
    this.facts = facts
  }
}

/** What a message shows of the problems of a model, whose names may be of any length. */
const mostLines = 1000
const mostCharacters = 1000

/** A model file that is malformed, too large, or uses something we do not support. */
export class ModelError extends CountersignError {
  override name = "ModelError"
  /** Every problem found, one line each: a model is refused once, with the whole list, cut where it is endless. */
  readonly problems: readonly string[]
  constructor(facts: Facts, problems: readonly string[] = []) {
    const lines = problems.slice(0, mostLines).map((line) => line.slice(0, mostCharacters))
    if (problems.length > mostLines) lines.push(`… and ${problems.length - mostLines} more`)
    super(facts, lines)
    this.problems = lines
  }
}

/** Tensor data that does not fit the model: names, shapes, counts, ranges, NaN. */
export class InputError extends CountersignError {
  override name = "InputError"
}

/** A key, circuit, witness or receipt file that is truncated, foreign or inconsistent. */
export class FileError extends CountersignError {
  override name = "FileError"
}

/** A call or command that cannot be carried out as asked. */
export class UsageError extends CountersignError {
  override name = "UsageError"
}

/** A broken assumption of this library. Please report it. */
export class InvariantError extends Error {
  override name = "InvariantError"
}

/** Throws InvariantError unless `condition` holds. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}

/** Progress of long work: `done` of `total` units of `stage`. */
export type OnProgress = (event: { stage: string; done: number; total: number }) => void
