/** The page "On chain" of README.md: every block of code on it runs here, in a project that installed the package. */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type Chain, startChain } from "../../examples/chain.js"
import { installed, root } from "../support/installed.js"

const require = createRequire(import.meta.url)
const readme = readFileSync(join(root, "README.md"), "utf8")
const page = /\n## On chain\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? ""
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, code]) => code)

let folder: string
let chain: Chain
beforeAll(async () => {
  folder = installed()
  chain = await startChain()
})
afterAll(async () => {
  await chain?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What a shell prints; `countersign` is the installed one. */
const shell = (code: string, environment: Record<string, string> = {}): string =>
  execFileSync("bash", ["-euc", code], {
    cwd: folder,
    encoding: "utf8",
    stdio: "pipe",
    env: { ...process.env, ...environment, PATH: `${join(folder, "bin")}:${process.env.PATH}` },
  })

/**
 * Judge with the compiler's defaults, imports resolved as Node resolves them. Its settings are nobody's but the
 * user's, and so are its warnings: there must be none.
 */
function compileJudge(source: string): { abi: unknown; bytecode: string } {
  const solc = require("solc") as { compile(input: string, callbacks: object): string }
  const resolve = createRequire(join(folder, "x.js")).resolve
  const found = (name: string) => ({
    contents: readFileSync(name.startsWith("countersign/") ? resolve(name) : join(folder, name), "utf8"),
  })
  const input = {
    language: "Solidity",
    sources: { "Judge.sol": { content: source } },
    settings: { outputSelection: { "Judge.sol": { Judge: ["abi", "evm.bytecode.object"] } } },
  }
  const { errors, contracts } = JSON.parse(solc.compile(JSON.stringify(input), { import: found }))
  expect(errors ?? []).toEqual([])
  const { abi, evm } = contracts["Judge.sol"].Judge
  return { abi, bytecode: `0x${evm.bytecode.object}` }
}

it("takes a key and a receipt on chain, and reads an output there", async () => {
  const [exportCommands, receiptCommands] = blocks("sh")
  const [solidity] = blocks("solidity")
  const [script] = blocks("ts")
  expect([blocks("sh"), blocks("solidity"), blocks("ts")].map((list) => list.length)).toEqual([2, 1, 1])

  // what stands before the page: a model that was compiled and set up
  mkdirSync(join(folder, "bin"))
  const cli = join(folder, "node_modules/countersign/dist/cli.js")
  writeFileSync(join(folder, "bin/countersign"), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, {
    mode: 0o755,
  })
  const example = join(folder, "node_modules/countersign/examples/mnist-mlp")
  copyFileSync(join(example, "input.json"), join(folder, "input.json"))
  shell(`countersign compile ${example}/model.onnx --samples ${example}/samples.json --out digits`)
  const setup = shell("countersign setup digits --dev")

  shell(exportCommands)
  const key = JSON.parse(readFileSync(join(folder, "key.json"), "utf8"))
  expect(setup).toContain(key.key)
  writeFileSync(join(folder, "Judge.json"), JSON.stringify(compileJudge(solidity)))

  const before = `
    import { readFileSync, writeFileSync } from "node:fs"
    import { openProver, parseVerificationKey, rebuildCircuit } from "countersign"
    import { JsonRpcProvider } from "ethers"
    const read = (name) => readFileSync(name)
    const json = (name) => JSON.parse(readFileSync(name, "utf8"))
    const provider = new JsonRpcProvider("${chain.url}", undefined, { cacheTimeout: -1, staticNetwork: true })
    const signer = await provider.getSigner(0)
    const Judge = json("Judge.json")
    const verificationKey = parseVerificationKey(json("digits/verification.json"))
    const circuit = await rebuildCircuit({ model: read("digits/model.bin"), circuit: json("digits/circuit.json"), gadgets: json("digits/gadgets.json") })
    const prover = await openProver(circuit, read("digits/proving.key"))
    const { image } = json("input.json").inputs
    const request = 7n
  `
  const after = `
    const { output } = receipt.statement
    const logits = output.values.logits.map(Number)
    const said = logits.indexOf(Math.max(...logits))
    const again = await judge.settle.staticCall(request, words, proof).then(() => "", (error) => error.reason)
    const other = await judge.settle.staticCall(request + 1n, words, proof).then(() => "", (error) => error.reason)
    writeFileSync("out.json", JSON.stringify({
      valid: await verifier.verifyDevInference(...args),
      said, digit: Number(await judge.digitOf(request)), settled: await judge.isSettled(request), again, other,
      verifier: verifier.target, judge: judge.target, context: await judge.contextOf(request + 1n),
    }))
    await prover.close()
    provider.destroy()
  `
  writeFileSync(join(folder, "page.mjs"), `${before}\n${script}\n${after}`)
  shell(`"${process.execPath}" page.mjs`)
  const out = JSON.parse(readFileSync(join(folder, "out.json"), "utf8"))
  expect(out).toMatchObject({ valid: true, settled: true, again: "settled", other: "not proven" })
  expect(out.digit).toBe(out.said)

  // the same by the command line, for the next request
  const shown = shell(receiptCommands, { CONTEXT: out.context })
  const {
    data,
    function: name,
    args,
  } = JSON.parse(
    shell(`${receiptCommands.split("\n").find((line) => line.startsWith("countersign calldata"))} --json`, {
      CONTEXT: out.context,
    }),
  )
  expect(shown).toContain(data)
  expect(name).toMatch(/^verifyDevInference\(/)
  expect(args.slice(0, 2)).toEqual([key.key, out.context])
  expect(BigInt(await chain.provider.call({ to: out.verifier, data }))).toBe(1n)
  // and its registration: of a known key it does nothing but say its name
  expect(await chain.provider.call({ to: out.verifier, data: key.data })).toBe(key.key)
})
