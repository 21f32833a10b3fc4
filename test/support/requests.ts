/**
 * What tests of the chain's helpers share: a chain with all contracts, people with accounts of their own, a key for which
 * receipts of anything can be made, and a request that they agree on.
 */
import { type Provider, toBeHex, Wallet } from "ethers"
import {
  attest,
  attestationDigest,
  layoutDigest,
  type SignedAttestation,
  sideDigests,
  signAttestation,
  zeroAddress,
  zeroDigest,
} from "#src/attest/index.js"
import {
  type Contracts,
  chainTime,
  type Deployment,
  deployContracts,
  type EscrowRequest,
  openContracts,
  planRegisterKey,
  requestOf,
  type Terms,
} from "#src/chain/index.js"
import type { Hex } from "#src/statement/strict.js"
import { keyDigest, type MirageReceipt, type Statement } from "#src/verifier/index.js"
import { type Chain, startChain } from "../../examples/chain.js"
import { hash32, values } from "./groth16-oracle.js"
import { layoutOf, type MirageOracle, mirageOracle, statementOf } from "./mirage-oracle.js"
import { ceremony } from "./provenances.js"

/** So that tests need not wait for a chain that mines at once. */
export const soon = { pollMs: 20, waitMs: 20_000 } as const

export const people = ["client", "operator", "challenger", "stranger"] as const
export type People = Readonly<Record<(typeof people)[number], Wallet>>
export const lower = (who: { readonly address: string }): Hex => who.address.toLowerCase() as Hex

/** Somebody with ETH. */
export async function funded(
  chain: Chain,
  name: string,
  provider: Provider = chain.provider,
): Promise<Wallet> {
  const wallet = new Wallet(hash32(`account of ${name}`), provider)
  await chain.provider.send("anvil_setBalance", [wallet.address, toBeHex(10n ** 20n)])
  return wallet
}

export interface Scene extends Chain, People {
  readonly deployment: Deployment
  readonly contracts: Contracts
  readonly oracle: MirageOracle
  pass(seconds: number): Promise<void>
  /** A request that nobody made yet. */
  agreed(changes?: Partial<Terms>): Promise<EscrowRequest>
  /** What the model is said to have answered; other numbers, other answers. */
  statement(answer?: number): Statement
  attested(request: EscrowRequest, answer?: number): Promise<SignedAttestation>
  /** A receipt of an answer for some context; default: for the attestation. */
  receipt(attestation: SignedAttestation, answer?: number, context?: Hex): MirageReceipt
}

let salts = 0

export async function startScene(): Promise<Scene> {
  const chain = await startChain()
  const { provider } = chain
  const wallets = await Promise.all(people.map((name) => funded(chain, name)))
  const named = Object.fromEntries(people.map((name, i) => [name, wallets[i]])) as People
  const { deployment } = await deployContracts(named.stranger, soon)
  const contracts = await openContracts(deployment, provider)
  const oracle = mirageOracle(layoutOf("public"), { setup: ceremony, seed: "scene" })
  const { key } = oracle
  await (await planRegisterKey(contracts, named.stranger, key)).send(soon)
  const statement = (answer = 0) =>
    statementOf(key, {
      context: zeroDigest,
      output: { visibility: "public", values: values({ "20": [answer, 2], "3": [1] }) },
    })
  return {
    ...chain,
    ...named,
    deployment,
    contracts,
    oracle,
    statement,
    async pass(seconds) {
      await provider.send("evm_increaseTime", [seconds])
      await provider.send("evm_mine", [])
    },
    async agreed(changes = {}) {
      const terms: Terms = {
        client: lower(named.client),
        operator: lower(named.operator),
        token: zeroAddress,
        price: "1000",
        damages: "500",
        costs: "70",
        key: keyDigest(key),
        model: key.model,
        layout: layoutDigest(key.layout),
        registry: zeroAddress,
        modelId: zeroDigest,
        policy: hash32("policy"),
        input: sideDigests(statement(), key.layout).input,
        deliverBy: (await chainTime(contracts)) + 600,
        challengeWindow: 3600,
        answerWindow: 1800,
        salt: hash32(`salt ${salts++}`),
        ...changes,
      }
      return requestOf(terms, deployment.chainId, deployment.contracts.Escrow)
    },
    async attested({ id, terms }, answer = 0) {
      const issued = await chainTime(contracts)
      const facts = {
        operator: lower(named.operator),
        policy: terms.policy,
        request: id,
        started: issued,
        issued,
        validUntil: issued + 1_000_000,
      }
      const made = attest({ statement: statement(answer), verificationKey: key }, facts)
      return await signAttestation(made, contracts.domain, named.operator)
    },
    receipt({ domain, signature, ...claim }, answer = 0, context = attestationDigest(claim, domain)) {
      return oracle.receipt({ ...statement(answer), context })
    },
  }
}
