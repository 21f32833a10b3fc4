/** A model run on an input: what a receipt of it would say, without the proof. */
import { checkOptions, checkThing } from "../arguments.js"
import { type Salts, saltsFor } from "../circuit/witness/commitment.js"
import type { TensorValues } from "../circuit/witness/witness.js"
import { invariant, UsageError } from "../errors.js"
import type { Nested } from "../quantize/calibration/nested.js"
import { quantizeInput, runInteger } from "../quantize/integers/run.js"
import { publicOutputs } from "../statement/layout.js"
import type { Statement, Values } from "../statement/statement.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { VerificationKey } from "../systems/verifiers.js"

export interface ExecuteOptions {
  /** The caller's 32 bytes, as 0x and 64 hexadecimal digits; default: zero. */
  readonly context?: string
  /** Move inputs outside the calibrated range to its edge instead of refusing them. */
  readonly clampInputs?: boolean
  /** Salts of commitments (`drawSalt`), one for each side that the circuit commits to. Keep them to open it. */
  readonly salts?: Salts
  /** Of a model with private weights its key, which says what model it is: without, the statement names the architecture. */
  readonly verificationKey?: VerificationKey
}

export interface Executed {
  /** What the model said, as a receipt would state it. */
  readonly statement: Statement
  /** The input as integers, row-major by tensor name: with the salts it is all that a proof takes. */
  readonly input: Values
  readonly salts: Salts
  /** Integers of every tensor of the model. */
  readonly values: TensorValues
}

const zeroContext = `0x${"0".repeat(64)}`

/**
 * Runs the model on an input, flat or nested like its shape. What it says is exactly what a proof would.
 * @throws InputError for inputs that do not fit; UsageError for a malformed context, missing salts or another model's key;
 * CountersignError for a model without its private weights
 */
export function execute(
  circuit: Circuit,
  input: Readonly<Record<string, Nested>>,
  options: ExecuteOptions = {},
): Executed {
  checkThing("circuit", circuit, "circuit")
  checkOptions(options)
  const { context = zeroContext, clampInputs = false, verificationKey } = options
  if (!/^0x[0-9a-f]{64}$/.test(context))
    throw new UsageError({
      what: "malformed context",
      expected: "0x and 64 lower-case hexadecimal digits",
      given: `\`${context}\``,
    })
  const salts = saltsFor(circuit, options.salts)
  const quantized = quantizeInput(circuit.graph, input, { clampInputs })
  const values = runInteger(circuit.graph, quantized)
  return {
    statement: statementOf(circuit, modelUnder(circuit, verificationKey), values, context, salts),
    input: Object.fromEntries(
      Object.entries(quantized).map(([name, integers]) => [name, Array.from(integers, String)]),
    ),
    salts,
    values,
  }
}

/** Digest of the model that a circuit is of under a key. @throws UsageError for the key of another */
function modelUnder(circuit: Circuit, key: VerificationKey | undefined): Statement["model"] {
  if (key === undefined || circuit.weights === "fixed") return circuit.model
  checkThing("verificationKey", key, "options.verificationKey")
  if (isOf(circuit, key)) return key.model
  throw new UsageError({
    what: "the verification key is another model's",
    expected: circuit.model,
    given: key.architecture ?? key.model,
    fix: "Take both from one folder",
  })
}

/** Whether a key is of a circuit's model, or where weights are private of one of its architecture. */
export const isOf = ({ model }: Circuit, key: VerificationKey): boolean =>
  (key.architecture ?? key.model) === model

/** The statement that an execution makes true. */
function statementOf(
  circuit: Circuit,
  model: Statement["model"],
  values: TensorValues,
  context: string,
  salts: Salts,
): Statement {
  const { graph, input, output } = circuit
  const of = (tensor: number): Float64Array => {
    const data = values.get(tensor)
    invariant(data, `tensor ${graph.tensors[tensor].name} has no values`)
    return data
  }
  const shown = (entries: readonly { name: string; tensor: number }[]): Values =>
    Object.fromEntries(entries.map(({ name, tensor }) => [name, Array.from(of(tensor), String)]))
  const commitments = systemOf(circuit).commit(circuit, values, salts)
  const committed = (side: "input" | "output"): `0x${string}` => {
    const value = commitments[side]
    invariant(value !== undefined, `the circuit commits to its ${side}`)
    return `0x${value.toString(16).padStart(64, "0")}`
  }
  const inputClaim = (): Statement["input"] => {
    if (input === "private") return { visibility: "hidden" }
    if (input === "public") return { visibility: "public", values: shown(graph.inputs) }
    return { visibility: "committed", commitment: committed("input") }
  }
  const outputClaim = (): Statement["output"] => {
    // public outputs are the first ones
    const values = shown(graph.outputs.slice(0, publicOutputs(circuit.layout).length))
    if (output === "public") return { visibility: "public", values }
    const commitment = committed("output")
    const hidesAll = Object.keys(values).length === 0
    return { visibility: "committed", commitment, ...(hidesAll ? {} : { values }) }
  }
  return {
    model,
    context: context as Statement["context"], // `execute` has looked at its form
    input: inputClaim(),
    output: outputClaim(),
  }
}
