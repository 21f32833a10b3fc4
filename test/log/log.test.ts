/** A log on the disk: what is appended is there, for whoever opens it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, it } from "vitest"
import { leafOf, openLog, verifyConsistency, verifyInclusion, verifyLog } from "#src/log/index.js"

let folder: string
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "log-")), "log")
})
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }))

const note = (text: string) => ({ type: "note", body: { text } }) as const

it("keeps entries in their order, with proofs", async () => {
  const log = await openLog(folder, { create: true })
  expect(log.size).toBe(1)
  const one = await log.append(note("a"))
  expect(one).toEqual({ index: 1, leaf: leafOf(note("a")), size: 2 })
  const more = await log.append(["b", "c", "d"].map(note))
  expect(more.map(({ index }) => index)).toEqual([2, 3, 4])
  await log.close()

  const again = await openLog(folder)
  expect(again.id).toBe(log.id)
  expect([1, 2, 3, 4].map((i) => again.entry(i).body.text)).toEqual(["a", "b", "c", "d"])
  expect(verifyInclusion(again.inclusionProof(2), leafOf(note("b")), again.head())).toBe(true)
  const proof = again.consistencyProof(2)
  expect(verifyConsistency(proof, { size: 2, root: again.root(2) }, again.head())).toBe(true)
  expect(await verifyLog(folder)).toEqual({ ...again.head(), unfinished: 0, heads: 0, problem: null })
  await again.close()
})
