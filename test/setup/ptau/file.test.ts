/** The form of files of powers of tau: what is read, and what is refused before any point is looked at. */
import { createHash } from "node:crypto"
import { beforeAll, describe, expect, it } from "vitest"
import { readBinFile } from "#src/circuit/formats/container.js"
import { FileError, UsageError } from "#src/errors.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { requirePower } from "#src/setup/ptau/powers.js"
import { ptauFile, uncontributedPtau } from "../../support/ptau.js"

const power = 3
let file: Uint8Array
beforeAll(async () => {
  file = await uncontributedPtau(power)
})
const sections = () => new Map([...readBinFile(file, "ptau", 1)].filter(([id]) => id !== 1))
const refused = async (bytes: Uint8Array, message: RegExp) => {
  await expect(openPtau(bytes)).rejects.toThrow(FileError)
  await expect(openPtau(bytes)).rejects.toThrow(message)
}

describe("a file", () => {
  it("gives its points, and its name by its digest", async () => {
    const ptau = await openPtau(file)
    expect(ptau).toMatchObject({ power, ceremonyPower: power, name: undefined })
    expect(ptau.digest).toBe(`0x${createHash("blake2b512").update(file).digest("hex")}`)
    const of = sections()
    expect(await ptau.read("tauG1", 3, 2)).toEqual(of.get(2)?.subarray(192, 320))
    expect(await ptau.read("tauG2", 7, 1)).toEqual(of.get(3)?.subarray(896))
    expect(await ptau.read("alphaG1", 0, 8)).toEqual(of.get(4))
    expect(await ptau.read("betaG1", 1, 1)).toEqual(of.get(5)?.subarray(64, 128))
    expect(ptau.betaG2).toEqual(of.get(6))
  })

  it("is read in ranges, and what it says while it is read is believed of the whole", async () => {
    let most = 0
    const source = {
      size: file.length,
      read: async (from: number, length: number) => {
        most = Math.max(most, length)
        return file.subarray(from, from + length)
      },
    }
    const stages: string[] = []
    const ptau = await openPtau(source, { onProgress: ({ stage }) => stages.push(stage) })
    expect(ptau.digest).toBe((await openPtau(file)).digest)
    expect(stages).toContain("hash powers of tau")
    await expect(openPtau({ size: file.length, read: async () => new Uint8Array(1) })).rejects.toThrow(
      /cut short/,
    )
    await expect(openPtau("pot.ptau" as never)).rejects.toThrow(UsageError)
    await expect(openPtau(file, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough")
  })
})

describe("refused", () => {
  it("a file that is cut off anywhere, or goes on", async () => {
    for (let length = 0; length < file.length; length += 97)
      await refused(file.subarray(0, length), /truncated/)
    await refused(new Uint8Array([...file, 0]), /bytes after the last section/)
  })

  it("a foreign file, version, curve or header", async () => {
    const other = (at: number, value: number) => file.with(at, value)
    await refused(other(0, 0), /foreign file/)
    await refused(other(4, 2), /unknown version/)
    const header = 12 + 12
    await refused(other(header, 48), /another field.*field elements of 48 bytes/)
    const prime = ptauFile(power, sections(), {
      prime: 52435875175126190479447740508185965837690552500527637822603658699938581184513n,
    })
    await refused(prime, /another field.*expected bn254/)
  })

  it("a power that is none, or more than its ceremony's", async () => {
    const of = (p: number, ceremonyPower: number) => ptauFile(p, sections(), { ceremonyPower })
    await refused(of(0, 3), /power; expected 1 to 28; given 0/)
    await refused(of(29, 29), /power; expected 1 to 28/)
    await refused(of(3, 29), /power of the ceremony; expected 1 to 28/)
    await refused(of(3, 2), /at most that of the ceremony, 2; given 3/)
    await refused(of(4, 4), /length of section 2/)
  })

  it("sections that are missing, repeated, unknown or of other sizes", async () => {
    for (const id of [2, 3, 4, 5, 6, 7]) {
      const without = sections()
      without.delete(id)
      await refused(ptauFile(power, without), new RegExp(`section ${id} is missing`))
      const shorter = new Map([...sections()].map(([n, bytes]) => [n, n === id ? bytes.subarray(1) : bytes]))
      if (id !== 7) await refused(ptauFile(power, shorter), new RegExp(`length of section ${id}`))
    }
    await refused(ptauFile(power, sections().set(8, new Uint8Array(4))), /unknown section 8/)
    for (const id of [12, 13, 14, 15])
      await refused(
        ptauFile(power, sections().set(id, new Uint8Array(64))),
        new RegExp(`length of section ${id}`),
      )
    const repeated = file.slice()
    // section 5 says that it is section 4, which has the same size
    const at = repeated.length - (12 + 4) - (12 + 128) - (12 + 512)
    expect(repeated[at]).toBe(5)
    repeated[at] = 4
    await refused(repeated, /repeated section/)
  })
})

it("says which power a domain needs", async () => {
  const ptau = await openPtau(file)
  for (const domain of [1, 4, 6, 8]) requirePower(ptau, domain)
  expect(() => requirePower(ptau, 9)).toThrow(/domain of 9.*power 4 or more.*given power 3.*_04/)
  expect(() => requirePower(ptau, 16)).toThrow(/power 4 or more/)
  expect(() => requirePower({ power: 15 }, 9 * 2 ** 13)).toThrow(/power 17 or more/)
})
