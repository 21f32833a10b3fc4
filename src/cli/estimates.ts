/** What a command will take, said before it begins. */
import type { CircuitEstimate } from "../index.js"

const size = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

const time = (seconds: number): string =>
  `${seconds < 10 ? Math.max(0.1, seconds).toFixed(1) : Math.round(seconds)} s`

/** Memory of the process with what a stage adds; the platform says what it has. */
export const memoryWith = (added: number): number => process.memoryUsage().rss + added

/** A line for a stage, from what is known of it; none if nothing is. */
export function stageLine(
  { constraints, keyBytes, memory, seconds }: CircuitEstimate,
  stage: "compile" | "setup" | "prove",
): string | undefined {
  const [added, taken] = [memory[stage], seconds[stage]]
  if (added === null) return undefined
  const parts = [
    stage === "prove" ? undefined : `${constraints} constraints`,
    keyBytes === null ? undefined : `a key of ${size(keyBytes)}`,
    `${size(memoryWith(added))} of memory`,
    taken === null ? undefined : time(taken),
  ]
  return `expects  about ${parts.filter((part) => part !== undefined).join(", ")}`
}
