/**
 * Private weights: what whoever knows weights, blindings or secrets of the setup can make of a model's commitment. The
 * attacks that work do so against a weaker verifier, or a setup that ours refuse.
 */
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { coordinates, montgomeryPoint } from "#src/circuit/formats/points.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { inverse, mod, r } from "#src/field.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { openProver, setup, verificationKeyOf } from "#src/prover/open.js"
import { checkWeights, commitWeights } from "#src/prover/weights.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import { withAnySecrets } from "#src/quantize/integers/secrets.js"
import { evaluateByTrapdoor } from "#src/setup/trapdoor.js"
import { checkCommon } from "#src/statement/key.js"
import { privateModel } from "#src/statement/model.js"
import { pairingProblem, publicSum } from "#src/statement/pairing.js"
import { requireG2 } from "#src/statement/points.js"
import { finitePoints, type ProofPoints } from "#src/statement/proof.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import {
  type MirageProvingKey,
  mirageVerificationPoints,
  readMirageKey,
  singleOf,
} from "#src/systems/mirage/keyfile.js"
import { openMirage } from "#src/systems/mirage/prove.js"
import { mirageKeyOf, mirageKeyQueries } from "#src/systems/mirage/setup.js"
import { mirageFactors } from "#src/systems/mirage/verify.js"
import { commitMirage, weightWires } from "#src/systems/mirage/weights.js"
import { publicWires } from "#src/systems/mirage/wires.js"
import { committedWitness, statementWords } from "#src/systems/mirage/witness.js"
import {
  challenge,
  evaluation,
  explain,
  type G1Json,
  type G2Json,
  keyDigest,
  type MirageKey,
  type MirageProof,
  type MirageReceipt,
  parseVerificationKey,
  type Statement,
  toSolidityArguments,
} from "#src/verifier/index.js"
import { register, startVerifier, type VerifierChain } from "../../support/chain.js"
import { G1, withBytes } from "../../support/foreign-keys.js"
import { perceptron } from "../../support/networks.js"

const context = `0x${"31".repeat(32)}` as const
const one = { x0: [0.5, 0.25, 0.75, 0.1] }
const inputs = [one, { x0: [0, 0.9, 0.2, 0.4] }]

/** A model and how its commitment opens. */
interface Model {
  readonly circuit: MirageCircuit
  readonly key: MirageKey
  readonly blinding: bigint
}

/** The integers of a model on an input, and what a statement says of them. */
const run = ({ graph }: MirageCircuit, input: typeof one): TensorValues =>
  runInteger(graph, quantizeInput(graph, input, { clampInputs: true }))
function statementOf({ graph }: MirageCircuit, values: TensorValues, { model }: MirageKey): Statement {
  const [{ name, tensor }] = graph.outputs
  const shown = { [name]: Array.from(values.get(tensor) as Float64Array, String) }
  return { model, context, input: { visibility: "hidden" }, output: { visibility: "public", values: shown } }
}
const receiptOf = (statement: Statement, proof: MirageProof): MirageReceipt => ({
  version: 1,
  proofSystem: "mirage",
  statement,
  proof,
})
const why = (receipt: MirageReceipt, key: MirageKey): string | null =>
  explain(receipt, { verificationKey: key, model: key.model, context, allowDev: true })

const point = ([x, y]: G1Json) => G1.fromAffine({ x: BigInt(x), y: BigInt(y) })
const json = (of: ReturnType<typeof point>): G1Json => {
  const { x, y } = of.toAffine()
  return [`${x}`, `${y}`]
}
const held1 = (held: MirageProvingKey, name: "delta1" | "deltaW1") => {
  const [x, y] = coordinates(singleOf(held, name))
  return G1.fromAffine({ x, y })
}

/** Whether the equation holds under a challenge of somebody's choice, and points that need be those of no key. */
function holds(key: MirageKey, { d, ...rest }: MirageProof, words: readonly bigint[], c: bigint): boolean {
  const { deltaC2, deltaW2, weights } = key.points
  const points = {
    ...checkCommon(key),
    deltaC2: requireG2(deltaC2, "deltaC2"),
    deltaW2: requireG2(deltaW2 as G2Json, "deltaW2"),
    weights: point(weights as G1Json),
  }
  const sum = publicSum(points.ic, [c, evaluation(words, c)])
  const proof = { ...(finitePoints(rest) as ProofPoints), d: point(d) }
  return pairingProblem(mirageFactors(points, proof, sum), points) === null
}

let engine: Engine
let chain: VerifierChain
let contract: Contract
let first: Model
let second: Model
let provingKey: Uint8Array
let held: MirageProvingKey

const onChain = (receipt: MirageReceipt, key: MirageKey): Promise<boolean> => {
  const { context: to, words, proof } = toSolidityArguments(receipt, key)
  return contract.verifyDevInference(keyDigest(key), to, words, proof)
}
/** What both verifiers say. */
async function accepted(receipt: MirageReceipt, key: MirageKey): Promise<boolean> {
  const said = why(receipt, key) === null
  expect(await onChain(receipt, key)).toBe(said)
  return said
}

beforeAll(async () => {
  engine = await kernelEngine()
  chain = await startVerifier("mirage")
  contract = chain.contract
  const { graph } = await perceptron([4, 3, 2], 6, "private")
  const circuit = (await compile(graph)) as MirageCircuit
  // another training of the same architecture
  let drawn = 0
  const other = { ...circuit, graph: withAnySecrets(graph, () => (drawn++ % 5) - 2) }
  provingKey = (await setup(circuit, { dev: true })).provingKey
  held = await readMirageKey(provingKey, circuit.linked)
  const commit = async (of: MirageCircuit): Promise<Model> => {
    const { verificationKey, commitment } = await commitWeights(of, provingKey)
    await register(contract, verificationKey, true)
    return { circuit: of, key: verificationKey as MirageKey, blinding: commitment.blinding }
  }
  ;[first, second] = [await commit(circuit), await commit(other)]
}, 120_000)
afterAll(async () => {
  await engine?.close()
  await chain?.close()
})

/** A prover that says what it likes: of these weights under this blinding, about a model. */
async function proof(weights: Model, blinding: bigint, about: MirageKey, input = one, using = held) {
  const { circuit } = weights
  const values = run(circuit, input)
  const words = statementWords(circuit, values, {})
  const prover = openMirage(circuit, using, engine, { values: weightWires(circuit), blinding })
  const made = await prover.prove(values, { key: keyDigest(about), context, words })
  await prover.close()
  return { proof: made, words, receipt: receiptOf(statementOf(circuit, values, about), made) }
}

describe("models of one architecture", () => {
  it("share a proving key, which says nothing of their weights, and have a key each", async () => {
    expect(second.key.architecture).toBe(first.key.architecture)
    expect(second.key.model).not.toBe(first.key.model)
    const { weights: _, ...points } = first.key.points
    expect(second.key.points).toMatchObject(points)
    let drawn = 0
    const random = (n: number) => new Uint8Array(n).fill(++drawn)
    const keys: Uint8Array[] = []
    for (const { circuit } of [first, second]) {
      drawn = 0
      keys.push((await setup(circuit, { dev: true, random })).provingKey)
    }
    expect(Buffer.compare(keys[0], keys[1])).toBe(0)
  })

  it("have independent columns for their weights, so no two lists of them have one commitment", () => {
    const { r1cs, weights } = first.circuit.linked
    const isWeight = (wire: number) => wire >= publicWires && wire < publicWires + weights
    // of a combination that is zero on every row, whatever is alone among those left has the factor zero
    const zero = new Set<number>()
    for (let before = -1; before < zero.size; ) {
      before = zero.size
      for (const { rowPtr, wires } of [r1cs.a, r1cs.b])
        for (let row = 0; row < r1cs.rows; row++) {
          const own = wires.subarray(rowPtr[row], rowPtr[row + 1]).filter(isWeight)
          const left = own.filter((wire) => !zero.has(wire))
          if (left.length === 1) zero.add(left[0])
        }
    }
    expect(zero.size).toBe(weights)
    expect(weights).toBeGreaterThan(18)
  })

  it("prove any number of statements under one commitment, and no two proofs share a point", async () => {
    for (const { circuit, key, blinding } of [first, second]) {
      await using prover = await openProver(circuit, provingKey, { blinding, verificationKey: key })
      const seen = new Set<string>()
      for (const input of [...inputs, one]) {
        const receipt = (await prover.prove(input, { context, clampInputs: true })) as MirageReceipt
        expect(receipt.statement.model).toBe(key.model)
        expect(await accepted(receipt, key)).toBe(true)
        for (const part of Object.values(receipt.proof)) seen.add(`${part}`)
      }
      expect(seen.size).toBe(12)
    }
  })

  it("are not proven for each other, whatever blinding the prover knows", async () => {
    for (const [of, about] of [
      [first, second],
      [second, first],
    ])
      for (const blinding of [of.blinding, about.blinding]) {
        const { receipt } = await proof(of, blinding, about.key)
        expect(await accepted(receipt, about.key)).toBe(false)
      }
  })

  it("are not proven with another blinding, nor by a proof made for the other's key", async () => {
    expect(await accepted((await proof(first, first.blinding, first.key)).receipt, first.key)).toBe(true)
    for (const blinding of [first.blinding + 1n, second.blinding, r - 1n])
      expect(await accepted((await proof(first, blinding, first.key)).receipt, first.key)).toBe(false)
    const { receipt } = await proof(first, first.blinding, second.key)
    const renamed = { ...receipt, statement: { ...receipt.statement, model: first.key.model } }
    expect(await accepted(renamed, first.key)).toBe(false)
  })
})

describe("who holds weights and blinding", () => {
  it("can check a verification key", async () => {
    const { circuit, key, blinding } = first
    await checkWeights(circuit, provingKey, key, blinding)
    for (const [of, against, secret] of [
      [circuit, second.key, blinding],
      [circuit, key, second.blinding],
      [second.circuit, key, blinding],
    ] as const)
      await expect(checkWeights(of, provingKey, against, secret)).rejects.toThrow(/another model's/)
    const others = (await setup(circuit, { dev: true })).provingKey
    await expect(checkWeights(circuit, others, key, blinding)).rejects.toThrow(/another model's/)
  })

  it("opens a prover for the model that is pinned, and no other", async () => {
    const { circuit, key, blinding } = first
    for (const options of [
      { blinding, verificationKey: second.key },
      { blinding: second.blinding, verificationKey: key },
    ])
      await expect(openProver(circuit, provingKey, options)).rejects.toThrow(/another model's/)
    await expect(openProver(circuit, provingKey, { verificationKey: key })).rejects.toThrow(/commitWeights/)
    await expect(verificationKeyOf(circuit, provingKey)).rejects.toThrow(/commitWeights/)
  })

  it("commits under no key whose points do not hide", async () => {
    const { circuit } = first
    const other = montgomeryPoint(json(G1.BASE.multiply(5n)).map(BigInt))
    for (const [at, why] of [
      [128, /delta1/],
      [640, /deltaW1/],
    ] as const)
      for (const bytes of [new Uint8Array(64), other]) {
        const wrong = withBytes(provingKey, 2, at, bytes)
        await expect(commitWeights(circuit, wrong)).rejects.toThrow(why)
      }
  })

  it("commits to other points each time", async () => {
    const again = await commitWeights(first.circuit, provingKey)
    expect(again.commitment.blinding).not.toBe(first.blinding)
    expect(again.verificationKey.model).not.toBe(first.key.model)
  })
})

describe("a copy of somebody's proof", () => {
  it("under their commitment re-randomised holds where that is not hashed, and is refused", async () => {
    const { receipt, words } = await proof(first, first.blinding, first.key)
    for (const k of [1n, r - 1n, 77n]) {
      const weights = json(point(first.key.points.weights as G1Json).add(held1(held, "delta1").multiply(k)))
      const { architecture } = first.key
      const model = privateModel(architecture as never, weights)
      const key = parseVerificationKey({
        ...first.key,
        model,
        points: { ...first.key.points, weights },
      }) as MirageKey
      await register(contract, key, true)
      const copy = {
        ...receipt.proof,
        c: json(point(receipt.proof.c).subtract(held1(held, "deltaW1").multiply(k))),
      }
      // the challenge of a verifier that hashes everything but the commitment is the same for both keys
      expect(holds(key, copy, words, challenge(keyDigest(first.key), context, words, copy.d))).toBe(true)
      const shown = receiptOf({ ...receipt.statement, model }, copy)
      expect(await accepted(shown, key)).toBe(false)
      expect(await accepted(receiptOf(receipt.statement, copy), first.key)).toBe(false)
    }
  })
})

describe("a setup in which the δ of weights is another's", () => {
  /** A key with δ_w equal to another δ, the first model under it, and what its commitment lacks to be the second's. */
  async function equal(other: "delta" | "deltaC") {
    const { circuit } = first
    const { domain, secrets, queries } = mirageKeyQueries(circuit.linked)
    let drawn = -1
    // τ comes before the secrets
    const random = (n: number) => {
      const name = secrets[drawn++]
      return new Uint8Array(n).fill(2 + secrets.indexOf(name === "deltaW" ? other : name))
    }
    const points = await evaluateByTrapdoor({ random })(circuit.linked.r1cs, domain, secrets, queries)
    const made = mirageKeyOf(circuit.linked, points, "dev")
    await expect(commitWeights(circuit, made)).rejects.toThrow(/nobody contributed to phase 2/)
    const using = await readMirageKey(made, circuit.linked)
    const commitment = async ({ linked, graph }: MirageCircuit) => {
      const values = weightWires({ linked, graph })
      return (await commitMirage(linked, using, { values, blinding: 5n }, engine)) as G1Json
    }
    const [mine, weights] = [await commitment(second.circuit), await commitment(circuit)]
    const architecture = circuit.model
    const key = {
      ...{ version: 1, proofSystem: "mirage", setup: "dev", layout: circuit.layout, architecture },
      ...{
        model: privateModel(architecture, weights),
        points: { ...mirageVerificationPoints(using), weights },
      },
    } as unknown as MirageKey
    expect(() => parseVerificationKey(key)).toThrow(/points.deltaW2: nobody contributed/)
    return { using, key, lacking: point(mine).subtract(point(weights)) }
  }
  /** Of a key that cannot be one any digest will do. */
  const digest = `0x${"77".repeat(32)}`
  const prove = async (using: MirageProvingKey) => {
    const { circuit } = second
    const values = run(circuit, one)
    const words = statementWords(circuit, values, {})
    const prover = openMirage(circuit, using, engine, { values: weightWires(circuit), blinding: 5n })
    const proof = await prover.prove(values, { key: digest, context, words })
    await prover.close()
    return { proof, words, c: challenge(digest, context, words, proof.d) }
  }

  it("δ: another model is proven by moving C; such a key is refused", async () => {
    const { using, key, lacking } = await equal("delta")
    const { proof, words, c } = await prove(using)
    expect(holds(key, proof, words, c)).toBe(false)
    expect(holds(key, { ...proof, c: json(point(proof.c).add(lacking)) }, words, c)).toBe(true)
    const { using: others, key: sound, lacking: gap } = await equal("deltaC")
    const { proof: honest, ...rest } = await prove(others)
    const moved = { ...honest, c: json(point(honest.c).add(gap)) }
    expect(holds(sound, moved, rest.words, rest.c)).toBe(false)
  })

  it("δ_C: another model is proven by moving D; such a key is refused", async () => {
    for (const other of ["deltaC", "delta"] as const) {
      const { using, key, lacking } = await equal(other)
      // D takes the difference by way of a wire whose value is known, in a key of the forger's own
      const { linked } = second.circuit
      const { small } = committedWitness(second.circuit, run(second.circuit, one))
      const firstWire = publicWires + linked.weights
      const wire = small.findIndex((value, i) => i >= firstWire && i < linked.firstFinal && value !== 0)
      const committed = (using.committed as Uint8Array).slice()
      const at = 64 * (wire - firstWire)
      const [x, y] = coordinates(committed.subarray(at, at + 64))
      const moved = G1.fromAffine({ x, y }).add(lacking.multiply(inverse(mod(BigInt(small[wire])))))
      committed.set(montgomeryPoint(json(moved).map(BigInt)), at)
      const { proof, words, c } = await prove({ ...using, committed })
      expect(holds(key, proof, words, c)).toBe(other === "deltaC")
    }
  })
})
