/** Real files of every parser, made from the examples and from small networks, in a folder for the fuzzer's workers. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { zipSync } from "fflate"
import * as api from "#src/attest/index.js"
import { applyBeacon, contribute } from "#src/ceremony/index.js"
import { readBinFile } from "#src/circuit/formats/container.js"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { compile } from "#src/compile/compile.js"
import { describeCircuit } from "#src/compile/description.js"
import { keep } from "#src/keep/index.js"
import { nodePlatform } from "#src/log/disk.js"
import { openLogOn } from "#src/log/log.js"
import type { IntNode } from "#src/ops/program.js"
import { setup } from "#src/prover/open.js"
import { serialize } from "#src/quantize/canonical/digest.js"
import { ceremonySection } from "#src/setup/ceremony/transcript.js"
import type { Statement } from "#src/statement/statement.js"
import { recordsSection } from "#src/systems/groth16/records.js"
import type { Circuit } from "#src/systems/index.js"
import type { VerificationKey } from "#src/systems/verifiers.js"
import { proofToSnarkjs, toSnarkjs } from "#src/verifier/index.js"
import { addressOf, signOff as anySignOff, approver, operator } from "../support/attestations.js"
import { firstKey, memorySink } from "../support/first-keys.js"
import { oracle, smallLayout, smallStatement } from "../support/groth16-oracle.js"
import { layoutOf, mirageOracle, statementOf } from "../support/mirage-oracle.js"
import { perceptron, small } from "../support/networks.js"
import { encodeOnnx } from "../support/onnx-writer.js"
import { ceremony } from "../support/provenances.js"
import { contributedSections, ptauFile } from "../support/ptau.js"
import { Random } from "../support/random.js"

type Content = Uint8Array | string
const example = (path: string) =>
  new Uint8Array(readFileSync(new URL(`../../examples/${path}`, import.meta.url)))

/** Writes the files of all parsers below `folder`. */
export async function writeSeeds(folder: string): Promise<void> {
  const bytesOf = (content: Content) =>
    typeof content === "string" ? new TextEncoder().encode(content) : content
  /** Files of a parser, each a list of parts, and what goes with them: bytes, text, or JSON. */
  const put = (
    name: string,
    files: readonly (readonly Content[])[],
    context: Record<string, unknown> = {},
  ) => {
    const at = join(folder, name)
    mkdirSync(at, { recursive: true })
    files.forEach((parts, i) => {
      mkdirSync(join(at, `${i}`))
      parts.forEach((part, k) => {
        writeFileSync(join(at, `${i}`, `${k}`), bytesOf(part))
      })
    })
    for (const [key, value] of Object.entries(context)) {
      if (value instanceof Uint8Array) writeFileSync(join(at, `with-${key}`), value)
      else if (typeof value === "string") writeFileSync(join(at, `with-${key}.txt`), value)
      else writeFileSync(join(at, `with-${key}.json.txt`), JSON.stringify(value))
    }
  }
  const json = (value: unknown) => JSON.stringify(value)

  put("onnx", [[example("mnist-mlp/model.onnx")], ...operators().map((bytes) => [bytes])])
  put("tfjs", [tfjs()])

  const { graph } = await small()
  const tiny = await perceptron([3, 4, 2])
  const circuits: Circuit[] = [
    await compile(graph),
    await compile(graph, { input: "committed", output: "committed" }),
    await compile(graph, { proofSystem: "groth16" }),
  ]
  put("model", [[serialize(graph)], [serialize(tiny.graph)], ...singleNodes().map((bytes) => [bytes])])
  const filesOf = (circuit: Circuit) => ({
    model: serialize(circuit.graph),
    circuit: json(describeCircuit(circuit)),
    gadgets: json(circuit.gadgets),
  })
  const [mirage, committed, plain] = circuits
  put("commitments", [[filesOf(committed).gadgets]], filesOf(committed))
  put("circuit", [[filesOf(mirage).circuit]], filesOf(mirage))
  put("gadgets", [[filesOf(mirage).gadgets]], filesOf(mirage))
  const tinyCircuit = await compile(tiny.graph)
  const tinyPlain = await compile(tiny.graph, { proofSystem: "groth16" })
  const keys = await setup(tinyCircuit, { dev: true })
  const plainKeys = await setup(tinyPlain, { dev: true })
  put("mirageKey", [[keys.provingKey]], filesOf(tinyCircuit))
  put("zkey", [[plainKeys.provingKey]], filesOf(tinyPlain))
  const ceremonyKeys = await Promise.all([tinyCircuit, tinyPlain].map(contributedKey))
  const [ownSections, plainSections] = [
    readBinFile(ceremonyKeys[0], "csmk", 1),
    readBinFile(ceremonyKeys[1], "zkey", 1),
  ]
  const head = (sections: Map<number, Uint8Array>) => sections.get(ceremonySection) as Uint8Array
  put(
    "ceremonyKey",
    ceremonyKeys.map((key) => [key]),
  )
  put("transcript", [[head(ownSections)]])
  put("contributions", [[plainSections.get(recordsSection) as Uint8Array]], {
    head: new TextDecoder().decode(head(plainSections)),
  })
  const powers = await contributedSections(2)
  put("ptau", [[ptauFile(2, powers)]])
  put("ptauRecord", [[powers.get(7) as Uint8Array]])
  put("r1cs", [[writeR1cs(tinyPlain.linked.r1cs)], [writeR1cs(plain.linked.r1cs)]])

  const groth16 = oracle(smallLayout)
  const receipt = groth16.receipt(smallStatement(groth16.key.model))
  const two = mirageOracle(layoutOf("public", "public"))
  const twoReceipt = two.receipt(statementOf(two.key))
  const verificationKeys = [groth16.key, two.key, keys.verificationKey, { ...two.key, setup: ceremony }]
  put(
    "verificationKey",
    verificationKeys.map((key) => [json(key)]),
  )
  const { model, context } = twoReceipt.statement
  put("receipt", [[json(twoReceipt)], [json(receipt)]], {
    verificationKey: two.key,
    model,
    context,
  })
  await claims(put, two.key, twoReceipt.statement)
  await log(put)
  put("snarkjs", [[json(toSnarkjs(groth16.key)), json(proofToSnarkjs(receipt.proof))]], {
    facts: { model: groth16.key.model, layout: smallLayout, setup: groth16.key.setup },
  })

  const inputs = [
    { name: "image", shape: [1, 2, 3] },
    { name: "age", shape: [1] },
  ]
  const sample = (k: number) => ({
    inputs: {
      image: [
        [
          [1, 2, k],
          [4, 0.5, -6],
        ],
      ],
      age: [k],
    },
    label: k,
  })
  put("npz", [[archive(0)], [archive(6)]], { inputs })
  put(
    "samples",
    [[json([sample(1), sample(2), sample(3)])], [json([{ input_data: [[1, 2, 3, 4, 5, 6], [7]] }])]],
    {
      inputs,
    },
  )
  put("input", [[json(sample(1))], [json({ input_data: [[1, 2, 3, 4, 5, 6], [7]] })]], { inputs })
  put("salts", [[json({ input: "123456789", output: "987654321" })]], {})
}

type Put = (name: string, files: readonly (readonly Content[])[], context?: Record<string, unknown>) => void

/** What people sign about an inference, the policy that it is under, and what an operator keeps. */
async function claims(put: Put, verificationKey: VerificationKey, statement: Statement): Promise<void> {
  const json = (value: unknown) => JSON.stringify(value)
  const document = {
    version: 1,
    name: "A policy",
    inputs: [{ tensor: "image", elements: [1], least: -4, most: null }],
    outputs: [{ tensor: "20", elements: null, least: -100, most: 250 }],
    abstain: { tensor: "20", margin: 0.5 },
    signOffs: [{ role: "approver", signer: addressOf(approver) }],
    tolerance: { absolute: 0.1, relative: 0 },
    disputes: [{ ground: "unproven", remedy: "refund" }],
    retentionDays: 184,
    finality: "none",
  } as const
  const { layout } = verificationKey
  const { policy } = api.onChainPolicy(document, layout)
  put("policy", [[json(document)]], { layout, statement })
  const facts = {
    operator: addressOf(operator),
    policy: api.policyDigest(policy),
    started: 1,
    issued: 2,
    validUntil: 9,
  }
  const claim = api.attest({ statement, verificationKey }, facts)
  const attestation = await api.signAttestation(claim, "offline", operator)
  const digest = api.attestationDigest(claim, "offline")
  const signOff = await api.signSignOff(
    { ...anySignOff, attestation: digest, signed: 1, validUntil: 9 },
    "offline",
    approver,
  )
  const withdrawal = await api.signWithdrawal(signOff, 5, approver)
  const said = {
    attestation: digest,
    role: "client",
    decision: "reject",
    scope: digest,
    signed: 1,
    validUntil: 9,
  } as const
  const credential = api.signCredential(said, new Uint8Array(32).fill(1))
  const kept = mkdtempSync(join(tmpdir(), "countersign-kept-"))
  const path = keep(kept, {
    attestation,
    evidence: null,
    input: { image: ["7", "-1"] },
    salts: { input: 5n },
    retainUntil: 10,
  })
  put("kept", [[readFileSync(path)]], { digest })
  rmSync(kept, { recursive: true })
  const all = [attestation, signOff, withdrawal, credential, policy]
  put(
    "claim",
    all.map((x) => [json(x)]),
    {
      expected: { domain: "offline", at: 5, issuer: credential.issuer, attestation: digest },
    },
  )
}

/** A log of some entries and a checkpoint, all of whose files are there for good. */
async function log(put: Put): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "countersign-log-"))
  const folder = join(home, "log")
  const made = await openLogOn(nodePlatform, folder, { create: true }, { most: 4, atClose: 0 })
  for (const text of ["a", "b"]) await made.append({ type: "note", body: { text } })
  await made.append({ type: "failure", body: { reason: "none" }, time: 1 })
  await made.checkpoint(operator, { time: 2 })
  await made.close()
  const names = ["entries.jsonl", "index", "state", "tree/00", "tree/01", "tree/02", "checkpoints.jsonl"]
  put("log", [names.map((name) => readFileSync(join(folder, name)))], { names })
  rmSync(home, { recursive: true })
}

/** A key with a contribution and a beacon. */
async function contributedKey(circuit: Circuit): Promise<Uint8Array> {
  const [one, both] = [memorySink(), memorySink()]
  await contribute(await firstKey(circuit), { name: "Alice", sink: one })
  await applyBeacon(one.bytes(), { value: "0xabcd", iterations: 10, sink: both })
  return both.bytes()
}

/** Integer models of one node or none, where a number that is changed has nothing to disagree with. */
function singleNodes(): Uint8Array[] {
  const none = new Float64Array()
  const origin = { name: "n", operator: "o" }
  const model = (shapes: number[][], nodes: IntNode[]) =>
    serialize({
      name: "g",
      precision: 8,
      tensors: shapes.map((shape, i) => ({ name: `t${i}`, shape, scale: 1, lo: none, hi: none })),
      nodes: [{ kind: "input", out: 0, name: "x", origin }, ...nodes],
      inputs: [{ name: "x", tensor: 0, lo: 0, bits: 8 }],
      outputs: [{ name: "y", tensor: shapes.length - 1 }],
    })
  const map = { kind: "conv" as const, n: 1, groups: 1, inChannels: 1, outChannels: 1, padsBegin: [0] }
  const sizes = {
    inSize: [4],
    kernel: [1],
    outSize: [4],
    strides: [1],
    dilations: [1],
    weight: Float64Array.of(1),
  }
  return [
    model([[4]], []),
    model(
      [[4], [4]],
      [{ kind: "linear", out: 1, terms: [{ source: 0, map: { ...map, ...sizes } }], origin }],
    ),
    model([[4], [1]], [{ kind: "index", out: 1, sources: [0], fill: 0, map: Int32Array.of(2), origin }]),
    model([[4], [4]], [{ kind: "rescale", out: 1, source: 0, shift: 8, lo: 0, bits: 8, origin }]),
    model(
      [[4], [1]],
      [{ kind: "argmax", out: 1, source: 0, window: 4, last: false, map: Int32Array.of(0, 1, 2, 3), origin }],
    ),
  ]
}

/** Two arrays and labels as NumPy writes them. */
function archive(level: 0 | 6): Uint8Array {
  const npy = (dtype: string, shape: readonly number[], data: Uint8Array) => {
    const header = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`
    const padded = `${header.padEnd(128 - 10 - 1)}\n`
    return Uint8Array.from([
      ...[0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, padded.length % 256, padded.length >> 8],
      ...new TextEncoder().encode(padded),
      ...data,
    ])
  }
  const bytes = (list: Float32Array | Float64Array | BigInt64Array) => new Uint8Array(list.buffer)
  return zipSync(
    {
      "image.npy": npy("<f4", [3, 2, 3], bytes(Float32Array.from({ length: 18 }, (_, i) => i / 4))),
      "age.npy": npy("<f8", [3, 1], bytes(Float64Array.of(1, 2, 3))),
      "labels.npy": npy("<i8", [3], bytes(BigInt64Array.of(0n, 1n, 2n))),
    },
    { level },
  )
}

/** Small models that together have most kinds of operators. */
function operators(): Uint8Array[] {
  const random = new Random(11)
  const weights = (...shape: number[]) => ({ shape, data: random.reals(shape.reduce((a, b) => a * b, 1)) })
  const integers = (...data: number[]) => ({ shape: [data.length], data, dtype: "int64" as const })
  const model = (
    shape: number[],
    nodes: [
      operator: string,
      inputs: string[],
      attributes?: Record<string, never | number | string | number[]>,
    ][],
    initializers: Record<string, ReturnType<typeof weights> | ReturnType<typeof integers>> = {},
  ) =>
    encodeOnnx({
      inputs: [{ name: "x0", shape }],
      outputs: [`x${nodes.length}`],
      initializers,
      nodes: nodes.map(([operator, inputs, attributes], i) => ({
        operator,
        inputs: [`x${i}`, ...inputs],
        outputs: [`x${i + 1}`],
        ...(attributes ? { attributes } : {}),
      })),
    })
  const pair = integers(1, 2)
  return [
    model([1, 2], [["Tile", ["w0"]]], { w0: pair }),
    model([1, 2], [["Expand", ["w0"]]], { w0: pair }),
    model([1, 2], [["Pad", ["w0"]]], { w0: integers(0, 1, 0, 1) }),
    model([1, 1, 2, 2], [["Resize", ["", "", "w0"]]], { w0: integers(1, 1, 3, 3) }),
    model([1, 2], [["Reshape", ["w0"]]], { w0: integers(2, -1) }),
    model([1, 2], [["Slice", ["w0", "w1"]]], { w0: integers(0), w1: integers(1) }),
    model([1, 2], [["Exp", []]]),
    model([1, 3], [["Concat", ["x0"], { axis: 1 }]]),
    model(
      [1, 2, 6, 6],
      [
        ["Conv", ["w", "b"], { pads: [1, 1, 1, 1], strides: [2, 2] }],
        ["Relu", []],
        ["MaxPool", [], { kernel_shape: [2, 2], strides: [1, 1] }],
        ["Pad", ["pads"]],
        ["Resize", ["", "", "sizes"]],
        ["GlobalAveragePool", []],
        ["Flatten", []],
        ["Gemm", ["v"], { transB: 1 }],
        ["Softmax", []],
      ].slice(0, 8) as never,
      {
        w: weights(3, 2, 3, 3),
        b: weights(3),
        v: weights(4, 3),
        pads: integers(0, 0, 1, 1, 0, 0, 0, 1),
        sizes: integers(1, 3, 5, 5),
      },
    ),
    model(
      [2, 3],
      [
        ["Transpose", [], { perm: [1, 0] }],
        ["Tile", ["repeats"]],
        ["Slice", ["starts", "ends"]],
        ["Reshape", ["shape"]],
        ["Unsqueeze", ["axes"]],
        ["Expand", ["larger"]],
        ["Sigmoid", []],
        ["Clip", []],
        ["ReduceSum", ["axes"], { keepdims: 0 }],
        ["ArgMax", [], { axis: 1 }],
      ] as never,
      {
        repeats: integers(2, 1),
        starts: integers(1, 0),
        ends: integers(5, 2),
        shape: integers(2, -1),
        axes: integers(0),
        larger: integers(3, 2, 4),
      },
    ),
    model(
      [1, 8],
      [
        ["MatMul", ["w"]],
        ["Exp", []],
        ["Concat", ["x1"], { axis: 1 }],
        ["Gather", ["at"], { axis: 1 }],
        ["Mul", ["x4"]],
        ["Sqrt", []],
        ["Neg", []],
        ["LeakyRelu", [], { alpha: 1 }],
      ] as never,
      { w: weights(8, 4), at: integers(0, 5, 2) },
    ),
  ]
}

/** A Sequential model as tfjs writes it. */
function tfjs(): [string, Uint8Array] {
  const plain = { trainable: true, dtype: "float32" }
  const channels = { padding: "valid", data_format: "channels_last" }
  const layers = [
    {
      class_name: "Conv2D",
      config: {
        ...{
          ...plain,
          ...channels,
          name: "c",
          filters: 2,
          kernel_size: [3, 3],
          strides: [1, 1],
          dilation_rate: [1, 1],
        },
        ...{ activation: "relu", use_bias: true, batch_input_shape: [null, 6, 6, 1] },
      },
    },
    {
      class_name: "BatchNormalization",
      config: { ...plain, name: "b", axis: -1, momentum: 0.99, epsilon: 0.001, center: true, scale: true },
    },
    {
      class_name: "MaxPooling2D",
      config: { ...plain, ...channels, name: "p", pool_size: [2, 2], strides: [2, 2] },
    },
    { class_name: "Flatten", config: { ...plain, name: "f" } },
    { class_name: "Dense", config: { ...plain, name: "d", units: 3, activation: "sigmoid", use_bias: true } },
  ]
  const shapes: [string, number[]][] = [
    ["c/kernel", [3, 3, 1, 2]],
    ["c/bias", [2]],
    ["b/gamma", [2]],
    ["b/beta", [2]],
    ["d/kernel", [8, 3]],
    ["d/bias", [3]],
    ["b/moving_mean", [2]],
    ["b/moving_variance", [2]],
  ]
  const weights = shapes.map(([name, shape]) => ({ name, shape, dtype: "float32" }))
  const count = shapes.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0)
  const data = Float32Array.from(new Random(2).reals(count).map((x) => Math.abs(x) + 0.1))
  const model = {
    modelTopology: {
      class_name: "Sequential",
      config: { name: "s", layers },
      keras_version: "tfjs-layers 4.22.0",
      backend: "tensor_flow.js",
    },
    weightsManifest: [{ paths: [], weights }],
  }
  return [JSON.stringify(model), new Uint8Array(data.buffer)]
}
