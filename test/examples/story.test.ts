/** The story of `npm run story`: every end of the escrow's table, as the chain has it and not as it was expected. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type End, payouts, states } from "#src/chain/index.js"
import { compileSolidity } from "../../contracts/compile.js"
import { root } from "../support/installed.js"
import { contributedPtau } from "../support/ptau.js"

interface Told {
  readonly name: string
  readonly expected: string
  readonly happened: string
  readonly gas: number
}
let folder: string
const path = (name: string) => join(folder, name)
/** Runs the story; `before` is for Node. */
function tell(...before: readonly string[]) {
  const args = [...before, "examples/story.js", "--json", "--ptau", path("powers.ptau")]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" })
  if (!stdout.startsWith("{")) throw new Error(stdout + stderr)
  return { status, told: JSON.parse(stdout) as { chapters: readonly Told[] } }
}
let honest: ReturnType<typeof tell>
let chapters: readonly Told[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-story-test-"))
  writeFileSync(path("powers.ptau"), await contributedPtau(12))
  const tsc = [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.examples.json"]
  expect(spawnSync(process.execPath, tsc, { cwd: root, encoding: "utf8" }).stdout).toBe("")
  honest = tell()
  chapters = honest.told.chapters
}, 180_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("happens as it was expected, and prints that alone", () => {
  expect(honest.status).toBe(0)
  expect(Object.keys(honest.told)).toEqual(["chapters"])
  for (const chapter of chapters) {
    expect(chapter).toEqual({
      name: expect.any(String),
      expected: chapter.happened,
      happened: expect.any(String),
      gas: expect.any(Number),
    })
    expect(chapter.gas, chapter.name).toBeGreaterThan(100_000)
  }
})

/** Payments in words, as chapters have them. */
function paid(end: End, challenged: boolean, shower = "prover"): string {
  const owed = payouts(end, { price: 10n, damages: 50n, costs: 2n }, { challenged })
  const names = ["client", "operator", "challenger", "shower"] as const
  const each = names.flatMap((name) =>
    owed[name] === undefined ? [] : [`${name === "shower" ? shower : name} ${owed[name]}`],
  )
  return `${end}: ${each.join(", ")}`
}

it("has every end, with the payments of the table", () => {
  const happened = chapters.map((chapter) => chapter.happened)
  for (const end of [
    paid("Expired", false),
    paid("Unchallenged", false),
    paid("Proven", false),
    paid("Proven", true),
    paid("Silent", true),
    paid("Convicted", true),
    paid("Equivocated", true, "filer"),
    paid("Recalled", false),
    paid("Recalled", true),
  ])
    expect(happened).toContain(end)
  const ends = states.slice(states.indexOf("Challenged") + 1)
  for (const end of ends) expect(happened.join("\n")).toContain(`${end}: `)
  const names = chapters.map(({ name }) => name).join("\n")
  for (const what of [
    "client is silent",
    "two outputs signed",
    "two systems disagree",
    "a recall reaches back",
  ])
    expect(names).toContain(what)
})

it("is read from the chain: chapters fail where contracts do otherwise", () => {
  const escrow = patched("Escrow", [
    // the price of what was not delivered goes to the operator
    [/(State\.Expired, msg\.sender\);\s*_credit\(terms, terms\.)client/, "$1operator"],
    // half of what is due to a challenger stays in the escrow
    ["2 * uint256(terms.costs)", "uint256(terms.costs)"],
    // nobody asks the registry when the window is over
    ["_isRecalled(terms, r.deadline)", "false"],
  ])
  const book = patched("SignOffBook", [[" && !recalled", " && (!recalled || true)"]])
  const artifacts = pathToFileURL(join(root, "dist/artifacts/index.js"))
  writeFileSync(
    path("artifacts.mjs"),
    `export * from "${artifacts}"
     export const [Escrow, SignOffBook] = ${JSON.stringify([escrow, book])}`,
  )
  const resolve = `export const resolve = (name, context, next) => name === "countersign/artifacts"
    ? { url: "${pathToFileURL(path("artifacts.mjs"))}", shortCircuit: true } : next(name, context)`
  const hook = `import { register } from "node:module"
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(resolve)}))`
  const { status, told } = tell("--import", `data:text/javascript,${encodeURIComponent(hook)}`)
  expect(status).toBe(1)
  const failed = told.chapters.filter(({ expected, happened }) => expected !== happened)
  expect(failed.map(({ name, happened }) => `${name} | ${happened}`)).toEqual([
    "not delivered in time | Expired: operator 10",
    "challenged, and silent | Silent: client 60, challenger 2, nobody 2",
    "recalled, unchallenged | Unchallenged: operator 62",
    "recalled, and silent | Silent: client 60, challenger 2, nobody 2",
    "a recall reaches back | Proven: operator 62; actionable; recalled: actionable",
  ])
}, 180_000)

/** A contract of ours, compiled after some of its text was replaced. */
function patched(name: string, changes: readonly (readonly [string | RegExp, string])[]) {
  const source = changes.reduce(
    (text, [from, to]) => {
      const next = text.replace(from, to)
      expect(next, `${from}`).not.toBe(text)
      return next
    },
    readFileSync(join(root, `contracts/${name}.sol`), "utf8"),
  )
  const { abi, bytecode } = compileSolidity({ [`countersign/contracts/${name}.sol`]: source }, name)
  return { abi, bytecode }
}
