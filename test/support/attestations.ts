/** Claims for tests: people with keys, domains, and one of each claim. */
import { Wallet } from "ethers"
import type { Attestation, Domain, Policy, SignOff } from "#src/attest/index.js"
import type { Hex } from "#src/statement/strict.js"

/** A digest of one digit. */
export const digest = (digit: string): Hex => `0x${digit.repeat(64)}`
const person = (digit: string) => new Wallet(digest(digit))
export const addressOf = ({ address }: Wallet) => address.toLowerCase() as Hex

export const operator = person("1")
export const approver = person("2")
export const stranger = person("3")

const book = (digit: string): Hex => `0x${digit.repeat(40)}`
/** A chain, another contract there, another chain, and none. */
export const domains: readonly Domain[] = [
  { chainId: 31337, verifyingContract: book("a") },
  { chainId: 31337, verifyingContract: book("b") },
  { chainId: 1, verifyingContract: book("a") },
  "offline",
]

export const policy: Policy = {
  document: digest("4"),
  registry: book("5"),
  modelId: digest("6"),
  escrow: book("7"),
  bounds: [
    { word: 0, shift: 0, bits: 9, lo: -100, least: -50, most: 50 },
    { word: 0, shift: 9, bits: 9, lo: -100, least: -100, most: 200 },
  ],
  signOffs: [{ role: 4, signer: addressOf(approver) }],
}

export const attestationOf = (change: Partial<Attestation> = {}): Attestation => ({
  model: digest("a"),
  key: digest("b"),
  layout: digest("c"),
  input: digest("d"),
  output: digest("e"),
  policy: digest("f"),
  evidence: digest("0"),
  operator: addressOf(operator),
  request: digest("9"),
  started: 1_700_000_000,
  issued: 1_700_000_001,
  validUntil: 1_700_100_000,
  ...change,
})

export const signOff: SignOff = {
  attestation: digest("1"),
  role: 4,
  decision: 1,
  scope: digest("2"),
  signer: addressOf(approver),
  signed: 1_700_000_100,
  validUntil: 1_700_100_000,
}
