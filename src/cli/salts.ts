/** Files of salts: who has one can open the commitments of its receipt. */
import { r } from "../field.js"
import { exists, readJson, writeWhole } from "../files.js"
import * as api from "../index.js"

/** Salts of a proof, and how they are kept. */
export interface HeldSalts {
  readonly salts: api.Salts
  /** Writes fresh ones to their file, which only its owner can read; nothing for salts that are used again. */
  save(): void
}

/**
 * The salts that a circuit's commitments take: fresh ones for a file that does not exist yet, since two receipts
 * with the same salts show whether they are about the same values; or, to `reuse`, those of an existing one.
 * @throws UsageError if the file is not named, exists (or, to reuse, does not), or is of no use; FileError for
 * another content
 */
export function saltsOf(
  path: string | undefined,
  reuse: boolean,
  { input, output }: Pick<api.CircuitInfo, "input" | "output">,
): HeldSalts {
  const sides = (["input", "output"] as const).filter(
    (side) => (side === "input" ? input : output) === "committed",
  )
  if (path === undefined && reuse)
    throw new api.UsageError({ what: "--reuse-salts", fix: "Name the file with --salts FILE" })
  if (sides.length === 0) {
    if (path === undefined) return { salts: {}, save: () => undefined }
    throw new api.UsageError({
      what: "the circuit commits to nothing and takes no salts",
      fix: "Leave --salts out, or compile with --input committed or --output committed",
    })
  }
  if (path === undefined)
    throw new api.UsageError({
      what: `the circuit commits to its ${sides.join(" and ")}`,
      fix: "Name a file for the salts: --salts FILE; whoever has it can open the commitment",
    })
  if (reuse) return { salts: readSalts(path, sides), save: () => undefined }
  if (exists(path))
    throw new api.UsageError({
      what: "exists already",
      where: `\`${path}\``,
      fix: "Name a new file for fresh salts. With these again (--reuse-salts) receipts show which are about the same values",
    })
  const drawn = Object.fromEntries(sides.map((side) => [side, api.drawSalt()]))
  const text = JSON.stringify(drawn, (_, value) => (typeof value === "bigint" ? `${value}` : value), 2)
  return { salts: drawn, save: () => writeWhole(path, `${text}\n`, { isPrivate: true, isNew: true }) }
}

/** The salts of a file, for some sides. @throws UsageError, FileError */
export function readSalts(path: string, sides: readonly ("input" | "output")[]): api.Salts {
  const held = readJson(path) as Record<string, unknown> | null
  const salts = sides.map((side) => {
    const text = held?.[side]
    if (typeof text !== "string" || !/^(0|[1-9][0-9]{0,77})$/.test(text) || BigInt(text) >= r)
      throw new api.FileError({ what: `has no salt \`${side}\``, where: `\`${path}\`` })
    return [side, BigInt(text)]
  })
  return Object.fromEntries(salts)
}
