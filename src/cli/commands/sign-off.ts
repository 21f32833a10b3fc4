/** `countersign sign-off`: somebody's signature under an attestation, in a role. */

import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { keystoreOption, openAccount } from "../account.js"
import { dateOf, daySeconds, nowSeconds, readAttestation } from "../claims.js"
import { choice, command, hex32, wholeNumber } from "../options.js"
import { print } from "../terminal.js"
import { recordCommand, withdrawCommand } from "./sign-off-public.js"

export const signOffCommand = command("sign-off", "sign under somebody's attestation")
  .argument("<attestation>", "what `countersign attest` wrote")
  .enablePositionalOptions()
  .addCommand(withdrawCommand)
  .addCommand(recordCommand)
  .needs("--role <role>", "owner, operator, evaluator, approver or client")
  .needs("--decision <decision>", "approve, reject or abstain")
  .needs("--out <file>", "where the sign-off goes")
  .option("--scope <hex>", "digest of what was looked at; default: the attestation's policy")
  .option("--valid-days <days>", "how long it holds; default: as long as the attestation")
  .addOption(keystoreOption)
  .action(async (path: string, options) => {
    const { out } = options
    const claims = await import("../../attest/index.js")
    const role = choice("--role", options.role, claims.roles)
    const decision = choice("--decision", options.decision, claims.decisions)
    const scopeGiven = options.scope === undefined ? undefined : hex32("--scope", options.scope)
    const days =
      options.validDays === undefined ? undefined : wholeNumber("--valid-days", options.validDays, 1, 36_500)
    checkOutput(out)
    const read = await readAttestation(path)
    const [attestation, domain] = [claims.claimOf(read), read.domain]
    const account = await openAccount(options.keystore)
    const digest = claims.attestationDigest(attestation, domain)
    const signed = nowSeconds()
    const validUntil = days === undefined ? attestation.validUntil : signed + days * daySeconds
    if (validUntil < signed)
      throw new api.UsageError({
        what: "the attestation is not valid any more",
        where: `\`${path}\``,
        fix: "Say how long the sign-off holds with --valid-days DAYS",
      })
    const scope = scopeGiven ?? attestation.policy
    const signer = claims.toAddress(account.address)
    const signOff = await claims.signSignOff(
      { attestation: digest, role, decision, scope, signer, signed, validUntil },
      domain,
      account,
    )
    writeWhole(out, `${claims.canonicalJson(signOff)}\n`)
    const id = claims.signOffDigest(claims.claimOf(signOff), domain)
    print(
      {
        signOff: out,
        digest: id,
        attestation: digest,
        role: options.role,
        decision: options.decision,
        signer,
        scope,
        signed,
        validUntil,
      },
      [
        `sign-off     ${out}`,
        `digest       ${id}`,
        `attestation  ${digest}`,
        `by           ${signer}, ${options.role}: ${options.decision}`,
        `until        ${dateOf(validUntil)}`,
      ],
    )
  })
