/**
 * Folders of models with private weights: two trainings of one architecture have the same files and are told the same, byte
 * for byte and line by line; no file but the owner's has a weight in it; and without that file one can verify, and not run.
 */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { rebuildCircuit } from "#src/compile/description.js"
import { execute } from "#src/prover/execute.js"
import { ByteWriter } from "#src/quantize/canonical/bytes.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { readWeights } from "#src/quantize/canonical/weights.js"
import { secretsOf } from "#src/quantize/integers/secrets.js"
import { run } from "../support/cli.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { Random } from "../support/random.js"

/** A convolution, a residual addition and a dense layer; `change` makes another training of it. */
function model(change: (x: number) => number): Uint8Array {
  const random = new Random(3)
  const weights = (shape: number[]) => ({
    shape,
    data: random.reals(shape.reduce((a, b) => a * b)).map(change),
  })
  return encodeOnnx({
    inputs: [{ name: "x", shape: [1, 1, 5, 5] }],
    outputs: ["y"],
    initializers: {
      w: weights([3, 1, 3, 3]),
      b: weights([3]),
      u: weights([3, 3, 1, 1]),
      v: weights([4, 27]),
      c: weights([4]),
    },
    nodes: [
      { operator: "Conv", inputs: ["x", "w", "b"], outputs: ["a"] },
      { operator: "Relu", inputs: ["a"], outputs: ["r"] },
      { operator: "Conv", inputs: ["r", "u"], outputs: ["s"] },
      { operator: "Add", inputs: ["r", "s"], outputs: ["t"] },
      { operator: "Relu", inputs: ["t"], outputs: ["o"] },
      { operator: "Flatten", inputs: ["o"], outputs: ["f"] },
      { operator: "Gemm", inputs: ["f", "v", "c"], outputs: ["y"], attributes: { transB: 1 } },
    ],
  })
}

const folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
const path = (name: string) => join(folder, name)
const [a, b] = [path("a"), path("b")]
const secret = "weights.secret"
const context = `0x${"11".repeat(32)}`
const printed = new Map<string, string>()
/** What `inspect --html` writes of both. */
const pages: string[] = []

/** Runs a command on a folder, and keeps what it prints but for times and the folder's name. */
async function told(name: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect(stderr.replace(/^(\[.*|memory .*|.*\r)$/gm, ""), args.join(" ")).not.toMatch(/rror/)
  expect(code, `${args.join(" ")}: ${stderr}`).toBe(0)
  const text = stdout
    .replaceAll(a, "FOLDER")
    .replaceAll(b, "FOLDER")
    .replace(/\d+ ms|"(ms|prove|witness|total)": \d+/g, "TIME")
    // decimal points are of a length by chance
    .replace(/"verificationKey":\d+|"htmlBytes":\d+/g, "LENGTH")
  printed.set(name, text)
  return text
}

/** What only its owner is told of a model: how well it is proven. */
const ownersLines = /^(agreement|error|near ties|accuracy|shares| {13}).*\n/gm

beforeAll(async () => {
  const random = new Random(5)
  const one = random.reals(5)
  writeFileSync(
    path("a.onnx"),
    model((x) => x),
  )
  // from weight to weight another factor
  let i = 0
  writeFileSync(
    path("b.onnx"),
    model((x) => x * (0.8 + 0.03 * ((i += 5) % 7))),
  )
  writeFileSync(path("input.json"), JSON.stringify({ inputs: { x: random.reals(25) } }))
  writeFileSync(
    path("samples.json"),
    JSON.stringify(Array.from({ length: 12 }, () => ({ inputs: { x: random.reals(25) } }))),
  )
  expect(one).toHaveLength(5)
  const samples = ["--samples", path("samples.json")]
  await told("compile a", "compile", path("a.onnx"), ...samples, "--out", a, "--weights", "private")
  await told("compile b", "compile", path("b.onnx"), ...samples, "--out", b, "--like", a)
  await told("setup", "setup", a, "--dev")
  copyFileSync(join(a, "proving.key"), join(b, "proving.key"))
  for (const name of ["a", "b"]) {
    const each = path(name)
    await told(`commit ${name}`, "commit", each)
    await told(`inspect ${name}`, "inspect", each)
    await told(`inspect json ${name}`, "inspect", each, "--json", "--html", path("page.html"))
    pages.push(readFileSync(path("page.html"), "utf8"))
    await told(`circom ${name}`, "export", "key", each, "--allow-dev", "--out", path(`${name}.key`))
    await told(
      `prove ${name}`,
      "prove",
      each,
      path("input.json"),
      "--out",
      path(`${name}.receipt`),
      "--context",
      context,
    )
    await told(`check ${name}`, "commit", each, "--check")
  }
}, 240_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The names of files in a folder that others may have. */
const filesOf = (of: string) => readdirSync(of).filter((name) => name !== secret)

describe("folders of private weights", () => {
  it("have the same files for every training, but for the commitment", () => {
    expect(filesOf(a).sort()).toEqual(filesOf(b).sort())
    for (const name of filesOf(a).filter((each) => each !== "verification.json"))
      expect(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), name).toBe(true)
    // a page says of which key it is, and of the weights nothing
    const [page, otherPage] = pages.map((text) =>
      text.replace(/<title>.*<.title>|<h1 .*<.h1>|<dt>(Key|Verification key)<.dt>.*?<.dd>/g, ""),
    )
    expect(page.length).toBeGreaterThan(10_000)
    expect(page).toBe(otherPage)
    const [one, other] = [a, b].map((each) =>
      JSON.parse(readFileSync(join(each, "verification.json"), "utf8")),
    )
    expect(one.points.weights).not.toEqual(other.points.weights)
    expect(one.model).not.toBe(other.model)
    for (const key of [one, other]) {
      key.points.weights = null
      key.model = null
    }
    expect(one).toEqual(other)
  })

  it("are told of in the same lines, but for digests and what their owner compiles them for", () => {
    const digests = /0x[0-9a-f]{64}/g
    for (const [name, text] of printed) {
      if (!name.endsWith(" a")) continue
      const other = printed.get(name.replace(/ a$/, " b")) ?? ""
      const lines = [text, other].map((each) => each.replace(ownersLines, "").replace(digests, "DIGEST"))
      expect(lines[0].length, name).toBeGreaterThan(10)
      expect(lines[0], name).toBe(lines[1])
    }
  })

  it("have no weight in any file but their owner's", () => {
    const graph = deserialize(readFileSync(join(a, "model.bin")))
    const secrets = secretsOf(readWeights(readFileSync(join(a, secret)), graph).graph)
    const run = 6
    const encodings = (values: Float64Array): Buffer[] => {
      const w = new ByteWriter()
      for (const x of values) w.int(x)
      return [
        Buffer.from(w.bytes()),
        Buffer.from(values.join(",")),
        Buffer.from(values.join(", ")),
        Buffer.from(Int16Array.from(values).buffer),
        Buffer.from(Int32Array.from(values).buffer),
        Buffer.from(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength)),
      ]
    }
    const files = [...filesOf(a).map((name) => join(a, name)), path("a.key"), path("a.receipt")].map(
      (name) => [name, readFileSync(name)] as const,
    )
    for (let i = 0; i + run <= secrets.length; i++) {
      const values = secrets.slice(i, i + run)
      if (new Set(values).size < 3) continue
      for (const needle of encodings(values))
        for (const [name, bytes] of files) expect(bytes.includes(needle), name).toBe(false)
      for (const [name, text] of printed)
        expect(text.includes(values.join(" ")) || text.includes(values.join(", ")), name).toBe(false)
    }
    // the search finds what is there
    const fixed = Buffer.concat([Buffer.from([1, 2]), encodings(secrets.slice(3, 3 + run))[0]])
    expect(fixed.includes(encodings(secrets.slice(3, 3 + run))[0])).toBe(true)
    const info = JSON.parse(readFileSync(join(a, "circuit.json"), "utf8"))
    expect(info).not.toHaveProperty("accuracy")
    expect(info.weights).toBe("private")
  })

  it("do not leave for tools that would take them for plain circuits", async () => {
    for (const what of ["circom", "r1cs"]) {
      const { code, stderr } = await run("export", what, a, "--out", path("plain"))
      expect(code, what).toBe(2)
      expect(stderr).toMatch(/none for other tools/)
    }
  })

  it("keep the weights for their owner's eyes", () => {
    if (process.platform !== "win32")
      for (const each of [a, b]) expect(statSync(join(each, secret)).mode & 0o777).toBe(0o600)
  })

  it("are of the model that their key says, for whoever claims something of it", async () => {
    const files = (of: string) => ({
      model: readFileSync(join(of, "model.bin")),
      circuit: JSON.parse(readFileSync(join(of, "circuit.json"), "utf8")),
      gadgets: JSON.parse(readFileSync(join(of, "gadgets.json"), "utf8")),
    })
    const keyOf = (of: string) => JSON.parse(readFileSync(join(of, "verification.json"), "utf8"))
    const circuit = await rebuildCircuit({ ...files(a), weights: readFileSync(join(a, secret)) })
    const { inputs: input } = JSON.parse(readFileSync(path("input.json"), "utf8"))
    const said = execute(circuit, input, { verificationKey: keyOf(a), clampInputs: true })
    const receipt = JSON.parse(readFileSync(path("a.receipt"), "utf8"))
    expect({ ...said.statement, context }).toEqual(receipt.statement)
    expect(said.statement.model).toBe(keyOf(a).model)
    expect(said.statement.model).not.toBe(circuit.model)
    const bare = await rebuildCircuit(files(a))
    expect(() => execute(bare, input, { clampInputs: true })).toThrow(/private weights/)
    const other = { ...keyOf(a), architecture: `0x${"00".repeat(32)}` }
    expect(() => execute(circuit, input, { verificationKey: other, clampInputs: true })).toThrow(
      /another model/,
    )
  })

  it("do not take the weights of another model, and keep a commitment", async () => {
    const samples = ["--samples", path("samples.json")]
    const before = readFileSync(join(a, secret))
    const other = await run("compile", path("b.onnx"), ...samples, "--out", a, "--like", b)
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(/already holds the private weights of another model/)
    expect(readFileSync(join(a, secret)).equals(before)).toBe(true)
    const same = await run("compile", path("a.onnx"), ...samples, "--out", a, "--like", a)
    expect(same.code, same.stderr).toBe(0)
    expect(readFileSync(join(a, secret)).equals(before)).toBe(true)
  })

  it("without the weights verify and are audited, and say why they prove nothing", async () => {
    rmSync(join(b, secret))
    const audited = await run("audit", b)
    expect(audited.code, audited.stderr + audited.stdout).toBe(0)
    const key = JSON.parse(readFileSync(join(b, "verification.json"), "utf8"))
    const verified = await run(
      "verify",
      path("b.receipt"),
      ...["--key", join(b, "verification.json"), "--model", key.model, "--context", context, "--allow-dev"],
    )
    expect(verified.code, verified.stderr).toBe(0)
    for (const args of [
      ["run", b, path("input.json")],
      ["prove", b, path("input.json"), "--out", path("none.json"), "--context", context],
      ["commit", b],
    ]) {
      const { code, stderr } = await run(...args)
      expect(code, args.join(" ")).toBe(2)
      expect(stderr).toMatch(/the weights are private, and not in the folder/)
    }
    const inspected = await run("inspect", b)
    expect(inspected.code, inspected.stderr).toBe(0)
  }, 120_000)
})
