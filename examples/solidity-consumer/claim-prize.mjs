// @ts-check
/** Claims the prize with a receipt, which is checked here first: an invalid one would only cost gas. */
import { explain, parseReceipt, parseVerificationKey, toSolidityArguments } from "countersign/verifier"
import { Contract, formatEther } from "ethers"
import { abiOf, account, json } from "./chain.mjs"

const [folder, path] = process.argv.slice(2)
const { signer, close } = account()
const prize = new Contract(json("prize.json").prize, abiOf("Prize"), signer)

async function claim() {
  const verificationKey = parseVerificationKey(json(`${folder}/verification.json`))
  const receipt = parseReceipt(json(path))
  const context = await prize.contextOf(signer.address)
  const reason = explain(receipt, { verificationKey, model: verificationKey.model, context, allowDev: true })
  if (reason !== null) throw new Error(`not valid: ${reason}`)
  const call = toSolidityArguments(receipt, verificationKey)
  if (!("words" in call)) throw new Error("the verifier that is deployed takes proofs of mirage")
  const sent = await prize.claim(call.words, call.proof).catch((error) => {
    const { name } = prize.interface.parseError(error.data ?? "0x") ?? { name: error.shortMessage }
    throw new Error(`the contract refuses: ${name}`)
  })
  const { hash, logs } = await sent.wait()
  const paid = prize.interface.parseLog(logs[0])
  return `${formatEther(paid?.args.amount)} ETH to ${paid?.args.winner} in ${hash}`
}

try {
  console.log(await claim())
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  close()
}
