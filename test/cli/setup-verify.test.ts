/** `setup verify` and `setup accept`: public files in, a verdict and an exit code out. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { saveCircuit } from "#src/cli/folder.js"
import { compile } from "#src/compile/compile.js"
import { run } from "../support/cli.js"
import { perceptron } from "../support/networks.js"
import { contributedPtau } from "../support/ptau.js"

let folder: string
const path = (...names: string[]) => join(folder, ...names)
const ptau = () => path("powers.ptau")
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-setup-"))
  const circuit = await compile((await perceptron([2, 2], 6)).graph)
  saveCircuit(path("team"), circuit, { samples: 0, agreement: 1, outputs: {} } as never)
  writeFileSync(ptau(), await contributedPtau(Math.ceil(Math.log2(circuit.domain))))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The folder of somebody who was given the key. */
const handedOn = (name: string): string => {
  cpSync(path("team"), path(name), { recursive: true })
  return path(name)
}
const verify = (name: string, ...more: string[]) =>
  run("setup", "verify", path(name), "--ptau", ptau(), ...more)
const accept = (name: string, ...more: string[]) =>
  run("setup", "accept", path("team"), path(name, "proving.key"), "--ptau", ptau(), ...more)

describe("a ceremony on the command line", () => {
  it("is verified by anyone, and keys are taken back", async () => {
    expect(await run("setup", path("team"), "--ptau", ptau())).toMatchObject({ code: 0 })
    expect(await verify("team")).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/nobody contributed/),
    })

    handedOn("alice")
    const alice = await run("setup", "contribute", path("alice"), "--name", "Alice", "--json")
    handedOn("bob")
    await run("setup", "contribute", path("bob"), "--name", "Bob")
    expect(await accept("alice", "--json")).toMatchObject({ code: 0, json: { accepted: true, added: 1 } })
    // he did not wait for Alice's key
    const before = readFileSync(path("team", "proving.key"))
    const late = await accept("bob")
    expect(late).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/contribution 1 \(Alice\) of the present key/),
    })
    expect(readFileSync(path("team", "proving.key")).equals(before)).toBe(true)

    await run("setup", "beacon", path("team"), "--value", "abcd", "--iterations", "10")
    const { code, json } = await verify("team", "--json")
    expect(code).toBe(0)
    expect(json).toMatchObject({
      valid: true,
      problems: [],
      contributions: [
        { number: 1, name: "Alice", bound: true, beacon: null, transcript: alice.json.transcript },
        { number: 2, name: "beacon", beacon: { value: "0xabcd", iterations: 10 } },
      ],
      ptau: { name: null },
    })
    const { stdout } = await verify("team")
    for (const text of [/^valid: \d+ points/, /1 {2}Alice/, /2\^10 times to 0xabcd/, /What is left to trust/])
      expect(stdout).toMatch(text)
  })

  it("that is wrong ends with 1, and says where", async () => {
    handedOn("wrong")
    const file = path("wrong", "verification.json")
    writeFileSync(file, readFileSync(file, "utf8").replace("Alice", "Mallory"))
    const renamed = await verify("wrong", "--json")
    expect(renamed).toMatchObject({ code: 1, json: { valid: false } })
    expect(renamed.json.problems).toEqual([expect.stringMatching(/says that it was made another way/)])
    copyFileSync(path("team", "verification.json"), file)
    const key = readFileSync(path("wrong", "proving.key"))
    key.copyWithin(key.length >> 1, 0, 64)
    writeFileSync(path("wrong", "proving.key"), key)
    const { code, stdout } = await verify("wrong")
    expect(code).toBe(1)
    expect(stdout).toMatch(/^invalid: this setup must not be trusted\n- proving key: \w+ \(\d+\): point \d+/)
    expect(await run("setup", "verify", path("team"))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/required option '--ptau <file>'/),
    })
  })
})
