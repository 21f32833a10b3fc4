/** The command line under mistakes: what is refused, when, with what code, in which words. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { runCircom } from "#src/circuit/gadgets/circom.js"
import { saveCircuit, saveKeys } from "#src/cli/folder.js"
import { compile } from "#src/compile/compile.js"
import { FileError } from "#src/errors.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { lower } from "#src/ops/lower.js"
import { setup } from "#src/prover/open.js"
import { measureAccuracy } from "#src/quantize/accuracy.js"
import { parseSamples } from "#src/quantize/calibration/samples.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import type { VerificationKey } from "#src/systems/verifiers.js"
import { keyDigest } from "#src/verifier/key.js"
import { type Outcome, run, shell, smallModel, writeModel, writeSamples } from "../support/cli.js"

const context = `0x${"c0".repeat(32)}`
let folder: string
let key: VerificationKey
const path = (name: string) => join(folder, name)
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text)
  return path(name)
}

/** A folder as `compile` and `setup` leave it. */
async function prepare(name: string, options: Parameters<typeof compile>[1] = {}): Promise<VerificationKey> {
  const program = lower(importOnnx(smallModel(2)))
  const specs = [{ name: "x", shape: [1, 3] }]
  const { samples } = parseSamples(readFileSync(path("samples.json")), "samples.json", specs)
  const integers = await quantizeProgram(program, { samples })
  const circuit = await compile(integers, options)
  saveCircuit(path(name), circuit, await measureAccuracy(program, integers, samples))
  const keys = await setup(circuit, { dev: true })
  saveKeys(path(name), keys.provingKey, keys.verificationKey)
  return keys.verificationKey
}

const prove = (name: string, out: string, ...more: string[]) =>
  run("prove", path(name), path("input.json"), "--out", path(out), ...more)
const verify = (receipt: string, ...more: string[]) =>
  run("verify", path(receipt), "--key", path("dir/verification.json"), "--allow-dev", ...more)
const compileTo = (out: string, ...more: string[]) =>
  run("compile", path("model.onnx"), "--samples", path("samples.json"), "--out", out, ...more)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-edges-"))
  writeModel(path("model.onnx"), 2)
  writeSamples(path("samples.json"))
  write("input.json", '{"inputs":{"x":[0.5,-0.5,0.25]}}')
  key = await prepare("dir")
  await prepare("committed", { input: "committed", output: "committed" })
  await prepare("shown", { input: "public" })
  const proved = await Promise.all([
    prove("dir", "receipt.json", "--context", context),
    prove("shown", "shown.json", "--context", context),
    prove("dir", "zero.json", "--no-context", "--json"),
  ])
  for (const { code, stderr, stdout } of proved) expect(code, stderr + stdout).toBe(0)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Refused as a mistake of whoever typed it, in these words. */
function refused(outcome: Outcome, words: RegExp): void {
  expect(outcome.stderr).toMatch(words)
  expect(outcome).toMatchObject({ code: 2, stdout: "" })
}

describe("every JSON file", () => {
  it("in which a name occurs twice is refused", async () => {
    const twice = /occurs twice/
    const repeat = (name: string, field: string) =>
      readFileSync(path(name), "utf8").replace(`"${field}":`, `"${field}": null, "${field}":`)
    write("twice-input.json", '{"inputs":{"x":[9,9,9]},"inputs":{"x":[0,0,0]}}')
    write("twice-samples.json", '[{"inputs":{"x":[9,9,9],"x":[0,0,0]}}]')
    write("twice-key.json", repeat("dir/verification.json", "setup"))
    write("twice-receipt.json", repeat("receipt.json", "model"))
    write("twice-salts.json", '{"input":"1","output":"2","input":"3"}')
    write("twice-tfjs.json", '{"modelTopology":{},"modelTopology":{},"weightsManifest":[]}')
    mkdirSync(path("twice"))
    write("twice/circuit.json", repeat("dir/circuit.json", "proofSystem"))
    const [out, receipt] = [path("none"), path("receipt.json")]
    const salts = ["--salts", path("twice-salts.json"), "--reuse-salts", "--no-context"]
    const outcomes = await Promise.all([
      run("run", path("dir"), path("twice-input.json")),
      run("compile", path("model.onnx"), "--samples", path("twice-samples.json"), "--out", out),
      run("compile", path("twice-tfjs.json"), "--samples", path("samples.json"), "--out", out),
      run("verify", receipt, "--key", path("twice-key.json"), "--no-context", "--allow-dev"),
      run("inspect", path("twice")),
      prove("committed", "none.json", ...salts),
    ])
    for (const outcome of outcomes) refused(outcome, twice)
    const invalid = await verify("twice-receipt.json", "--context", context)
    expect(invalid).toMatchObject({ code: 1, stdout: expect.stringMatching(twice) })
  })
})

describe("salts", () => {
  it("are fresh, for their owner's eyes, and never those of another receipt unless that is asked for", async () => {
    const salts = ["--salts", path("salts.json"), "--no-context"]
    const first = await prove("committed", "c1.json", ...salts)
    expect(first.code, first.stderr).toBe(0)
    expect(statSync(path("salts.json")).mode & 0o777).toBe(0o600)
    const drawn = readFileSync(path("salts.json"), "utf8")
    const [again, reused, fresh, unneeded] = await Promise.all([
      prove("committed", "c2.json", ...salts),
      prove("committed", "c3.json", ...salts, "--reuse-salts"),
      prove("committed", "c4.json", "--salts", path("other-salts.json"), "--no-context"),
      prove("dir", "c5.json", ...salts),
    ])
    refused(again, /salts\.json`: exists already.*--reuse-salts/)
    refused(unneeded, /commits to nothing/)
    expect(readFileSync(path("salts.json"), "utf8")).toBe(drawn)
    expect([reused.code, fresh.code]).toEqual([0, 0])
    const commitment = (name: string) =>
      JSON.parse(readFileSync(path(name), "utf8")).statement.input.commitment as string
    expect(commitment("c3.json")).toBe(commitment("c1.json"))
    expect(commitment("c4.json")).not.toBe(commitment("c1.json"))
    expect(readdirSync(folder)).not.toContain("c2.json")
  })
})

describe("verify", () => {
  it("takes no context for granted, and one choice only", async () => {
    const outcomes = await Promise.all([
      verify("zero.json"),
      verify("zero.json", "--context", context, "--no-context"),
      verify("zero.json", "--no-context"),
      prove("dir", "none.json"),
    ])
    refused(outcomes[0], /no context.*--context HEX.*--no-context/)
    refused(outcomes[1], /exclude each other/)
    expect(outcomes[2].code).toBe(0)
    refused(outcomes[3], /no context/)
  })

  it("pins the key by its digest", async () => {
    const [right, wrong] = await Promise.all([
      verify("receipt.json", "--context", context, "--json", "--key-digest", keyDigest(key).toUpperCase()),
      verify("receipt.json", "--context", context, "--key-digest", context),
    ])
    expect(right).toMatchObject({
      code: 0,
      json: { valid: true, key: { pinned: true, digest: keyDigest(key) } },
    })
    refused(wrong, /the key is another one.*--key-digest/)
  })

  it("says what it took from where, and what the integers mean", async () => {
    const shown = [
      "shown.json",
      "--key",
      path("shown/verification.json"),
      "--allow-dev",
      "--context",
      context,
    ]
    const [text, json, ran, other] = await Promise.all([
      verify("receipt.json", "--context", context, "--model", key.model),
      run("verify", path(shown[0]), ...shown.slice(1), "--json"),
      run("run", path("shown"), path("input.json"), "--json"),
      run("verify", path("receipt.json"), ...shown.slice(1)),
    ])
    expect(text.code).toBe(0)
    const lines = text.stdout.trimEnd().split("\n")
    expect(lines).toEqual([
      "valid",
      expect.stringContaining(`key      ${keyDigest(key)} (from ${path("dir/verification.json")}`),
      expect.stringContaining("development"),
      `model    ${key.model} (from --model)`,
      `context  ${context} (--context)`,
      "input    hidden",
      expect.stringMatching(/^output {3}y \[1, 2\]: -?\d\S* -?\d\S*; largest: element [01]$/),
    ])
    const { outputs } = ran.json as { outputs: { y: number[] } }
    expect(json.json).toMatchObject({
      valid: true,
      reason: null,
      model: { digest: key.model, from: "the key" },
      context: { bytes: context, from: "--context" },
      input: { visibility: "public", tensors: [{ name: "x", shape: [1, 3], scale: expect.any(Number) }] },
      output: { tensors: [{ name: "y", values: outputs.y, largest: outputs.y[0] < outputs.y[1] ? 1 : 0 }] },
    })
    // a receipt of another key: here the layout tells
    expect(other).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/input is hidden, the key's is public/),
    })
  })

  it("says that a receipt may be another key's where only the proof tells", async () => {
    await prepare("second")
    const second = ["--key", path("second/verification.json"), "--allow-dev", "--context", context]
    const outcome = await run("verify", path("receipt.json"), ...second)
    expect(outcome.code).toBe(1)
    expect(outcome.stdout).toMatch(/not valid: .*under this key: it may be another key's/)
  })
})

describe("exit codes", () => {
  it("a path that cannot be written is the user's mistake, told before anything is done", async () => {
    const nowhere = path("missing.onnx") // it does not exist, and nobody gets as far as to notice
    const early = (out: string) => run("compile", nowhere, "--samples", path("samples.json"), "--out", out)
    const long = "n".repeat(256)
    const outcomes = await Promise.all([
      early(path("model.onnx")),
      early(path("model.onnx/under")),
      early(path(long)),
      prove("dir", "dir", "--no-context"),
      prove("dir", "model.onnx/receipt.json", "--no-context"),
      prove("dir", "no/such/folder.json", "--no-context"),
      prove("dir", long, "--no-context"),
      run("prove", path("dir"), folder, "--out", path("none.json"), "--no-context"),
      run("export", "r1cs", path("dir"), "--out", "/proc/none.r1cs"),
      run("export", "r1cs", path("dir"), "--out", "/dev/null"),
      run("setup", path("model.onnx"), "--dev"),
      verify(".", "--no-context"),
    ])
    const reasons = [
      /is a file/,
      /is a file|not a folder/,
      /too long/,
      /it is a folder/,
      /is a file, not a folder/,
      /does not exist/,
      /too long/,
      /is a folder/,
      /none\.r1cs`: cannot be written/,
      /no ordinary file/,
      /is a file, not a folder|does not exist/,
      /is a folder/,
    ]
    outcomes.forEach((outcome, i) => {
      refused(outcome, reasons[i])
    })
    expect(statSync("/dev/null").isFile()).toBe(false)
  })

  it("every legal name can be written, and nothing else is left in the folder", async () => {
    mkdirSync(path("long"))
    const name = `${"n".repeat(250)}.json`
    const outcome = await run(
      "prove",
      path("dir"),
      path("input.json"),
      "--out",
      path(`long/${name}`),
      "--no-context",
    )
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(readdirSync(path("long"))).toEqual([name])
  })

  it("a standard output that takes nothing does not make a valid receipt invalid, nor an invalid one valid", () => {
    const line = `countersign verify ${path("receipt.json")} --key ${path("dir/verification.json")} --context ${context}`
    expect(shell(`${line} --allow-dev > /dev/full`)).toEqual({
      code: 2,
      stderr: expect.stringMatching(/^error: standard output: ENOSPC/),
    })
    expect(shell(`${line} > /dev/full`).code).toBe(1)
    // whoever reads has gone: the verdict stays
    expect(shell(`${line} --allow-dev | true`)).toEqual({ code: 0, stderr: "" })
  })

  it("with --json, wherever it stands, a mistake in the arguments is one object on standard output", async () => {
    const outcomes = await Promise.all([
      run("frobnicate", "--json"),
      run("--json", "verify", "--bogus"),
      run("verify", "--json", path("receipt.json")),
      run("inspect", "--json"),
      run("compile", path("model.onnx"), "--out", "--json"),
      run("--json"),
    ])
    const messages = [
      /unknown command/,
      /unknown option/,
      /--key/,
      /missing required argument/,
      /'--out <folder>' argument missing/,
      /no command/,
    ]
    outcomes.forEach(({ code, json, stderr }, i) => {
      expect(code).toBe(2)
      expect(json).toEqual({ error: { name: "UsageError", message: expect.stringMatching(messages[i]) } })
      expect(stderr).toBe("")
    })
  })

  it("a folder for temporary files that cannot be used is no fault of ours", async () => {
    const before = process.env.TMPDIR
    process.env.TMPDIR = path("model.onnx")
    try {
      await expect(runCircom("")).rejects.toThrow(FileError)
    } finally {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
    }
  })
})

describe("the order of work", () => {
  it("setup keeps keys that are there, unless --force", async () => {
    await prepare("keys")
    const before = readFileSync(path("keys/proving.key"))
    const kept = await run("setup", path("keys"), "--dev")
    refused(kept, /proving\.key and verification\.json, dev key 0x[0-9a-f]{64}.*--force/)
    expect(readFileSync(path("keys/proving.key")).equals(before)).toBe(true)
    const forced = await run("setup", path("keys"), "--dev", "--force")
    expect(forced.code, forced.stderr).toBe(0)
    expect(readFileSync(path("keys/proving.key")).equals(before)).toBe(false)
  })

  it("an input out of range, or another circuit's key, is refused before a proof", async () => {
    write("far.json", '{"inputs":{"x":[500,0,0]}}')
    mkdirSync(path("mixed"))
    for (const name of ["circuit.json", "model.bin"]) write(`mixed/${name}`, "")
    for (const name of ["circuit.json", "model.bin"])
      writeFileSync(path(`mixed/${name}`), readFileSync(path(`committed/${name}`)))
    for (const name of ["proving.key", "verification.json"])
      writeFileSync(path(`mixed/${name}`), readFileSync(path(`dir/${name}`)))
    const [far, mixed] = await Promise.all([
      run("prove", path("dir"), path("far.json"), "--out", path("none.json"), "--no-context"),
      prove("mixed", "none.json", "--no-context", "--salts", path("mixed-salts.json")),
    ])
    refused(far, /outside the range.*clamp it with --clamp/)
    expect(far.stderr).not.toContain("memory")
    refused(mixed, /belongs to another circuit/)
    expect(readdirSync(folder)).not.toContain("mixed-salts.json")
  })
})

describe("words", () => {
  it("are those of the command line", async () => {
    const outcomes = await Promise.all([
      compileTo(path("none"), "--max-constraints", "10"),
      compileTo(path("none"), "--precision", "40"),
      compileTo(path("none"), "--proof-system", "stark"),
      compileTo(path("none"), "--proof-system", "groth16", "--input", "committed"),
      compileTo(path("none"), "--sample", "x"),
      compileTo(path("none"), "--dimension", "batch"),
    ])
    const messages = [
      /raise --max-constraints/,
      /--precision; expected a whole number from 6 to 14/,
      /--proof-system; expected mirage or groth16 or plonk or fflonk/,
      /Use --proof-system mirage/,
      /unknown option '--sample'\n\(Did you mean --samples\?\)/,
      /--dimension; expected NAME=VALUE/,
    ]
    outcomes.forEach((outcome, i) => {
      refused(outcome, messages[i])
    })
  })

  it("compile says how the models agree also without labels, and warns of samples that cannot be right", async () => {
    write("one.json", '[{"inputs":{"x":[1,-1,1]}}]')
    writeSamples(path("odd.json"), [{ inputs: { x: [1, 1, 1] }, label: 7 }])
    const model = path("model.onnx")
    const [one, odd] = await Promise.all([
      // the model's path comes after the dimension, which does not swallow it
      run("compile", "--samples", path("one.json"), "--out", path("one"), "--dimension", "batch=1", model),
      run("compile", model, "--samples", path("odd.json"), "--out", path("odd"), "--json"),
    ])
    expect(one.code, one.stderr).toBe(0)
    expect(one.stdout).toMatch(/^agreement {4}100\.00 % of 1 samples.*\nerror {8}y: at most \d/m)
    expect(one.stdout).not.toContain("accuracy")
    expect(one.stderr).toMatch(/^warning: one sample only/)
    expect(odd).toMatchObject({
      code: 0,
      stderr: "",
      json: {
        warnings: [expect.stringMatching(/^1 of 12 labels.*outside of output `y`.*2 elements.*label 7/)],
      },
    })
  })
})
