/**
 * The most memory that this process ever held. On Linux it is asked for `VmHWM`: what `process.resourceUsage()` gives there
 * is at least what the process that started this one held then, as the kernel carries it over.
 */
import { existsSync, readFileSync } from "node:fs"

const status = "/proc/self/status"

/** In bytes. */
export function peakMemory() {
  const said = existsSync(status) && /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(status, "utf8"))
  return 1024 * Number(said ? said[1] : process.resourceUsage().maxRSS)
}
