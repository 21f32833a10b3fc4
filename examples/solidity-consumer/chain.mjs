// @ts-check
/** What the scripts of this folder share: the endpoint and the account of the environment, and what solcjs wrote. */
import { readFileSync } from "node:fs"
import { ContractFactory, JsonRpcProvider, Wallet } from "ethers"

const variable = (/** @type {string} */ name) => {
  const value = process.env[name]
  if (value) return value
  throw new Error(`${name} is not set`)
}

/** @param {string} path */
export const json = (path) => JSON.parse(readFileSync(path, "utf8"))

/** The account of COUNTERSIGN_PRIVATE_KEY at COUNTERSIGN_RPC, as `countersign` takes them. */
export function account() {
  const provider = new JsonRpcProvider(variable("COUNTERSIGN_RPC"), undefined, { cacheTimeout: -1 })
  return {
    signer: new Wallet(variable("COUNTERSIGN_PRIVATE_KEY"), provider),
    close: () => provider.destroy(),
  }
}

/** ABI of what solcjs compiled. @param {string} name */
export const abiOf = (name) => json(`out/${name}_sol_${name}.abi`)

/**
 * Deploys what solcjs compiled, and waits until it is there.
 * @param {import("ethers").Signer} signer
 * @param {string} name
 * @param {...unknown} args
 */
export async function deploy(signer, name, ...args) {
  const code = readFileSync(`out/${name}_sol_${name}.bin`, "utf8")
  const contract = await new ContractFactory(abiOf(name), code, signer).deploy(...args)
  await contract.waitForDeployment()
  return await contract.getAddress()
}
