// @ts-check
/** Deploys a LoanDesk with the book of contracts.json, the policy of policy-digest.json, and the approver APPROVER. */
import { account, deploy, json } from "./chain.mjs"

const { contracts } = json("contracts.json")
const { digest } = json("policy-digest.json")
const { signer, close } = account()
console.log(await deploy(signer, "LoanDesk", contracts.SignOffBook, digest, process.env.APPROVER))
close()
