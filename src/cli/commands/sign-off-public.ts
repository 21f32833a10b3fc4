/** `countersign sign-off withdraw` and `record`: a sign-off taken back, and what everybody should see on a chain. */

import { checkOutput, readJson, writeWhole } from "../../files.js"
import { keystoreOption, openAccount } from "../account.js"
import { accountOf, carryOut, onContracts, sendsTo } from "../chain.js"
import { nowSeconds } from "../claims.js"
import { command } from "../options.js"
import { print } from "../terminal.js"

export const withdrawCommand = command("withdraw", "take back a sign-off of yours, for ever")
  .argument("<sign-off>", "what `countersign sign-off` wrote")
  .needs("--out <file>", "where the withdrawal goes: show it to whoever has the sign-off, or record it")
  .addOption(keystoreOption)
  .action(async (path: string, { out, keystore }) => {
    const claims = await import("../../attest/index.js")
    checkOutput(out)
    const signOff = claims.parseSignOff(readJson(path))
    const account = await openAccount(keystore)
    const withdrawal = await claims.signWithdrawal(signOff, nowSeconds(), account)
    writeWhole(out, `${claims.canonicalJson(withdrawal)}\n`)
    const { signer, attestation } = signOff
    print({ withdrawal: out, signOff: withdrawal.signOff, attestation, signer }, [
      `withdrawal   ${out}, signed by ${signer}`,
      `sign-off     ${withdrawal.signOff}`,
      `attestation  ${attestation}`,
    ])
  })

export const recordCommand = sendsTo(
  command("record", "have a sign-off, or its withdrawal, seen by everybody on a chain"),
)
  .argument("<sign-off>", "what `countersign sign-off` wrote; a rejection counts once it is recorded")
  .option("--withdrawal <file>", "instead: that it was taken back, as `sign-off withdraw` wrote it")
  .action(async (path: string, options) => {
    const signOff = readJson(path)
    const withdrawal = options.withdrawal === undefined ? undefined : readJson(options.withdrawal)
    await onContracts(options, true, async (on) => {
      const plan = await on.chain.planRecord(on.contracts, accountOf(on), signOff, withdrawal)
      const lines = [`sign-off      ${plan.digest}`]
      await carryOut(plan, { result: { signOff: plan.digest }, lines, dryRun: options.dryRun === true })
    })
  })
