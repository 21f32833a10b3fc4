/**
 * The harness that measures other provers, with stand-ins for them: whoever proves gets figures, whoever does not is an error.
 * The stand-in for a prover of `.zkey` and `.wtns` is snarkjs behind the same command line.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { groth16 } from "snarkjs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

type Row = Record<string, unknown>
interface Side {
  readonly mode: string
  run(): Promise<Row | undefined>
}
type Proven = Awaited<ReturnType<typeof groth16.prove>>
interface Statement {
  readonly zkey: string
  readonly facts: Row
  witness(): Promise<{ bytes: Uint8Array }>
}
interface Prepared {
  readonly floats: number[]
}
interface Peers {
  parsePeers(list: readonly string[]): Row
  measure(name: string, ours: object, sides: readonly Side[], options?: object): Promise<Row[]>
}

const root = fileURLToPath(new URL("../..", import.meta.url))
const load = async <T>(path: string) => (await import(join(root, "bench", path))) as T
const { parsePeers, measure } = await load<Peers>("peers.mjs")
const { prepare } = await load<{ prepare(network: object, folder: string): Promise<Prepared> }>(
  "peers/prepared.mjs",
)
const { ofPlain } = await load<{ ofPlain(prepared: Prepared): Promise<Statement> }>("peers/statements.mjs")
const { zkeyProverSides } = await load<{
  zkeyProverSides(path: string, statement: Statement): Promise<Side[]>
}>("peers/zkey-prover.mjs")
const { ezklSides } = await load<{
  ezklSides(python: string, prepared: Prepared, say: () => void): Promise<Side[]>
}>("peers/ezkl.mjs")
const { closeSnarkjs } = await load<{ closeSnarkjs(): Promise<void> }>("peers/snarkjs.mjs")
const layers = await load<{
  sequential(shape: number[], steps: unknown[]): object[]
  randomWeights(list: object[], next: () => number): object[]
  toOnnx(name: string, list: object[], weights: object[]): Uint8Array
}>("networks/layers.mjs")
const { generator } = await load<{ generator(seed: number): () => number }>("inputs.mjs")

const folder = mkdtempSync(join(tmpdir(), "countersign-peers-test-"))
let prepared: Prepared
let statement: Statement
/** Of the statement, and of another input under the same key. */
let right: Proven
let ofOther: Proven

/** A program of Node that says what it is. */
function program(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!${process.execPath}\n${text}`)
  chmodSync(path, 0o755)
  return path
}

const door = pathToFileURL(join(createRequire(import.meta.url).resolve("snarkjs"), "../../main.js"))
/** Called as rapidsnark is; `body` writes proofFile and publicFile. */
const standIn = (name: string, body: string) =>
  program(
    `${name}.mjs`,
    `if (process.argv[2] === "--version") { console.log("${name} 1.0"); process.exit() }
import { readFileSync, writeFileSync } from "node:fs"
const [zkey, wtns, proofFile, publicFile] = process.argv.slice(2)
const write = ({ proof, publicSignals }) => {
  writeFileSync(proofFile, JSON.stringify(proof))
  writeFileSync(publicFile, JSON.stringify(publicSignals))
}
${body}
`,
  )
/** One that has its answer already. */
const answering = (name: string, { proof, publicSignals }: Proven) =>
  standIn(name, `write(${JSON.stringify({ proof, publicSignals })})`)

const ours = {
  resident: { facts: { constraints: 7, proofSystem: "mirage" }, run: async () => ({ ms: 2, verifyMs: 1 }) },
  command: { facts: { constraints: 7, proofSystem: "mirage" }, run: async () => ({ ms: 4, verifyMs: 1 }) },
}
const rowsOf = (sides: readonly Side[]) => measure("small", ours, sides, { quick: true })

beforeAll(async () => {
  const list = layers.sequential([6], [["dense", 4], ["relu"], ["dense", 3]])
  const onnx = layers.toOnnx("small", list, layers.randomWeights(list, generator(3)))
  const samples = Array.from({ length: 8 }, (_, k) => ({
    image: Array.from({ length: 6 }, (_, i) => Math.sin(1 + 2.3 * i + k)),
  }))
  const network = (input: object) => ({ name: "small", onnx, samples, input })
  prepared = await prepare(network(samples[1]), join(folder, "small"))
  statement = await ofPlain(prepared)
  const other = await ofPlain(await prepare(network(samples[2]), join(folder, "other")))
  const zkey = { type: "mem" as const, data: new Uint8Array(readFileSync(statement.zkey)) }
  const prove = async ({ witness }: Statement) =>
    groth16.prove(zkey, { type: "mem", data: (await witness()).bytes })
  right = await prove(statement)
  ofOther = await prove(other)
}, 60_000)
afterAll(async () => {
  await closeSnarkjs()
  rmSync(folder, { recursive: true })
})

describe("a prover of .zkey and .wtns", () => {
  it("has a row of the whole process, and one of what it says itself", async () => {
    const path = standIn(
      "stand-in",
      `const { curves, groth16 } = await import("${door}")
write(await groth16.prove(zkey, wtns))
console.error('{"proveMs": 12.5}')
await (await curves.getCurveFromName("bn128")).terminate()`,
    )
    const rows = await rowsOf(await zkeyProverSides(path, statement))
    const [whole, own] = rows
    expect(rows.map(({ mode }) => mode)).toEqual(["process", "resident"])
    expect(whole).toMatchObject({
      name: "small",
      against: "stand-in 1.0, our plain circuit, as a process",
      ms: 4,
      peer: "stand-in",
      peerVersion: "stand-in 1.0",
      constraints: 7,
      otherConstraints: statement.facts.constraints,
      otherProofBytes: 256,
      otherProveMs: 12.5,
    })
    expect(whole.ratio).toBe((whole.otherMs as number) / 4)
    expect(own.ms).toBe(2)
    expect(own.otherMs).toBe(12.5 + (own.otherWitnessMs as number))
  })

  it("has one row if it says nothing", async () => {
    const rows = await rowsOf(await zkeyProverSides(answering("silent", right), statement))
    expect(rows.map(({ mode }) => mode)).toEqual(["process"])
  })

  it("whose proof is wrong is an error and no row", async () => {
    const { proof, publicSignals } = right
    const path = answering("wrong", { proof: { ...proof, pi_c: proof.pi_a }, publicSignals })
    const sides = await zkeyProverSides(path, statement)
    await expect(rowsOf(sides)).rejects.toThrow(/the proof of wrong 1.0 .* is not valid/)
  })

  it("that proves what another input gives is an error and no row", async () => {
    const sides = await zkeyProverSides(answering("other", ofOther), statement)
    await expect(rowsOf(sides)).rejects.toThrow(/the proof of .* shows .* the model says/)
  })

  it("that leaves a public signal out is an error and no row", async () => {
    const short = { ...right, publicSignals: right.publicSignals.slice(1) }
    const sides = await zkeyProverSides(answering("short", short), statement)
    await expect(rowsOf(sides)).rejects.toThrow(/not valid|not enough|public/i)
  })

  it("that crashes is an error with its words, and so is one that writes nothing", async () => {
    const crashing = await zkeyProverSides(standIn("crashing", `throw new Error("out of ideas")`), statement)
    await expect(rowsOf(crashing)).rejects.toThrow(/ended with code 1: .*out of ideas/s)
    const empty = await zkeyProverSides(standIn("empty", ""), statement)
    await expect(rowsOf(empty)).rejects.toThrow(/left no JSON in proof.json/)
  })

  it("that is not there is an error", async () => {
    const sides = await zkeyProverSides(join(folder, "nobody"), statement)
    await expect(rowsOf(sides)).rejects.toThrow(/nobody.*ENOENT/)
  })
})

describe("EZKL", () => {
  /** Answers as ezkl_stage.py does. */
  const python = (name: string, verified: object) =>
    program(
      `${name}.cjs`,
      `const stage = process.argv[3]
console.log("a table of EZKL's")
console.log(JSON.stringify({
  compile: { version: "0", target: "resources", logrows: 5, usedRows: 20, assignments: 40, inputScale: 7, paramScale: 7 },
  setup: { provingKeyBytes: 9, verificationKeyBytes: 3 },
  prove: { witnessMs: 1, proveMs: 2, peakBytes: 4 },
  verify: ${JSON.stringify(verified)},
}[stage]))
`,
    )
  const verdict = { valid: true, reason: "", verifyMs: 1, proofBytes: 5 }
  const say = () => undefined

  it("has a row of its calls and one of the process, with how far its outputs are from the model's", async () => {
    const outputs = prepared.floats.map((x, i) => (i === 0 ? x + 0.25 : x))
    const rows = await rowsOf(await ezklSides(python("right", { ...verdict, outputs }), prepared, say))
    expect(rows.map(({ mode }) => mode)).toEqual(["process", "resident"])
    expect(rows[1]).toMatchObject({ against: "EZKL", ms: 2, otherMs: 3, ratio: 1.5, otherRows: 32 })
    expect(rows[1].otherError).toBeCloseTo(0.25, 9)
    expect(rows[1].otherConstraints).toBeUndefined()
  })

  it("whose verifier refuses the proof is an error", async () => {
    const refused = {
      ...verdict,
      valid: false,
      reason: "constraint system failure",
      outputs: prepared.floats,
    }
    const sides = await ezklSides(python("refused", refused), prepared, say)
    await expect(rowsOf(sides)).rejects.toThrow(/refuses its proof: constraint system failure/)
  })

  it("that shows other numbers of outputs is an error", async () => {
    const sides = await ezklSides(python("few", { ...verdict, outputs: [1] }), prepared, say)
    await expect(rowsOf(sides)).rejects.toThrow(/1 outputs, and the model has 3/)
  })
})

describe("names of peers", () => {
  it("are those that there are", () => {
    expect(parsePeers(["ezkl", "zkey-prover=/a=b", "zkey-prover=c", "arkworks"])).toEqual({
      ezkl: true,
      provers: ["/a=b", "c"],
      arkworks: true,
    })
    expect(parsePeers(["ezkl=python"])).toMatchObject({ ezkl: "python" })
  })

  it.each([
    ["halo", /no peer `halo`; there are: ezkl/],
    ["arkworks=x", /no peer `arkworks=x`/],
    ["zkey-prover", /say which, as zkey-prover=PATH/],
    ["ezkl=", /no path/],
  ])("%s is refused in words", (text, words) => {
    expect(() => parsePeers([text])).toThrow(words)
  })
})
