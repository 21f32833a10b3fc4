#!/usr/bin/env node
/** The commands. What they print, and with what code they end, is the business of cli/terminal.ts. */
import { readFileSync, statSync } from "node:fs"
import { basename, resolve } from "node:path"
import { Command } from "commander"
import * as files from "./cli/files.js"
import * as folder from "./cli/folder.js"
import { readModel } from "./cli/model-files.js"
import { calldata, keyFile } from "./cli/onchain.js"
import { bytes32, dimensions, integer, repeatable, ToolCommand, withContext } from "./cli/options.js"
import { columns, invalid, note, onProgress, print, run } from "./cli/terminal.js"
import { type Asked, verified } from "./cli/verified.js"
import * as api from "./index.js"

const program = new Command("countersign")
  .description("Prove which model produced which output, and check it anywhere.")
  .version(
    (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string })
      .version,
  )
  .option("--json", "print one JSON object, of errors too")

const command = (name: string, description: string): ToolCommand => {
  const made = new ToolCommand(name).description(description).option("--json", "print one JSON object")
  program.addCommand(made)
  return made
}

const elapsed = (start: number): number => Math.round(performance.now() - start)
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

command("compile", "quantize a model and compile it to a circuit")
  .argument("<model>", "an .onnx file, or model.json of tfjs")
  .needs("--samples <file>", "inputs for calibration: a JSON array or .npz")
  .needs("--out <folder>", "where the circuit goes")
  .option("--precision <bits>", "bits of an activation, 6 to 14", String(api.defaults.precision))
  .option("--input <visibility>", "private, public or committed", "private")
  .option("--output <visibility>", "public or committed", "public")
  .option("--weights <kind>", "fixed", "fixed")
  .option("--proof-system <name>", "mirage or groth16", "mirage")
  .addOption(
    repeatable("--dimension <name=value>", "value of an open dimension, by name or input:axis; repeatable"),
  )
  .option("--max-constraints <count>", "refuse larger circuits", String(api.defaults.maxConstraints))
  .action(async (path: string, options) => {
    const start = performance.now()
    const open = dimensions(options.dimension)
    const { minPrecision, maxPrecision } = api.defaults
    const precision = integer("--precision", options.precision, minPrecision, maxPrecision)
    const maxConstraints = integer("--max-constraints", options.maxConstraints)
    const { input, output, weights, proofSystem } = options
    const chosen = { input, output, weights, proofSystem, maxConstraints }
    folder.checkCircuitFolder(options.out, api.checkCompileOptions(chosen))
    const sampleFile = files.readWhole(options.samples)
    const graph = readModel(path, { dimensions: open })
    const lowered = api.lower(graph)
    const { samples, labels } = api.parseSamples(sampleFile, options.samples, graph.inputs)
    const warnings = sampleWarnings(lowered, samples.length, labels)
    for (const warning of warnings) note(`warning: ${warning}`)
    const integers = await api.quantizeProgram(lowered, { samples, precision, onProgress })
    folder.checkCircuitFolder(options.out, { input, output, proofSystem, model: api.modelDigest(integers) })
    const accuracy = api.measureAccuracy(lowered, integers, samples, { labels, onProgress })
    const circuit = await api.compile(integers, { ...chosen, onProgress })
    const info = folder.saveCircuit(options.out, circuit, accuracy)
    const labelled = (share: number | null) => (share === null ? "not measured" : percent(share))
    print({ ...info, warnings, ms: elapsed(start) }, [
      `model        ${info.model}`,
      `constraints  ${info.constraints} (${info.lookups} lookups, domain ${info.domain}, ${info.nonzeros} non-zeros)`,
      ...(labels
        ? [
            `accuracy     float ${labelled(accuracy.float)}, integer ${labelled(accuracy.integer)} of the labels`,
          ]
        : []),
      `agreement    ${percent(accuracy.agreement)} of ${accuracy.samples} samples: the same largest output as the float model`,
      ...accuracy.outputs.map(
        ({ name, maxError }) => `error        ${name}: at most ${maxError.toPrecision(3)} on these samples`,
      ),
      `written to   ${options.out}`,
    ])
  })

/** What speaks against samples that can be used all the same. */
function sampleWarnings(
  { outputs, tensors }: ReturnType<typeof api.lower>,
  count: number,
  labels: readonly number[] | undefined,
): string[] {
  const warnings: string[] = []
  if (count === 1)
    warnings.push(
      "one sample only: inputs of another range will be refused, and ranges inside the model cut off",
    )
  const classes = tensors[outputs[0].tensor].shape.reduce((size, d) => size * d, 1)
  const outside = labels?.filter((label) => label >= classes) ?? []
  if (outside.length > 0)
    warnings.push(
      `${outside.length} of ${labels?.length} labels lie outside of output \`${outputs[0].name}\`, which has ${classes} elements: label ${outside[0]}, for one`,
    )
  return warnings
}

command("setup", "make the keys of a compiled circuit")
  .argument("<folder>")
  .option("--dev", "draw the trapdoor here: whoever ran this can forge")
  .option("--force", "replace the keys that are there")
  .action(async (path: string, options) => {
    const start = performance.now()
    folder.readInfo(path)
    folder.checkKeysFolder(path, options.force === true)
    if (options.dev !== true)
      throw new api.UsageError({
        what: "setup makes development keys only, whose maker can forge",
        fix: "Say that this is meant: --dev",
      })
    const circuit = await folder.loadCircuit(path, onProgress)
    const keys = await api.setup(circuit, { dev: options.dev, onProgress })
    folder.saveKeys(path, keys.provingKey, keys.verificationKey)
    const sizes = {
      provingKeyBytes: keys.provingKey.length,
      verificationKeyBytes: statSync(folder.verificationKeyPath(path)).size,
    }
    const key = api.keyDigest(keys.verificationKey)
    print({ setup: "dev", key, ...sizes, ms: elapsed(start) }, [
      `proving key       ${sizes.provingKeyBytes} bytes`,
      `verification key  ${folder.verificationKeyPath(path)}`,
      `key digest        ${key}`,
      "These are development keys: whoever ran this setup can forge receipts.",
    ])
  })

const prove = command("prove", "run the model on an input and prove what it said")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .needs("--out <file>", "where the receipt goes")
  .option("--clamp", "move inputs outside the calibrated range to its edge")
  .option("--salts <file>", "new file for the fresh salts of the commitments: who has it can open them")
  .option("--reuse-salts", "take the salts that are in the file")
const proveContext = withContext(prove, "the receipt is for")
prove.action(async (path: string, inputPath: string, options) => {
  const start = performance.now()
  const context = proveContext()
  const keyPath = folder.provingKeyPath(path)
  const verificationKey = folder.loadVerificationKey(folder.verificationKeyPath(path))
  const salts = folder.saltsOf(options.salts, options.reuseSalts === true, folder.readInfo(path))
  for (const out of [options.out, ...(options.salts && !options.reuseSalts ? [options.salts] : [])])
    files.checkOutput(out)
  if (options.salts && resolve(options.salts) === resolve(options.out))
    throw new api.UsageError({ what: "--salts and --out name the same file", given: `\`${options.out}\`` })
  const given = folder.readJson(inputPath)
  const circuit = await folder.loadCircuit(path, onProgress)
  const input = readInput(given, inputPath, circuit)
  const clampInputs = options.clamp === true
  // refused here if it does not fit: before there is a prover
  api.quantizeInput(circuit.graph, input, { clampInputs })
  const memory = api.memoryEstimate(circuit)
  if (memory !== null) note(`memory   about ${Math.ceil(memory / 2 ** 20)} MiB`)
  const key = await api.openKeyFile(keyPath)
  let prover: api.Prover | undefined
  try {
    prover = await api.openProver(circuit, key, { verificationKey })
    const ms = { witness: 0, prove: 0, total: 0 }
    const started = performance.now()
    const receipt = await prover.prove(input, {
      context: context.bytes,
      clampInputs,
      salts: salts.salts,
      onProgress: (event) => {
        if (event.stage === "prove" && event.done === 0) ms.witness = elapsed(started)
        onProgress(event)
      },
    })
    ms.prove = elapsed(started) - ms.witness
    ms.total = elapsed(start)
    const text = `${JSON.stringify(receipt, null, 2)}\n`
    salts.save()
    files.writeWhole(options.out, text)
    const proofBytes = 32 * api.solidityProof(receipt.proof).length
    print({ receipt: options.out, proofBytes, memoryBytes: memory, ms }, [
      `receipt  ${options.out} (proof ${proofBytes} bytes, ${ms.prove} ms)`,
    ])
  } finally {
    await prover?.close()
    await key.close()
  }
})

/** Adds the options that say what a receipt must be, and gives what reads it and them. */
function receiptCommand(name: string, description: string) {
  const made = command(name, description)
    .argument("<receipt>")
    .needs("--key <file>", "verification key")
    .option("--key-digest <hex>", "digest that the key must have: a file alone is anyone's word")
    .option("--model <hex>", "model digest the receipt must be for; default: the key's")
    .option("--allow-dev", "accept a development key")
  const contextOf = withContext(made, "the receipt must be for")
  const read = (path: string, options: ReturnType<typeof made.opts>): { receipt: string; asked: Asked } => {
    const context = contextOf()
    const { key: file, allowDev = false } = options
    const model = options.model === undefined ? undefined : bytes32("--model", options.model)
    const keyDigest = options.keyDigest === undefined ? undefined : bytes32("--key-digest", options.keyDigest)
    const key = folder.loadVerificationKey(file)
    const receipt = new TextDecoder().decode(files.readWhole(path))
    return { receipt, asked: { key, file, keyDigest, model, context, allowDev } }
  }
  return { made, read }
}

const verify = receiptCommand("verify", "check a receipt; exit code 1 if it is not valid")
verify.made.action((path: string, options) => {
  const { receipt, asked } = verify.read(path, options)
  const { result, lines } = verified(receipt, asked)
  print(result, lines)
  if (!result.valid) invalid()
})

const onchain = receiptCommand("calldata", "check a receipt, and write the call that verifies it on chain")
onchain.made.action((path: string, options) => {
  const { receipt, asked } = onchain.read(path, options)
  const { result, lines } = verified(receipt, asked)
  if (!result.valid) {
    print(result, lines)
    invalid()
    return
  }
  const call = calldata(api.parseReceipt(receipt), asked.key, asked.allowDev)
  print(call.result, call.lines)
})

command("run", "run the integer model without proving")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .option("--clamp", "move inputs outside the calibrated range to its edge")
  .action(async (path: string, inputPath: string, options) => {
    const given = folder.readJson(inputPath)
    const { graph } = await folder.loadCircuit(path, onProgress)
    const input = readInput(given, inputPath, { graph })
    const values = api.runInteger(
      graph,
      api.quantizeInput(graph, input, { clampInputs: options.clamp === true }),
    )
    const integers: Record<string, number[]> = {}
    const outputs: Record<string, number[]> = {}
    for (const { name, tensor } of graph.outputs) {
      integers[name] = Array.from(values.get(tensor) as Float64Array)
      outputs[name] = Array.from(api.dequantize(graph.tensors[tensor], integers[name]))
    }
    print(
      { outputs, integers },
      Object.entries(outputs).map(([name, xs]) => `${name}: ${xs.map((x) => x.toPrecision(6)).join(" ")}`),
    )
  })

command("inspect", "what each node costs")
  .argument("<folder>")
  .action(async (path: string) => {
    const report = api.inspect(await folder.loadCircuit(path, onProgress))
    const rows = report.nodes.filter((node) => node.constraints > 0 || node.primitive === "linear")
    const share = (count: number) => `${((100 * count) / report.totals.constraints).toFixed(1)} %`
    const table = rows.map((n) => [
      n.name,
      n.operator,
      n.primitive,
      String(n.accBits || ""),
      String(n.lookups || ""),
      String(n.constraints),
      share(n.constraints),
      n.gadget,
    ])
    const total = [
      "total",
      "",
      "",
      "",
      String(report.totals.lookups),
      String(report.totals.constraints),
      "",
      `domain ${report.totals.domain}`,
    ]
    print(
      { ...report },
      columns([
        ["node", "operator", "primitive", "bits", "lookups", "constraints", "share", "gadgets"],
        ...table,
        total,
      ]),
    )
  })

command("audit", "rebuild the circuit from the model, compare it with the key, and try to cheat it")
  .argument("<folder>")
  .action(async (path: string) => {
    const start = performance.now()
    const key = folder.loadVerificationKey(folder.verificationKeyPath(path))
    const provingKey = folder.provingKeyPath(path)
    const circuit = await folder.loadCircuit(path, onProgress)
    const report = await audited(circuit, provingKey, key)
    const valid = report.accepted.length === 0 && report.differences.length === 0
    const agreement = report.differences.length === 0 ? "no difference" : "the circuit is not the model's:"
    print({ valid, model: circuit.model, ...report, ms: elapsed(start) }, [
      `model    ${circuit.model}, rebuilt: the proving key's constraints and the verification key are this circuit's`,
      `compared with the model in exact integers on ${report.compared} inputs: ${agreement}`,
      ...report.differences,
      `points   ${report.points} of the proving key fit the circuit and each other`,
      `gadgets  ${Object.entries(report.gadgets)
        .map(([name, count]) => `${name} ${count}`)
        .join(", ")}`,
      `tried    ${Object.entries(report.tried)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(", ")}`,
      `forgeries refused ${report.refused}, accepted ${report.accepted.length}`,
      ...report.accepted,
    ])
    if (!valid) invalid()
  })

async function audited(circuit: api.Circuit, path: string, key: api.VerificationKey): Promise<api.Audit> {
  const provingKey = await api.openKeyFile(path)
  try {
    return await api.audit(circuit, provingKey, key)
  } finally {
    await provingKey.close()
  }
}

command("export", "write the circuit or its key for other tools")
  .argument("<what>", "circom, r1cs, solidity (a library that reads outputs) or key (for its registration)")
  .argument("<folder>")
  .needs("--out <file>", "where it goes")
  .option("--allow-dev", "export a development key")
  .action(async (what: string, path: string, options) => {
    files.checkOutput(options.out)
    const content = await exported(what, path, options.out, options.allowDev === true)
    files.writeWhole(options.out, content)
    print({ what, out: options.out, bytes: content.length }, [`written to ${options.out}`])
  })

async function exported(
  what: string,
  path: string,
  out: string,
  allowDev: boolean,
): Promise<Uint8Array | string> {
  if (what === "circom") return api.exportCircom(await folder.loadCircuit(path, onProgress))
  if (what === "r1cs") {
    // a two-phase system is unsound in any other prover, so what leaves is the plain one
    const { graph, input } = await folder.loadCircuit(path, onProgress)
    const visibility = input === "public" ? "public" : "private"
    const plain = await api.compile(graph, { proofSystem: "groth16", input: visibility, onProgress })
    return api.writeR1cs(plain.linked.r1cs)
  }
  if (what !== "solidity" && what !== "key")
    throw new api.UsageError({
      what: "unknown export",
      expected: "circom, r1cs, solidity or key",
      given: `\`${what}\``,
    })
  const key = folder.loadVerificationKey(folder.verificationKeyPath(path))
  return what === "key"
    ? keyFile(key, allowDev)
    : api.solidityLibrary(key, basename(out, ".sol"), { allowDev })
}

function readInput(
  given: unknown,
  path: string,
  { graph }: Pick<api.Circuit, "graph">,
): Record<string, ArrayLike<number>> {
  const inputs = graph.inputs.map(({ name, tensor }) => ({ name, shape: graph.tensors[tensor].shape }))
  return api.parseInput(given, inputs, path)
}

await run(program)
