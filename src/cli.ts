#!/usr/bin/env node
/**
 * The command line. It alone prints and exits: 0 done or valid, 1 proof invalid, 2 bad input or usage,
 * 3 a fault of ours. With --json, one JSON object goes to standard output and nothing else.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { Command, CommanderError } from "commander"
import * as folder from "./folder.js"
import * as api from "./index.js"

type Json = Record<string, unknown>
const zeroContext = `0x${"0".repeat(64)}`

const program = new Command("countersign")
  .description("Prove which model produced which output, and check it anywhere.")
  .version(
    (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string })
      .version,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text) })

let json = false
const progressLine = { shown: "" }

/** Progress on standard error, only where someone watches. */
const onProgress: api.OnProgress = ({ stage, done, total }) => {
  if (json || !process.stderr.isTTY) return
  const text = total > 1 ? `${stage} ${Math.floor((100 * done) / total)}%` : stage
  if (text === progressLine.shown) return
  progressLine.shown = text
  process.stderr.write(`\r\x1b[2K${text}`)
}

/** Prints a result: the object itself with --json, else the lines. */
function print(result: Json, lines: readonly string[]): void {
  if (progressLine.shown !== "") process.stderr.write("\r\x1b[2K")
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${lines.join("\n")}\n`)
}

const command = (name: string, description: string): Command =>
  program
    .command(name)
    .description(description)
    .option("--json", "print one JSON object")
    .hook("preAction", (_, action) => {
      json = action.opts().json === true
    })

const elapsed = (start: number): number => Math.round(performance.now() - start)
const percent = (share: number | null): string =>
  share === null ? "not measured" : `${(100 * share).toFixed(2)} %`

command("compile", "quantize a model and compile it to a circuit")
  .argument("<model>", "an .onnx file, or model.json of tfjs")
  .requiredOption("--samples <file>", "inputs for calibration: a JSON array or .npz")
  .requiredOption("--out <folder>", "where the circuit goes")
  .option("--precision <bits>", "bits of an activation, 6 to 14", String(api.defaults.precision))
  .option("--input <visibility>", "private, public or committed", "private")
  .option("--output <visibility>", "public or committed", "public")
  .option("--weights <kind>", "fixed", "fixed")
  .option("--proof-system <name>", "mirage or groth16", "mirage")
  .option("--dimension <name=value...>", "value of an open dimension, by name or input:axis")
  .option("--max-constraints <count>", "refuse larger circuits", String(api.defaults.maxConstraints))
  .action(async (path: string, options) => {
    const start = performance.now()
    const graph = readModel(path, dimensions(options.dimension ?? []))
    const lowered = api.lower(graph)
    const { samples, labels } = api.parseSamples(
      folder.readWhole(options.samples),
      options.samples,
      graph.inputs,
    )
    const integers = await api.quantizeProgram(lowered, {
      samples,
      precision: integer("--precision", options.precision),
      onProgress,
    })
    const accuracy = api.measureAccuracy(lowered, integers, samples, { labels, onProgress })
    const circuit = await api.compile(integers, {
      input: options.input,
      output: options.output,
      weights: options.weights,
      proofSystem: options.proofSystem,
      maxConstraints: integer("--max-constraints", options.maxConstraints),
      onProgress,
    })
    const info = folder.saveCircuit(options.out, circuit, accuracy)
    print({ ...info, ms: elapsed(start) }, [
      `model        ${info.model}`,
      `constraints  ${info.constraints} (${info.lookups} lookups, domain ${info.domain}, ${info.nonzeros} non-zeros)`,
      `accuracy     float ${percent(accuracy.float)}, integer ${percent(accuracy.integer)} on ${accuracy.samples} samples`,
      `written to   ${options.out}`,
    ])
  })

command("setup", "make the keys of a compiled circuit")
  .argument("<folder>")
  .option("--dev", "draw the trapdoor here: whoever ran this can forge")
  .action(async (path: string, options) => {
    const start = performance.now()
    const circuit = await folder.loadCircuit(path, onProgress)
    const keys = await api.setup(circuit, { dev: options.dev, onProgress })
    folder.saveKeys(path, keys.provingKey, keys.verificationKey)
    const sizes = {
      provingKeyBytes: keys.provingKey.length,
      verificationKeyBytes: statSync(folder.verificationKeyPath(path)).size,
    }
    print({ setup: "dev", ...sizes, ms: elapsed(start) }, [
      `proving key       ${sizes.provingKeyBytes} bytes`,
      `verification key  ${folder.verificationKeyPath(path)}`,
      "These are development keys: whoever ran this setup can forge receipts.",
    ])
  })

command("prove", "run the model on an input and prove what it said")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .requiredOption("--out <file>", "where the receipt goes")
  .option("--context <hex>", "32 bytes the receipt is for", zeroContext)
  .option("--clamp", "move inputs outside the calibrated range to its edge")
  .option("--salts <file>", "salts of the commitments; drawn and written there if the file does not exist")
  .action(async (path: string, inputPath: string, options) => {
    const start = performance.now()
    const circuit = await folder.loadCircuit(path, onProgress)
    const input = readInput(inputPath, circuit)
    const salts = folder.loadSalts(options.salts, circuit)
    const memory = api.memoryEstimate(circuit)
    if (memory !== null && !json) process.stderr.write(`memory   about ${Math.ceil(memory / 2 ** 20)} MiB\n`)
    const key = await api.openKeyFile(folder.provingKeyPath(path))
    let prover: api.Prover | undefined
    try {
      prover = await api.openProver(circuit, key)
      const ms = { witness: 0, prove: 0, total: 0 }
      const started = performance.now()
      const receipt = await prover.prove(input, {
        context: contextOf(options.context),
        clampInputs: options.clamp === true,
        salts,
        onProgress: (event) => {
          if (event.stage === "prove" && event.done === 0) ms.witness = elapsed(started)
          onProgress(event)
        },
      })
      ms.prove = elapsed(started) - ms.witness
      ms.total = elapsed(start)
      const text = `${JSON.stringify(receipt, null, 2)}\n`
      folder.writeWhole(options.out, text)
      const proofBytes = 32 * api.solidityProof(receipt.proof).length
      print({ receipt: options.out, proofBytes, memoryBytes: memory, ms }, [
        `receipt  ${options.out} (proof ${proofBytes} bytes, ${ms.prove} ms)`,
      ])
    } finally {
      await prover?.close()
      await key.close()
    }
  })

command("verify", "check a receipt; exit code 1 if it is not valid")
  .argument("<receipt>")
  .requiredOption("--key <file>", "verification key")
  .option("--context <hex>", "32 bytes the receipt must be for", zeroContext)
  .option("--model <hex>", "model digest the receipt must be for; default: the key's")
  .option("--allow-dev", "accept a development key")
  .action((path: string, options) => {
    const verificationKey = folder.loadVerificationKey(options.key)
    const reason = api.explain(new TextDecoder().decode(folder.readWhole(path)), {
      verificationKey,
      model: options.model ?? verificationKey.model,
      context: contextOf(options.context),
      allowDev: options.allowDev === true,
    })
    print({ valid: reason === null, reason }, [reason === null ? "valid" : `not valid: ${reason}`])
    if (reason !== null) process.exitCode = 1
  })

command("run", "run the integer model without proving")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .option("--clamp", "move inputs outside the calibrated range to its edge")
  .action(async (path: string, inputPath: string, options) => {
    const { graph } = await folder.loadCircuit(path, onProgress)
    const input = readInput(inputPath, { graph })
    const values = api.runInteger(
      graph,
      api.quantizeInput(graph, input, { clampInputs: options.clamp === true }),
    )
    const integers: Record<string, number[]> = {}
    const outputs: Record<string, number[]> = {}
    for (const { name, tensor } of graph.outputs) {
      integers[name] = Array.from(values.get(tensor) as Float64Array)
      outputs[name] = Array.from(api.dequantize(graph, tensor, integers[name]))
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
      n.gadget.slice(0, 60),
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
    const circuit = await folder.loadCircuit(path, onProgress)
    const key = folder.loadVerificationKey(folder.verificationKeyPath(path))
    const report = await audited(circuit, folder.provingKeyPath(path), key)
    const valid = report.accepted.length === 0 && report.differences.length === 0
    const agreement = report.differences.length === 0 ? "no difference" : "the circuit is not the model's:"
    print({ valid, model: circuit.model, ...report, ms: elapsed(start) }, [
      `model    ${circuit.model}, rebuilt: the proving key's constraints and the verification key are this circuit's`,
      `compared with the model in exact integers on ${report.compared} inputs: ${agreement}`,
      ...report.differences,
      `gadgets  ${Object.entries(report.gadgets)
        .map(([name, count]) => `${name} ${count}`)
        .join(", ")}`,
      `tried    ${Object.entries(report.tried)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(", ")}`,
      `forgeries refused ${report.refused}, accepted ${report.accepted.length}`,
      ...report.accepted,
    ])
    if (!valid) process.exitCode = 1
  })

async function audited(circuit: api.Circuit, path: string, key: api.VerificationKey): Promise<api.Audit> {
  const provingKey = await api.openKeyFile(path)
  try {
    await api.checkKeys(circuit, provingKey, key)
    return await api.audit(circuit, provingKey, key)
  } finally {
    await provingKey.close()
  }
}

command("export", "write the circuit for other tools")
  .argument("<what>", "circom, r1cs or solidity")
  .argument("<folder>")
  .requiredOption("--out <file>")
  .option("--allow-dev", "export the arguments of a development key")
  .action(async (what: string, path: string, options) => {
    const content = await exported(what, path, options.allowDev === true)
    folder.writeWhole(options.out, content)
    print({ what, out: options.out, bytes: content.length }, [`written to ${options.out}`])
  })

async function exported(what: string, path: string, allowDev: boolean): Promise<Uint8Array | string> {
  if (what === "circom") return api.exportCircom(await folder.loadCircuit(path, onProgress))
  if (what === "r1cs") {
    // a two-phase system is unsound in any other prover, so what leaves is the plain one
    const { graph, input } = await folder.loadCircuit(path, onProgress)
    const visibility = input === "public" ? "public" : "private"
    const plain = await api.compile(graph, { proofSystem: "groth16", input: visibility, onProgress })
    return api.writeR1cs(plain.linked.r1cs)
  }
  if (what !== "solidity")
    throw new api.UsageError({
      what: "unknown export",
      expected: "circom, r1cs or solidity",
      given: `\`${what}\``,
    })
  const key = folder.loadVerificationKey(folder.verificationKeyPath(path))
  if (key.setup === "dev" && !allowDev) {
    throw new api.UsageError({
      what: "this is a development key, whose maker can forge",
      where: `\`${path}\``,
      fix: "Pass --allow-dev",
    })
  }
  const calldata = { key: api.keyDigest(key), model: key.model, setup: key.setup, blob: api.solidityKey(key) }
  return `${JSON.stringify(calldata, null, 2)}\n`
}

function readModel(path: string, dimensions: Record<string, number>): api.Graph {
  const bytes = folder.readWhole(path)
  if (!path.endsWith(".json")) return api.importOnnx(bytes, { file: path, dimensions })
  const model = folder.readJson(path) as { weightsManifest?: { paths?: string[] }[] }
  const shards = (model.weightsManifest ?? []).flatMap((group) => group.paths ?? [])
  const weights = Buffer.concat(shards.map((shard) => folder.readWhole(join(dirname(path), shard))))
  return api.importTfjs(model, weights, { file: path, dimensions })
}

function dimensions(entries: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.lastIndexOf("=")
      return [entry.slice(0, at), integer("--dimension", entry.slice(at + 1))]
    }),
  )
}

function integer(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new api.UsageError({ what: option, expected: "a positive integer", given: `\`${text}\`` })
  return value
}

function contextOf(text: string): string {
  const hex = text.toLowerCase().replace(/^(0x)?/, "0x")
  if (!/^0x[0-9a-f]{64}$/.test(hex))
    throw new api.UsageError({ what: "--context", expected: "32 bytes in hexadecimal", given: `\`${text}\`` })
  return hex
}

function readInput(path: string, { graph }: Pick<api.Circuit, "graph">): Record<string, ArrayLike<number>> {
  if (!existsSync(path)) throw new api.UsageError({ what: "does not exist", where: `\`${path}\`` })
  const inputs = graph.inputs.map(({ name, tensor }) => ({ name, shape: graph.tensors[tensor].shape }))
  return api.parseInput(folder.readJson(path), inputs, path)
}

/** Pads a table of text. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  )
}

try {
  await program.parseAsync()
} catch (error) {
  if (progressLine.shown !== "") process.stderr.write("\n")
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    const expected = error instanceof api.CountersignError
    const message = error instanceof Error ? error.message : String(error)
    if (json)
      process.stdout.write(
        `${JSON.stringify({ error: { name: error instanceof Error ? error.name : "Error", message } })}\n`,
      )
    else
      process.stderr.write(
        expected
          ? `error: ${message}\n`
          : `this is a fault of countersign, please report it:\n${error instanceof Error ? error.stack : message}\n`,
      )
    process.exitCode = expected ? 2 : 3
  }
}
