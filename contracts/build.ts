/**
 * Writes the package's artifacts into a folder: for each contract NAME.json, and index.js with index.d.ts, whose
 * types are the values themselves, as libraries want them that read types off an ABI. Run by `npm run artifacts`.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type AbiItem, type Artifact, compileContract } from "./compile.js"

/** Interfaces have no code, but an ABI, which a verifier adds nothing to that callers need. */
const names = [
  "CountersignVerifier",
  "Groth16Verifier",
  "ModelRegistry",
  "InferenceVerifier",
  "SignOffBook",
  "Escrow",
  "adapters/Erc7007Verifier",
  "adapters/Erc8004Validator",
  "adapters/Erc8183Evaluator",
]

/** A value as a TypeScript type that has no other value. */
const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `readonly [${value.map(literal).join(", ")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([name, of]) => `readonly ${name}: ${literal(of)}`)
  return `{ ${fields.join("; ")} }`
}

/** Long and of no use in messages of the compiler: code, and the compiler's settings, have wide types. */
const declaration = ({ contractName, sourceName, abi }: Artifact): string => `
/** ABI, creation code and compiler of ${sourceName}. */
export declare const ${contractName}: {
  readonly contractName: ${literal(contractName)}
  readonly sourceName: ${literal(sourceName)}
  readonly abi: readonly [
${abi.map((item: AbiItem) => `    ${literal(item)},\n`).join("")}  ]
  readonly bytecode: \`0x\${string}\`
  readonly compiler: { readonly version: string; readonly settings: object }
}
`

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error("usage: build FOLDER")
mkdirSync(folder, { recursive: true })
const artifacts = names.map((name) => compileContract(name))
for (const artifact of artifacts)
  writeFileSync(join(folder, `${artifact.contractName}.json`), `${JSON.stringify(artifact, null, 2)}\n`)
const constants = artifacts.map((a) => `export const ${a.contractName} = ${JSON.stringify(a, null, 2)}\n`)
writeFileSync(join(folder, "index.js"), constants.join("\n"))
writeFileSync(join(folder, "index.d.ts"), artifacts.map(declaration).join(""))
