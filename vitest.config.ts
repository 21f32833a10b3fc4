import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Files that take longest begin first, so that no worker is left with one of them when the others are done. */
const long = [
  "ceremony/attacks",
  "ops/operators",
  "fuzz/fuzz",
  "systems/universal/keys",
  "examples/story",
  "arguments",
  "model/hostile",
  "prover/kernels/msm",
  "cli/universal",
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = long.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
      return at < 0 ? long.length : at
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // what is built runs as Node loads it: neither transformed first, nor slower for it
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: "forks",
    maxWorkers: Number(process.env.WORKERS ?? 2),
    sequence: { sequencer: LongestFirst },
  },
})
