/** `countersign request`: what a client asks of an operator, and pays into an escrow for. */
import { randomBytes } from "node:crypto"
import type { EscrowRequest, Terms } from "../../chain/index.js"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { keystoreOption } from "../account.js"
import {
  accountOf,
  amountText,
  carryOutStep,
  nextLines,
  type OnChain,
  onContracts,
  readRequest,
  readsChain,
  rpcOption,
  seconds,
  sendsTo,
  unitOf,
} from "../chain.js"
import { dateOf, readDocument } from "../claims.js"
import { withContracts } from "../contracts.js"
import { loadAsClient, loadVerificationKey, verificationKeyPath } from "../folder.js"
import { clampOption, loadWithInput } from "../input.js"
import { command } from "../options.js"
import { saltsOf } from "../salts.js"
import { print } from "../terminal.js"

const statusCommand = readsChain(command("status", "what the chain says of a request"))
  .argument("<request>", "REQUEST.json")
  .action(async (path: string, options) => {
    const request = await readRequest(path)
    await onContracts(options, false, async (on) => {
      const { chain, contracts } = on
      chain.checkPlace(request, contracts.deployment.chainId, contracts.deployment.contracts.Escrow)
      const found = await chain.stateOf(contracts, request.id)
      const { state, deadline, attestation, challenger } = found
      const now = await chain.chainTime(contracts)
      const { client, operator, token } = request.terms
      const unit = await unitOf(on, token)
      const people = { client, operator, ...(BigInt(challenger) > 0n ? { challenger } : {}) }
      const credits = await Promise.all(
        Object.entries(people).map(
          async ([role, who]) => [role, who, await chain.creditOf(contracts, token, who)] as const,
        ),
      )
      print(
        {
          id: request.id,
          state,
          deadline,
          now,
          attestation,
          challenger,
          credit: Object.fromEntries(credits.map(([role, , credit]) => [role, `${credit}`])),
        },
        [
          `request       ${request.id}`,
          `state         ${state.toLowerCase()}`,
          ...(BigInt(attestation) > 0n ? [`attestation   ${attestation}`] : []),
          ...credits.map(
            ([role, who, credit]) =>
              `${role.padEnd(13)} ${who}, can withdraw ${amountText(credit, unit)} in all`,
          ),
          ...nextLines(found, now),
        ],
      )
    })
  })

const sendCommand = sendsTo(command("send", "make a request whose file is there already"))
  .argument("<request>", "REQUEST.json")
  .option("--approve", "allow the escrow to take the tokens, if it may not yet")
  .action(async (path: string, options) => {
    const request = await readRequest(path)
    await onContracts(options, true, (on) => ask(on, request, path, options))
  })

/** Locks the price. `before` is done when everything was checked. */
async function ask(
  on: OnChain,
  request: EscrowRequest,
  path: string,
  { approve = false, dryRun = false }: { readonly approve?: boolean; readonly dryRun?: boolean },
  before?: () => void,
): Promise<void> {
  const plan = await on.chain.planRequest(on.contracts, accountOf(on), request, { approve })
  const { registry, operator, deliverBy } = request.terms
  await carryOutStep(on, plan, request, {
    result: { request: path, terms: request.terms },
    lines: [
      `request       ${path}`,
      `id            ${request.id}`,
      `operator      ${operator}, until ${dateOf(deliverBy)}`,
      ...(BigInt(registry) === 0n
        ? ["recall        nobody can, and contracts act on no answer: the request names no --model-id"]
        : []),
    ],
    dryRun,
    ...(before ? { before } : {}),
  })
}

export const requestCommand = command(
  "request",
  "ask an operator for an answer, and pay for it into an escrow",
)
  .argument("<folder>", "the compiled model, with its verification key")
  .argument("<input>", "INPUT.json")
  .enablePositionalOptions()
  .addCommand(statusCommand)
  .addCommand(sendCommand)
  .needs("--operator <address>", "who is to answer")
  .needs("--policy <file>", "policy document that the answer is to be given under")
  .needs("--price <amount>", "what you pay, in ETH or in units of the token")
  .needs("--damages <amount>", "what the operator bonds for you")
  .needs("--costs <amount>", "what it bonds for who shows a fault, and a challenger stakes")
  .needs("--out <file>", "where the request goes, which operator and challengers need")
  .option("--token <address>", "ERC-20 token; default: ETH")
  .option("--deliver-within <span>", "such as 30m, 2h or 1d", "1h")
  .option("--challenge-within <span>", "how long the answer can be challenged", "1h")
  .option("--answer-within <span>", "how long a challenge can be answered", "1h")
  .option("--salts <file>", "new file for the salts of a committed input: the operator needs it")
  .option("--approve", "allow the escrow to take the tokens, if it may not yet")
  .option("--dry-run", "check everything, and send nothing")
  .addOption(clampOption)
  .addOption(rpcOption)
  .addOption(keystoreOption)
const placeOf = withContracts(requestCommand)

requestCommand.action(async (folder: string, inputPath: string, options) => {
  const { out, clamp: clampInputs = false, dryRun = false } = options
  const claims = await import("../../attest/index.js")
  const place = placeOf(options)
  const spans = {
    deliver: seconds("--deliver-within", options.deliverWithin),
    challengeWindow: seconds("--challenge-within", options.challengeWithin),
    answerWindow: seconds("--answer-within", options.answerWithin),
  }
  const operator = claims.toAddress(options.operator)
  const token = options.token === undefined ? claims.zeroAddress : claims.toAddress(options.token)
  const document = await readDocument(options.policy)
  checkOutput(out)
  const verificationKey = loadVerificationKey(verificationKeyPath(folder))
  const { policy } = claims.onChainPolicy(
    document,
    verificationKey.layout,
    place.policyContracts(document.finality),
  )
  const { owned, input } = await loadWithInput(folder, inputPath, clampInputs, loadAsClient)
  const { circuit } = owned
  const held = saltsOf(options.salts, false, circuit)
  const { statement } = api.execute(circuit, input, { clampInputs, salts: held.salts })
  await onContracts(options, true, async (on) => {
    const { chain, contracts } = on
    const account = accountOf(on)
    const decimals = await chain.decimalsOf(contracts, token)
    const amount = (option: string, text: string) => `${chain.parseAmount(option, text, decimals)}`
    const { registry, modelId } = place.policyContracts(document.finality)
    const { deployment } = contracts
    const terms: Terms = {
      client: claims.toAddress(account.address),
      operator,
      token,
      price: amount("--price", options.price),
      damages: amount("--damages", options.damages),
      costs: amount("--costs", options.costs),
      key: api.keyDigest(verificationKey),
      model: verificationKey.model,
      layout: claims.layoutDigest(verificationKey.layout),
      registry,
      modelId,
      policy: claims.policyDigest(policy),
      input: claims.sideDigests(statement, verificationKey.layout).input,
      deliverBy: (await chain.chainTime(contracts)) + spans.deliver,
      challengeWindow: spans.challengeWindow,
      answerWindow: spans.answerWindow,
      salt: `0x${randomBytes(32).toString("hex")}`,
    }
    const request = chain.requestOf(terms, deployment.chainId, deployment.contracts.Escrow)
    // before the price is locked: without the terms nobody can get it out again
    await ask(on, request, out, { ...options, dryRun }, () => {
      if (dryRun) return
      held.save()
      writeWhole(out, chain.requestText(request), { isNew: true, isDurable: true })
    })
  })
})
