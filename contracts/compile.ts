/**
 * The contracts of this folder through solc from npm, reproducibly: for the package's artifacts and the tests.
 * Sources are named, and import one another, as whoever installed the package imports them; beside them stand those of
 * OpenZeppelin, which contracts import and interfaces do not.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"

const require = createRequire(import.meta.url)
/** Where sources of a package are, by the beginning of their names. */
const roots = ["countersign", "@openzeppelin/contracts"].map((name) => ({
  beginning: `${name}/`,
  folder: dirname(require.resolve(`${name}/package.json`)),
}))

/** Settings of every artifact. Other ones give other code of the same meaning. */
export const settings = {
  optimizer: { enabled: true, runs: 10_000 },
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none", appendCBOR: false },
} as const

/**
 * "layout" is to become a keyword in a later language than these sources are in. Attestations have a member of that
 * name, because EIP-712, JSON and ABI call it so; a contract may rename it then, and sign and encode as before.
 */
const futureKeyword = "6335"

/** A parameter, function, event or error, as the JSON ABI has it. */
export type AbiItem = Readonly<Record<string, unknown>>

/** A compiled contract, with all that it takes to compile it again: `sourceName` is a file of the package. */
export interface Artifact {
  readonly contractName: string
  readonly sourceName: string
  readonly abi: readonly AbiItem[]
  readonly bytecode: `0x${string}`
  readonly compiler: { readonly version: string; readonly settings: object }
}

interface Solc {
  version(): string
  compile(
    input: string,
    callbacks: { import(name: string): { contents: string } | { error: string } },
  ): string
}

interface SolcOutput {
  readonly errors?: readonly { readonly errorCode?: string; readonly formattedMessage: string }[]
  readonly contracts?: Record<
    string,
    Record<string, { abi: readonly AbiItem[]; evm: { bytecode: { object: string } } }>
  >
}

/** A file of this folder by the name that users import it by. */
const sourceName = (file: string): string => `countersign/contracts/${file}`
/** @throws Error for a file that is not there */
function sourceText(name: string): string {
  const root = roots.find(({ beginning }) => name.startsWith(beginning))
  if (root === undefined) throw new Error(`${name} is of no known package`)
  return readFileSync(join(root.folder, name.slice(root.beginning.length)), "utf8")
}

/**
 * Compiles one contract of some sources (name → text), which may import this folder's.
 * @param expected what sources of others are warned of
 * @throws Error with the compiler's messages, other warnings included
 */
export function compileSolidity(
  sources: Readonly<Record<string, string>>,
  contract: string,
  chosen: object = settings,
  expected?: RegExp,
): Artifact {
  const solc = require("solc") as Solc
  const outputSelection = { "*": { [contract]: ["abi", "evm.bytecode.object"] } }
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
    settings: { ...chosen, outputSelection },
  }
  const found = (name: string) => {
    try {
      return { contents: sourceText(name) }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: found })) as SolcOutput
  const problems = (output.errors ?? []).filter(({ errorCode }) => errorCode !== futureKeyword)
  const all = problems.map((error) => error.formattedMessage)
  const messages = all.filter((message) => !expected?.test(message))
  if (messages.length > 0) throw new Error(messages.join("\n"))
  for (const [name, contracts] of Object.entries(output.contracts ?? {})) {
    if (!Object.hasOwn(contracts, contract)) continue
    const { abi, evm } = contracts[contract]
    const bytecode = `0x${evm.bytecode.object}` as const
    const compiler = { version: solc.version(), settings: chosen }
    return { contractName: contract, sourceName: name, abi, bytecode, compiler }
  }
  throw new Error(`no contract ${contract} in ${Object.keys(sources).join(", ")}`)
}

/** A contract of this folder (its file without the ending), or another one of its file. */
export function compileContract(
  name: string,
  contract = basename(name),
  chosen: object = settings,
): Artifact {
  const source = sourceName(`${name}.sol`)
  return compileSolidity({ [source]: sourceText(source) }, contract, chosen)
}
