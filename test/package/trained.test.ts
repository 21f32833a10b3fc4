/**
 * examples/sklearn and examples/keras: from somebody's training script to a receipt, out of the tarball in an empty
 * folder, by the commands of their READMEs. What the integers say is compared with what scikit-learn and Keras said of
 * the same rows when the script ran. With FULL=1 and a Python that has the packages (PYTHON, or python3), the scripts
 * run, too, and what they write goes the same way.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parseVerificationKey, verify } from "#src/verifier/index.js"
import { installed, root } from "../support/installed.js"
import { type Newcomer, newcomer } from "../support/newcomer.js"

interface Row {
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly label: string | number
  readonly probabilities: readonly number[]
}
interface Expected {
  readonly "made with": string
  readonly classes?: readonly string[]
  readonly unseen: readonly Row[]
}

const cases = [
  { name: "sklearn", out: "tumours", model: "model.onnx", tolerance: 1e-5, packages: "sklearn, skl2onnx" },
  { name: "keras", out: "digits", model: "model.keras", tolerance: 0.01, packages: "keras, jax, sklearn" },
] as const

/** A program of the project's: the model on every row, by the installed package. */
const runAll = (out: string) => `
import { readFileSync, writeFileSync } from "node:fs"
import { execute, realValues, rebuildCircuit } from "countersign"
const json = (name) => JSON.parse(readFileSync(name, "utf8"))
const at = (name) => "${out}/" + name
const circuit = await rebuildCircuit({
  model: readFileSync(at("model.bin")), circuit: json(at("circuit.json")), gadgets: json(at("gadgets.json")),
})
const { layout } = json(at("verification.json"))
const said = json("expected.json").unseen.map(({ inputs }) => {
  const { statement } = execute(circuit, inputs, { clampInputs: true })
  return realValues(statement, layout).outputs.map(({ name, values }) => [name, Array.from(values)])
})
writeFileSync("said.json", JSON.stringify({ said, outputs: layout.outputs }))
`

interface Output {
  readonly name: string
  readonly labels?: { readonly of: string; readonly names: readonly string[] }
}

/** What is said of each row: the class by name, and its probability in every class of `expected.classes`. */
function read(at: Newcomer, { classes }: Expected) {
  const { said, outputs } = JSON.parse(readFileSync(at.path("said.json"), "utf8")) as {
    said: [string, number[]][][]
    outputs: Output[]
  }
  const last = outputs.at(-1) as Output
  const columns = last.labels?.names ?? Array.from({ length: 10 }, (_, digit) => String(digit))
  return said.map((row) => {
    const probabilities = row.at(-1)?.[1] ?? []
    const of = (column: string) => probabilities[columns.indexOf(column)]
    const largest = columns[probabilities.indexOf(Math.max(...probabilities))]
    const [place] = row[0][1]
    const label = outputs.length > 1 ? outputs[0].labels?.names[place] : largest
    return { label, largest, probabilities: (classes ?? columns).map(of) }
  })
}

let above: string
beforeAll(() => {
  above = installed()
}, 60_000)
afterAll(() => rmSync(above, { recursive: true, force: true }))

describe.each(cases)("examples/$name", ({ name, out, model, tolerance, packages }) => {
  const steps = async (at: Newcomer) => {
    const [commands, ...others] = at.blocks("sh")
    expect(others).toEqual([])
    expect(commands).toContain(`countersign compile ${model}`)
    return await at.shell(commands)
  }
  const compare = (at: Newcomer) => {
    writeFileSync(at.path("all.mjs"), runAll(out))
    execFileSync(process.execPath, ["all.mjs"], { cwd: at.folder, stdio: "pipe" })
    const expected = JSON.parse(readFileSync(at.path("expected.json"), "utf8")) as Expected
    const said = read(at, expected)
    expect(said.length).toBe(12)
    for (const [i, row] of said.entries()) {
      const { label, probabilities } = expected.unseen[i]
      expect({ i, label: row.label, largest: row.largest }).toEqual({
        i,
        label: String(label),
        largest: String(label),
      })
      expect(row.probabilities.length).toBe(probabilities.length)
      for (const [j, p] of row.probabilities.entries())
        expect(Math.abs(p - probabilities[j]), `row ${i}, class ${j}: ${p}`).toBeLessThan(tolerance)
    }
    return { expected, said }
  }

  it("goes from the trained file to a receipt that says what the framework said", async () => {
    const at = newcomer(name, above)
    const printed = await steps(at)
    expect(printed).toMatch(/^valid$/m)
    const { expected, said } = compare(at)
    // the receipt is of the first row
    const input = JSON.parse(readFileSync(at.path("input.json"), "utf8"))
    expect(input.inputs).toEqual(expected.unseen[0].inputs)
    const receipt = JSON.parse(readFileSync(at.path("receipt.json"), "utf8"))
    expect(receipt.statement.input).toEqual({ visibility: "hidden" })
    expect(printed.slice(printed.indexOf("valid"))).toContain(
      name === "sklearn" ? JSON.stringify(said[0].label) : `largest: element ${said[0].label}`,
    )
    // and of no other
    const { values } = receipt.statement.output
    const [first] = Object.keys(values)
    const changed = values[first].with(0, String(Number(values[first][0]) === 0 ? 1 : 0))
    const forged = {
      ...receipt,
      statement: {
        ...receipt.statement,
        output: { ...receipt.statement.output, values: { ...values, [first]: changed } },
      },
    }
    const key = parseVerificationKey(readFileSync(at.path(`${out}/verification.json`), "utf8"))
    const { context } = receipt.statement
    const verdicts = [receipt, forged].map((given) =>
      verify(given, { verificationKey: key, model: key.model, context, allowDev: true }),
    )
    expect(verdicts).toEqual([true, false])
  }, 240_000)

  it("ships small files, with the versions that wrote them", () => {
    const of = (file: string) => readFileSync(join(root, "examples", name, file))
    const { "made with": versions } = JSON.parse(of("expected.json").toString()) as Expected
    for (const [, module, version] of of("requirements.txt")
      .toString()
      .matchAll(/^([\w-]+)==(\S+)$/gm)) {
      if (["scipy", "jax", "onnx"].includes(module) || (name === "keras" && module === "scikit-learn"))
        continue
      expect(versions.toLowerCase()).toContain(`${module} ${version}`)
    }
    for (const file of [model, "samples.npz", "expected.json"]) expect(of(file).length).toBeLessThan(150_000)
  })

  const python = process.env.PYTHON ?? "python3"
  const env = { ...process.env, KERAS_BACKEND: "jax" }
  const has = () => spawnSync(python, ["-c", `import ${packages}`], { env }).status === 0
  it.runIf(process.env.FULL)(
    "trains anew, and that goes through",
    async (context) => {
      if (!has()) context.skip(`${python} has no ${packages}: PYTHON names another`)
      const at = newcomer(name, join(above))
      rmSync(at.path(out), { recursive: true, force: true })
      for (const file of [model, "samples.npz", "input.json", "expected.json"]) rmSync(at.path(file))
      const trained = spawnSync(python, ["train.py"], { cwd: at.folder, env, encoding: "utf8" })
      expect(trained.status, trained.stderr).toBe(0)
      expect(await steps(at)).toMatch(/^valid$/m)
      compare(at)
    },
    600_000,
  )
})
