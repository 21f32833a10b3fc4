import { beforeAll, describe, expect, it } from "vitest"
import { commit, compilePoseidon } from "#src/circuit/gadgets/circom-poseidon.js"
import {
  type Block,
  blockInputs,
  blockResult,
  drawSalt,
  parseBlock,
  solveBlock,
} from "#src/circuit/gadgets/poseidon.js"
import { firstFailingRow } from "#src/circuit/witness/check.js"
import { compile } from "#src/compile/compile.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { mod, r } from "#src/field.js"
import { mirageWitness, perceptron, valuesOf } from "../../support/networks.js"

const counting = Array.from({ length: 16 }, (_, i) => BigInt(i + 1))

describe("Poseidon", () => {
  let block: Block
  beforeAll(async () => {
    block = parseBlock(await compilePoseidon())
  })

  it("has the published value for 1 … 16 (go-iden3-crypto, circomlib)", () => {
    expect(solveBlock(block, counting)[blockResult]).toBe(
      9989051620750914585850546081941653841776809718687451684622678807385399211877n,
    )
  })

  it("is circomlibjs's, on random and extreme inputs", async () => {
    const { buildPoseidonReference } = await import("circomlibjs")
    const poseidon = await buildPoseidonReference()
    const draws = Array.from({ length: 5 }, () => counting.map(() => drawSalt()))
    for (const inputs of [...draws, counting.map(() => 0n), counting.map(() => r - 1n)]) {
      expect(solveBlock(block, inputs)[blockResult]).toBe(poseidon.F.toObject(poseidon(inputs)))
    }
  })

  it("commits block after block", async () => {
    const words = Array.from({ length: 33 }, () => drawSalt())
    const salt = drawSalt()
    const hash = (h: bigint, part: bigint[]) => solveBlock(block, [h, ...part])[blockResult]
    const padded = [...words.slice(30), ...new Array<bigint>(12).fill(0n)]
    expect(await commit(words, salt)).toBe(
      hash(hash(hash(salt, words.slice(0, 15)), words.slice(15, 30)), padded),
    )
    expect(await commit(words, mod(salt + 1n))).not.toBe(await commit(words, salt))
  })

  it("refuses what is no field element, and nothing at all", async () => {
    await expect(commit([], 1n)).rejects.toThrow(/nothing to commit to/)
    await expect(commit([r], 1n)).rejects.toThrow(/word 0 is no field element/)
    await expect(commit([1n], -1n)).rejects.toThrow(/salt is no field element/)
  })

  it("needs every row: without it the wire it defines is free", () => {
    const values = solveBlock(block, counting)
    const sum = (terms: Block["rows"][number]["a"], at: readonly bigint[]) =>
      terms.reduce((total, [wire, coefficient]) => total + coefficient * at[wire], 0n)
    const defined = new Set<number>()
    for (const [i, row] of block.rows.entries()) {
      expect(defined.has(row.defines)).toBe(false)
      defined.add(row.defines)
      // any other value of the wire breaks its row, and rows after it can be satisfied again
      const forged = [...values]
      forged[row.defines] = mod(forged[row.defines] + 1n)
      expect(mod(sum(row.a, forged) * sum(row.b, forged) - sum(row.c, forged)), `row ${i}`).not.toBe(0n)
    }
    expect(defined.has(blockResult)).toBe(true)
    for (let i = 0; i < 16; i++) expect(defined.has(blockInputs + i)).toBe(false)
  })
})

describe("a circuit with commitments", () => {
  it("holds, shows the commitment, and refuses every wire of it moved", async () => {
    const network = await perceptron([30, 6, 3])
    const circuit = await compile(network.graph, { input: "committed", output: "committed" })
    const salts = { input: drawSalt(), output: drawSalt() }
    const witness = await mirageWitness(circuit, valuesOf(network), 2n ** 240n + 9n, salts)
    expect(firstFailingRow(circuit.linked.r1cs, witness)).toBe(-1)
    const report = auditWitness(circuit, witness, 10)
    expect(report.accepted).toEqual([])
    expect(report.tried.commitment).toBe(7 * 2 * 80)
  }, 60_000)
})
