/** Attacks that need a prover: what it may choose, pushed through to TypeScript and the contract. */
import type { Contract } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { drawSalt } from "#src/circuit/gadgets/poseidon.js"
import type { TensorValues } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { r } from "#src/field.js"
import { auditReceipt } from "#src/prover/audit.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { type Keys, openProver, setup } from "#src/prover/open.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { readMirageKey } from "#src/systems/mirage/keyfile.js"
import { type MirageProver, openMirage } from "#src/systems/mirage/prove.js"
import { mirage } from "#src/systems/mirage/system.js"
import type { CheckedMirageKey } from "#src/systems/mirage/verify.js"
import { assignCommitted, type CommittedWitness, statementWords } from "#src/systems/mirage/witness.js"
import {
  challenge,
  explain,
  keyDigest,
  type MirageReceipt,
  type Receipt,
  type Statement,
  toSolidityArguments,
  verify,
} from "#src/verifier/index.js"
import { checkKey } from "#src/verifier/key.js"
import { register, startVerifier, type VerifierChain } from "../../support/chain.js"
import { type Network, perceptron, valuesOf } from "../../support/networks.js"

const context = `0x${"31".repeat(32)}`
const elsewhere = `0x${"32".repeat(32)}` as const

describe("a two-phase proof of a perceptron", () => {
  let chain: VerifierChain
  let contract: Contract
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  let prover: MirageProver
  let engine: Engine
  let values: TensorValues
  let statement: Statement
  let words: bigint[]
  let receipt: MirageReceipt

  const textsOf = (of: TensorValues): string[] =>
    Array.from(of.get(network.graph.outputs[0].tensor) as Float64Array, String)
  const expected = (to = context) => ({
    verificationKey: keys.verificationKey,
    model: circuit.model,
    context: to,
    allowDev: true,
  })
  const onChain = async (candidate: Receipt): Promise<boolean> => {
    const args = toSolidityArguments(candidate, keys.verificationKey)
    if (args.proofSystem !== "mirage") throw new Error("another contract's")
    return contract.verifyDevInference(args.key, args.context, args.words, args.proof)
  }
  const receiptOf = (proof: MirageReceipt["proof"], claim = statement): MirageReceipt => ({
    version: 1,
    proofSystem: "mirage",
    statement: claim,
    proof,
  })
  const transcript = (to = context, of = words) => ({
    key: keyDigest(keys.verificationKey),
    context: to,
    words: of,
  })
  /** Refused by both verifiers. */
  const refused = async (candidate: MirageReceipt) => {
    expect(verify(candidate, expected(candidate.statement.context))).toBe(false)
    expect(await onChain(candidate)).toBe(false)
  }

  beforeAll(async () => {
    engine = await kernelEngine()
    chain = await startVerifier("mirage")
    contract = chain.contract
    network = await perceptron([6, 5, 3], 6)
    circuit = await compile(network.graph, { input: "public" })
    keys = await setup(circuit, { dev: true })
    await register(contract, keys.verificationKey, true)
    prover = openMirage(circuit, await readMirageKey(keys.provingKey, circuit.linked), engine)
    values = valuesOf(network)
    await using whole = await openProver(circuit, keys.provingKey, { engine: engine })
    receipt = (await whole.prove(network.input, { context, clampInputs: true })) as MirageReceipt
    statement = receipt.statement
    words = statementWords(circuit, values, {})
  }, 120_000)
  afterAll(async () => {
    await engine?.close()
    await chain?.close()
  })

  it("verifies, off-chain and on a chain", async () => {
    expect(explain(receipt, expected())).toBe(null)
    expect(await onChain(receipt)).toBe(true)
  })

  it("every edit of the receipt is refused", async () => {
    const other = receiptOf(await prover.prove(values, transcript(elsewhere)), {
      ...statement,
      context: elsewhere,
    })
    const report = await auditReceipt(receipt, other, keys.verificationKey)
    expect(report.accepted).toEqual([])
    expect(report.tried).toMatchObject({ context: 2, statement: 8, proof: 18 })
  })

  it("two proofs of one execution share no group element: D is blinded", async () => {
    const again = await prover.prove(values, transcript())
    for (const name of ["a", "b", "c", "d"] as const) expect(again[name]).not.toEqual(receipt.proof[name])
    expect(await onChain(receiptOf(again))).toBe(true)
  })

  /** An honest witness with some committed wires changed. */
  const forged = (
    change: (witness: { small: Float64Array; entries: Uint32Array }) => void,
  ): CommittedWitness => {
    const witness = assignCommitted(circuit.graph, circuit.linked, values)
    const copy = {
      small: witness.small.slice(),
      large: new Map(witness.large),
      entries: witness.entries.slice(),
    }
    change(copy)
    return copy
  }
  const attempt = async (witness: CommittedWitness, of = words, claim = statement) =>
    refused(receiptOf(await prover.proveWitness(witness, transcript(context, of), {}), claim))

  it("a changed output is refused, even with a fresh proof for its words", async () => {
    const texts = textsOf(values)
    texts[0] = `${BigInt(texts[0]) + 1n}`
    const claim: Statement = { ...statement, output: { visibility: "public", values: { y: texts } } }
    const { wordsOf } = await import("#src/statement/words.js")
    await attempt(
      forged(() => {}),
      wordsOf(claim, circuit.layout),
      claim,
    )
  })

  it("a changed input is refused, even with a fresh proof for its words", async () => {
    const [wire] = circuit.linked.inputs
    const { input } = statement
    if (input.visibility !== "public") throw new Error("the input is public")
    const list = [...input.values.x0]
    const step = list[0] === "0" ? 1 : -1
    list[0] = `${Number(list[0]) + step}`
    const claim: Statement = { ...statement, input: { visibility: "public", values: { x0: list } } }
    const { wordsOf } = await import("#src/statement/words.js")
    // the new input with the old activations, and the old input under the new words
    const shifted = forged(({ small }) => {
      small[wire] += step * 40
    })
    await attempt(shifted, wordsOf(claim, circuit.layout), claim)
    await attempt(
      forged(() => {}),
      wordsOf(claim, circuit.layout),
      claim,
    )
  })

  it("a remainder or limb out of range, and a value outside the table, are refused", async () => {
    const group = circuit.linked.stamped.find(({ plan, node }) => plan && node.kind === "rescale")
    const base = Array.from(group?.base ?? []).find((wire) => wire !== 0xffffffff) as number
    const stamp = circuit.linked.stamps.find(({ wires }) => wires > 0)
    expect(stamp).toBeDefined()
    for (const move of [1, -1, 2 ** circuit.tableBits]) {
      for (let wire = base; wire < base + 2; wire++) {
        await attempt(
          forged(({ small }) => {
            small[wire] += move
          }),
        )
      }
    }
  })

  it("a multiplicity moved to another row is refused", async () => {
    const { multiplicities, tableStart, tables } = circuit.linked.lookup
    const entries = tableStart[tables.length]
    await attempt(
      forged(({ small }) => {
        const from = Array.from({ length: entries }, (_, i) => i).find(
          (i) => small[multiplicities + i] > 0,
        ) as number
        small[multiplicities + from]--
        small[multiplicities + ((from + 1) % entries)]++
      }),
    )
  })

  it("a query that claims another entry is refused", async () => {
    await attempt(
      forged(({ small, entries }) => {
        const { multiplicities } = circuit.linked.lookup
        small[multiplicities + entries[0]]--
        entries[0] = entries[0] === 0 ? 1 : 0
        small[multiplicities + entries[0]]++
      }),
    )
  })

  it("a proof for other data with its own evaluation is refused: the words are in the challenge", async () => {
    // p_0 + 1 and p_1 − 1/c keep ev: possible only if the words could be chosen after c
    const { proof } = receipt
    const c = challenge(keyDigest(keys.verificationKey), context, words, proof.d)
    expect(words.length).toBeGreaterThan(1)
    const inverse = (x: bigint): bigint => {
      let [result, base, e] = [1n, x, r - 2n]
      for (; e > 0n; e >>= 1n) {
        if (e & 1n) result = (result * base) % r
        base = (base * base) % r
      }
      return result
    }
    const moved = [words[0] + 1n, (words[1] - inverse(c) + r) % r, ...words.slice(2)]
    const args = toSolidityArguments(receipt, keys.verificationKey)
    if (args.proofSystem !== "mirage") throw new Error("another contract's")
    expect(await contract.verifyDevInference(args.key, args.context, moved, args.proof)).toBe(false)
    expect(
      await contract.verifyDevInference(
        args.key,
        args.context,
        [words[0] + r, ...words.slice(1)],
        args.proof,
      ),
    ).toBe(false)
  })

  it("a proof made with another setup of the same circuit is refused", async () => {
    const again = await setup(circuit, { dev: true })
    const other = openMirage(circuit, await readMirageKey(again.provingKey, circuit.linked), engine)
    await refused(receiptOf(await other.prove(values, transcript())))
  })

  it("a proof of a model that differs in one weight is refused", async () => {
    const graph = deserialize(serialize(network.graph), "copy")
    const linear = graph.nodes.find((node) => node.kind === "linear")
    if (linear?.kind !== "linear") throw new Error("no linear node")
    const { map } = linear.terms[0]
    const weights = map.kind === "sparse" ? map.values : map.weight
    weights[0] += 1
    const changed = await compile(graph, { input: "public" })
    expect(changed.model).not.toBe(circuit.model)
    const changedKeys = await setup(changed, { dev: true })
    const other = openMirage(changed, await readMirageKey(changedKeys.provingKey, changed.linked), engine)
    const execution = valuesOf({ graph, input: network.input })
    const own = statementWords(changed, execution, {})
    const proof = await other.prove(execution, transcript(context, own))
    await refused(receiptOf(proof))
    // its own key is another model's
    expect(() => verify(receipt, { ...expected(), verificationKey: changedKeys.verificationKey })).toThrow(
      /another model/,
    )
  })

  /** The integers of the execution with one of them changed. */
  const withWrong = (tensor: number, i: number, by: number): TensorValues => {
    const wrong = (values.get(tensor) as Float64Array).slice()
    wrong[i] += by
    return new Map(values).set(tensor, wrong)
  }
  const rescales = () => network.graph.nodes.flatMap((node) => (node.kind === "rescale" ? [node] : []))
  const valid = async (integers: TensorValues) => {
    const proof = await prover.prove(integers, transcript())
    expect(explain(receiptOf(proof), expected())).toBe(null)
  }

  it("refuses an accumulator that is not that of its inputs, before it proves anything", async () => {
    let tried = 0
    for (const { source, shift } of rescales()) {
      for (const [i, most] of network.graph.tensors[source].hi.entries()) {
        // an element that is always off is no wire
        if (most < 2 ** shift) continue
        for (const by of [-1, 1, 2 ** shift, 2 ** 30]) {
          const integers = withWrong(source, i, by)
          await expect(prover.prove(integers, transcript())).rejects.toThrow(/not an execution/)
          tried++
        }
      }
    }
    expect(tried).toBe(16)
  })

  it("refuses an input that is not what the accumulators were made of", async () => {
    const [{ tensor }] = network.graph.inputs
    await expect(prover.prove(withWrong(tensor, 0, 1), transcript())).rejects.toThrow(/not an execution/)
  })

  it("names the row of a query after a proof that does not verify, where that is looked at", async () => {
    const [{ source, shift }] = rescales()
    const wire = network.graph.tensors[source].hi.findIndex((most) => most >= 2 ** shift)
    const integers = withWrong(source, wire, 1)
    const onPoints = () => false
    await expect(prover.prove(integers, transcript(), { onPoints })).rejects.toThrow(/not an execution/)
    // it is the integers that are looked at, and these are right
    await prover.prove(values, transcript(), { onPoints })
    const held = await readMirageKey(keys.provingKey, circuit.linked)
    const digest = keyDigest(keys.verificationKey)
    const key = checkKey(keys.verificationKey) as unknown as CheckedMirageKey
    const opened = await mirage.open(circuit, held, { engine, key, digest })
    expect((await opened.prove(values, statement, {})).holds).toBe(true)
    await expect(opened.prove(integers, statement, {})).rejects.toThrow(/constraint \d+ does not hold/)
    await opened.close()
  })

  it("takes activations from the accumulators: given wrong ones, it proves the true execution", async () => {
    for (const { out } of rescales()) {
      for (const i of network.graph.tensors[out].lo.keys()) await valid(withWrong(out, i, 1))
    }
  })
})

describe("committed inputs and outputs", () => {
  it("prove and verify; without the right salts nothing is made", async () => {
    const network = await perceptron([6, 3], 6)
    const circuit = await compile(network.graph, { input: "committed", output: "committed" })
    const keys = await setup(circuit, { dev: true })
    await using prover = await openProver(circuit, keys.provingKey)
    await expect(prover.prove(network.input, { context })).rejects.toThrow(/commitment needs a salt/)
    const salts = { input: drawSalt(), output: drawSalt() }
    const receipt = await prover.prove(network.input, { context, salts, clampInputs: true })
    const expected = { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true }
    expect(explain(receipt, expected)).toBe(null)
    const again = await prover.prove(network.input, {
      context,
      salts: { ...salts, input: drawSalt() },
      clampInputs: true,
    })
    expect(again.statement.input).not.toEqual(receipt.statement.input)
    expect(again.statement.output).toEqual(receipt.statement.output)
    const third = await prover.prove(network.input, { context: elsewhere, salts, clampInputs: true })
    expect((await auditReceipt(receipt, third, keys.verificationKey)).accepted).toEqual([])
  }, 120_000)
})
