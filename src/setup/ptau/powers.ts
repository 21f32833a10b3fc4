/**
 * Powers of tau: points τ^i·G, ατ^i·G and βτ^i·G of secrets that nobody knows, which every circuit of a size can
 * make its keys of. This file says what they are to the rest of the setup; file.ts reads them, check.ts tells whether
 * they are what they say.
 */
import { FileError } from "../../errors.js"
import type { Hex } from "../../statement/strict.js"

export type PowersSection = "tauG1" | "tauG2" | "alphaG1" | "betaG1"

export interface PowersOfTau {
  /** There are 2^(power + 1) − 1 points of tauG1, and 2^power of every other section. */
  readonly power: number
  /** The power that contributors worked on: a file may hold the first of their points only. */
  readonly ceremonyPower: number
  /** BLAKE2b-512 of the whole file. */
  readonly digest: Hex
  /** Which well-known file has that digest. */
  readonly name: string | undefined
  /** β in G2, as a file has it. */
  readonly betaG2: Uint8Array
  /**
   * Points `first` … `first + count − 1` of a section as a file has them: affine, Montgomery, little endian, 64 bytes
   * in G1 and 128 in G2. @throws FileError if the file cannot be read
   */
  read(section: PowersSection, first: number, count: number): Promise<Uint8Array>
}

/** Larger ones have no use: the scalar field has no domain beyond. */
export const mostPower = 28

/** The group of the points of each section. */
export const groupOf: Readonly<Record<PowersSection, "g1" | "g2">> = {
  tauG1: "g1",
  tauG2: "g2",
  alphaG1: "g1",
  betaG1: "g1",
}

/** Points of each section in a file of that power. */
export const pointsOf = (section: PowersSection, power: number): number =>
  section === "tauG1" ? 2 ** (power + 1) - 1 : 2 ** power

/** The least power whose points serve a domain of so many elements: τ^0 … τ^(2·domain − 2) in G1. */
export const powerFor = (domain: number): number => Math.ceil(Math.log2(domain))

/** @throws FileError unless there are powers enough for a domain of so many elements */
export function requirePower({ power }: Pick<PowersOfTau, "power">, domain: number): void {
  const needed = powerFor(domain)
  if (power >= needed) return
  throw new FileError({
    what: `has too few powers of tau for a domain of ${domain}`,
    where: ".ptau file",
    expected: `power ${needed} or more`,
    given: `power ${power}`,
    fix: `Use a file of power ${needed}, such as the \`_${String(needed).padStart(2, "0")}\` of a public ceremony`,
  })
}
