/**
 * Which kept file is about which input. An attestation has but the digest of its input, and a store may hold many
 * thousands: each file is read once for that digest, and the folder is listed again when it has changed. What was read is
 * not kept here, for a store holds secrets and may be larger than memory.
 */
import { lstatSync } from "node:fs"
import type { Attestation } from "../attest/index.js"
import { CountersignError } from "../errors.js"
import { attempt } from "../files.js"
import type { Hex } from "../statement/strict.js"
import { listKept, readKept } from "./keep.js"

/** A folder that changed so shortly ago may change again without its time saying so. */
const settledMs = 2_000

/**
 * Finds what is kept of attestations with some input, of the same model. Files that cannot be read are nobody's; they are
 * tried again when the folder changes.
 * @throws UsageError, each time, if the folder cannot be read
 */
export function keptInputs(folder: string): (of: Pick<Attestation, "model" | "input">) => readonly Hex[] {
  const byInput = new Map<string, Hex[]>()
  let known = new Map<Hex, string>()
  let listed = { time: -1, settled: false }

  function refresh(): void {
    const { mtimeMs: time } = attempt(folder, () => lstatSync(folder))
    if (listed.settled && listed.time === time) return
    listed = { time, settled: Math.abs(Date.now() - time) > settledMs }
    const now = new Map<Hex, string>()
    for (const digest of listKept(folder)) {
      const name = known.get(digest) ?? nameOf(folder, digest)
      if (name !== null) now.set(digest, name)
    }
    byInput.clear()
    for (const [digest, name] of now) {
      const same = byInput.get(name)
      if (same) same.push(digest)
      else byInput.set(name, [digest])
    }
    known = now
  }

  return ({ model, input }) => {
    refresh()
    return byInput.get(`${model}${input}`) ?? []
  }
}

/** Model and input of a kept file, or null if it cannot be read. */
function nameOf(folder: string, digest: Hex): string | null {
  try {
    const { model, input } = readKept(folder, digest).attestation
    return `${model}${input}`
  } catch (error) {
    if (error instanceof CountersignError) return null
    throw error
  }
}
