/**
 * `countersign attestation verify`: what an answer's attestation is worth. Each claim has a line of its own, for none says
 * anything of the others: who signed it, whether it lies within the policy, who has signed off, and whether it is proven.
 */

import { readJson, readWhole } from "../../files.js"
import * as api from "../../index.js"
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
const placeOf = withContracts(verifyAttestationCommand)

verifyAttestationCommand.action(async (path: string, options) => {
  const claims = await import("../../attest/index.js")
  const place = placeOf(options)
  const { domain } = place
  const document = await readDocument(options.policy)
  const verificationKey = loadVerificationKey(options.key)
  const { layout, model } = verificationKey
  const request = options.request === undefined ? claims.zeroDigest : hex32("--request", options.request)
  const at = options.at === undefined ? nowSeconds() : wholeNumber("--at", options.at, 0)
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
  })
  const fits = claims.statementProblem(statement, unsigned, verificationKey) === null
  const outside = fits
    ? claims.within(document, layout, statement)
    : ["the statement is not what was attested"]
  const missing = await claims.signOffProblems(policy, unsigned, {
    domain,
    signOffs: options.signOff.map((file: string) => readJson(file)),
    withdrawals: options.withdrawal.map((file: string) => readJson(file)),
    at,
  })
  const proof = options.receipt === undefined ? undefined : await proofProblem()
  async function proofProblem(): Promise<string | null> {
    const text = new TextDecoder().decode(readWhole(options.receipt))
    const unrelated = claims.relationProblem(text, unsigned, verificationKey, domain)
    if (unrelated !== null) return unrelated
    const { allowDev = false } = options
    const reason = await api.explainReceipt(text, { verificationKey, model, context: digest, allowDev })
    return reason === null ? null : inOptions(reason)
  }

  const all = signed === null && outside === null && missing.length === 0 && (proof ?? null) === null
  print(
    {
      digest,
      operator,
      signed: { holds: signed === null, reason: signed },
      within: { holds: outside === null, reasons: outside ?? [], unchecked },
      signedOff: { holds: missing.length === 0, reasons: missing },
      proven: proof === undefined ? null : { holds: proof === null, reason: proof },
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
      `proven      ${proof === undefined ? "no receipt was given" : proof === null ? "yes" : `no: ${proof}`}`,
    ],
  )
  if (!all) invalid()
})
