/** Powers of tau as a file has them. */
import type { Hex } from "../../statement/strict.js"

export type PowersSection = "tauG1" | "tauG2" | "alphaG1" | "betaG1"
export interface PowersOfTau {
  readonly power: number
  readonly ceremonyPower: number
  readonly digest: Hex
  readonly name: string | undefined
  readonly betaG2: Uint8Array
  read(section: PowersSection, first: number, count: number): Promise<Uint8Array>
}
