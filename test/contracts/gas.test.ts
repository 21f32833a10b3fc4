import { readFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test } from "vitest"
import {
  keyDigest,
  type Layout,
  publicSignals,
  type Receipt,
  type Statement,
  solidityKey,
  solidityProof,
  type VerificationKey,
} from "#src/verifier/index.js"
import {
  artifact,
  inferenceArguments,
  register,
  registered,
  startVerifier,
  type VerifierChain,
  verifiers,
} from "../support/chain.js"
import { expectGolden } from "../support/golden.js"
import { hash32, oracle, scalar, wide } from "../support/groth16-oracle.js"
import { mirageOracle } from "../support/mirage-oracle.js"
import { ceremony } from "../support/provenances.js"
import { settlementGas } from "../support/settlement-gas.js"

const systems = ["mirage", "groth16"] as const
const chains = {} as Record<(typeof systems)[number], VerifierChain>
beforeAll(async () => {
  for (const system of systems) chains[system] = await startVerifier(system)
})
afterAll(async () => {
  for (const system of systems) await chains[system]?.close()
})

const tensor = (name: string, shape: number[], range: { lo: number; bits: number }) =>
  ({ name, shape, scale: 1, ...range, visibility: "public" }) as const
/** Logits as wide as integers may be: three words. A LeNet's have about half as many bits. */
const logits = tensor("logits", [1, 10], wide)

/** A key of a ceremony has more words, and is refused for another reason. */
const ofCeremony = "10 logits of a hidden input and a ceremony's key"

/** Random integers, so that no byte of a word is zero by chance more often than one in 256. */
function statementOf({ model, layout }: VerificationKey): Statement {
  const fill = (tensors: readonly (typeof logits | Layout["inputs"][number])[]) => ({
    visibility: "public" as const,
    values: Object.fromEntries(
      tensors.map(({ name, shape, lo, bits }) => [
        name,
        Array.from(
          { length: shape.reduce((n, d) => n * d, 1) },
          (_, i) => `${BigInt(lo) + (scalar("gas", name + i) % 2n ** BigInt(bits))}`,
        ),
      ]),
    ),
  })
  return {
    model,
    context: hash32("gas"),
    input: layout.inputs.length > 0 ? fill(layout.inputs) : { visibility: "hidden" },
    output: fill(layout.outputs),
  }
}

async function gasOf({ contract, signer }: VerifierChain, name: string, args: unknown[]): Promise<bigint> {
  const data = contract.interface.encodeFunctionData(name, args)
  const receipt = await (await signer.sendTransaction({ to: `${contract.target}`, data })).wait()
  return receipt?.gasUsed ?? 0n
}

/** Gas of what one key and receipt cost on a chain of their proof system. */
async function costs(label: string, key: VerificationKey, receipt: Receipt): Promise<[string, bigint][]> {
  const chain = chains[registered(receipt.proofSystem)]
  const call = inferenceArguments(receipt, key)
  const lines: [string, bigint][] = [
    [`${receipt.proofSystem} registerKey ${label}`, await register(chain.contract, key)],
    [
      `${receipt.proofSystem} registerKey again ${label}`,
      await gasOf(chain, "registerKey", [solidityKey(key)]),
    ],
    [`${receipt.proofSystem} verifyInference ${label}`, await gasOf(chain, "verifyInference", call)],
  ]
  expect(await chain.contract.verifyInference(...call)).toBe(true)
  return lines
}

/** Gas of whole transactions, with the 21,000 of every transaction and its calldata. */
const lines: [string, bigint][] = []
beforeAll(async () => {
  for (const system of systems) {
    const sent = await chains[system].signer.sendTransaction({
      data: artifact(verifiers[system]).bytecode,
    })
    lines.push([`${system} deploy`, (await sent.wait())?.gasUsed ?? 0n])
  }

  const hidden: Layout = { inputs: [], outputs: [logits] }
  const shownPixels: Layout = {
    inputs: [tensor("image", [1, 1, 28, 28], { lo: 0, bits: 10 })],
    outputs: [logits],
  }
  const mirage: Record<string, Layout> = {
    "10 logits of a hidden input": hidden,
    "10 logits of 784 public pixels": shownPixels,
    [ofCeremony]: hidden,
    "10 logits of a hidden input and private weights": hidden,
    "10 logits of 784 public pixels and private weights": shownPixels,
    [`${ofCeremony} of private weights`]: hidden,
    "1 word": { inputs: [], outputs: [tensor("y", [], wide)] },
  }
  for (const [label, layout] of Object.entries(mirage)) {
    const setup = label.startsWith(ofCeremony) ? ceremony : "external"
    const isPrivate = label.endsWith("private weights")
    const { key, receipt } = mirageOracle(layout, { seed: label, setup, isPrivate })
    lines.push(...(await costs(label, key, receipt(statementOf(key)))))
  }

  const groth16: Record<string, Layout> = {
    "10 outputs": { inputs: [], outputs: [logits] },
    "10 outputs and 16 public inputs": { inputs: [tensor("x", [16], wide)], outputs: [logits] },
  }
  for (const [label, layout] of Object.entries(groth16)) {
    const { key, receipt } = oracle(layout, { seed: label })
    const honest = receipt(statementOf(key))
    lines.push(...(await costs(label, key, honest)))
    const raw = [keyDigest(key), publicSignals(honest.statement, layout), solidityProof(honest.proof)]
    lines.push([`groth16 verifyProof ${label}`, await gasOf(chains.groth16, "verifyProof", raw)])
  }
  lines.push(...(await settlementGas()))
})

test("gas is what test/gas.snapshot says", async () => {
  const text = ["transaction,gas", ...lines.map(([name, used]) => `${name},${used}`)].join("\n")
  await expectGolden("gas.snapshot", `${text}\n`)
})

test("the table of docs/ACCOUNTABILITY.md is of these figures", () => {
  const text = readFileSync(new URL("../../docs/ACCOUNTABILITY.md", import.meta.url), "utf8")
  const table = text.slice(text.indexOf("| call | gas |")).split("\n\n")[0]
  const rows = table.split("\n").slice(2)
  expect(rows.length).toBeGreaterThan(8)
  for (const row of rows) {
    const [, name, gas] = /^\| (.+) \| ([\d,]+) \|$/.exec(row) ?? []
    expect([name, gas?.replaceAll(",", "")], row).toEqual([
      name,
      `${lines.find(([line]) => line === `settlement ${name}`)?.[1]}`,
    ])
  }
})

test.each([
  ["10 logits of a hidden input", 262_000],
  ["10 logits of 784 public pixels", 280_000],
  [ofCeremony, 262_000],
])("a verification of %s takes at most %i gas", (label, limit) => {
  const [, used] = lines.find(([name]) => name === `mirage verifyInference ${label}`) ?? []
  expect(Number(used)).toBeLessThanOrEqual(limit)
})

test.each([
  ["signing off", 0],
  ["anchor, first of a log", 50_000],
  ["deliver", 80_000],
  ["answer of a challenge", 340_000],
])("%s takes at most %i gas", (label, limit) => {
  const [, used] = lines.find(([name]) => name === `settlement ${label}`) ?? []
  expect(Number(used)).toBeLessThanOrEqual(limit)
})
