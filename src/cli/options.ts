/** What options of the command line say, checked before any work begins. */
import { Command, Option } from "commander"
import * as api from "../index.js"

const zeroContext = `0x${"0".repeat(64)}`

/** A whole number from `least` on, and to `most` where that is given. @throws UsageError */
export function wholeNumber(option: string, text: string, least = 1, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text)
  if (/^[0-9]+$/.test(text) && value >= least && value <= most) return value
  const expected =
    most === Number.MAX_SAFE_INTEGER ? "a positive integer" : `a whole number from ${least} to ${most}`
  throw new api.UsageError({ what: option, expected, given: `\`${text}\`` })
}

/** 32 bytes, with or without 0x. @throws UsageError */
export function hex32(option: string, text: string): api.Hex {
  const hex = text.toLowerCase().replace(/^(0x)?/, "0x")
  if (/^0x[0-9a-f]{64}$/.test(hex)) return hex as api.Hex
  throw new api.UsageError({ what: option, expected: "32 bytes in hexadecimal", given: `\`${text}\`` })
}

/** One of a few words, as what it stands for. @throws UsageError */
export function choice<T>(option: string, text: string, choices: Readonly<Record<string, T>>): T {
  if (Object.hasOwn(choices, text)) return choices[text]
  throw new api.UsageError({ what: option, expected: Object.keys(choices).join(", "), given: `\`${text}\`` })
}

/** A command of ours. */
export class ToolCommand extends Command {
  /**
   * An option that has to be given. Unlike `requiredOption` it is asked for last, so that whoever wrote --sample for
   * --samples is told that, and not that something is missing.
   */
  needs(flags: string, description: string): this {
    const option = new Option(flags, description)
    return this.addOption(option).hook("preAction", (_, acting) => {
      // a nested command runs the hooks of those above it, too, and needs nothing that they do
      if (acting !== this) return
      // one of a nested command may have been taken by the command above it, if that has it, too
      if (this.optsWithGlobals()[option.attributeName()] === undefined)
        this.error(`error: required option '${flags}' not specified`)
    })
  }
}

/** A command, with the option that all of them have. */
export const command = (name: string, description: string): ToolCommand =>
  new ToolCommand(name).description(description).option("--json", "print one JSON object")

/** An option that may be given several times, once for each value, and so takes nothing that comes after. */
export const repeatable = (flags: string, description: string): Option =>
  new Option(flags, description)
    .argParser((text: string, before: string[]) => [...before, text])
    .default([], "none")

/** Values of `--dimension NAME=VALUE`, by name. @throws UsageError */
export function dimensions(entries: readonly string[]): Record<string, number> {
  const names = new Set<string>()
  const values = entries.map((entry): [string, number] => {
    const at = entry.lastIndexOf("=")
    const name = entry.slice(0, at)
    if (at < 1)
      throw new api.UsageError({ what: "--dimension", expected: "NAME=VALUE", given: `\`${entry}\`` })
    if (names.has(name)) throw new api.UsageError({ what: `--dimension gives \`${name}\` twice` })
    names.add(name)
    return [name, wholeNumber("--dimension", entry.slice(at + 1))]
  })
  return Object.fromEntries(values)
}

/** A context, and how it was chosen. */
export interface Context {
  readonly bytes: string
  readonly from: "--context" | "--no-context"
}

/**
 * Adds `--context HEX` and `--no-context`, and gives what reads the choice. There is no default: a receipt that was
 * made for nothing in particular can be shown to anyone again.
 */
export function withContext(command: Command, purpose: string): () => Context {
  const given: { hex?: string; none?: boolean } = {}
  command
    .option("--context <hex>", `32 bytes ${purpose}`)
    .option("--no-context", "none: the zero context, against which nothing guards from replay")
    .on("option:context", (text: string) => {
      given.hex = text
    })
    .on("option:no-context", () => {
      given.none = true
    })
  return () => {
    const { hex, none = false } = given
    if (hex !== undefined && none)
      throw new api.UsageError({ what: "--context and --no-context exclude each other" })
    if (hex === undefined && !none)
      throw new api.UsageError({
        what: "there is no context",
        expected: `32 bytes ${purpose}: --context HEX`,
        fix: "For none on purpose, say --no-context",
      })
    return hex === undefined
      ? { bytes: zeroContext, from: "--no-context" }
      : { bytes: hex32("--context", hex), from: "--context" }
  }
}
