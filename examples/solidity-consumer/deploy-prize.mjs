// @ts-check
/** Deploys the verifier (one serves every model), registers the key of a folder there, and deploys a prize for a digit. */
import { writeFileSync } from "node:fs"
import { CountersignVerifier } from "countersign/artifacts"
import { parseVerificationKey, solidityKey } from "countersign/verifier"
import { Contract, ContractFactory, parseEther } from "ethers"
import { abiOf, account, deploy, json } from "./chain.mjs"

const [folder, digit] = process.argv.slice(2)
const { signer, close } = account()
const deployed = await new ContractFactory(
  CountersignVerifier.abi,
  CountersignVerifier.bytecode,
  signer,
).deploy()
await deployed.waitForDeployment()
const verifier = await deployed.getAddress()
const registry = new Contract(verifier, CountersignVerifier.abi, signer)
const key = parseVerificationKey(json(`${folder}/verification.json`))
await (await registry.registerDevKey(solidityKey(key))).wait()
const prize = await deploy(signer, "Prize", verifier, digit, { value: parseEther("1") })
const context = await new Contract(prize, abiOf("Prize"), signer).contextOf(signer.address)
writeFileSync("prize.json", JSON.stringify({ verifier, prize }))
writeFileSync("context", context)
console.log(`prize ${prize} for a ${digit}; a proof for ${signer.address} has context ${context}`)
close()
