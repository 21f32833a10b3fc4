/** A local chain from npm, for the demonstration and the tests. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { Contract, ContractFactory, type InterfaceAbi, JsonRpcProvider, type Signer } from "ethers"

const require = createRequire(import.meta.url)

/** What is needed of a contract to deploy it: `countersign/artifacts` has it. */
export interface Deployable {
  readonly abi: InterfaceAbi
  readonly bytecode: string
}

/** Deploys a compiled contract and waits until it is there. */
export async function deploy(compiled: Deployable, signer: Signer, ...args: unknown[]): Promise<Contract> {
  const deployed = await new ContractFactory(compiled.abi, compiled.bytecode, signer).deploy(...args)
  await deployed.waitForDeployment()
  return new Contract(await deployed.getAddress(), compiled.abi, signer)
}

export interface Chain {
  readonly url: string
  readonly provider: JsonRpcProvider
  /** A funded account. */
  readonly signer: Signer
  /** Stops the chain; waits until its process is gone. */
  close(): Promise<void>
}

/** Starts anvil on a free port of this machine. @throws Error when it does not start. */
export async function startChain(): Promise<Chain> {
  const anvil = require.resolve("@foundry-rs/anvil/bin.mjs")
  const child = spawn(process.execPath, [anvil, "--port", "0", "--hardfork", "prague"], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  const kill = () => void child.kill("SIGTERM")
  process.once("exit", kill)
  child.once("exit", () => process.off("exit", kill))
  const url = await address(child)
  // this chain answers at once: waiting for calls to gather, or seconds for a block, would be most of the time
  const options = { cacheTimeout: -1, staticNetwork: true, batchMaxCount: 1, pollingInterval: 20 }
  const provider = new JsonRpcProvider(url, undefined, options)
  return {
    url,
    provider,
    signer: await provider.getSigner(0),
    async close() {
      provider.destroy()
      await stop(child)
    },
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGTERM")
  await gone
}

/** The address that anvil prints when it is ready. */
function address(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    const read = (chunk: Buffer) => {
      text += chunk
      const found = /Listening on ([0-9.]+:[0-9]+)/.exec(text)
      if (found) resolve(`http://${found[1]}`)
    }
    child.stdout?.on("data", read)
    child.stderr?.on("data", read)
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`anvil ended with code ${code}:\n${text}`)))
  })
}
