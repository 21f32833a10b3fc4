/** Keys, passwords and endpoints' addresses: no option takes one that others would see, and no message repeats one. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Command } from "commander"
import { encryptKeystoreJsonSync, Wallet } from "ethers"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { run } from "../support/cli.js"
import { hash32 } from "../support/groth16-oracle.js"

const wallet = new Wallet(hash32("a key that nobody may see"))
const password = "open sesame 4711"
const token = "endpoint-token-4712"
const secrets = [wallet.privateKey.slice(2), password, token]

let folder: string
/** An endpoint that says which chain it is of, and refuses all else. */
let endpoint: Server
let url: string
const path = (name: string) => join(folder, name)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-keys-"))
  endpoint = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { id, method } = JSON.parse(Buffer.concat(parts).toString())
    const knows = method === "eth_chainId"
    response.writeHead(knows ? 200 : 401, { "content-type": "application/json" })
    response.end(JSON.stringify({ jsonrpc: "2.0", id, result: "0x7a69" }))
  })
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/${token}`
  const json = encryptKeystoreJsonSync(wallet, password, { scrypt: { N: 2 } })
  writeFileSync(path("keystore.json"), json)
  writeFileSync(path("damaged.json"), json.replace(/"mac":"../, '"mac":"00'))
})
afterAll(() => {
  endpoint?.closeAllConnections()
  endpoint?.close()
  rmSync(folder, { recursive: true, force: true })
})

const nested = (command: Command): Command[] => [command, ...command.commands.flatMap(nested)]

it("no option or argument takes a secret; what signs is a file or the environment", async () => {
  const names = readdirSync(new URL("../../src/cli/commands/", import.meta.url))
  const modules = await Promise.all(
    names.map((name) => import(`../../dist/cli/commands/${name.replace(/\.ts$/, ".js")}`)),
  )
  const all = modules.flatMap((module) =>
    Object.values(module).flatMap((value) => (value instanceof Command ? nested(value) : [])),
  )
  expect(all.length).toBeGreaterThan(30)
  let keystores = 0
  for (const command of all) {
    for (const { flags, description } of command.options) {
      const about = `${command.name()} ${flags}`
      expect(flags, about).not.toMatch(/private|secret|passw|mnemonic|phrase|wallet/i)
      if (/sign with/.test(description)) {
        expect(flags, about).toBe("--keystore <file>")
        keystores++
      }
    }
    for (const argument of command.registeredArguments)
      expect(argument.name(), command.name()).not.toMatch(/private|secret|passw|mnemonic|wallet/i)
  }
  expect(keystores).toBeGreaterThan(10)
})

/** Runs a deployment, which asks the endpoint and signs, and looks at all that it says. */
async function refused(environment: NodeJS.ProcessEnv, ...args: string[]): Promise<string> {
  const before = { ...process.env }
  Object.assign(process.env, { COUNTERSIGN_RPC: url }, environment)
  try {
    const outcome = await run("contracts", "deploy", "--out", path("x.json"), ...args)
    expect(outcome.code, args.join(" ")).toBe(2)
    const said = outcome.stdout + outcome.stderr
    for (const secret of secrets) expect(said).not.toContain(secret)
    return said
  } finally {
    process.env = before
  }
}

describe("no message repeats", () => {
  const key = wallet.privateKey
  const opened = { COUNTERSIGN_PASSWORD: password }

  it.each(["in text", "as JSON"])("a secret of the environment, %s", async (form) => {
    const json = form === "as JSON" ? ["--json"] : []
    expect(await refused({ COUNTERSIGN_PRIVATE_KEY: key }, ...json)).toMatch(/HTTP status 401/)
    expect(await refused({ COUNTERSIGN_PRIVATE_KEY: `${key}f` }, ...json)).toMatch(/is no private key/)
    const store = ["--keystore", path("keystore.json")]
    expect(await refused(opened, ...store, ...json)).toMatch(/HTTP status 401/)
    const damaged = ["--keystore", path("damaged.json")]
    expect(await refused(opened, ...damaged, ...json)).toMatch(/the password is wrong, or/)
  })

  it("what was given as an argument in its place", async () => {
    for (const given of [key, key.slice(2)])
      expect(await refused({}, "--keystore", given)).toMatch(/what looks like a key. Use that key no more/)
    expect(await refused({}, "--private-key", key)).toMatch(/unknown option '--private-key'/)
    expect(await refused({}, key)).toMatch(/too many arguments/)
    expect(await refused({}, "--password", password)).toMatch(/unknown option '--password'/)
    expect(await refused({}, "--rpc", `https://user:${token}@127.0.0.1:1/${token}`)).not.toMatch(/user/)
  })
})
