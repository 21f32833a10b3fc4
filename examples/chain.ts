/** A local chain and a Solidity compiler from npm, for the demonstration and the tests. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Contract, ContractFactory, type InterfaceAbi, JsonRpcProvider, type Signer } from "ethers"

const require = createRequire(import.meta.url)

export interface Compiled {
  readonly abi: InterfaceAbi
  readonly bytecode: string
}

/** A reminder of the compiler that transient storage outlives a call; the contract says why that does no harm. */
const transientStorage = "2394"

interface SolcOutput {
  readonly errors?: readonly { readonly errorCode: string; readonly formattedMessage: string }[]
  readonly contracts?: Record<
    string,
    Record<string, { abi: InterfaceAbi; evm: { bytecode: { object: string } } }>
  >
}

/**
 * Compiles sources (file name → text) with the optimizer, reproducibly, and returns one contract of them.
 * @throws Error with the compiler's messages, warnings included.
 */
export function compileSolidity(sources: Readonly<Record<string, string>>, contract: string): Compiled {
  const solc = require("solc") as { compile(input: string): string }
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
    settings: {
      optimizer: { enabled: true, runs: 10_000 },
      evmVersion: "cancun",
      metadata: { bytecodeHash: "none", appendCBOR: false },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as SolcOutput
  const messages = (output.errors ?? [])
    .filter(({ errorCode }) => errorCode !== transientStorage)
    .map((error) => error.formattedMessage)
  if (messages.length > 0) throw new Error(messages.join("\n"))
  const found = Object.values(output.contracts ?? {}).find((file) => Object.hasOwn(file, contract))
  if (!found) throw new Error(`no contract ${contract} in ${Object.keys(sources).join(", ")}`)
  return { abi: found[contract].abi, bytecode: `0x${found[contract].evm.bytecode.object}` }
}

/** Files and names of the verifiers of contracts/. */
const verifiers = { mirage: "CountersignVerifier", groth16: "Groth16Verifier" } as const

/** The verifier of contracts/ for a proof system, or another contract of its file, compiled. */
export function compileVerifier(proofSystem: keyof typeof verifiers, contract?: string): Compiled {
  const name = verifiers[proofSystem]
  const file = `${name}.sol`
  const source = readFileSync(new URL(`../contracts/${file}`, import.meta.url), "utf8")
  return compileSolidity({ [file]: source }, contract ?? name)
}

/** Deploys a compiled contract and waits until it is there. */
export async function deploy(compiled: Compiled, signer: Signer, ...args: unknown[]): Promise<Contract> {
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
  const provider = new JsonRpcProvider(url, undefined, { cacheTimeout: -1, staticNetwork: true })
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
