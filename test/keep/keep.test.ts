/** The operator's store: what it gives back, whom it lets in, and files that somebody has changed. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  attest,
  attestationDigest,
  type Evidence,
  evidenceDigest,
  signAttestation,
} from "#src/attest/index.js"
import { compile } from "#src/compile/compile.js"
import { FileError, UsageError } from "#src/errors.js"
import { executeKept, type Kept, keep, keptInput, listKept, pruneKept, readKept } from "#src/keep/index.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { type Executed, execute } from "#src/prover/execute.js"
import { quantize } from "#src/quantize/quantize.js"
import type { Hex } from "#src/statement/strict.js"
import type { Circuit } from "#src/systems/index.js"
import type { VerificationKey } from "#src/systems/verifiers.js"
import { parseVerificationKey } from "#src/verifier/key.js"
import { addressOf, digest, operator } from "../support/attestations.js"
import { smallModel } from "../support/cli.js"
import { mirageKeyJson } from "../support/mirage-oracle.js"

let folder: string
let circuit: Circuit
let verificationKey: VerificationKey
let executed: Executed
const salts = { input: 12345678901234567890n, output: 7n }
const evidence: Evidence = {
  version: 1,
  started: 1000,
  ended: 1001,
  software: "test",
  transcript: null,
  quantization: null,
  reference: null,
  verifiedBy: [],
  other: {},
}

const store = (name: string) => join(folder, name)
/** Something to keep; other issue times are other attestations. */
async function keptOf(issued: number, change: Partial<Kept> = {}): Promise<Kept> {
  const claim = attest(
    { statement: executed.statement, verificationKey },
    {
      operator: addressOf(operator),
      policy: digest("1"),
      evidence: evidenceDigest(evidence),
      started: issued,
      issued,
      validUntil: issued + 1000,
    },
  )
  const attestation = await signAttestation(claim, "offline", operator)
  return { attestation, evidence, input: executed.input, salts, retainUntil: issued + 5000, ...change }
}
const digestIn = ({ attestation }: Kept): Hex => {
  const { domain, signature, ...claim } = attestation
  return attestationDigest(claim, domain)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-keep-"))
  const samples = [{ x: [0.5, -0.5, 0.25] }, { x: [1, -1, 1] }]
  const graph = await quantize(importOnnx(smallModel(7)), { samples })
  circuit = await compile(graph, { input: "committed", output: "committed" })
  const { key } = mirageKeyJson(circuit.layout)
  verificationKey = parseVerificationKey({ ...key, model: circuit.model })
  executed = execute(circuit, samples[0], { salts })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("a store", () => {
  let kept: Kept
  beforeAll(async () => {
    kept = await keptOf(1000)
  })

  it("gives back what was kept, to its owner alone, and never overwrites", () => {
    const path = keep(store("one"), kept)
    expect(basename(path)).toBe(`${digestIn(kept).slice(2)}.json`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(store("one")).mode & 0o777).toBe(0o700)
    expect(readKept(store("one"), digestIn(kept))).toEqual(kept)
    expect(listKept(store("one"))).toEqual([digestIn(kept)])
    expect(() => keep(store("one"), kept)).toThrow(/exists already/)
    expect(readdirSync(store("one"))).toHaveLength(1)
    expect(() => readKept(store("one"), digest("9"))).toThrow(/Nothing is kept/)
  })

  it("lets the same be run and proven again, from integers that come back exactly", async () => {
    const again = executeKept(circuit, kept, verificationKey)
    expect(again.input).toEqual(kept.input)
    expect(again.statement).toEqual({ ...executed.statement, context: digestIn(kept) })
    const { scale } = circuit.layout.inputs[0]
    expect(keptInput(kept, circuit).x).toEqual(kept.input.x.map((q) => Number(q) * scale))
  })

  it("names what differs when input, salts, key or model are not those that were attested", async () => {
    const other = parseVerificationKey({
      ...mirageKeyJson(circuit.layout, { seed: "b" }).key,
      model: circuit.model,
    })
    const [first, ...rest] = kept.input.x
    const changes: [Kept, VerificationKey, RegExp][] = [
      [{ ...kept, input: { x: [`${Number(first) - 1}`, ...rest] } }, verificationKey, /its input is/],
      [{ ...kept, salts: { ...salts, input: 1n } }, verificationKey, /its input is/],
      [{ ...kept, salts: { ...salts, output: 1n } }, verificationKey, /its output is/],
      [kept, other, /its key is/],
    ]
    for (const [changed, key, message] of changes)
      expect(() => executeKept(circuit, changed, key)).toThrow(message)
    expect(() => executeKept(circuit, { ...kept, input: { y: ["1"] } }, verificationKey)).toThrow(UsageError)
  })

  it("is refused where others may look, or where it is no folder", async () => {
    mkdirSync(store("open"))
    chmodSync(store("open"), 0o750)
    expect(() => keep(store("open"), kept)).toThrow(/permissions 700/)
    expect(() => listKept(store("open"))).toThrow(/permissions 700/)
    writeFileSync(store("file"), "")
    expect(() => keep(store("file"), kept)).toThrow(UsageError)
    keep(store("real"), kept)
    symlinkSync(store("real"), store("link"))
    expect(() => readKept(store("link"), digestIn(kept))).toThrow(/is no folder/)
    expect(() => listKept(store("missing"))).toThrow(/does not exist/)
  })

  it("keeps nothing for a shorter time than it is valid, nor with evidence that is another's", async () => {
    expect(() => keep(store("bad"), { ...kept, retainUntil: 1999 })).toThrow(/shorter time/)
    expect(() => keep(store("bad"), { ...kept, evidence: null })).toThrow(FileError)
    expect(() => keep(store("bad"), { ...kept, evidence: { ...evidence, software: "x" } })).toThrow(FileError)
    expect(() => keep(store("bad"), { ...kept, salts: { input: -1n } })).toThrow(FileError)
  })
  it("is read as a stranger's: every edit is refused", async () => {
    const path = keep(store("edited"), kept)
    const text = readFileSync(path, "utf8")
    const given = JSON.parse(text)
    const edits: unknown[] = [
      { ...given, extra: 1 },
      { ...given, version: 2 },
      { ...given, salts: { input: "1" } },
      { ...given, salts: { input: "01", output: null } },
      { ...given, salts: { input: `${2n ** 254n}`, output: null } },
      { ...given, input: { x: [1, 2, 3] } },
      { ...given, input: [] },
      { ...given, retainUntil: 1 },
      { ...given, retainUntil: "5000" },
      { ...given, evidence: null },
      { ...given, attestation: { ...given.attestation, issued: given.attestation.issued + 1 } },
      {
        ...given,
        attestation: {
          ...given.attestation,
          domain: { chainId: 1, verifyingContract: `0x${"1".repeat(40)}` },
        },
      },
      [],
      null,
    ]
    for (const edit of edits) {
      writeFileSync(path, JSON.stringify(edit))
      expect(() => readKept(store("edited"), digestIn(kept)), JSON.stringify(edit).slice(0, 80)).toThrow(
        FileError,
      )
    }
    for (const bad of ["", text.slice(0, -30), text.replace("{", '{"version":1,'), "\xff"]) {
      writeFileSync(path, bad, "latin1")
      expect(() => readKept(store("edited"), digestIn(kept))).toThrow(FileError)
    }
  })

  it("loses what is past its time, and nothing else", async () => {
    const [old, young] = [await keptOf(1000), await keptOf(9000)]
    const [oldPath, youngPath] = [keep(store("prune"), old), keep(store("prune"), young)]
    writeFileSync(join(store("prune"), "notes.txt"), "mine")
    const damaged = digest("e")
    writeFileSync(join(store("prune"), `${damaged.slice(2)}.json`), "{}")
    expect(pruneKept(store("prune"), 6000)).toMatchObject({ removed: [], unread: [{ digest: damaged }] })
    expect(pruneKept(store("prune"), 6001)).toMatchObject({
      removed: [digestIn(old)],
      unread: [{ digest: damaged }],
    })
    expect(existsSync(oldPath)).toBe(false)
    expect(existsSync(youngPath)).toBe(true)
    expect(readdirSync(store("prune"))).toHaveLength(3)
  })
})
