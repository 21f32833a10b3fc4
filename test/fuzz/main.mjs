/** `npm run fuzz -- --minutes N --seed S --only PARSER --case N`: the fuzzer of test/fuzz/fuzz.test.ts, for longer. */
import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
    only: { type: "string" },
    case: { type: "string" },
  },
})
const env = {
  ...process.env,
  FUZZ_MINUTES: values.minutes,
  FUZZ_SEED: values.seed,
  ...(values.only ? { FUZZ_ONLY: values.only } : {}),
  ...(values.case ? { FUZZ_CASE: values.case } : {}),
}
const { status } = spawnSync("npx", ["vitest", "run", "test/fuzz/fuzz.test.ts"], { stdio: "inherit", env })
process.exitCode = status ?? 1
