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

const widest = 120

/** A number as people read it: times and sizes have no six digits. */
function figure(value, field) {
  if (value === undefined || value === null) return ""
  if (typeof value !== "number") return String(value)
  if (field === "ratio") return `${value.toFixed(1)}x`
  if (field.endsWith("Bytes")) {
    const [unit, size] = value < 1e4 ? ["B", 1] : value < 1e6 ? ["kB", 1e3] : ["MB", 1e6]
    return `${(value / size).toFixed(size === 1e6 ? 1 : 0)} ${unit}`
  }
  if (Number.isInteger(value)) return value.toLocaleString("en")
  return Math.abs(value) >= 100
    ? value.toFixed(0)
    : Math.abs(value) >= 1
      ? value.toFixed(2)
      : value.toPrecision(3)
}

/** Rows as a table for people, with the fields that any of them has; what is too wide goes on below, with the names again. */
export function table(rows) {
  const isThere = (field) => rows.some((row) => row[field] !== undefined && row[field] !== null)
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter(
    (f) => f !== "name" && isThere(f),
  )
  const columns = ["name", ...fields].map((field) => {
    const cells = [field === "name" ? "" : field, ...rows.map((row) => figure(row[field], field))]
    const width = Math.max(...cells.map((cell) => cell.length))
    const isText = rows.some((row) => typeof row[field] === "string")
    return cells.map((cell) => (isText ? cell.padEnd(width) : cell.padStart(width)))
  })
  const [names, ...rest] = columns
  const blocks = [[names]]
  for (const column of rest) {
    const block = blocks[blocks.length - 1]
    const width = block.reduce((sum, [cell]) => sum + cell.length + 2, column[0].length)
    if (width > widest && block.length > 1) blocks.push([names, column])
    else block.push(column)
  }
  return blocks
    .map((block) =>
      names
        .map((_, line) =>
          block
            .map((column) => column[line])
            .join("  ")
            .trimEnd(),
        )
        .join("\n"),
    )
    .join("\n\n")
}
