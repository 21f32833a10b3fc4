/**
 * `countersign attestation verify`: what an answer's attestation is worth. Each claim has a line of its own, for none says
 * anything of the others: who signed it, whether it lies within the policy, who has signed off, whether it is proven,
 * and, where a chain is asked, whether contracts act on it now.
 */

import { UsageError } from "../../errors.js"
import { readJson, readWhole } from "../../files.js"
import * as api from "../../index.js"
import { namesEndpoint, type OnChain, onContracts, rpcOption } from "../chain.js"
import { nowSeconds, readAnswer, readDocument } from "../claims.js"
import { withContracts } from "../contracts.js"
import { loadVerificationKey } from "../folder.js"
import { command, hex32, repeatable, wholeNumber } from "../options.js"
import { invalid, print } from "../terminal.js"
import { inOptions } from "../words.js"

export const verifyAttestationCommand = command(
  "verify",
  "check a signed answer; exit code 1 unless all holds",
)
  .argument("<answer>", "what `countersign attest` wrote")
  .needs("--key <file>", "verification key")
  .needs("--policy <file>", "policy document that it must be given under")
  .needs("--operator <address>", "who must have signed it")
  .option("--request <hex>", "id of the request that it must answer; default: none")
  .option("--at <seconds>", "time at which it must be valid, in seconds since 1970; default: now")
  .option("--receipt <file>", "a receipt that must prove it")
  .option("--allow-dev", "accept a receipt of a development key, or one that nobody contributed to")
  .addOption(repeatable("--sign-off <file>", "a sign-off to count"))
  .addOption(repeatable("--withdrawal <file>", "a withdrawal to count"))
  .addOption(rpcOption)
const placeOf = withContracts(verifyAttestationCommand)

verifyAttestationCommand.action(async (path: string, options) => {
  if (options.rpc !== undefined && options.contracts === undefined)
    throw new UsageError({ what: "--rpc", fix: "Name the contracts' file with --contracts FILE" })
  if (options.rpc !== undefined && options.at !== undefined)
    throw new UsageError({ what: "--at and --rpc exclude each other: a chain says what is so now" })
  // a chain knows what no file shows: contracts that sign, withdrawals, recalls, how requests ended
  const asks = options.contracts !== undefined && options.at === undefined && namesEndpoint(options)
  if (asks) await onContracts(options, false, (on) => verify(path, options, on))
  else await verify(path, options, null)
})

interface Options {
  readonly key: string
  readonly policy: string
  readonly operator: string
  readonly request?: string
  readonly at?: string
  readonly receipt?: string
  readonly allowDev?: boolean
  readonly signOff: readonly string[]
  readonly withdrawal: readonly string[]
  readonly contracts?: string
  readonly modelId?: string
}

async function verify(path: string, options: Options, on: OnChain | null): Promise<void> {
  const claims = await import("../../attest/index.js")
  const place = placeOf(options)
  const { domain } = place
  const document = await readDocument(options.policy)
  const verificationKey = loadVerificationKey(options.key)
  const { layout, model } = verificationKey
  const request = options.request === undefined ? claims.zeroDigest : hex32("--request", options.request)
  const at = on
    ? await on.chain.chainTime(on.contracts)
    : options.at === undefined
      ? nowSeconds()
      : wholeNumber("--at", options.at, 0)
  const accounts = on ? { accounts: on.contracts.provider } : {}
  const operator = claims.toAddress(options.operator)
  const { policy, unchecked } = claims.onChainPolicy(
    document,
    layout,
    place.policyContracts(document.finality),
  )
  const { attestation, statement } = await readAnswer(path)
  const unsigned = claims.claimOf(attestation)
  const digest = claims.attestationDigest(unsigned, domain)

  const signed = await claims.explainAttestation(attestation, {
    domain,
    operator,
    verificationKey,
    statement,
    policy: claims.policyDigest(policy),
    request,
    at,
    ...accounts,
  })
  const fits = claims.statementProblem(statement, unsigned, verificationKey) === null
  const outside = fits
    ? claims.within(document, layout, statement)
    : ["the statement is not what was attested"]
  const signOffs = options.signOff.map((file) => readJson(file))
  const withdrawals = options.withdrawal.map((file) => readJson(file))
  const missing = await claims.signOffProblems(policy, unsigned, {
    domain,
    signOffs,
    withdrawals,
    at,
    ...accounts,
    client: on && (await on.chain.finalClient(on.contracts, unsigned)),
  })
  const stopped = on === null ? undefined : await actionable(on)
  async function actionable({ chain, contracts }: OnChain): Promise<string | null> {
    if (!fits) return "the statement is not what was attested"
    return await chain.actionableProblem(contracts, { attestation, policy, statement, layout, signOffs })
  }
  const { receipt } = options
  const proof = receipt === undefined ? undefined : await proofProblem(receipt)
  async function proofProblem(file: string): Promise<string | null> {
    const text = new TextDecoder().decode(readWhole(file))
    const unrelated = claims.relationProblem(text, unsigned, verificationKey, domain)
    if (unrelated !== null) return unrelated
    const { allowDev = false } = options
    const reason = await api.explainReceipt(text, { verificationKey, model, context: digest, allowDev })
    return reason === null ? null : inOptions(reason)
  }

  const all =
    signed === null &&
    outside === null &&
    missing.length === 0 &&
    (proof ?? null) === null &&
    (stopped ?? null) === null
  print(
    {
      digest,
      operator,
      signed: { holds: signed === null, reason: signed },
      within: { holds: outside === null, reasons: outside ?? [], unchecked },
      signedOff: { holds: missing.length === 0, reasons: missing },
      proven: proof === undefined ? null : { holds: proof === null, reason: proof },
      actionable: stopped === undefined ? null : { holds: stopped === null, reason: stopped, at },
    },
    [
      `digest      ${digest}`,
      `signed      ${signed === null ? `by ${operator}` : `no: ${signed}`}`,
      ...(outside ?? ["yes"]).map((reason) => `in policy   ${outside ? `no: ${reason}` : reason}`),
      ...(missing.length === 0
        ? [
            `signed off  ${policy.signOffs.length === 0 ? "the policy asks nobody" : "by all whom the policy names"}`,
          ]
        : missing.map((reason) => `signed off  no: ${reason}`)),
      `proven      ${verdict(proof, "no receipt was given")}`,
      `actionable  ${verdict(stopped, "the chain was not asked: --contracts FILE and --rpc URL")}`,
    ],
  )
  if (!all) invalid()
}

/** A claim in words: undefined where it was not looked at, else why it does not hold, or null. */
const verdict = (problem: string | null | undefined, unasked: string): string =>
  problem === undefined ? unasked : problem === null ? "yes" : `no: ${problem}`
