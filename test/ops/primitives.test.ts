/** A kind of node that joins the primitives does not compile until every stage says what it does with it. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
mkdirSync(join(root, "out"), { recursive: true })
const copy = mkdtempSync(join(root, "out", "primitives-"))
afterAll(() => rmSync(copy, { recursive: true }))

const packageFile = createRequire(import.meta.url).resolve("typescript/package.json")
const compiler = join(dirname(packageFile), JSON.parse(readFileSync(packageFile, "utf8")).bin.tsc)

/** What of the sources does not compile once a union has another kind of node: a file and the name at fault. */
function failures(union: string): string[] {
  cpSync(join(root, "src"), join(copy, "src"), { recursive: true })
  const program = join(copy, "src/ops/program.ts")
  const text = readFileSync(program, "utf8")
  const extended = text.replace(
    new RegExp(`export type ${union} =(\\s*\\|)?`),
    `export type ${union} = NewNode |`,
  )
  expect(extended).not.toBe(text)
  const node = 'export interface NewNode extends Omit<ProductNode, "kind"> { readonly kind: "new" }'
  writeFileSync(program, `${extended}${node}\n`)
  const options = { extends: "../../tsconfig.json", compilerOptions: { rootDir: "." }, include: ["src"] }
  writeFileSync(join(copy, "tsconfig.json"), JSON.stringify(options))
  let output = ""
  try {
    execFileSync(process.execPath, [compiler, "-p", ".", "--pretty", "false"], { cwd: copy })
  } catch (error) {
    output = String((error as { stdout: Buffer }).stdout)
  }
  return [...output.matchAll(/^src\/(.+?)\((\d+),(\d+)\): error/gm)].map(([, path, line, column]) => {
    const faulty = readFileSync(join(copy, "src", path), "utf8").split("\n")[Number(line) - 1]
    return `${path}: ${/^#?\w*/.exec(faulty.slice(Number(column) - 1))?.[0]}`
  })
}

const stages = [
  "circuit/link/nodes.ts: links",
  "circuit/plan/plan.ts: services",
  "compile/differential.ts: offsets",
  "ops/evaluate.ts: evaluation",
  "ops/traversal.ts: reading",
  "quantize/accuracy.ts: requantizations",
  "quantize/integers/bounds.ts: intervals",
  "quantize/integers/exact.ts: exactly",
  "quantize/canonical/nodes.ts: codecs",
  "quantize/canonical/validate.ts: checks",
]

describe("a new kind of node", () => {
  it("of integer programs asks for a row in the table of every stage, and nothing else", () => {
    expect(failures("IntNode").sort()).toEqual(stages.toSorted())
  })

  it("of real programs as well asks for its quantization too", () => {
    expect(failures("CommonNode").sort()).toEqual(
      [...stages, "ops/operators/intervals.ts: intervals", "quantize/quantizer.ts: #quantized"].sort(),
    )
  })
})
