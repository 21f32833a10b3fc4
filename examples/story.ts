/**
 * Who answers for it: every end that a paid answer can have, on a local chain, with the perceptron of this folder. Each
 * chapter says who was to get what before anything is sent, and fails if the contracts paid otherwise.
 *
 *     npm run story -- [--json] [--ptau FILE]
 *
 * Without a file it makes powers of tau for the test, by snarkjs, in seconds to a minute. What is signed is what
 * `countersign attest` and `sign-off` sign, and the contracts are the package's.
 */
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { CountersignVerifier, Escrow, ModelRegistry, SignOffBook } from "countersign/artifacts"
import { type Contract, type JsonRpcSigner, toUtf8Bytes, ZeroAddress } from "ethers"
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
  zeroAddress,
} from "#src/attest/index.js"
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
  setup,
  solidityKey,
  toSolidityArguments,
  wordsOf,
} from "#src/index.js"
import { deploy, startChain } from "./chain.js"
import { digits } from "./digits.js"

type Hex = `0x${string}`
/** Enough for the perceptron with a committed input. */
const power = 12
/** In thousandths of an ETH: what the client pays, the damages it gets, the costs of a challenge. */
const [price, damages, costs] = [10, 50, 2]
const wei = (thousandths: number) => BigInt(thousandths) * 10n ** 15n
const challengeWindow = 3600
const answerWindow = 1800

const { values: given } = parseArgs({ options: { json: { type: "boolean" }, ptau: { type: "string" } } })
const json = given.json === true
const say = (text: string) => void (json || process.stdout.write(`${text}\n`))
const hex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`
const states =
  "None Requested Delivered Challenged Expired Unchallenged Proven Silent Convicted Equivocated Recalled".split(
    " ",
  )

// ------------------------------------------------------------------ model and key

/** Powers of tau of a ceremony of one, of which nobody should rely on. */
function testPowers(folder: string): string {
  const require = createRequire(import.meta.url)
  const snarkjs = join(dirname(require.resolve("snarkjs")), "cli.cjs")
  const run = (...args: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [snarkjs, "powersoftau", ...args], {
      cwd: folder,
      encoding: "utf8",
    })
    if (status !== 0) throw new Error(`snarkjs powersoftau ${args[0]}: exit code ${status}\n${stderr}`)
  }
  run("new", "bn128", `${power}`, "first.ptau")
  run("contribute", "first.ptau", "powers.ptau", "--name=a test", `-e=${hex(randomBytes(32))}`)
  return join(folder, "powers.ptau")
}

/** The perceptron with a committed input, and a key that one person contributed to. */
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
    const { verificationKey } = await contribute(first.provingKey, { name: "Alice", sink })
    const input = parseInput(JSON.parse(read("input.json").toString()), graph.inputs)
    return { circuit, provingKey: new Uint8Array(Buffer.concat(parts)), verificationKey, input }
  } finally {
    await ptau.close()
  }
}

// ------------------------------------------------------------------------ stage

/** A chapter: what is to happen, and what does. */
interface Chapter {
  readonly name: string
  readonly expected: string
  tell(): Promise<string>
}
interface Told {
  readonly name: string
  readonly expected: string
  readonly happened: string
  /** Of all its transactions. */
  readonly gas: number
}
type Terms = Readonly<Record<string, unknown>>
interface Delivered {
  readonly terms: Terms
  readonly signed: SignedAttestation
  readonly claim: Attestation
}

async function story(chain: Awaited<ReturnType<typeof startChain>>, ptau: string): Promise<readonly Told[]> {
  const { provider } = chain
  say("The perceptron of examples/mnist-mlp, its input committed to; a key that one person contributed to.")
  const { circuit, provingKey, verificationKey, input } = await perceptron(ptau)
  const { layout, model } = verificationKey
  const names = ["owner", "client", "operator", "rival", "challenger", "prover", "filer", "approver"] as const
  const people = Object.fromEntries(
    await Promise.all(names.map(async (name, i) => [name, await provider.getSigner(i + 1)])),
  ) as Record<(typeof names)[number], JsonRpcSigner>
  const { owner, client, operator, rival, challenger, approver } = people
  const verifier = await deploy(CountersignVerifier, chain.signer)
  const registry = await deploy(ModelRegistry, chain.signer)
  const book = await deploy(SignOffBook, chain.signer)
  const escrow = await deploy(Escrow, chain.signer, book.target, verifier.target)
  await (await verifier.registerKey(solidityKey(verificationKey))).wait()

  const chainId = Number((await provider.getNetwork()).chainId)
  const domain = { chainId, verifyingContract: `${book.target}`.toLowerCase() as Hex }
  const key = keyDigest(verificationKey)
  const salts = { input: drawSalt() }
  const prover = await openProver(circuit, provingKey)
  /** What the model says of the client's digit, and of another one: a lie, if it is said of the first. */
  const truth = execute(circuit, input, { salts, clampInputs: true }).statement
  const other = digits("test").map(({ pixels }) =>
    execute(circuit, { [layout.inputs[0].name]: pixels }, { salts, clampInputs: true }),
  )[0].statement
  const lie = sideDigests(other, layout).output
  const words = wordsOf(truth, layout)

  let gas = 0
  /** Sends a transaction and waits for it; what it costs is the chapter's. */
  async function send(who: JsonRpcSigner, contract: Contract, method: string, args: unknown[], value = 0n) {
    const sent = await (contract.connect(who) as Contract)[method](...args, { value })
    gas += Number((await sent.wait()).gasUsed)
  }
  const now = async () => (await provider.getBlock("latest"))?.timestamp ?? 0
  async function pass(seconds: number) {
    await provider.send("evm_increaseTime", [seconds])
    await provider.send("evm_mine", [])
  }

  // -------------------------------------------------------------- what people do

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
  async function request(who = operator, modelId?: bigint): Promise<Terms> {
    const id = modelId ?? common
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
      modelId: id,
      policy: policyDigest(policyOf(id)),
      input: sideDigests(truth, layout).input,
      deliverBy: (await now()) + 600,
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
  async function deliver(terms: Terms, who = operator, output?: Hex): Promise<Delivered> {
    const made = await sign(terms, who, output)
    const bond = wei(damages + costs)
    await send(who, escrow, "deliver", [terms, made.claim, made.signed.signature, bond], bond)
    return made
  }
  const challenge = ({ terms }: Delivered) =>
    send(challenger, escrow, "challenge", [terms, wei(costs)], wei(costs))
  const settle = (terms: Terms) => send(client, escrow, "settle", [terms])
  async function proofIn(context: string) {
    const receipt: Receipt = await prover.prove(input, { context, salts, clampInputs: true })
    const { args } = toSolidityArguments(receipt, verificationKey)
    return args[3]
  }
  async function answer({ terms, claim }: Delivered, who = operator) {
    const proof = await proofIn(attestationDigest(claim, domain))
    await send(who, escrow, "answer", [terms, claim, words, proof])
  }
  const layoutText = hex(toUtf8Bytes(layoutJson(layout)))
  async function convict({ terms, claim }: Delivered) {
    const context = await escrow.convictionContext(await escrow.idOf(terms), people.prover.address)
    await send(people.prover, escrow, "convict", [terms, claim, layoutText, words, await proofIn(context)])
  }
  const recall = (modelId: bigint) => send(owner, registry, "deprecateModel", [modelId])
  async function actionable({ terms, signed, claim }: Delivered): Promise<string> {
    const attestation = attestationDigest(claim, domain)
    const time = await now()
    const approval = await signSignOff(
      {
        attestation,
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
    return yes ? "actionable" : `not actionable: ${reason}`
  }

  // ------------------------------------------------------------------- chapters

  const paidTo = async () =>
    Promise.all(
      names.map(async (name) => escrow.creditOf(zeroAddress, people[name].address) as Promise<bigint>),
    )
  let before = await paidTo()
  /** How a request ended, and who was paid since it was last asked. */
  async function endOf(terms: Terms): Promise<string> {
    const state = states[Number(await escrow.stateOf(await escrow.idOf(terms)))]
    const after = await paidTo()
    const paid = names.flatMap((name, i) => {
      const amount = (after[i] - before[i]) / wei(1)
      return amount === 0n ? [] : [`${name} ${amount}`]
    })
    before = after
    return `${state}: ${paid.join(", ")}`
  }
  const common = await register()

  const chapters: readonly Chapter[] = [
    {
      name: "not delivered in time",
      expected: "Expired: client 10",
      async tell() {
        const terms = await request()
        await pass(601)
        await settle(terms)
        return await endOf(terms)
      },
    },
    {
      name: "delivered, nobody challenges",
      expected: "Unchallenged: operator 62",
      async tell() {
        const { terms } = await deliver(await request())
        await pass(challengeWindow + 1)
        await settle(terms)
        return await endOf(terms)
      },
    },
    {
      name: "proven before anybody challenges",
      expected: "Proven: operator 62",
      async tell() {
        const made = await deliver(await request())
        await answer(made)
        return await endOf(made.terms)
      },
    },
    {
      name: "challenged, and proven",
      expected: "Proven: operator 64",
      async tell() {
        const made = await deliver(await request())
        await challenge(made)
        await answer(made)
        return await endOf(made.terms)
      },
    },
    {
      name: "challenged, and silent",
      expected: "Silent: client 60, challenger 4",
      async tell() {
        const made = await deliver(await request(), operator, lie)
        await challenge(made)
        await pass(answerWindow + 1)
        await settle(made.terms)
        return await endOf(made.terms)
      },
    },
    {
      name: "another output is proven",
      expected: "Convicted: client 60, challenger 2, prover 2",
      async tell() {
        const made = await deliver(await request(), operator, lie)
        await challenge(made)
        await convict(made)
        return await endOf(made.terms)
      },
    },
    {
      name: "the operator signs two outputs",
      expected: "Equivocated: client 60, filer 2",
      async tell() {
        const made = await deliver(await request(), operator, lie)
        const second = await sign(made.terms)
        const both = [made, second].flatMap(({ claim, signed }) => [claim, signed.signature])
        await send(people.filer, book, "fileEquivocation", [...both, layoutText])
        await send(client, escrow, "equivocated", [made.terms])
        return await endOf(made.terms)
      },
    },
    {
      name: "the model is recalled before the answer is final",
      expected: "Recalled: client 10, operator 52",
      async tell() {
        const id = await register()
        const made = await deliver(await request(operator, id))
        await recall(id)
        await pass(challengeWindow + 1)
        await settle(made.terms)
        return await endOf(made.terms)
      },
    },
    {
      name: "challenged, recalled, and proven all the same",
      expected: "Recalled: client 10, operator 54",
      async tell() {
        const id = await register()
        const made = await deliver(await request(operator, id))
        await challenge(made)
        await recall(id)
        await answer(made)
        return await endOf(made.terms)
      },
    },
    {
      name: "two systems disagree",
      expected: "one Proven: operator 62; other Convicted: client 60, prover 2",
      async tell() {
        const one = await deliver(await request())
        const other = await deliver(await request(rival), rival, lie)
        await answer(one)
        const first = await endOf(one.terms)
        await convict(other)
        return `one ${first}; other ${await endOf(other.terms)}`
      },
    },
    {
      name: "a recall reaches earlier answers",
      expected: "actionable; after the recall not actionable: not the policy's model, or recalled",
      async tell() {
        const id = await register()
        const made = await deliver(await request(operator, id))
        await answer(made)
        before = await paidTo()
        const then = await actionable(made)
        await recall(id)
        return `${then}; after the recall ${await actionable(made)}`
      },
    },
  ]

  say(
    `The client pays ${price}, the bond is ${damages} damages and ${costs} costs, a challenger stakes ${costs} (thousandths of an ETH).\n`,
  )
  const told: Told[] = []
  try {
    for (const [i, { name, expected, tell }] of chapters.entries()) {
      gas = 0
      const happened = await tell()
      told.push({ name, expected, happened, gas })
      const mark = happened === expected ? "" : `\n    EXPECTED ${expected}`
      say(`${String(i + 1).padStart(2)} ${name} (${Math.round(gas / 1000)}k gas)\n    ${happened}${mark}`)
    }
  } finally {
    await prover.close()
  }
  return told
}

const folder = mkdtempSync(join(tmpdir(), "countersign-story-"))
const chain = await startChain()
try {
  const chapters = await story(chain, given.ptau ?? testPowers(folder))
  if (json) process.stdout.write(`${JSON.stringify({ chapters }, null, 2)}\n`)
  if (chapters.some(({ expected, happened }) => expected !== happened)) process.exitCode = 1
} finally {
  await chain.close()
  rmSync(folder, { recursive: true })
}
