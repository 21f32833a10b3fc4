/**
 * The wires of a two-phase circuit, in groups. Whatever asks which wire is what, or which section of a key has its
 * point, asks this list: a further group, committed to apart, is an entry here.
 */

/** The wires that every circuit has, in order: the constant one, the challenge c and the evaluation ev. */
export const CONSTANT = 0
export const CHALLENGE = 1
export const EVALUATION = 2

/** The groups in the order of their wires, with the section of the key that has K_i / δ of them, and that δ. */
const groups = [
  { name: "public", section: "ic", divisor: undefined },
  { name: "committed", section: "committed", divisor: "deltaC" },
  { name: "final", section: "final", divisor: "delta" },
] as const

export type WireGroupName = (typeof groups)[number]["name"]

/** Wires one behind the other. */
export type WireGroup = (typeof groups)[number] & { readonly first: number; readonly count: number }

/** Wires that come before all committed ones. */
export const firstCommitted = EVALUATION + 1

/** The groups of a circuit of so many wires, of which those from `firstFinal` on depend on the challenge. */
export function wireGroups(wires: number, firstFinal: number): readonly WireGroup[] {
  const ends: Record<WireGroupName, number> = { public: firstCommitted, committed: firstFinal, final: wires }
  let first = 0
  return groups.map((group) => {
    const count = ends[group.name] - first
    first += count
    return { ...group, first: first - count, count }
  })
}

/** The same of a linked circuit. */
export const wireGroupsOf = ({
  r1cs: { wires },
  firstFinal,
}: {
  readonly r1cs: { readonly wires: number }
  readonly firstFinal: number
}): readonly WireGroup[] => wireGroups(wires, firstFinal)

export const isIn = ({ first, count }: WireGroup, wire: number): boolean =>
  wire >= first && wire < first + count
