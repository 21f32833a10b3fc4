/**
 * Why a ceremony is as it is: receipts of false statements, made by whoever knows a single δ, or was believed without
 * a proof. The forger has what everyone has (the key, powers of tau) and that δ, and nothing else of the trapdoor.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { beforeAll, describe, expect, it } from "vitest"
import { contribute } from "#src/ceremony/index.js"
import { type CeremonyKey, carriedKey, checkTranscript, readCeremonyKey } from "#src/ceremony/key.js"
import { rewriteKey } from "#src/ceremony/rewrite.js"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import { compile } from "#src/compile/compile.js"
import { inverse, mod } from "#src/field.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { quantize } from "#src/quantize/quantize.js"
import { productFactors, rowBasis } from "#src/setup/basis.js"
import { basePoint, challengePoint, knowledgeProblem, times1, times2 } from "#src/setup/ceremony/knowledge.js"
import type { Factors } from "#src/setup/ceremony/protocol.js"
import { drawSeed, factorsOf } from "#src/setup/ceremony/secrets.js"
import { contributionOf, type Transcript } from "#src/setup/ceremony/transcript.js"
import { type G1Json, generator1, generator2, requireG1 } from "#src/statement/points.js"
import { challenge, evaluation } from "#src/statement/words.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { mirageDomain, readMirageKey } from "#src/systems/mirage/keyfile.js"
import { openMirage } from "#src/systems/mirage/prove.js"
import type { MirageKey, MirageReceipt } from "#src/systems/mirage/verify.js"
import { committedWitness, shownWords } from "#src/systems/mirage/witness.js"
import { explain, keyDigest } from "#src/verifier/index.js"
import { firstKey, memorySink } from "../support/first-keys.js"
import { encodeOnnx } from "../support/onnx-writer.js"

const context = `0x${"0f".repeat(32)}` as const
const names = ["deltaC", "delta"] as const
const G1 = bn254.G1.Point
const tau = 0xabcdef0123456789n ** 3n
const json = (point: typeof G1.BASE): G1Json => {
  const { x, y } = point.toAffine()
  return [`${x}`, `${y}`]
}

let circuit: MirageCircuit
let first: Uint8Array
/** Two numbers, shown as their squares. */
beforeAll(async () => {
  const node = { operator: "Mul", inputs: ["x", "x"], outputs: ["y"] }
  const model = importOnnx(
    encodeOnnx({ inputs: [{ name: "x", shape: [1, 2] }], outputs: ["y"], initializers: {}, nodes: [node] }),
  )
  const graph = await quantize(model, { precision: 6, samples: [{ x: [0.5, 0.25] }, { x: [1, -1] }] })
  circuit = await compile(graph)
  const drawn = [tau, 3n ** 99n, 5n ** 77n]
  let next = 0
  const random = (n: number) =>
    Uint8Array.from(
      Buffer.from(
        mod(drawn[next++])
          .toString(16)
          .padStart(2 * n, "0"),
        "hex",
      ),
    )
  first = await firstKey(circuit, random as never)
})

/** A key that Alice contributed to, what she knows, and its verification key. */
async function contributed() {
  const seed = drawSeed()
  const sink = memorySink()
  const { verificationKey } = await contribute(first, { name: "Alice", seed, sink })
  const { transcript } = await readCeremonyKey(first)
  const known = factorsOf(seed, transcript.digests[0], names)
  return { key: sink.bytes(), known, verificationKey: verificationKey as MirageKey }
}

const honestValues = () =>
  runInteger(circuit.graph, quantizeInput(circuit.graph, { x: [0.5, 0.25] }, { clampInputs: true }))

/** Receipts of any outputs at all. */
const receiptOf = (values: Map<number, Float64Array>, proof: MirageReceipt["proof"]): MirageReceipt => {
  const [{ name, tensor }] = circuit.graph.outputs
  const shown = Array.from(values.get(tensor) as Float64Array, String)
  return {
    version: 1,
    proofSystem: "mirage",
    statement: {
      model: circuit.model as `0x${string}`,
      context,
      input: { visibility: "hidden" },
      output: { visibility: "public", values: { [name]: shown } },
    },
    proof,
  }
}

/** By δ: A = α, B = β, any D, and C = −(IC + D·δ_C) / δ, for D·δ_C is in the key where D is the generator. */
function forgeByDelta(
  key: MirageKey,
  deltaC1: G1Json,
  delta: bigint,
  words: bigint[],
): MirageReceipt["proof"] {
  const { alpha1, beta2, ic } = key.points
  const d = generator1
  const c = challenge(keyDigest(key), context, words, d)
  const [one, of, ev] = ic.map((point) => requireG1(point, "ic"))
  const shown = one.add(of.multiply(c)).add(ev.multiply(mod(evaluation(words, c))))
  const sum = shown.add(requireG1(deltaC1, "deltaC1"))
  return { a: alpha1, b: beta2, c: json(sum.negate().multiply(inverse(delta))), d }
}

/**
 * By δ_C: the prover's own code on a witness with a wrong product. The row of the product is off by a
 * constant, so the equation is off by that times L_row(τ) over all points, of rows and of the quotient, of which powers
 * of tau give the point; divided by δ_C it goes into D, here by way of a point of the forger's own copy of the key.
 */
async function forgeByDeltaC(key: Uint8Array, verificationKey: MirageKey, deltaC: bigint) {
  const { linked, graph } = circuit
  const { r1cs, lookup } = linked
  const values = honestValues()
  const committed = committedWitness(circuit, values)
  const isQuery = new Set(lookup.row)
  const row = Array.from({ length: lookup.entryRow }, (_, k) => k).find(
    (k) =>
      !isQuery.has(k) && r1cs.a.rowPtr[k] < r1cs.a.rowPtr[k + 1] && r1cs.b.rowPtr[k] < r1cs.b.rowPtr[k + 1],
  ) as number
  const wire = r1cs.c.wires[r1cs.c.rowPtr[row]]
  const coefficient = r1cs.values[r1cs.c.coefficients[r1cs.c.rowPtr[row]]]
  committed.small[wire]++
  const output = values.get(graph.outputs[0].tensor) as Float64Array
  const element = output.findIndex((value) => value === committed.small[wire] - 1)
  output[element]++
  const words = shownWords(circuit, values, {})
  const n = mirageDomain(r1cs)
  const off = mod(-coefficient * rowBasis(n, mod(tau))[row] * (productFactors(n, mod(tau))(row) + 1n))
  const fix = G1.BASE.multiply(mod(off * inverse(BigInt(committed.small[wire])) * inverse(deltaC)))
  const held = await readMirageKey(key, linked)
  const points = (held.committed as Uint8Array).slice()
  const at = 64 * (wire - 3)
  const [oldX, oldY] = coordinates(points.subarray(at, at + 64))
  const { x, y } = G1.fromAffine({ x: oldX, y: oldY }).add(fix).toAffine()
  points.set(montgomeryPoint([x, y]), at)
  const engine = await kernelEngine({ threads: 1 })
  const prover = openMirage(circuit, { ...held, committed: points }, engine)
  const proof = await prover.proveWitness(committed, { key: keyDigest(verificationKey), context, words })
  await engine.close()
  return receiptOf(values, proof)
}

const verdict = (receipt: MirageReceipt, verificationKey: MirageKey) =>
  explain(receipt, { verificationKey, model: circuit.model, context })

/** Squares that are none. */
function falseValues(): Map<number, Float64Array> {
  const values = new Map(honestValues())
  values.set(circuit.graph.outputs[0].tensor, Float64Array.from([7, 11]))
  return values
}

describe("a single δ", () => {
  it("that somebody knows is enough to forge any statement: δ", async () => {
    const { key, known, verificationKey } = await contributed()
    const values = falseValues()
    const { transcript } = await readCeremonyKey(key)
    const deltaC1 = transcript.contributions[0].deltas.deltaC.after
    const words = shownWords(circuit, values, {})
    const proof = forgeByDelta(verificationKey, deltaC1, known.delta, words)
    expect(verdict(receiptOf(values, proof), verificationKey)).toBeNull()
    const wrong = forgeByDelta(verificationKey, deltaC1, known.delta + 1n, words)
    expect(verdict(receiptOf(values, wrong), verificationKey)).toMatch(/the statement was changed/)
  })

  it("that somebody knows is enough to forge a false result: δ_C", async () => {
    const { key, known, verificationKey } = await contributed()
    expect(verdict(await forgeByDeltaC(key, verificationKey, known.deltaC), verificationKey)).toBeNull()
    const wrong = await forgeByDeltaC(key, verificationKey, known.deltaC + 1n)
    expect(verdict(wrong, verificationKey)).toMatch(/the statement was changed/)
  })
})

/** A key with these factors under a transcript of anyone's making. */
async function keyWith(key: CeremonyKey, factors: Factors, transcript: Transcript): Promise<Uint8Array> {
  const { protocol, contents } = key
  const replaced = new Map(protocol.encode(transcript))
  for (const { name, section, one, two } of protocol.deltas) {
    const content = (replaced.get(section) ?? (contents.get(section) as Uint8Array)).slice()
    content.set(montgomeryPoint(times1(factors[name], generator1).map(BigInt)), one)
    content.set(montgomeryPoint(times2(factors[name], generator2).flat().map(BigInt)), two)
    replaced.set(section, content)
  }
  const sink = memorySink()
  await rewriteKey(key, factors, replaced, { sink })
  return sink.bytes()
}

describe("without proofs of knowledge", () => {
  it("the last contributor could replace all secrets by their own, and forge; with them the key is refused", async () => {
    const alice = await readCeremonyKey((await contributed()).key)
    const { protocol, transcript } = alice
    // Mallory begins at the first key, which is public, and says that hers comes after Alice's
    const own = { deltaC: 1234577n, delta: 7654321n }
    const claimed = await protocol.contribution(transcript, "Mallory", own)
    const deltas = Object.fromEntries(
      names.map((name) => [name, { ...claimed.deltas[name], after: times1(own[name], generator1) }]),
    )
    const lie = protocol.extend(transcript, contributionOf("Mallory", null, deltas, names))
    const key = await readCeremonyKey(await keyWith(await readCeremonyKey(first), own, lie))
    const verificationKey = carriedKey(key) as MirageKey
    expect(verificationKey.setup).toMatchObject({ contributors: ["Alice", "Mallory"] })
    const values = falseValues()
    const deltaC1 = times1(own.deltaC, generator1)
    const proof = forgeByDelta(verificationKey, deltaC1, own.delta, shownWords(circuit, values, {}))
    expect(verdict(receiptOf(values, proof), verificationKey)).toBeNull()
    await expect(checkTranscript(key)).rejects.toThrow(
      /contribution 2 \(Mallory\) is wrong.*proof of knowledge/,
    )
  })

  it("or with ones that are not bound to the transcript, a contribution could be shown in any ceremony", () => {
    const claim = (shownAt: Uint8Array, provenAt: Uint8Array) => {
      const x = 99n
      const made = { previous: provenAt, name: "Alice", beacon: null, delta: "delta" }
      const s = basePoint(made)
      const sx = times1(x, s)
      const rx = times2(x, challengePoint(made, s, sx))
      const place = { ...made, previous: shownAt }
      const expected = basePoint(place)
      const after = times1(x, generator1)
      return {
        delta: { before: generator1, after, s: expected, sx, rx, r: challengePoint(place, expected, sx) },
      }
    }
    const [here, there, unbound] = [1, 2, 0].map((byte) => new Uint8Array(32).fill(byte))
    expect(knowledgeProblem(claim(here, here))).toBeNull()
    expect(knowledgeProblem(claim(there, here))).toMatch(/proof of knowledge/)
    // the weaker protocol: what comes before is not hashed, so here and there are the same
    expect(knowledgeProblem(claim(unbound, unbound))).toBeNull()
  })
})
