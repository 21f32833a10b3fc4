/** Lists laid end to end, given by where each of them ends. */

/** The list that a position lies in: the first whose end is beyond it. */
export function ownerOf(ends: readonly number[], at: number): number {
  let [low, high] = [0, ends.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ends[middle] <= at) low = middle + 1
    else high = middle
  }
  return low
}
