/**
 * Everything that can be tried against a circuit and its keys: whether the keys' points fit it (auditkey.ts), forged
 * witnesses (circuit/audit) and edited receipts. All forgeries must be refused.
 */
import { bn254 } from "@noble/curves/bn254.js"
import { type AuditReport, auditWitness } from "../circuit/audit.js"
import { assignCommitments } from "../circuit/commitment.js"
import { type Circuit, witnessOf } from "../circuit/compile.js"
import { entriesOf } from "../circuit/lookup.js"
import { drawSalt } from "../circuit/poseidon.js"
import { assignCommitted, challengedWitness, type TensorValues } from "../circuit/witness.js"
import { CountersignError } from "../errors.js"
import { inverseAll, mod, q } from "../field.js"
import { quantizeInput, runInteger } from "../quantize/run.js"
import { checkKey, type VerificationKey } from "../verifier/key.js"
import type { G1Json, G2Json } from "../verifier/points.js"
import type { Receipt } from "../verifier/receipt.js"
import { verify } from "../verifier/verify.js"
import { auditKey } from "./auditkey.js"
import type { ProvingKey } from "./keysource.js"
import { draw, platformRandom } from "./multiply.js"
import { checkKeys, openProver, statementWords } from "./prover.js"

const context = `0x${"00".repeat(32)}`

/**
 * Runs the model on zeros (moved into the declared range), proves that, and attacks witness and receipt.
 * `points` is the number of points of the proving key that were compared.
 * @throws FileError if the keys are not the circuit's, points of the proving key are wrong (it names the section), or
 * the honest proof does not verify
 */
export async function audit(
  circuit: Circuit,
  provingKey: ProvingKey,
  verificationKey: VerificationKey,
): Promise<AuditReport & { readonly points: number }> {
  await checkKeys(circuit, provingKey, verificationKey)
  const points = await auditKey(circuit, provingKey, checkKey(verificationKey))
  const { graph } = circuit
  const zeros = Object.fromEntries(
    graph.inputs.map(({ name, tensor }) => [name, new Float64Array(graph.tensors[tensor].lo.length)]),
  )
  const values = runInteger(graph, quantizeInput(graph, zeros, { clampInputs: true }))
  const witnesses = auditWitness(circuit, fullWitness(circuit, values))
  const salts = {
    ...(circuit.input === "committed" ? { input: drawSalt() } : {}),
    ...(circuit.output === "committed" ? { output: drawSalt() } : {}),
  }
  const prover = await openProver(circuit, provingKey, { verificationKey })
  let receipts: [Receipt, Receipt]
  try {
    const prove = (to: string) => prover.prove(zeros, { context: to, clampInputs: true, salts })
    receipts = [await prove(context), await prove(`0x${"01".repeat(32)}`)]
  } finally {
    await prover.close()
  }
  const edited = auditReceipt(receipts[0], receipts[1], verificationKey)
  return {
    points,
    gadgets: witnesses.gadgets,
    refused: witnesses.refused + edited.refused,
    accepted: [...witnesses.accepted, ...edited.accepted],
    tried: { ...witnesses.tried, ...edited.tried },
  }
}

/** Every wire of an honest execution; a two-phase circuit's with a random challenge. */
function fullWitness(circuit: Circuit, values: TensorValues) {
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
