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

/** Something that keeps a model from being proven. */
export interface Problem {
  /** The node's name; none where it is no node's. */
  readonly node?: string
  /** The node's operator, with its domain unless that is ONNX's own. */
  readonly operator?: string
  /** Where it is, as a line says it: a node with operator and position, an input, a constant. */
  readonly where?: string
  readonly reason: string
  /** What would help. */
  readonly help?: string
}

/** Problems of one operator for one reason, up to names and numbers in it. */
export interface ProblemGroup {
  readonly operator?: string
  /** The first one's. */
  readonly reason: string
  readonly help?: string
  readonly count: number
  /** Names of the nodes, in the model's order; cut where they are endless. */
  readonly nodes: readonly string[]
}

/** What is kept of the problems of a model, whose names may be of any length, and what a message shows of them. */
const mostLines = 1000
const mostCharacters = 1000
const shownGroups = 40
const shownNames = 3

const lineOf = ({ where, reason }: Problem): string => (where ? `${where}: ${reason}` : reason)

/** A reason without what differs from node to node: lists, numbers, and names of tensors. */
const kindOfReason = (reason: string): string =>
  reason
    .replace(/\[[^\]]*\]/g, "[]")
    .replace(/`[^`]*[^`\w][^`]*`/g, "``")
    .replace(/-?\d+(\.\d+)?/g, "0")

/** A group under construction, and the place of its first problem. */
type OpenGroup = { -readonly [K in keyof ProblemGroup]: ProblemGroup[K] } & {
  readonly nodes: string[]
  readonly first: Problem
}

function grouped(problems: readonly Problem[]): OpenGroup[] {
  const groups = new Map<string, OpenGroup>()
  for (const problem of problems) {
    const { operator, reason, help, node } = problem
    const key = `${operator ?? ""}\n${kindOfReason(reason)}\n${help === undefined ? "" : kindOfReason(help)}`
    const found = groups.get(key)
    const group = found ?? {
      ...(operator !== undefined && { operator: operator.slice(0, mostCharacters) }),
      reason: reason.slice(0, mostCharacters),
      ...(help !== undefined && { help: help.slice(0, mostCharacters) }),
      count: 0,
      nodes: [],
      first: problem,
    }
    group.count++
    if (node !== undefined && group.nodes.length < mostLines) group.nodes.push(node.slice(0, mostCharacters))
    if (!found) groups.set(key, group)
  }
  return [...groups.values()]
}

/** A group on one line. */
function groupLine({ operator, count, nodes, reason, help, first }: OpenGroup): string {
  const names = nodes.slice(0, shownNames).map((name) => `\`${name.slice(0, 100)}\``)
  const line =
    count === 1 || operator === undefined
      ? `${lineOf(first)}${count === 1 ? "" : ` (and ${count - 1} alike)`}`
      : `operator \`${operator}\` ×${count}: ${reason}; first: ${names.join(", ")}`
  return `${line.slice(0, mostCharacters)}${help === undefined ? "" : `. ${help}`}`
}

/** A model file that is malformed, too large, or uses something we do not support. */
export class ModelError extends CountersignError {
  override name = "ModelError"
  /** Every problem found, one line each: a model is refused once, with the whole list, cut where it is endless. */
  readonly problems: readonly string[]
  /** The same by operator and reason, as the message has them, each with what would help. */
  readonly groups: readonly ProblemGroup[]
  constructor(facts: Facts, problems: readonly (string | Problem)[] = []) {
    const all = problems.map((problem) => (typeof problem === "string" ? { reason: problem } : problem))
    const groups = grouped(all)
    const shown = groups.slice(0, shownGroups).map(groupLine)
    if (groups.length > shownGroups) shown.push(`… and ${groups.length - shownGroups} kinds more`)
    super(facts, shown)
    const lines = all.slice(0, mostLines).map((problem) => lineOf(problem).slice(0, mostCharacters))
    if (all.length > mostLines) lines.push(`… and ${all.length - mostLines} more`)
    this.problems = lines
    this.groups = groups.map(({ first: _, ...group }) => group)
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
