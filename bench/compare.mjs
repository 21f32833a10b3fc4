/** Timing of ours against others': variants interleaved in one run, medians, and no figure for unequal results. */

export const median = (xs) => {
  const sorted = [...xs].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

async function time(task) {
  const started = performance.now()
  await task()
  return performance.now() - started
}

const warmUpMs = 500

/**
 * Runs both sides in turn and returns one row. `equal` is called with both results before anything is timed.
 * `rounds` is how often each side runs; `times` how often ours runs within one round (its median counts).
 */
export async function compare({ name, against, ours, theirs, equal, rounds = 5, times = 1 }) {
  const [mine, other] = [await ours(), await theirs()]
  if (!(await equal(mine, other))) throw new Error(`${name}: the results differ`)
  // an engine optimises what runs often: both sides get the same time for that
  for (const side of [ours, theirs]) for (let spent = 0; spent < warmUpMs; ) spent += await time(side)
  const [msOurs, msTheirs] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const some = []
    for (let i = 0; i < times; i++) some.push(await time(ours))
    msOurs.push(median(some))
    msTheirs.push(await time(theirs))
  }
  const [ms, otherMs] = [median(msOurs), median(msTheirs)]
  return { name, against, ms, otherMs, ratio: otherMs / ms }
}

/** Rows as a table for people; of some there is no other side. */
export function table(rows) {
  const cells = rows.map(({ name, against, ms, otherMs, ratio }) => [
    name,
    against ?? "",
    ms.toFixed(2),
    otherMs?.toFixed(1) ?? "",
    ratio === undefined ? "" : `${ratio.toFixed(1)}x`,
  ])
  const lines = [["", "against", "ms", "other ms", "ratio"], ...cells]
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)))
  return lines
    .map((line) =>
      line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    )
    .join("\n")
}
