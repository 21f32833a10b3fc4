/**
 * The wires of a two-phase circuit, in groups. Whatever asks which wire is what, or which section of a key has its
 * point, asks this list. The group `weights` is committed to apart, once for a model and not for each proof; only
 * circuits with private weights have it, so the keys of all others know nothing of it.
 */

/** The wires that every circuit has, in order: the constant one, the challenge c and the evaluation ev. */
export const CONSTANT = 0
export const CHALLENGE = 1
export const EVALUATION = 2
/** How many these are: the public ones. */
export const publicWires = EVALUATION + 1

/** The groups in the order of their wires, with the section of the key that has K_i / δ of them, and that δ. */
const groups = [
  { name: "public", section: "ic", divisor: undefined },
  { name: "weights", section: "weights", divisor: "deltaW" },
  { name: "committed", section: "committed", divisor: "deltaC" },
  { name: "final", section: "final", divisor: "delta" },
] as const

export type WireGroupName = (typeof groups)[number]["name"]

/** Wires one behind the other. */
export type WireGroup = (typeof groups)[number] & { readonly first: number; readonly count: number }

/** What says where groups begin. */
export interface GroupSizes {
  readonly wires: number
  /** Wires from here on depend on the challenge. */
  readonly firstFinal: number
  /** Wires of private weights; none where the weights are part of the circuit. */
  readonly weights: number
}

/** The groups of a circuit that it has wires of. */
export function wireGroups({ wires, firstFinal, weights }: GroupSizes): readonly WireGroup[] {
  const ends: Record<WireGroupName, number> = {
    public: publicWires,
    weights: publicWires + weights,
    committed: firstFinal,
    final: wires,
  }
  let first = 0
  return groups.flatMap((group) => {
    if (group.name === "weights" && weights === 0) return []
    const count = ends[group.name] - first
    first += count
    return [{ ...group, first: first - count, count }]
  })
}

/** The same of a linked circuit. */
export const wireGroupsOf = ({
  r1cs: { wires },
  ...sizes
}: Omit<GroupSizes, "wires"> & { readonly r1cs: { readonly wires: number } }): readonly WireGroup[] =>
  wireGroups({ ...sizes, wires })

export const isIn = ({ first, count }: WireGroup, wire: number): boolean =>
  wire >= first && wire < first + count
