/**
 * Everything that can be tried against a circuit and its keys: the circuit compared with its model in exact integers
 * (compile/differential.ts), the points of the keys with the circuit (audit-key.ts), forged witnesses
 * (compile/forgeries.ts) and edited receipts, all of which must be refused.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { checkThing } from "../arguments.js"
import { checkProvingKey, type ProvingKey } from "../circuit/formats/source.js"
import { drawSalt } from "../circuit/gadgets/poseidon.js"
import { describeRow, firstFailingRow } from "../circuit/witness/check.js"
import type { Witness } from "../circuit/witness/witness.js"
import { differences, type Probe, probes } from "../compile/differential.js"
import { type AuditReport, auditWitness } from "../compile/forgeries.js"
import { CountersignError, ModelError } from "../errors.js"
import { mod, q, r } from "../field.js"
import type { Window } from "../ops/program.js"
import { runInteger } from "../quantize/integers/run.js"
import { hasSecrets, withAnySecrets } from "../quantize/integers/secrets.js"
import type { G1Json, G2Json } from "../statement/points.js"
import { shownValues } from "../statement/statement.js"
import { type Circuit, systemOf } from "../systems/index.js"
import type { Receipt, VerificationKey } from "../systems/verifiers.js"
import { checkKey } from "../verifier/key.js"
import { auditKey } from "./audit-key.js"
import { checkKeys, isPrivate, openProver } from "./open.js"
import { openVerifier } from "./verify.js"
import { commitWeights } from "./weights.js"

const context = `0x${"00".repeat(32)}`

/** Random inputs at which circuit and model are compared, besides the corners of the declared ranges. */
const randomProbes = 4

/** What an audit found; nothing is wrong if `accepted` and `differences` are empty. */
export interface Audit extends AuditReport {
  /** Inputs at which the circuit was compared with its model in exact integers. */
  readonly compared: number
  /** Where circuit and model differ, at the first of them that shows it. */
  readonly differences: readonly string[]
  /** Points of the proving key that were compared with the circuit and each other. */
  readonly points: number
}

/**
 * Compares the circuit with its model at the corners of the declared ranges and at random; if they agree, compares the
 * points of the keys with the circuit, proves one of the random executions, and attacks witness and receipt. Where
 * weights are private and not here, the circuit is that of its architecture, and is tried with weights that are drawn;
 * proofs are made under a commitment of the audit's own, so that nothing is shown of the model's.
 * @throws FileError if the keys are not the circuit's, points of the proving key are wrong (it names the section), or
 * the honest proof does not verify
 */
export async function audit(
  circuit: Circuit,
  provingKey: ProvingKey,
  verificationKey: VerificationKey,
): Promise<Audit> {
  checkThing("circuit", circuit, "circuit")
  checkProvingKey(provingKey, "provingKey")
  checkThing("verificationKey", verificationKey, "verificationKey")
  const tried = withWeights(circuit)
  const { graph } = tried
  const { last, ...comparison } = compare(tried)
  if (!last) return { points: 0, gadgets: {}, refused: 0, accepted: [], tried: {}, ...comparison }
  await checkKeys(circuit, provingKey, verificationKey)
  const points = await auditKey(circuit, provingKey, checkKey(verificationKey))
  const witnesses = auditWitness(tried, last.witness)
  const input = Object.fromEntries(
    graph.inputs.map(({ name, tensor }) => [
      name,
      last.probe[name].map((x) => x * graph.tensors[tensor].scale),
    ]),
  )
  const salts = {
    ...(circuit.input === "committed" ? { input: drawSalt() } : {}),
    ...(circuit.output === "committed" ? { output: drawSalt() } : {}),
  }
  const own = isPrivate(tried) ? await commitWeights(tried, provingKey) : undefined
  const key = own?.verificationKey ?? verificationKey
  const opening = own ? { blinding: own.commitment.blinding } : {}
  const prover = await openProver(tried, provingKey, { verificationKey: key, ...opening })
  let receipts: [Receipt, Receipt]
  try {
    const prove = (to: string) => prover.prove(input, { context: to, clampInputs: true, salts })
    receipts = [await prove(context), await prove(`0x${"01".repeat(32)}`)]
  } finally {
    await prover.close()
  }
  const edited = await auditReceipt(receipts[0], receipts[1], key)
  return {
    points,
    gadgets: witnesses.gadgets,
    refused: witnesses.refused + edited.refused,
    accepted: [...witnesses.accepted, ...edited.accepted],
    tried: { ...witnesses.tried, ...edited.tried },
    ...comparison,
  }
}

/**
 * The circuit with weights to try it with: those that it has, or any of its architecture. Ranges are those of trained
 * models, whose sums of products do not add up as those of drawn weights do: they are drawn as wide as fits.
 */
function withWeights(circuit: Circuit): Circuit {
  if (hasSecrets(circuit.graph)) return circuit
  for (let divisor = 1; ; divisor *= 2) {
    const drawn = ({ lo, bits }: Window) => Math.trunc((lo + Math.floor(uniform() * 2 ** bits)) / divisor)
    const made = { ...circuit, graph: withAnySecrets(circuit.graph, drawn) }
    if (divisor > 2 ** 53 || isProvable(made)) return made
  }
}

function isProvable(circuit: Circuit): boolean {
  try {
    systemOf(circuit).weights?.check(circuit)
    return true
  } catch (error) {
    if (error instanceof ModelError) return false
    throw error
  }
}

const uniform = () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32

/** An input and the witness of its execution. */
interface Execution {
  readonly probe: Probe
  readonly witness: Witness
}

/** Circuit, evaluation and witness against exact integers; with the last execution, if nothing differs. */
function compare(circuit: Circuit): Pick<Audit, "compared" | "differences"> & { readonly last?: Execution } {
  let compared = 0
  let last: Execution | undefined
  for (const probe of probes(circuit.graph, randomProbes, uniform)) {
    compared++
    const found = differences(circuit, probe)
    if (found.length > 0) return { compared, differences: found }
    let witness: Witness
    try {
      witness = systemOf(circuit).witness(circuit, runInteger(circuit.graph, probe))
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      return { compared, differences: [error.message] }
    }
    const row = firstFailingRow(circuit.linked.r1cs, witness)
    last = { probe, witness }
    if (row < 0) continue
    const what = describeRow(circuit.graph, circuit.linked, row)
    return { compared, differences: [`constraint ${row} refuses the model's own integers: ${what}`] }
  }
  return { compared, differences: [], ...(last && { last }) }
}

/** Edits of a receipt; `other` is another valid one of the same key, in another context. */
export async function auditReceipt(
  receipt: Receipt,
  other: Receipt,
  verificationKey: VerificationKey,
): Promise<Pick<AuditReport, "refused" | "accepted" | "tried">> {
  checkThing("receipt", receipt, "receipt")
  checkThing("receipt", other, "other")
  checkThing("verificationKey", verificationKey, "verificationKey")
  const { statement } = receipt
  await using verifier = openVerifier()
  const accepts = async (candidate: unknown, to: string = statement.context) => {
    const expected = { verificationKey, model: statement.model, context: to, allowDev: true }
    return (await verifier.explain(candidate, expected)) === null
  }
  if (!(await accepts(receipt))) {
    throw new CountersignError({
      what: "an honest receipt does not verify",
      fix: "Run setup again: the keys do not belong together or are damaged",
    })
  }
  const attempts: { kind: string; what: string; candidate: unknown; to?: string }[] = []
  const attempt = (kind: string, what: string, candidate: unknown, to?: string) => {
    attempts.push({ kind, what, candidate, ...(to === undefined ? {} : { to }) })
  }
  attempt("context", "receipt shown in another context", receipt, other.statement.context)
  attempt(
    "context",
    "receipt rewritten for another context",
    { ...receipt, statement: { ...statement, context: other.statement.context } },
    other.statement.context,
  )
  for (const side of ["output", "input"] as const) {
    const claim = statement[side]
    for (const [name, list] of Object.entries(shownValues(claim))) {
      for (const i of new Set([0, list.length - 1])) {
        for (const step of [1n, -1n]) {
          const changed = list.map((x, j) => (j === i ? `${BigInt(x) + step}` : x))
          const values = { ...shownValues(claim), [name]: changed }
          attempt("statement", `${side} ${name}[${i}] moved by ${step}`, {
            ...receipt,
            statement: { ...statement, [side]: { ...claim, values } },
          })
        }
      }
    }
    if (claim.visibility === "committed") {
      const commitment = `0x${(BigInt(claim.commitment) ^ 1n).toString(16).padStart(64, "0")}`
      attempt("statement", `${side}'s commitment changed`, {
        ...receipt,
        statement: { ...statement, [side]: { ...claim, commitment } },
      })
    }
  }
  const parts: Record<string, Part> = { ...receipt.proof }
  const others: Record<string, Part> = { ...other.proof }
  for (const [name, part] of Object.entries(parts)) {
    const edits: Record<string, Part> = { "of another receipt": others[name], ...editsOf(part) }
    // a selector that is zero everywhere is zero negated, too
    for (const [what, edited] of Object.entries(edits))
      if (`${edited}` !== `${part}`)
        attempt("proof", `proof.${name} ${what}`, { ...receipt, proof: { ...parts, [name]: edited } })
  }

  const tried: Record<string, number> = {}
  const accepted: string[] = []
  for (const { kind, what, candidate, to } of attempts) {
    tried[kind] = (tried[kind] ?? 0) + 1
    if (await accepts(candidate, to)) accepted.push(what)
  }
  return { refused: attempts.length - accepted.length, accepted, tried }
}

/** A point or an evaluation of a proof. */
type Part = string | G1Json | G2Json

/** What a forger may put in its place, by name. */
function editsOf(part: Part): Record<string, Part> {
  if (typeof part === "string") {
    const value = BigInt(part)
    return {
      "moved by one": `${mod(value + 1n)}`,
      negated: `${mod(-value)}`,
      "not reduced": `${value + r}`,
      zero: "0",
    }
  }
  const [x, y] = part
  if (typeof x !== "string" || typeof y !== "string") {
    const [y0, y1] = (part as G2Json)[1].map(BigInt)
    return {
      "at infinity": [
        ["0", "0"],
        ["0", "0"],
      ],
      negated: [(part as G2Json)[0], [`${mod(-y0, q)}`, `${mod(-y1, q)}`]],
    }
  }
  const moved = bn254.G1.Point.fromAffine({ x: BigInt(x), y: BigInt(y) })
    .add(bn254.G1.Point.BASE)
    .toAffine()
  return {
    "at infinity": ["0", "0"],
    negated: [x, `${mod(-BigInt(y), q)}`],
    "with a coordinate not reduced": [`${BigInt(x) + q}`, y],
    "moved by the generator": [`${moved.x}`, `${moved.y}`],
  }
}
