/** `countersign calldata`: the call that verifies a receipt on chain, of a receipt that is valid. */
import * as api from "../../index.js"
import { verifierOf } from "../../systems/verifiers.js"
import { receiptCommand } from "../receipts.js"

export const calldataCommand = receiptCommand(
  "calldata",
  "check a receipt, and write the call that verifies it on chain",
  (receipt, { key, allowDev }) => {
    const { function: name, args, data } = api.verificationCall(receipt, key, { allowDev })
    const { model, context } = receipt.statement
    const { contract } = verifierOf(key.proofSystem).solidity
    const digest = api.keyDigest(key)
    const called = { contract, function: name, args: decimals(args), data }
    return {
      result: { ...called, key: digest, model, context, setup: key.setup },
      lines: [
        `contract  ${contract}`,
        `function  ${name}`,
        `key       ${digest}`,
        `model     ${model}`,
        `context   ${context}`,
        `data      ${data}`,
      ],
    }
  },
)

/** Integers as decimals, as in our files. */
function decimals(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`
  return Array.isArray(value) ? value.map(decimals) : value
}
