/** The tarball: what it holds, and what whoever installs it can do with it in a project of their own. */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { compileContract } from "../../contracts/compile.js"
import { installed, packed, root } from "../support/installed.js"

const files = packed()
const read = (path: string) => readFileSync(join(root, path), "utf8")
/** Whether the tarball has a file, or a folder of files. */
const has = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`))

describe("the tarball", () => {
  it("has licence, contracts, artifacts, circuits, documents and examples", () => {
    for (const path of [
      "LICENSE",
      "README.md",
      "contracts/ICountersignVerifier.sol",
      "contracts/IGroth16Verifier.sol",
      "contracts/IKeyRegistry.sol",
      "contracts/Bn254.sol",
      "contracts/CountersignVerifier.sol",
      "contracts/CountersignWords.sol",
      "contracts/Groth16Verifier.sol",
      "contracts/IEscrow.sol",
      "contracts/adapters/Erc8004Validator.sol",
      "dist/artifacts/CountersignVerifier.json",
      "dist/artifacts/Groth16Verifier.json",
      "dist/artifacts/index.d.ts",
      "circuits/gadgets/clamp.circom",
      "docs/FORMATS.md",
      "examples/README.md",
      "examples/demo.ts",
      "examples/mnist-mlp/model.onnx",
      "examples/mnist-mlp/samples.json",
    ]) {
      expect(files).toContain(path)
    }
    expect(files.filter((path) => /^(src|kernels|bench|out)\/|^contracts\/.*\.ts$/.test(path))).toEqual([])
  })

  // the documents speak of the repository as well: its sources and tests are not installed, but must exist there
  it.each([...files.filter((path) => /\.(md|sol|circom)$/.test(path))])("holds what %s cites", (path) => {
    const text = read(path)
    const links = path.endsWith(".md")
      ? [...text.matchAll(/\]\((?!https?:|#)([^)\s]+)\)/g)].map(([, to]) => to.split("#")[0])
      : []
    const cited = [
      ...text.matchAll(
        /(?<![\w/.-])((?:docs|examples|contracts|circuits|test|src|bench)\/[\w./-]*\w|\b[A-Z]+\.md)\b/g,
      ),
    ].map(([, to]) => to)
    for (const to of links)
      expect(has(normalize(join(dirname(path), to))), `${path} links to ${to}`).toBe(true)
    if (path === "README.md") expect(cited.length).toBeGreaterThan(5)
    for (const to of cited) {
      const shipped = has(to) || has(join(dirname(path), to))
      const development = /^(src|test|bench)\//.test(to) && /^(docs\/|CONTRIBUTING)/.test(path)
      expect(shipped || (development && existsSync(join(root, to))), `${path} cites ${to}`).toBe(true)
    }
  })

  it("has no source map without its source", () => {
    expect(files.filter((path) => path.endsWith(".map"))).toEqual([])
    for (const path of files.filter((name) => /^dist\/.*\.(js|d\.ts)$/.test(name)))
      expect(read(path), path).not.toMatch(/^\/\/# sourceMappingURL=/m)
  })

  it("says what it is about, and points nowhere that does not exist", () => {
    const { keywords, exports } = JSON.parse(read("package.json"))
    expect(keywords).toContain("zero-knowledge")
    const targets = Object.values(exports).flatMap((to) =>
      typeof to === "string" ? to : Object.values(to as object),
    )
    for (const to of targets.map((target) => target.replace("./", "").replace(/\/\*$/, "")))
      expect(has(to), to).toBe(true)
  })
})

/** ABI types as Ethereum libraries read them off an ABI `as const`; of those that our contracts use. */
const consumer = `
import { readFileSync } from "node:fs"
import { CountersignVerifier, Groth16Verifier } from "countersign/artifacts"
import { openProver } from "countersign/prover"
import * as all from "countersign"
import { type Hex, keyDigest, type MirageKey, type MirageReceipt, type Receipt, solidityKey, toSolidityArguments, type VerificationKey, verificationCall, verify } from "countersign/verifier"
import { type BaseContract, Contract, ContractFactory, type InterfaceAbi } from "ethers"

type Words<N extends number, T extends readonly bigint[] = readonly []> = T["length"] extends N ? T : Words<N, readonly [...T, bigint]>
type Value<T extends string> = T extends "bool" ? boolean
  : T extends "bytes32" | "bytes" ? \`0x\${string}\`
  : T extends "uint256[]" | "int256[]" ? readonly bigint[]
  : T extends "uint256[8]" ? Words<8> : T extends "uint256[10]" ? Words<10>
  : T extends "uint256" | "int256" ? bigint : never
type Function<Abi extends readonly unknown[], Name> = Extract<Abi[number], { readonly type: "function"; readonly name: Name }>
type Arguments<Abi extends readonly unknown[], Name> = Function<Abi, Name> extends { readonly inputs: infer I extends readonly { readonly type: string }[] }
  ? { readonly [K in keyof I]: Value<I[K]["type"]> } : never
declare function write<const Abi extends readonly unknown[], Name extends string>(call: { abi: Abi; functionName: Name; args: Arguments<Abi, Name> }): void

export async function use(receipt: MirageReceipt, key: MirageKey, anyReceipt: Receipt, anyKey: VerificationKey) {
  const { abi } = CountersignVerifier
  const { args, words, proof, context } = toSolidityArguments(receipt, key)
  write({ abi, functionName: "verifyInference", args })
  write({ abi, functionName: "registerKey", args: [solidityKey(key)] })
  write({ abi, functionName: "isRegistered", args: [keyDigest(key)] })
  // @ts-expect-error nine words are no proof
  write({ abi, functionName: "verifyInference", args: [args[0], args[1], words, [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]] })
  // @ts-expect-error arguments of another contract
  write({ abi: Groth16Verifier.abi, functionName: "verifyInference", args })
  // @ts-expect-error there is no such function
  write({ abi, functionName: "verify", args })
  const ten: Words<10> = proof
  const hexadecimal: Hex[] = [context, receipt.statement.model, receipt.statement.context, key.model, verificationCall(anyReceipt, anyKey).data]
  const given = toSolidityArguments(anyReceipt, anyKey)
  if (given.proofSystem === "groth16") write({ abi: Groth16Verifier.abi, functionName: "verifyDevInference", args: given.args })
  const forEthers: InterfaceAbi = abi
  const deployed: BaseContract = await new ContractFactory(abi, CountersignVerifier.bytecode).deploy()
  const contract = new Contract(deployed.target, forEthers)
  const valid: boolean = await contract.verifyInference(...args)
  return { valid, ten, hexadecimal, all: all.compile, openProver, verify, readFileSync }
}
`

describe("installed in an empty folder", () => {
  let folder: string
  beforeAll(() => {
    folder = installed()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const node = (code: string): string =>
    execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: folder,
      encoding: "utf8",
    }).trim()

  it("imports every entry", () => {
    const code = `
      import { createRequire } from "node:module"
      const require = createRequire(process.cwd() + "/x.js")
      const entries = await Promise.all(["", "/prover", "/verifier", "/artifacts"].map((e) => import("countersign" + e)))
      const json = require("countersign/artifacts/CountersignVerifier.json")
      console.log(JSON.stringify({
        functions: [entries[0].compile, entries[1].openProver, entries[2].verify].map((f) => typeof f),
        same: JSON.stringify(json) === JSON.stringify(entries[3].CountersignVerifier),
        version: require("countersign/package.json").version,
        source: require.resolve("countersign/contracts/ICountersignVerifier.sol").endsWith("contracts/ICountersignVerifier.sol"),
      }))`
    const version = JSON.parse(read("package.json")).version
    const functions = ["function", "function", "function"]
    expect(JSON.parse(node(code))).toEqual({ functions, same: true, version, source: true })
  })

  it.each(["node16", "nodenext", "bundler"])(
    "has types under %s that Ethereum libraries take",
    (resolution) => {
      writeFileSync(join(folder, "consumer.ts"), consumer)
      const module = resolution === "bundler" ? "esnext" : resolution
      const options = { module, moduleResolution: resolution, target: "es2022", strict: true, noEmit: true }
      const compilerOptions = {
        ...options,
        exactOptionalPropertyTypes: true,
        skipLibCheck: true,
        types: ["node"],
      }
      const config = `tsconfig.${resolution}.json`
      writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }))
      const tsc = join(root, "node_modules/.bin/tsc")
      let said = ""
      try {
        execFileSync(tsc, ["-p", config], { cwd: folder, encoding: "utf8", stdio: "pipe" })
      } catch (error) {
        said = String((error as { stdout?: string }).stdout)
      }
      expect(said).toBe("")
    },
  )

  it("has artifacts that its own sources and settings give again", () => {
    const names = readdirSync(join(root, "dist/artifacts")).filter((name) => name.endsWith(".json"))
    expect(names.length).toBeGreaterThan(5)
    for (const name of names) {
      const artifact = JSON.parse(readFileSync(join(root, "dist/artifacts", name), "utf8"))
      const file = artifact.sourceName.slice("countersign/contracts/".length, -".sol".length)
      const again = compileContract(file, artifact.contractName, artifact.compiler.settings)
      expect(JSON.parse(JSON.stringify(again))).toEqual(artifact)
    }
  })
})
