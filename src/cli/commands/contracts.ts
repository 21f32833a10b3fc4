/** `countersign contracts`: the contracts on a chain, the keys that they know, and recalls. */

import type { Sent } from "../../chain/index.js"
import { checkOutput, writeWhole } from "../../files.js"
import { keystoreOption, openAccount } from "../account.js"
import {
  accountOf,
  carryOut,
  connected,
  feeText,
  onContracts,
  rpcOption,
  sendsTo,
  transactionOf,
} from "../chain.js"
import { loadVerificationKey } from "../folder.js"
import { command, hex32 } from "../options.js"
import { note, onProgress, print } from "../terminal.js"

const deployCommand = command("deploy", "deploy all contracts, and write where they are")
  .addOption(rpcOption)
  .addOption(keystoreOption)
  .option("--dry-run", "say what it takes, and send nothing")
  .needs("--out <file>", "where the addresses go, with the digests of the code")
  .action(async (options) => {
    checkOutput(options.out)
    await connected(options, async (provider, chain) => {
      const account = (await openAccount(options.keystore)).connect(provider)
      const { gas, fee } = await chain.planDeployment(account)
      const costs = [
        `deployment by ${account.address.toLowerCase()}`,
        `gas           ${gas}, at most ${feeText(fee)}`,
      ]
      if (options.dryRun) {
        print(
          { file: null, from: account.address.toLowerCase(), gas: `${gas}`, fee: `${fee}`, transactions: [] },
          [...costs, "Nothing was sent."],
        )
        return
      }
      for (const line of costs) note(line)
      const onSigned = (hash: string) => note(`transaction   ${hash}`)
      const { deployment, sent } = await chain.deployContracts(account, { onProgress, onSigned })
      writeWhole(options.out, `${JSON.stringify(deployment, null, 2)}\n`)
      const sum = (of: (done: Sent) => bigint) => sent.reduce((all, done) => all + of(done), 0n)
      const gasUsed = sum((done) => done.gasUsed)
      print(
        { file: options.out, ...deployment, gasUsed: `${gasUsed}`, transactions: sent.map(transactionOf) },
        [
          `contracts     ${options.out}, chain ${deployment.chainId}`,
          ...Object.entries(deployment.contracts).map(([name, address]) => `${address}  ${name}`),
          `gas           ${gasUsed}, ${feeText(sum((done) => done.fee))}`,
        ],
      )
    })
  })

const registerCommand = sendsTo(
  command("register", "register a verification key; with --uri also the model, as yours to recall"),
)
  .argument("<key>", "verification.json")
  .option("--uri <uri>", "where a model card is")
  .option("--allow-dev", "accept a development key, which no escrow takes")
  .action(async (path: string, options) => {
    const { uri, allowDev = false, dryRun = false } = options
    const key = loadVerificationKey(path)
    await onContracts(options, true, async (on) => {
      const { chain, contracts } = on
      const account = accountOf(on)
      const keyPlan = await chain.planRegisterKey(contracts, account, key, { allowDev })
      const known = await chain.isRegistered(contracts, keyPlan.key)
      if (uri === undefined) {
        const lines = [`key           ${keyPlan.key}`]
        if (known)
          print({ action: keyPlan.action, from: keyPlan.from, key: keyPlan.key, transaction: null }, [
            ...lines,
            "It is registered already; nothing was sent.",
          ])
        else await carryOut(keyPlan, { result: { key: keyPlan.key }, lines, dryRun })
        return
      }
      if (!known) {
        note(`first the key ${keyPlan.key}: gas ${keyPlan.gas}`)
        if (!dryRun) await keyPlan.send()
      }
      const plan = await chain.planRegisterModel(contracts, account, chain.commitmentOf(key, uri))
      const { modelId } = plan
      await carryOut(plan, {
        result: { key: keyPlan.key, model: key.model, modelId },
        lines: [`key           ${keyPlan.key}`, `model id      ${modelId}`],
        dryRun,
      })
    })
  })

const recallCommand = sendsTo(command("recall", "recall a model of yours, for ever"))
  .argument("<model-id>", "what `countersign contracts register` gave")
  .action(async (text: string, options) => {
    const modelId = hex32("MODEL-ID", text)
    await onContracts(options, true, async (on) => {
      const plan = await on.chain.planRecall(on.contracts, accountOf(on), modelId)
      await carryOut(plan, { result: { modelId }, dryRun: options.dryRun === true })
    })
  })

export const contractsCommand = command("contracts", "the contracts on a chain, and the keys that they know")
  .addCommand(deployCommand)
  .addCommand(registerCommand)
  .addCommand(recallCommand)
