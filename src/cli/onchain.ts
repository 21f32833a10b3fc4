/** What `countersign calldata` and the exports for Ethereum write. */
import * as api from "../index.js"

/** Integers as decimals, as in our files. */
const decimals = (value: unknown): unknown => {
  if (typeof value === "bigint") return `${value}`
  return Array.isArray(value) ? value.map(decimals) : value
}

/** The call that verifies a receipt: the object that `--json` prints, and the lines. */
export function calldata(receipt: api.Receipt, key: api.VerificationKey, allowDev: boolean) {
  const call = api.verificationCall(receipt, key, { allowDev })
  const { model, context } = receipt.statement
  const contract = key.proofSystem === "mirage" ? "CountersignVerifier" : "Groth16Verifier"
  const result = {
    contract,
    function: call.function,
    args: decimals(call.args),
    data: call.data,
    key: api.keyDigest(key),
    model,
    context,
    setup: key.setup,
  }
  const lines = [
    `contract  ${contract}`,
    `function  ${call.function}`,
    `key       ${result.key}`,
    `model     ${model}`,
    `context   ${context}`,
    `data      ${call.data}`,
  ]
  return { result, lines }
}

/** A key as its registration takes it: what it is called, its bytes, and the call. */
export function keyFile(key: api.VerificationKey, allowDev: boolean): string {
  const call = api.registrationCall(key, { allowDev })
  const [blob] = call.args
  const { proofSystem, setup, model } = key
  const facts = { key: api.keyDigest(key), model, proofSystem, setup, blob }
  return `${JSON.stringify({ ...facts, function: call.function, data: call.data }, null, 2)}\n`
}
