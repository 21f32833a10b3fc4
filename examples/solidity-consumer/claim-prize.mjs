// @ts-check
/** Claims the prize with a receipt, which is checked here first: an invalid one would only cost gas. */
import { explain, parseReceipt, parseVerificationKey, toSolidityArguments } from "countersign/verifier"
import { Contract, formatEther } from "ethers"
import { abiOf, account, json } from "./chain.mjs"

const [folder, path] = process.argv.slice(2)
const { signer, close } = account()
const prize = new Contract(json("prize.json").prize, abiOf("Prize"), signer)
const verificationKey = parseVerificationKey(json(`${folder}/verification.json`))
const receipt = parseReceipt(json(path))
const context = await prize.contextOf(signer.address)
const reason = explain(receipt, { verificationKey, model: verificationKey.model, context, allowDev: true })
if (reason !== null) throw new Error(`not valid: ${reason}`)
const { words, proof } = toSolidityArguments(receipt, verificationKey)
const { hash } = await (await prize.claim(words, proof)).wait()
const [paid] = await prize.queryFilter("Paid")
const { winner, amount } =
  prize.interface.parseLog(/** @type {import("ethers").EventLog} */ (paid))?.args ?? {}
console.log(`${formatEther(amount)} ETH to ${winner} in ${hash}`)
close()
