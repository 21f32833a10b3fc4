/** `countersign contracts`: the contracts on a chain, the keys that they know, and recalls. */

import { checkOutput, writeWhole } from "../../files.js"
import { keystoreOption, openAccount } from "../account.js"
import { accountOf, carryOut, connected, onContracts, rpcOption, sendsTo, transactionOf } from "../chain.js"
import { loadVerificationKey } from "../folder.js"
import { command, hex32 } from "../options.js"
import { note, onProgress, print } from "../terminal.js"

const deployCommand = command("deploy", "deploy all contracts, and write where they are")
  .addOption(rpcOption)
  .addOption(keystoreOption)
  .needs("--out <file>", "where the addresses go, with the digests of the code")
  .action(async (options) => {
    checkOutput(options.out)
    await connected(options, async (provider, chain) => {
      const account = (await openAccount(options.keystore)).connect(provider)
      const onSigned = (hash: string) => note(`transaction   ${hash}`)
      const { deployment, sent } = await chain.deployContracts(account, { onProgress, onSigned })
      writeWhole(options.out, `${JSON.stringify(deployment, null, 2)}\n`)
      const gasUsed = sent.reduce((sum, done) => sum + done.gasUsed, 0n)
      print(
        { file: options.out, ...deployment, gasUsed: `${gasUsed}`, transactions: sent.map(transactionOf) },
        [
          `contracts     ${options.out}, chain ${deployment.chainId}`,
          ...Object.entries(deployment.contracts).map(([name, address]) => `${address}  ${name}`),
          `gas           ${gasUsed}`,
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
      if (uri === undefined) {
        const lines = [`key           ${keyPlan.key}`]
        await carryOut(keyPlan, { result: { key: keyPlan.key }, lines, dryRun })
        return
      }
      const known = await chain.isRegistered(contracts, keyPlan.key)
      if (!known && !dryRun) await keyPlan.send()
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
