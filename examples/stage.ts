/**
 * Where the story is played: the perceptron of this folder with a key that escrow takes, all contracts on a local chain,
 * people with accounts, and what each of them can do. What they sign is what `countersign attest` and `sign-off` sign,
 * proofs are proofs, and nothing here knows how a chapter should end: `endOf` reads that from the chain.
 */
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { CountersignVerifier, Escrow, ModelRegistry, SignOffBook } from "countersign/artifacts"
import { type Contract, formatUnits, type JsonRpcSigner, toUtf8Bytes, Wallet, ZeroAddress } from "ethers"
import {
  type Attestation,
  attest,
  attestationDigest,
  claimOf,
  decisions,
  layoutDigest,
  onChainPolicy,
  type PolicyDocument,
  parseDocument,
  policyDigest,
  roles,
  type SignedAttestation,
  sideDigests,
  signAttestation,
  signSignOff,
} from "#src/attest/index.js"
import { states } from "#src/chain/index.js"
import {
  compile,
  contribute,
  drawSalt,
  execute,
  importOnnx,
  keyDigest,
  layoutJson,
  openProver,
  openPtauFile,
  parseInput,
  parseSamples,
  quantize,
  type Receipt,
  type Statement,
  setup,
  solidityKey,
  toSolidityArguments,
  verificationKeyOf,
  wordsOf,
} from "#src/index.js"
import { type Chain, deploy } from "./chain.js"
import { digits } from "./digits.js"

export type Hex = `0x${string}`
/** Enough for the perceptron with a committed input. */
const power = 12
/** In thousandths of an ETH: what the client pays, the damages it gets, the costs of a challenge. */
export const [price, damages, costs] = [10, 50, 2]
export const deliverWithin = 600
export const challengeWindow = 3600
export const answerWindow = 1800

const thousandth = 10n ** 15n
const wei = (thousandths: number) => BigInt(thousandths) * thousandth
const hex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`
/** An amount in thousandths, with every digit that it has. */
const amountText = (amount: bigint) => formatUnits(amount, 15).replace(/\.0$/, "")

// ---------------------------------------------------------------- model and key

/** Powers of tau of a ceremony of one, on which nobody should rely. */
export function testPowers(folder: string): string {
  const snarkjs = join(dirname(createRequire(import.meta.url).resolve("snarkjs")), "cli.cjs")
  const run = (...args: string[]) => {
    const command = [snarkjs, "powersoftau", ...args]
    const { status, stderr } = spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" })
    if (status !== 0) throw new Error(`snarkjs powersoftau ${args[0]}: exit code ${status}\n${stderr}`)
  }
  run("new", "bn128", `${power}`, "first.ptau")
  run("contribute", "first.ptau", "powers.ptau", "--name=a test", `-e=${hex(randomBytes(32))}`)
  return join(folder, "powers.ptau")
}

/** The perceptron with a committed input, and a key that one person contributed to: escrow takes no development key. */
async function perceptron(ptauPath: string) {
  const read = (name: string) => readFileSync(new URL(`mnist-mlp/${name}`, import.meta.url))
  const graph = importOnnx(read("model.onnx"), { file: "mnist-mlp/model.onnx" })
  const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
  const model = await quantize(graph, { samples })
  const circuit = await compile(model, { input: "committed", output: "public", weights: "fixed" })
  const ptau = await openPtauFile(ptauPath)
  try {
    const first = await setup(circuit, { ptau })
    const parts: Uint8Array[] = []
    const sink = { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()) }
    await contribute(first.provingKey, { name: "Alice", sink })
    const provingKey = new Uint8Array(Buffer.concat(parts))
    const input = parseInput(JSON.parse(read("input.json").toString()), graph.inputs)
    return { circuit, provingKey, verificationKey: await verificationKeyOf(circuit, provingKey), input }
  } finally {
    await ptau.close()
  }
}

/** The digit that a statement says. */
function saidBy({ output }: Statement): number {
  if (output.visibility !== "public") throw new Error("the output should be public")
  const logits = output.values.logits.map(Number)
  return logits.indexOf(Math.max(...logits))
}

// ------------------------------------------------------------------------ stage

export type Terms = Readonly<Record<string, unknown>>
export interface Delivered {
  readonly terms: Terms
  readonly signed: SignedAttestation
  readonly claim: Attestation
}
export type Stage = Awaited<ReturnType<typeof openStage>>
const names = ["owner", "client", "operator", "rival", "challenger", "prover", "filer", "approver"] as const

/** Makes the key, deploys the contracts and registers the model; half a minute. Close it. */
export async function openStage({ provider, signer }: Chain, ptau: string) {
  const { circuit, provingKey, verificationKey, input } = await perceptron(ptau)
  const { layout, model } = verificationKey
  const people = Object.fromEntries(
    await Promise.all(names.map(async (name, i) => [name, await provider.getSigner(i + 1)])),
  ) as Record<(typeof names)[number], JsonRpcSigner>
  /** Where each of them has its payments sent, so that what they pay for gas is not in between. */
  const purses = Object.fromEntries(names.map((name) => [name, Wallet.createRandom().address]))
  const { owner, client, operator, challenger, approver } = people
  const verifier = await deploy(CountersignVerifier, signer)
  const registry = await deploy(ModelRegistry, signer)
  const book = await deploy(SignOffBook, signer)
  const escrow = await deploy(Escrow, signer, book.target, verifier.target)
  await (await verifier.registerKey(solidityKey(verificationKey))).wait()

  const chainId = Number((await provider.getNetwork()).chainId)
  const domain = { chainId, verifyingContract: `${book.target}`.toLowerCase() as Hex }
  const key = keyDigest(verificationKey)
  const salts = { input: drawSalt() }
  const prover = await openProver(circuit, provingKey)
  const statementOf = (values: Parameters<typeof execute>[1]) =>
    execute(circuit, values, { salts, clampInputs: true }).statement
  const truth = statementOf(input)
  const words = wordsOf(truth, layout)
  /** Contracts see in it that outputs are public. */
  const layoutText = hex(toUtf8Bytes(layoutJson(layout)))
  /** What the model says of a digit of another class: a lie, if it is said of the client's. */
  const otherDigit = digits("test").find(({ label }) => label !== saidBy(truth))
  const untruth = statementOf({ [layout.inputs[0].name]: otherDigit?.pixels ?? [] })
  const lie = sideDigests(untruth, layout).output

  /** What chapters left in the escrow. */
  let stuck = 0n
  let gas = 0
  /** Sends a transaction and waits for it. */
  async function send(who: JsonRpcSigner, contract: Contract, method: string, args: unknown[], value = 0n) {
    const sent = await (contract.connect(who) as Contract)[method](...args, { value })
    gas += Number((await sent.wait()).gasUsed)
  }
  const now = async () => (await provider.getBlock("latest"))?.timestamp ?? 0

  const policyOf = (modelId: bigint) => {
    const document: PolicyDocument = parseDocument({
      version: 1,
      name: "a story",
      inputs: [],
      outputs: [],
      abstain: null,
      signOffs: [{ role: "approver", signer: approver.address.toLowerCase() }],
      tolerance: { absolute: 1, relative: 0 },
      disputes: [{ ground: "wrong output", remedy: "refund and damages" }],
      retentionDays: 184,
      finality: "escrow",
    })
    return onChainPolicy(document, layout, {
      registry: `${registry.target}`.toLowerCase() as Hex,
      modelId: `0x${modelId.toString(16).padStart(64, "0")}`,
      escrow: `${escrow.target}`.toLowerCase() as Hex,
    }).policy
  }
  let cards = 0
  /** The model under an id of its own, so that a recall ends one chapter and no other. */
  async function register(): Promise<bigint> {
    const commitment = {
      modelHash: model,
      circuitHash: key,
      vkHash: key,
      proofSystemId: "0x00000000",
      uri: `card ${cards++}`,
    }
    const id: bigint = await registry.modelIdOf(owner.address, commitment)
    await send(owner, registry, "registerModel", [commitment])
    return id
  }
  const common = await register()

  async function request(who = operator, modelId = common): Promise<Terms> {
    const terms = {
      client: client.address,
      operator: who.address,
      token: ZeroAddress,
      price: wei(price),
      damages: wei(damages),
      costs: wei(costs),
      key,
      model,
      layout: layoutDigest(layout),
      registry: registry.target,
      modelId,
      policy: policyDigest(policyOf(modelId)),
      input: sideDigests(truth, layout).input,
      deliverBy: (await now()) + deliverWithin,
      challengeWindow,
      answerWindow,
      salt: hex(randomBytes(32)),
    }
    await send(client, escrow, "request", [terms, wei(price)], wei(price))
    return terms
  }
  /** What an operator signs for terms; `output` is for those who lie. */
  async function sign(terms: Terms, who = operator, output?: Hex): Promise<Delivered> {
    const time = await now()
    const facts = { policy: terms.policy as Hex, request: (await escrow.idOf(terms)) as Hex }
    const times = { started: time, issued: time, validUntil: time + 1_000_000 }
    const honest = attest(
      { statement: truth, verificationKey },
      { operator: who.address, ...facts, ...times },
    )
    const signed = await signAttestation(output ? { ...honest, output } : honest, domain, who)
    return { terms, signed, claim: claimOf(signed) }
  }
  async function proofIn(context: string) {
    const receipt: Receipt = await prover.prove(input, { context, salts, clampInputs: true })
    return toSolidityArguments(receipt, verificationKey).args[3]
  }

  return {
    people,
    lie,
    /** The digits that the truth and the lie say. */
    said: { truth: saidBy(truth), lie: saidBy(untruth) },
    register,
    request,
    sign,
    async deliver(terms: Terms, who = operator, output?: Hex): Promise<Delivered> {
      const made = await sign(terms, who, output)
      const bond = wei(damages + costs)
      await send(who, escrow, "deliver", [terms, made.claim, made.signed.signature, bond], bond)
      return made
    },
    challenge: ({ terms }: Delivered) =>
      send(challenger, escrow, "challenge", [terms, wei(costs)], wei(costs)),
    async answer({ terms, claim }: Delivered) {
      const proof = await proofIn(attestationDigest(claim, domain))
      await send(operator, escrow, "answer", [terms, claim, words, proof])
    },
    settle: (terms: Terms, who = client) => send(who, escrow, "settle", [terms]),
    async convict({ terms, claim }: Delivered) {
      const context = await escrow.convictionContext(await escrow.idOf(terms), people.prover.address)
      await send(people.prover, escrow, "convict", [terms, claim, layoutText, words, await proofIn(context)])
    },
    /** Files two signed attestations, and ends the request of the first by them. */
    async file(a: Delivered, b: Delivered) {
      const both = [a, b].flatMap(({ claim, signed }) => [claim, signed.signature])
      await send(people.filer, book, "fileEquivocation", [...both, layoutText])
      await send(client, escrow, "equivocated", [a.terms])
    },
    recall: (modelId: bigint) => send(owner, registry, "deprecateModel", [modelId]),
    async pass(seconds: number) {
      await provider.send("evm_increaseTime", [seconds])
      await provider.send("evm_mine", [])
    },
    /** What the book says to whoever would act on an answer that the approver approves. */
    async actionable({ terms, signed, claim }: Delivered): Promise<string> {
      const time = await now()
      const approval = await signSignOff(
        {
          attestation: attestationDigest(claim, domain),
          role: roles.approver,
          decision: decisions.approve,
          scope: claim.policy,
          signer: approver.address.toLowerCase() as Hex,
          signed: time,
          validUntil: time + 1_000_000,
        },
        domain,
        approver,
      )
      const outputs = words.length - 1
      const policy = policyOf(terms.modelId as bigint)
      const shown = { attestation: claim, signature: signed.signature, policy, words, outputs }
      const signOffs = { signOffs: [claimOf(approval)], signatures: [approval.signature] }
      const [yes, reason] = await book.isActionable(claim.policy, { ...shown, ...signOffs })
      return yes ? "actionable" : reason
    },
    /** How requests ended: their states on the chain, what everybody was paid, and what is left that nobody was. */
    async endOf(...requests: readonly Terms[]): Promise<string> {
      const ends: string[] = []
      for (const terms of requests) ends.push(states[Number(await escrow.stateOf(await escrow.idOf(terms)))])
      const paid: string[] = []
      for (const name of names) {
        if ((await escrow.creditOf(ZeroAddress, people[name].address)) === 0n) continue
        const before = await provider.getBalance(purses[name])
        await send(people[name], escrow, "withdraw", [ZeroAddress, purses[name]])
        paid.push(`${name} ${amountText((await provider.getBalance(purses[name])) - before)}`)
      }
      const left = await provider.getBalance(escrow.target)
      if (left !== stuck) paid.push(`nobody ${amountText(left - stuck)}`)
      stuck = left
      return `${ends.join(", ")}: ${paid.join(", ")}`
    },
    /** Gas of all transactions since it was asked last. */
    gasSince(): number {
      const used = gas
      gas = 0
      return used
    },
    close: () => prover.close(),
  }
}
