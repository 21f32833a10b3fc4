/**
 * Every parser on mutated files: success or a typed error, within 5 s and 512 MiB beyond the file. A few seconds
 * here; for longer `npm run fuzz -- --minutes N --seed S --only PARSER`, and `--case N` for one case.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { amount } from "../support/amount.js"
import { fuzz, type Outcome } from "./run.js"
import { writeSeeds } from "./seeds.js"

/** As test/fuzz/targets.mjs has them. */
const all = [
  ...[
    "onnx",
    "tfjs",
    "graphModel",
    "keras",
    "kerasArchive",
    "hdf5",
    "model",
    "circuit",
    "gadgets",
    "commitments",
    "mirageKey",
    "zkey",
    "verificationKey",
    "receipt",
    "claim",
    "policy",
    "kept",
    "log",
  ],
  ...["snarkjs", "npz", "samples", "input", "salts", "ptau", "ptauRecord", "r1cs"],
  ...["ceremonyKey", "transcript", "contributions"],
]
const { FUZZ_MINUTES = amount(0.1, 1), FUZZ_SEED = "1", FUZZ_ONLY, FUZZ_CASE } = process.env
const parsers = all.filter((name) => FUZZ_ONLY === undefined || name === FUZZ_ONLY)
const seconds = (60 * Number(FUZZ_MINUTES)) / parsers.length
const outcomes: Outcome[] = []

let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-fuzz-"))
  await writeSeeds(folder)
  expect(readdirSync(folder).sort()).toEqual([...all].sort())
})

afterAll(() => {
  const failed = outcomes.some(({ failures }) => failures.length > 0)
  if (failed) console.log(`files of failed cases: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
  console.log(`seed ${FUZZ_SEED}`)
  console.table(
    outcomes.map(({ parser, cases, accepted, refused, failures }) => ({
      ...{ parser, cases, accepted, refused },
      failures: failures.length,
    })),
  )
})

describe("mutated files", () => {
  it.each(parsers)(
    "%s",
    async (parser) => {
      const single = FUZZ_CASE !== undefined
      const outcome = await fuzz(
        parser,
        folder,
        Number(FUZZ_SEED),
        single ? 0 : seconds,
        Number(FUZZ_CASE ?? 0),
      )
      outcomes.push(outcome)
      const found = outcome.failures.map(
        ({ n, failure }) => `npm run fuzz -- --seed ${FUZZ_SEED} --only ${parser} --case ${n}\n${failure}`,
      )
      expect(found.join("\n\n")).toBe("")
      expect(outcome.cases).toBeGreaterThan(0)
    },
    2 ** 31 - 1,
  )
})
