/** Others' proofs of a model of ours, as the section `peers` has them. */

/** Whether a row is of a model: in rows it goes by the first word of a name that describes layers. */
const isOf = (row, { name }) => row.name === name || name.startsWith(`${row.name} `)

/** A prover by itself, whatever circuit it proves. */
const proverOf = ({ against }) => against.replace(/,.*/, "").replace(/^circom \+ /, "")

/** Of each other prover its fastest row of a model, and its name as `prover`: keys in memory on both sides. */
export function fastestOthers(peers, model) {
  const least = new Map()
  for (const row of peers) {
    if (!isOf(row, model) || row.mode !== "resident" || row.ratio === undefined) continue
    const known = least.get(row.peer)
    if (known === undefined || row.otherMs < known.otherMs) least.set(row.peer, row)
  }
  return [...least.values()].map((row) => ({ ...row, prover: proverOf(row) }))
}
