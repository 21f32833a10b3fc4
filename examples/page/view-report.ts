/** What the viewer says of documents, as data: words and verdicts, which a page shows and tests read. */

/**
 * `holds`: checked here, and so. `caution`: checked, and so, but it rests on somebody's word that is named. `open`: it
 * could not be checked with what is here. `fails`: checked, and not so. `plain`: nothing to check, a fact of the file.
 */
export type Verdict = "holds" | "caution" | "open" | "fails" | "plain"

export interface Line {
  readonly verdict: Verdict
  readonly text: string
}
export const line = (verdict: Verdict, text: string): Line => ({ verdict, text })

/** Numbers of a tensor, with names where the model has any. */
export interface Numbers {
  readonly title: string
  readonly rows: readonly {
    readonly name: string
    readonly value: string
    readonly share: number
    readonly largest: boolean
  }[]
  /** What of it is not among the rows. */
  readonly rest: string | null
}

export interface Section {
  readonly title: string
  readonly lines: readonly Line[]
  readonly numbers?: readonly Numbers[]
}

/** What is said of one document. */
export interface Card {
  readonly kind: string
  readonly name: string
  readonly verdict: Verdict
  /** What stands over the headline, where the verdict's own words would be wrong. */
  readonly chip?: string
  /** One sentence: what the verdict means. */
  readonly headline: string
  readonly sections: readonly Section[]
}

/** Digests by their ends, as the command line's documents have them. */
export const short = (hex: string): string => (hex.length > 24 ? `${hex.slice(0, 10)}…${hex.slice(-8)}` : hex)

/** The worst of some verdicts that matter, in the order in which a reader must know of them. */
export function worst(verdicts: readonly Verdict[]): Verdict {
  const order: readonly Verdict[] = ["fails", "open", "caution", "holds", "plain"]
  return order.find((verdict) => verdicts.includes(verdict)) ?? "plain"
}
