/** The story of `npm run story`, told on a local chain: every end of the escrow's table, and who was paid what. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { root } from "../support/installed.js"
import { contributedPtau } from "../support/ptau.js"

interface Told {
  readonly name: string
  readonly expected: string
  readonly happened: string
  readonly gas: number
}
let folder: string
let chapters: readonly Told[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-story-test-"))
  const ptau = join(folder, "powers.ptau")
  writeFileSync(ptau, await contributedPtau(12))
  execFileSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.examples.json"],
    {
      cwd: root,
    },
  )
  const args = ["examples/story.js", "--json", "--ptau", ptau]
  chapters = JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" })).chapters
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("happens as it was expected, and costs gas", () => {
  expect(chapters.map(({ happened }) => happened)).toEqual(chapters.map(({ expected }) => expected))
  for (const { name, gas } of chapters) expect(gas, name).toBeGreaterThan(100_000)
})

it("has a chapter for every end that the contract knows", () => {
  const source = readFileSync(join(root, "contracts/IEscrow.sol"), "utf8")
  const states = [...(/enum State \{([^}]*)\}/.exec(source)?.[1].matchAll(/\w+/g) ?? [])].map(
    ([name]) => name,
  )
  const ends = states.slice(states.indexOf("Challenged") + 1)
  expect(ends.length).toBe(7)
  const told = chapters.map(({ happened }) => happened).join("\n")
  for (const end of ends) expect(told).toContain(`${end}: `)
})

it("pays out what was locked: 10 of the client, 62 of the operator, 2 of a challenger", () => {
  const paid = ({ happened }: Told) =>
    [...happened.matchAll(/(?:client|operator|challenger|prover|filer) (\d+)/g)].reduce(
      (sum, [, amount]) => sum + Number(amount),
      0,
    )
  const sums = chapters.map(paid)
  expect(sums.slice(0, 9)).toEqual([10, 72 - 10, 62, 64, 64, 64, 62, 62, 64])
  expect(sums[9]).toBe(2 * 62)
})
