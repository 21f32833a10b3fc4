/**
 * What tests of attestations, sign-offs and escrow share: a chain with all contracts, a key for which proofs of
 * anything can be made, and parties with accounts. Digests and signatures are made by ethers, apart from the contracts
 * and from src.
 */
import {
  type Contract,
  concat,
  hexlify,
  Interface,
  type JsonRpcSigner,
  keccak256,
  TypedDataEncoder,
  toBeHex,
  toUtf8Bytes,
  ZeroAddress,
  ZeroHash,
} from "ethers"
import { layoutJson } from "#src/statement/layout.js"
import { keyDigest, solidityProof, wordsOf } from "#src/verifier/index.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"
import { artifact, register } from "./chain.js"
import { hash32, values } from "./groth16-oracle.js"
import { layoutOf, type MirageOracle, mirageOracle, statementOf } from "./mirage-oracle.js"
import { ceremony } from "./provenances.js"

type Struct = Record<string, unknown>

const members = (text: string) =>
  text.split(",").map((member) => {
    const [type, name] = member.split(" ")
    return { name, type }
  })
/** Structs as docs/FORMATS.md has them, for ethers. */
export const types = {
  Attestation: members(
    "bytes32 model,bytes32 key,bytes32 layout,bytes32 input,bytes32 output,bytes32 policy,bytes32 evidence,address operator,bytes32 request,uint64 started,uint64 issued,uint64 validUntil",
  ),
  SignOff: members(
    "bytes32 attestation,uint8 role,uint8 decision,bytes32 scope,address signer,uint64 signed,uint64 validUntil",
  ),
  Withdrawal: members("bytes32 signOff,uint64 withdrawn"),
  Bound: members("uint32 word,uint8 shift,uint8 bits,int64 lo,int64 least,int64 most"),
  Requirement: members("uint8 role,address signer"),
  Policy: members(
    "bytes32 document,address registry,uint256 modelId,address escrow,Bound[] bounds,Requirement[] signOffs",
  ),
}
export const policyDigest = (policy: Struct): string =>
  TypedDataEncoder.from({
    Policy: types.Policy,
    Bound: types.Bound,
    Requirement: types.Requirement,
  }).hash(policy)

export const roles = { owner: 1, operator: 2, evaluator: 3, approver: 4, client: 5 }
export const decisions = { approve: 1, reject: 2, abstain: 3 }
/** Ends and what is before them, in the order of IEscrow. */
export const states = [
  "None",
  "Requested",
  "Delivered",
  "Challenged",
  "Expired",
  "Unchallenged",
  "Proven",
  "Silent",
  "Convicted",
  "Equivocated",
  "Recalled",
]
export const forever = 2n ** 64n - 1n

/** Digest of words of a statement. */
export const digestOfWords = (words: readonly bigint[]): string =>
  keccak256(concat(words.map((word) => toBeHex(word, 32))))

export interface Parties {
  readonly client: JsonRpcSigner
  readonly operator: JsonRpcSigner
  readonly challenger: JsonRpcSigner
  readonly stranger: JsonRpcSigner
  readonly owner: JsonRpcSigner
  readonly approver: JsonRpcSigner
}

/** A key, and what makes statements and proofs of it. */
export interface Provable {
  readonly oracle: MirageOracle
  readonly key: string
  readonly model: string
  readonly layout: string
  /** Canonical JSON of the layout, as bytes. */
  readonly layoutJson: string
  /** Words of a statement, outputs first; another number, another output. */
  words(output?: number): bigint[]
  readonly outputs: number
  proof(context: string, words: readonly bigint[], seed?: string): bigint[]
}

export function provable(
  visibility: "public" | "committed" | "hidden" = "public",
  seed = "settled",
  output: "public" | "committed" = "public",
  setup: Parameters<typeof mirageOracle>[1] = {},
): Provable {
  const oracle = mirageOracle(layoutOf(visibility, output), { setup: ceremony, seed, ...setup })
  const { key } = oracle
  const json = layoutJson(key.layout)
  const salted = (n: number) => ({ visibility: "committed", commitment: toBeHex(n + 1, 32) }) as const
  return {
    oracle,
    key: keyDigest(key),
    model: key.model,
    layout: keccak256(toUtf8Bytes(json)),
    layoutJson: hexlify(toUtf8Bytes(json)),
    outputs: output === "public" ? 2 : 1,
    words: (n = 0) =>
      wordsOf(
        statementOf(key, {
          output:
            output === "public"
              ? { visibility: "public", values: values({ "20": [n, 2], "3": [1] }) }
              : (salted(n) as never),
        }),
        key.layout,
      ).slice(),
    proof: (context, words, proofSeed) => solidityProof(oracle.proof(context, words, proofSeed)).map(BigInt),
  }
}

export interface Settlement extends Chain {
  readonly verifier: Contract
  readonly registry: Contract
  readonly book: Contract
  readonly escrow: Contract
  readonly parties: Parties
  readonly subject: Provable
  readonly modelId: bigint
  readonly chainId: bigint
  readonly domain: { name: string; version: string; chainId: bigint; verifyingContract: string }
  /** Seconds of the latest block. */
  now(): Promise<number>
  /** Lets time pass and a block with it. */
  pass(seconds: number): Promise<void>
  /** Terms in ETH that fit the subject. */
  terms(changes?: Struct): Promise<Struct>
  idOf(terms: Struct): Promise<string>
  /** An attestation that fits terms, with its digest and the operator's signature. */
  attest(terms: Struct, changes?: Struct, signer?: JsonRpcSigner): Promise<Signed>
  signOff(
    changes: Struct,
    signer: JsonRpcSigner,
  ): Promise<{ signOff: Struct; digest: string; signature: string }>
  /** A request that was made and delivered, in ETH. */
  delivered(changes?: Struct, attested?: Struct): Promise<Delivered>
  /** What a call would do, `ok` or the error's name and arguments, in a block at some time. */
  attempt(
    signer: JsonRpcSigner,
    contract: Contract,
    method: string,
    args: unknown[],
    how?: How,
  ): Promise<string>
}
export interface Signed {
  readonly attestation: Struct
  readonly digest: string
  readonly signature: string
}
export interface Delivered extends Signed {
  readonly terms: Struct
  readonly id: string
  readonly words: bigint[]
}
export interface How {
  readonly value?: bigint
  readonly at?: number
  readonly gas?: number
}

export const price = 1000n
export const damages = 500n
export const costs = 70n
export const bond = damages + costs
export const challengeWindow = 3600
export const answerWindow = 1800

export async function startSettlement(): Promise<Settlement> {
  const chain = await startChain()
  try {
    return await deployed(chain)
  } catch (error) {
    await chain.close()
    throw error
  }
}

async function deployed(chain: Chain): Promise<Settlement> {
  const { provider, signer } = chain
  const [verifier, registry, book] = [
    await deploy(artifact("CountersignVerifier"), signer),
    await deploy(artifact("ModelRegistry"), signer),
    await deploy(artifact("SignOffBook"), signer),
  ]
  const escrow = await deploy(artifact("Escrow"), signer, book.target, verifier.target)
  const names = ["client", "operator", "challenger", "stranger", "owner", "approver"] as const
  const signers = await Promise.all(names.map((_, i) => provider.getSigner(i + 1)))
  const parties = Object.fromEntries(names.map((name, i) => [name, signers[i]])) as unknown as Parties
  const subject = provable()
  await register(verifier, subject.oracle.key)
  const commitment = commitmentOf(subject)
  const modelId: bigint = await registry.modelIdOf(parties.owner.address, commitment)
  await (await asContract(registry, parties.owner).registerModel(commitment)).wait()
  const { chainId } = await provider.getNetwork()
  const domain = { name: "Countersign", version: "1", chainId, verifyingContract: `${book.target}` }
  const interfaces = [escrow, book, registry, verifier].map((contract) => contract.interface)
  interfaces.push(
    new Interface([
      "error SafeERC20FailedOperation(address token)",
      "error Panic(uint256)",
      "error Error(string)",
    ]),
  )

  const now = async () => (await provider.getBlock("latest"))?.timestamp ?? 0
  const attempt: Settlement["attempt"] = async (from, contract, method, args, how = {}) => {
    const data = contract.interface.encodeFunctionData(method, args)
    const call = {
      from: from.address,
      to: contract.target,
      data,
      value: `0x${(how.value ?? 0n).toString(16)}`,
      ...(how.gas === undefined ? {} : { gas: `0x${how.gas.toString(16)}` }),
    }
    const time = `0x${(how.at ?? (await now()) + 1).toString(16)}`
    try {
      await provider.send("eth_call", [call, "latest", {}, { time }])
      return "ok"
    } catch (error) {
      const { info, message } = error as { info?: { error?: { data?: string } }; message: string }
      const revert = info?.error?.data
      // nothing is returned where code is called that is not there
      if (revert === undefined || revert === "0x") return message
      for (const known of interfaces) {
        const parsed = known.parseError(revert)
        if (parsed) return `${parsed.name}(${parsed.args.join(", ")})`
      }
      return revert
    }
  }
  const terms: Settlement["terms"] = async (changes = {}) => ({
    client: parties.client.address,
    operator: parties.operator.address,
    token: ZeroAddress,
    price,
    damages,
    costs,
    key: subject.key,
    model: subject.model,
    layout: subject.layout,
    registry: registry.target,
    modelId,
    policy: hash32("policy"),
    input: digestOfWords(subject.words().slice(subject.outputs)),
    deliverBy: (await now()) + 600,
    challengeWindow,
    answerWindow,
    salt: hash32(`salt ${salts++}`),
    ...changes,
  })
  const idOf = (given: Struct): Promise<string> => escrow.idOf(given)
  const attest: Settlement["attest"] = async (given, changes = {}, who) => {
    const time = await now()
    const attestation = {
      model: given.model,
      key: given.key,
      layout: given.layout,
      input: given.input,
      output: digestOfWords(subject.words().slice(0, subject.outputs)),
      policy: given.policy,
      evidence: hash32("evidence"),
      operator: given.operator,
      request: await idOf(given),
      started: time - 2,
      issued: time - 1,
      validUntil: time + 1_000_000,
      ...changes,
    }
    const typed = { Attestation: types.Attestation }
    return {
      attestation,
      digest: TypedDataEncoder.hash(domain, typed, attestation),
      signature: await (who ?? parties.operator).signTypedData(domain, typed, attestation),
    }
  }
  return {
    ...chain,
    verifier,
    registry,
    book,
    escrow,
    parties,
    subject,
    modelId,
    chainId,
    domain,
    now,
    attempt,
    terms,
    idOf,
    attest,
    async pass(seconds) {
      await provider.send("evm_setNextBlockTimestamp", [(await now()) + seconds])
      await provider.send("evm_mine", [])
    },
    async signOff(changes, who) {
      const signOff = {
        attestation: ZeroHash,
        role: roles.approver,
        decision: decisions.approve,
        scope: ZeroHash,
        signer: who.address,
        signed: (await now()) - 1,
        validUntil: forever,
        ...changes,
      }
      const typed = { SignOff: types.SignOff }
      return {
        signOff,
        digest: TypedDataEncoder.hash(domain, typed, signOff),
        signature: await who.signTypedData(domain, typed, signOff),
      }
    },
    async delivered(changes, attested) {
      const agreed = await terms(changes)
      await (
        await asContract(escrow, parties.client).request(agreed, agreed.price, { value: agreed.price })
      ).wait()
      const signed = await attest(agreed, attested)
      const due = (agreed.damages as bigint) + (agreed.costs as bigint)
      const { attestation, signature } = signed
      await (
        await asContract(escrow, parties.operator).deliver(agreed, attestation, signature, due, {
          value: due,
        })
      ).wait()
      return { ...signed, terms: agreed, id: await idOf(agreed), words: subject.words() }
    },
  }
}

/** So that no two requests of a test are the same. */
let salts = 0

export const asContract = (contract: Contract, signer: JsonRpcSigner): Contract =>
  contract.connect(signer) as Contract

/** Sends a transaction and waits for it; returns its gas. */
export async function send(
  signer: JsonRpcSigner,
  contract: Contract,
  method: string,
  args: unknown[],
  value = 0n,
): Promise<bigint> {
  const sent = await asContract(contract, signer)[method](...args, { value })
  return (await sent.wait()).gasUsed
}

/** How a registry holds a key. */
export const commitmentOf = (subject: Provable, uri = "https://example.org/card.json") => ({
  modelHash: subject.model,
  circuitHash: hash32("circuit"),
  vkHash: subject.key,
  proofSystemId: keccak256(toUtf8Bytes("countersign-mirage-bn254-v1")).slice(0, 10),
  uri,
})
