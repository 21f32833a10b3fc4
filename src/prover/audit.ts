/**
 * Everything that can be tried against a circuit and its keys: the circuit compared with its model in exact integers
 * (circuit/differential), forged witnesses (circuit/audit) and edited receipts, all of which must be refused.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { type AuditReport, auditWitness } from "../circuit/audit.js"
import { describeRow, firstFailingRow } from "../circuit/check.js"
import { assignCommitments } from "../circuit/commitment.js"
import { type Circuit, witnessOf } from "../circuit/compile.js"
import { differences, probes } from "../circuit/differential.js"
import { entriesOf } from "../circuit/lookup.js"
import { drawSalt } from "../circuit/poseidon.js"
import { assignCommitted, challengedWitness, type TensorValues, type Witness } from "../circuit/witness.js"
import { CountersignError } from "../errors.js"
import { inverseAll, mod, q } from "../field.js"
import { runInteger } from "../quantize/run.js"
import type { VerificationKey } from "../verifier/key.js"
import type { G1Json, G2Json } from "../verifier/points.js"
import type { Receipt } from "../verifier/receipt.js"
import { verify } from "../verifier/verify.js"
import type { ProvingKey } from "./keysource.js"
import { draw, platformRandom } from "./multiply.js"
import { openProver, statementWords } from "./prover.js"

const context = `0x${"00".repeat(32)}`

/** Random inputs at which circuit and model are compared, besides the corners of the declared ranges. */
const randomProbes = 4

/** What an audit found; nothing is wrong if `accepted` and `differences` are empty. */
export interface Audit extends AuditReport {
  /** Inputs at which the circuit was compared with its model in exact integers. */
  readonly compared: number
  /** Where circuit and model differ, at the first of them that shows it. */
  readonly differences: readonly string[]
}

/**
 * Compares the circuit with its model at the corners of the declared ranges and at random; if they agree, runs the
 * model on zeros (moved into the declared range), proves that, and attacks witness and receipt.
 * @throws CountersignError if the honest receipt does not verify: the keys are broken
 */
export async function audit(
  circuit: Circuit,
  provingKey: ProvingKey,
  verificationKey: VerificationKey,
): Promise<Audit> {
  const { graph } = circuit
  const { witness, ...comparison } = compare(circuit)
  if (!witness) return { gadgets: {}, refused: 0, accepted: [], tried: {}, ...comparison }
  const witnesses = auditWitness(circuit, witness)
  const zeros = Object.fromEntries(
    graph.inputs.map(({ name, tensor }) => [name, new Float64Array(graph.tensors[tensor].lo.length)]),
  )
  const salts = {
    ...(circuit.input === "committed" ? { input: drawSalt() } : {}),
    ...(circuit.output === "committed" ? { output: drawSalt() } : {}),
  }
  const prover = await openProver(circuit, provingKey)
  let receipts: [Receipt, Receipt]
  try {
    const prove = (to: string) => prover.prove(zeros, { context: to, clampInputs: true, salts })
    receipts = [await prove(context), await prove(`0x${"01".repeat(32)}`)]
  } finally {
    await prover.close()
  }
  const edited = auditReceipt(receipts[0], receipts[1], verificationKey)
  return {
    gadgets: witnesses.gadgets,
    refused: witnesses.refused + edited.refused,
    accepted: [...witnesses.accepted, ...edited.accepted],
    tried: { ...witnesses.tried, ...edited.tried },
    ...comparison,
  }
}

/** Circuit, evaluation and witness against exact integers; with the last witness, if nothing differs. */
function compare(circuit: Circuit): Pick<Audit, "compared" | "differences"> & { readonly witness?: Witness } {
  const uniform = () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32
  let [compared, witness] = [0, undefined as Witness | undefined]
  for (const probe of probes(circuit.graph, randomProbes, uniform)) {
    compared++
    const found = differences(circuit, probe)
    if (found.length > 0) return { compared, differences: found }
    try {
      witness = fullWitness(circuit, runInteger(circuit.graph, probe))
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      return { compared, differences: [error.message] }
    }
    const row = firstFailingRow(circuit.linked.r1cs, witness)
    if (row < 0) continue
    const what = describeRow(circuit.graph, circuit.linked, row)
    return { compared, differences: [`constraint ${row} refuses the model's own integers: ${what}`] }
  }
  return { compared, differences: [], ...(witness && { witness }) }
}

/** Every wire of an honest execution; a two-phase circuit's with a random challenge. */
function fullWitness(circuit: Circuit, values: TensorValues): Witness {
  if (circuit.proofSystem === "groth16") return witnessOf(circuit, values, context)
  const committed = assignCommitted(circuit.graph, circuit.linked, values)
  const salts = { input: drawSalt(), output: drawSalt() }
  assignCommitments(circuit, values, committed, salts)
  const words = statementWords(circuit, values, salts)
  const c = draw(platformRandom)
  const inverse = entriesOf(circuit.linked.lookup).map((entry) => mod(c - entry))
  inverseAll(inverse)
  return challengedWitness(circuit.linked, committed, words, c, inverse)
}

/** Edits of a receipt; `other` is another valid one of the same key, in another context. */
export function auditReceipt(
  receipt: Receipt,
  other: Receipt,
  verificationKey: VerificationKey,
): Pick<AuditReport, "refused" | "accepted" | "tried"> {
  const { statement } = receipt
  const accepts = (candidate: unknown, to = statement.context) =>
    verify(candidate, { verificationKey, model: statement.model, context: to, allowDev: true })
  if (!accepts(receipt)) {
    throw new CountersignError({
      what: "an honest receipt does not verify",
      fix: "Run setup again: the keys do not belong together or are damaged",
    })
  }
  const tried: Record<string, number> = {}
  const accepted: string[] = []
  let refused = 0
  const attempt = (kind: string, what: string, candidate: unknown, to?: string) => {
    tried[kind] = (tried[kind] ?? 0) + 1
    if (accepts(candidate, to)) accepted.push(what)
    else refused++
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
    if (claim.visibility === "public") {
      for (const [name, list] of Object.entries(claim.values)) {
        for (const i of new Set([0, list.length - 1])) {
          for (const step of [1n, -1n]) {
            const changed = list.map((x, j) => (j === i ? `${BigInt(x) + step}` : x))
            const values = { ...claim.values, [name]: changed }
            attempt("statement", `${side} ${name}[${i}] moved by ${step}`, {
              ...receipt,
              statement: { ...statement, [side]: { ...claim, values } },
            })
          }
        }
      }
    } else if (claim.visibility === "committed") {
      const commitment = `0x${(BigInt(claim.commitment) ^ 1n).toString(16).padStart(64, "0")}`
      attempt("statement", `${side}'s commitment changed`, {
        ...receipt,
        statement: { ...statement, [side]: { ...claim, commitment } },
      })
    }
  }
  const points: Record<string, G1Json | G2Json> = { ...receipt.proof }
  const others: Record<string, G1Json | G2Json> = { ...other.proof }
  for (const name of Object.keys(points)) {
    const replace = (what: string, point: unknown) =>
      attempt("proof", `proof.${name} ${what}`, { ...receipt, proof: { ...points, [name]: point } })
    replace("of another receipt", others[name])
    replace(
      "at infinity",
      name === "b"
        ? [
            ["0", "0"],
            ["0", "0"],
          ]
        : ["0", "0"],
    )
    if (name === "b") {
      const [x, [y0, y1]] = points[name] as G2Json
      replace("negated", [x, [`${mod(-BigInt(y0), q)}`, `${mod(-BigInt(y1), q)}`]])
    } else {
      const [x, y] = points[name] as G1Json
      replace("negated", [x, `${mod(-BigInt(y), q)}`])
      replace("with a coordinate not reduced", [`${BigInt(x) + q}`, y])
      const moved = bn254.G1.Point.fromAffine({ x: BigInt(x), y: BigInt(y) })
        .add(bn254.G1.Point.BASE)
        .toAffine()
      replace("moved by the generator", [`${moved.x}`, `${moved.y}`])
    }
  }
  return { refused, accepted, tried }
}
