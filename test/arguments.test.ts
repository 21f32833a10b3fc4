/** Wrong arguments to every public function: a typed error that names them, never one from deep inside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeAll, describe, expect, it } from "vitest"
import type { PolicyDocument } from "#src/attest/index.js"
import * as api from "#src/index.js"
import { smallModel } from "./support/cli.js"
import { contributedPtau } from "./support/ptau.js"

const context = `0x${"11".repeat(32)}`
const bytes = smallModel(4)
const kerasFile = new URL("./model/keras/files/shared.keras", import.meta.url)
const x = [0.5, -0.5, 0.25]
const samples = [{ x }, { x: [1, -1, 1] }]

/** What goes from one function to the next. */
async function whole(proofSystem: "mirage" | "groth16") {
  const graph = api.importOnnx(bytes)
  const program = api.lower(graph)
  const model = await api.quantize(graph, { samples })
  const circuit = await api.compile(model, { proofSystem } as api.CompileOptions)
  const { provingKey, verificationKey } = await api.setup(circuit, { dev: true })
  const prover = await api.openProver(circuit, provingKey)
  const receipt = await prover.prove({ x }, { context })
  return { graph, program, model, circuit, provingKey, verificationKey, prover, receipt }
}
let made: Awaited<ReturnType<typeof whole>>
let plain: Awaited<ReturnType<typeof whole>>
let ptau: Uint8Array
let universal: api.Keys
/** A model with private weights. */
let hidden: api.IntGraph
let committed: api.CommittedWeights & { readonly architecture: api.Circuit; readonly key: Uint8Array }
/** A file of powers that are enough, a key of nobody, and one that somebody contributed to. */
let ceremony: { path: string; powers: api.PtauFile; first: Uint8Array; second: Uint8Array }

/** Where a key goes that nobody looks at. */
const sink = () => {
  const parts: Uint8Array[] = []
  return {
    write: async (part: Uint8Array) => void parts.push(part.slice()),
    bytes: () => new Uint8Array(Buffer.concat(parts)),
  }
}

async function begun(folder: string) {
  const path = join(folder, "powers.ptau")
  writeFileSync(path, await contributedPtau(Math.ceil(Math.log2(made.circuit.domain))))
  const powers = await api.openPtau(await contributedPtau(Math.ceil(Math.log2(made.circuit.domain))))
  const { provingKey: first } = await api.setup(made.circuit, { ptau: powers })
  const to = sink()
  await api.contribute(first, { name: "Alice", sink: to })
  return { path, powers, first, second: to.bytes() }
}
beforeAll(async () => {
  made = await whole("mirage")
  plain = await whole("groth16")
  hidden = await api.quantize(made.graph, { samples, weights: "private" })
  const architecture = await api.compile(hidden)
  const key = (await api.setup(architecture, { dev: true })).provingKey
  committed = { architecture, key, ...(await api.commitWeights(architecture, key)) }
  ptau = await contributedPtau(1)
  universal = await api.setup(await api.compile(made.model, { proofSystem: "plonk" }), { dev: true })
  const folder = mkdtempSync(join(tmpdir(), "countersign-test-"))
  ceremony = await begun(folder)
  return async () => {
    await Promise.all([made.prover.close(), plain.prover.close()])
    rmSync(folder, { recursive: true })
  }
})

// biome-ignore lint/suspicious/noExplicitAny: the arguments are wrong on purpose
type AnyFunction = (...args: any[]) => unknown

/** Every function with arguments that are right, one case or several. */
function calls(): Record<string, readonly (readonly unknown[])[]> {
  const { graph, program, model, circuit, provingKey, verificationKey, receipt } = made
  const expected = { verificationKey, model: circuit.model, context, allowDev: true }
  const { layout } = circuit
  const { statement } = receipt
  const snarkjs = api.toSnarkjs(plain.verificationKey as api.Groth16Key)
  const proof = plain.receipt.proof as api.Groth16Proof
  const specs = [{ name: "x", shape: [1, 3] }]
  const values = api.runInteger(model, api.quantizeInput(model, { x }))
  const witness = () => api.witnessOf(plain.circuit as api.PlainCircuit, values, context)
  const words = api.wordsOf(statement, layout)
  const layers = [
    { class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, 3] } },
    { class_name: "Activation", config: { name: "y", activation: "relu" } },
  ]
  const tfjs = { modelTopology: { class_name: "Sequential", config: { layers } }, weightsManifest: [] }
  const { path, powers, first, second } = ceremony
  const policy: PolicyDocument = {
    version: 1,
    name: "a margin",
    inputs: [],
    outputs: [],
    abstain: { tensor: layout.outputs[0].name, margin: 1e-3 },
    signOffs: [],
    tolerance: { absolute: 0, relative: 0 },
    disputes: [],
    retentionDays: 1,
    finality: "none",
  }
  return {
    acceptKey: [[circuit, first, second, powers]],
    applyBeacon: [[second, { value: "0x1234", iterations: 10, sink: sink() }]],
    contribute: [[first, { name: "Alice", entropy: "dice", sink: sink() }]],
    drawSeed: [["dice"]],
    execute: [[circuit, { x }, { context, verificationKey }]],
    openPtauFile: [[path]],
    verifySetup: [[circuit, second, powers]],
    audit: [[circuit, provingKey, verificationKey]],
    checkWeights: [
      [committed.architecture, committed.key, committed.verificationKey, committed.commitment.blinding],
    ],
    commitWeights: [[committed.architecture, committed.key]],
    privateModel: [[committed.architecture.model, committed.commitment.weights]],
    auditReceipt: [[receipt, receipt, verificationKey]],
    auditWitness: [[plain.circuit, witness()]],
    challenge: [[context, context, words, ["1", "2"]]],
    checkCompileOptions: [[{ proofSystem: "mirage" }]],
    checkKeys: [[circuit, provingKey, verificationKey]],
    checkPtau: [[ptau, {}]],
    commit: [[[1n, 2n], 3n]],
    compile: [[model, { input: "private" }]],
    contextSignal: [[context]],
    dequantize: [
      [layout.outputs[0], ["1", "2"]],
      [model.tensors[0], [1, 2]],
    ],
    describeCircuit: [[circuit]],
    keepCircuit: [[circuit]],
    estimateCircuit: [[circuit]],
    cutGraph: [[graph, ["y"]]],
    deserialize: [[api.serialize(model), "file"]],
    drawSalt: [[]],
    encodeKey: [[verificationKey]],
    evaluation: [[words, 5n]],
    explain: [[receipt, expected]],
    explainReceipt: [[receipt, expected]],
    exportCircom: [[circuit]],
    fromSnarkjs: [[snarkjs, { model: circuit.model, layout: plain.circuit.layout, setup: "dev" }]],
    importKeras: [[new Uint8Array(readFileSync(kerasFile)), { dimensions: {}, file: "shared.keras" }]],
    importOnnx: [[bytes, { dimensions: {}, limits: {}, outputs: ["y"] }]],
    importTfjs: [[tfjs, new Uint8Array(0), { dimensions: {} }]],
    inspect: [[circuit, { accuracy: { samples: 2, saturation: [], losses: [] } }]],
    keyDigest: [[verificationKey]],
    layoutJson: [[layout]],
    lower: [[graph], [graph, { weights: "private" }]],
    measureAccuracy: [[program, model, samples, { labels: [0, 1], backend: "loops" }]],
    measureSaturation: [[model, samples, { backend: "loops" }]],
    memoryEstimate: [[circuit]],
    hasSecrets: [[model], [hidden]],
    secretsOf: [[model], [hidden]],
    withoutSecrets: [[model], [hidden]],
    withSecrets: [
      [model, []],
      [hidden, api.secretsOf(hidden)],
    ],
    readWeights: [[api.writeWeights({ graph: hidden }), api.withoutSecrets(hidden)]],
    writeWeights: [[{ graph: hidden }]],
    modelDigest: [[model]],
    openBackends: [["loops", { load: () => Promise.resolve({}), onPassedOver: () => undefined }]],
    openKeyFile: [[new URL(import.meta.url).pathname]],
    openProver: [
      [circuit, provingKey, {}],
      [plain.circuit, plain.provingKey, {}],
    ],
    openPtau: [[ptau, {}]],
    openVerifier: [[]],
    packTensor: [[[1n], 0, 8]],
    packing: [[layout]],
    parseInput: [[{ inputs: { x } }, specs, "where"]],
    parseJson: [[new TextEncoder().encode("[0, 1]"), "file"]],
    parseLabels: [[new TextEncoder().encode("[0, 1]"), "file", 2]],
    parseReceipt: [[receipt]],
    parseSamples: [[new TextEncoder().encode(JSON.stringify([{ inputs: { x } }])), "file", specs]],
    parseVerificationKey: [[verificationKey]],
    printable: [["text"]],
    proofFromSnarkjs: [[api.proofToSnarkjs(proof)]],
    proofToSnarkjs: [[proof]],
    publicSignals: [[plain.receipt.statement, plain.circuit.layout]],
    quantize: [
      [graph, { samples }],
      [graph, { samples, weights: "private", like: hidden }],
    ],
    quantizeInput: [[model, { x }, { clampInputs: true }]],
    quantizeProgram: [[program, { samples }]],
    readR1cs: [[api.writeR1cs(plain.circuit.linked.r1cs)]],
    realValues: [[statement, layout]],
    rebuildCircuit: [
      [{ model: api.serialize(model), circuit: api.describeCircuit(circuit), gadgets: circuit.gadgets }, {}],
    ],
    runIntegers: [[model, [api.quantizeInput(model, { x })], { backend: "loops", tensors: [0] }]],
    runInteger: [[model, api.quantizeInput(model, { x })]],
    serialize: [[model]],
    searchPrecision: [
      [program, { samples, target: 100, labels: [0, 1], precisions: [8], calibrations: ["minmax"] }],
    ],
    setup: [[circuit, { dev: true }]],
    libraryName: [["digits"]],
    registrationCall: [[verificationKey, { allowDev: true }]],
    solidityKey: [[verificationKey]],
    solidityLibrary: [[verificationKey, "Digits", { allowDev: true }]],
    solidityVerifier: [[universal.verificationKey, "Digits", { allowDev: true }]],
    verificationCall: [[receipt, verificationKey, { allowDev: true }]],
    solidityProof: [[receipt.proof]],
    toSnarkjs: [[plain.verificationKey]],
    toSolidityArguments: [[receipt, verificationKey]],
    unpackTensor: [[[1n], 1, 0, 8]],
    describeTensor: [[api.realValues(statement, layout).outputs[0]]],
    elementName: [[api.realValues(statement, layout).outputs[0], 0]],
    largestElement: [[api.realValues(statement, layout).outputs[0]]],
    describeProvenance: [[verificationKey.setup]],
    verificationKeyOf: [
      [circuit, provingKey],
      [committed.architecture, committed.key, committed.commitment.weights],
    ],
    verify: [[receipt, expected]],
    verifyReceipt: [[receipt, expected]],
    withPredicate: [[model, policy]],
    checkPredicate: [[model, policy]],
    witnessOf: [[plain.circuit, values, context]],
    wordsOf: [[statement, layout]],
    writeR1cs: [[plain.circuit.linked.r1cs]],
  }
}

/** What people pass by mistake. */
const wrong = (): unknown[] => [
  undefined,
  null,
  1,
  -0.5,
  "x",
  true,
  5n,
  [],
  [1],
  [null],
  {},
  { x: 1 },
  () => 1,
  Promise.resolve(made.graph),
  new Uint8Array(0),
  Buffer.from("not a key, nor a model"),
  ...Object.values(made),
  plain.circuit,
  plain.verificationKey,
  { provingKey: made.provingKey, verificationKey: made.verificationKey },
]

/** Runs a call, and what it opens is closed; the error, if any. */
async function failure(call: AnyFunction, args: readonly unknown[]): Promise<unknown> {
  try {
    const result = (await call(...args)) as { close?: () => Promise<void> } | undefined
    if (typeof result?.close === "function" && result !== made.prover) await result.close()
    return undefined
  } catch (error) {
    return error
  }
}

/** Whose last argument is options, or something like them. */
const withOptions =
  "applyBeacon checkCompileOptions checkPtau compile contribute explain fromSnarkjs importOnnx inspect measureAccuracy measureSaturation openBackends openProver openPtau quantize quantizeInput quantizeProgram rebuildCircuit runIntegers searchPrecision setup verify".split(
    " ",
  )
const classes = /^[A-Z]/
const functions = Object.entries(api).filter(
  ([name, value]) => typeof value === "function" && !classes.test(name) && name !== "invariant",
) as [string, AnyFunction][]

describe("wrong arguments", () => {
  it("are tried on every public function", () => {
    expect(Object.keys(calls()).sort()).toEqual(functions.map(([name]) => name).sort())
  })

  it.each(functions)("of %s are a CountersignError", async (name, call) => {
    const given: readonly (readonly unknown[])[] = calls()[name].length > 0 ? calls()[name] : [[]]
    for (const args of given) {
      if (calls()[name].length > 0) expect(await failure(call, args), name).toBeUndefined()
      const tries: (readonly unknown[])[] = [args.slice(0, 1), [], args.toReversed()]
      for (const value of wrong()) {
        const positions = Math.max(args.length, 1)
        for (let i = 0; i < positions; i++) tries.push(args.map((right, j) => (j === i ? value : right)))
        // and in the options, or whatever fields the last argument has
        const last = args.at(-1)
        if (withOptions.includes(name))
          // what a sink throws is the caller's
          for (const field of Object.keys(last as object)
            .filter((name) => name !== "sink")
            .slice(0, 4))
            tries.push([...args.slice(0, -1), { ...(last as object), [field]: value }])
      }
      for (const args of tries) {
        const error = await failure(call, args)
        if (error === undefined) continue
        const told = error instanceof Error ? (error.stack ?? "") : String(error)
        expect(error, `${name}: ${told}`).toBeInstanceOf(api.CountersignError)
      }
    }
  })

  it("of a prover are a CountersignError, also after it is closed", async () => {
    for (const { prover } of [made, plain]) {
      for (const value of wrong()) {
        const attempts = [
          [value, { context }],
          [{ x: value }, { context }],
          [{ x: [value, 0, 0] }, { context }],
          [{ x }, value],
          [{ x }, { context: value }],
          [{ x }, { context, salts: value ?? 1 }],
          [{ x }, { context, onProgress: value ?? 1 }],
          [{ x }, { context, signal: value ?? 1 }],
        ]
        for (const args of attempts) {
          const error = await failure(prover.prove as AnyFunction, args)
          if (error !== undefined)
            expect(error, String((error as Error).stack)).toBeInstanceOf(api.CountersignError)
        }
      }
    }
  })

  it("are named, with what they should be and what they are", async () => {
    const { graph, model, circuit, provingKey, verificationKey, program } = made
    const cases: [() => unknown, RegExp][] = [
      [() => api.quantize(graph, {} as never), /`samples`.*expected an array; given undefined/],
      [
        () => api.compile(graph as never),
        /`graph`.*expected an integer model \(`quantize`\); given a float graph/,
      ],
      [
        () => api.compile(api.quantize(graph, { samples }) as never),
        /given a promise, which is to be awaited/,
      ],
      [() => made.prover.prove({ x }, undefined as never), /`options`.*`context`; given undefined/],
      [() => api.openProver(circuit, verificationKey as never), /`provingKey`.*given a verification key/],
      [() => api.openProver(circuit, { provingKey, verificationKey } as never), /given the keys of a setup/],
      [() => api.checkKeys(circuit, verificationKey as never, provingKey as never), /given \d+ bytes/],
      [() => api.verify(made.receipt, undefined as never), /`expected`.*given undefined/],
      [() => api.importOnnx("model.onnx" as never), /`bytes`.*expected bytes.*given string `model\.onnx`/],
      [
        () => api.quantizeProgram(model as never, { samples }),
        /expected a lowered model.*given an integer model/,
      ],
      [
        () => api.measureAccuracy(program, model, samples, { labels: [1] }),
        /one label a sample; given an array of 1/,
      ],
      [() => api.setup(circuit, {} as never), /option `dev`/],
    ]
    for (const [call, message] of cases) {
      const error = await failure(call, [])
      expect(error).toBeInstanceOf(api.UsageError)
      expect((error as Error).message).toMatch(message)
    }
  })
})

describe("inputs", () => {
  it("may be nested like their shape wherever they are taken, as on the command line", async () => {
    const { graph, model, program, prover, circuit, verificationKey } = made
    const nested = { x: [x] }
    expect(api.quantizeInput(model, nested)).toEqual(api.quantizeInput(model, { x }))
    const nestedSamples = [nested, { x: [[1, -1, 1]] }]
    expect(api.modelDigest(await api.quantize(graph, { samples: nestedSamples }))).toBe(circuit.model)
    expect(await api.measureAccuracy(program, model, nestedSamples)).toEqual(
      await api.measureAccuracy(program, model, samples),
    )
    const receipt = await prover.prove(nested, { context })
    expect(receipt.statement).toEqual(made.receipt.statement)
    expect(api.verify(receipt, { verificationKey, model: circuit.model, context, allowDev: true })).toBe(true)
    for (const bad of [[[0.5, -0.5]], [[0.5, -0.5, [0.25]]], [["a", "b", "c"]]])
      await expect(prover.prove({ x: bad as never }, { context })).rejects.toThrow(api.InputError)
  })

  it("and model bytes may be Buffers", () => {
    const buffer = Buffer.from(bytes)
    expect(api.lower(api.importOnnx(buffer)).inputs).toEqual(made.program.inputs)
    const model = Buffer.concat([Buffer.from("xx"), api.serialize(made.model)]).subarray(2)
    expect(api.modelDigest(api.deserialize(model))).toBe(made.circuit.model)
  })
})

describe("dequantize and realValues", () => {
  it("give the real numbers of a receipt by the key's layout alone", () => {
    const { receipt, verificationKey, model, circuit } = made
    const { outputs, inputs } = api.realValues(receipt.statement, verificationKey.layout)
    const values = api.runInteger(model, api.quantizeInput(model, { x }))
    const { tensor } = model.outputs[0]
    const integers = values.get(tensor) as Float64Array
    expect(inputs).toEqual([])
    expect(outputs).toHaveLength(1)
    expect(outputs[0]).toMatchObject({ name: "y", shape: [1, 2], integers: Array.from(integers, String) })
    expect(outputs[0].values).toEqual(integers.map((q) => q * model.tensors[tensor].scale))
    expect(outputs[0].values).toEqual(api.dequantize(circuit.layout.outputs[0], integers))
    for (const bad of ["", "1.5", "x", 0.5, null])
      expect(() => api.dequantize(circuit.layout.outputs[0], [bad as never])).toThrow(api.InputError)
  })
})
