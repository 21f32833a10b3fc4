/** The `.r1cs` file: round trip, snarkjs as the reader, damaged files. */
import fc from "fast-check"
import { r1cs as snarkjs } from "snarkjs"
import { afterAll, describe, expect, test } from "vitest"
import { createBinFile, readBinFile } from "#src/circuit/formats/container.js"
import type { R1cs, SparseRows } from "#src/circuit/formats/r1cs.js"
import { readR1cs, writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { FileError } from "#src/errors.js"
import { r } from "#src/field.js"
import { cubes, instances, satisfied } from "../../support/r1cs-systems.js"
import { stopSnarkjs } from "../../support/snarkjs.js"

afterAll(stopSnarkjs)

/** Rows with their coefficients written out: two dictionaries may differ in order. */
const written = (system: R1cs) => {
  const side = ({ rowPtr, wires, coefficients }: SparseRows) => ({
    rowPtr: [...rowPtr],
    wires: [...wires],
    values: [...coefficients].map((index) => system.values[index]),
  })
  const { wires, rows, publicOutputs, publicInputs, privateInputs } = system
  const counts = { wires, rows, publicOutputs, publicInputs, privateInputs }
  return { ...counts, sides: [side(system.a), side(system.b), side(system.c)] }
}

describe(".r1cs", () => {
  test("what is written is read back, and the generated systems are satisfied", () => {
    fc.assert(
      fc.property(instances(), ({ system, witness }) => {
        expect(written(readR1cs(writeR1cs(system)))).toEqual(written(system))
        expect(satisfied(system, witness)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test("snarkjs reads the same counts", async () => {
    const [{ system }] = fc.sample(instances(), { numRuns: 1, seed: 7 })
    const info = await snarkjs.info({ type: "mem", data: writeR1cs(system) })
    expect(info).toMatchObject({
      nConstraints: system.rows,
      nVars: system.wires,
      nOutputs: system.publicOutputs,
      nPubInputs: system.publicInputs,
    })
  })

  const file = writeR1cs(cubes(3n).system)

  test("every truncation and every changed byte is a FileError or another valid file", () => {
    for (let length = 0; length < file.length; length++) {
      expect(() => readR1cs(file.slice(0, length))).toThrow(FileError)
    }
    expect(() => readR1cs(Uint8Array.of(...file, 0))).toThrow(FileError)
    for (let at = 0; at < file.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const damaged = file.slice()
        damaged[at] ^= flip
        try {
          const system = readR1cs(damaged)
          expect(readR1cs(writeR1cs(system))).toEqual(system)
        } catch (error) {
          expect(error).toBeInstanceOf(FileError)
        }
      }
    }
  })

  const rebuilt = (change: (sections: Map<number, Uint8Array>) => void): Uint8Array => {
    const sections = new Map([...readBinFile(file, "r1cs", 1)].map(([id, content]) => [id, content.slice()]))
    change(sections)
    const list = [...sections]
    const made = createBinFile(
      "r1cs",
      1,
      list.map(([id, content]) => ({ id, bytes: content.length })),
    )
    made.sections.forEach((section, i) => {
      section.set(list[i][1])
    })
    return made.file
  }

  test.each<[string, RegExp, (sections: Map<number, Uint8Array>) => void]>([
    ["another prime", /another field/, (s) => (s.get(1) as Uint8Array).fill(1, 4, 36)],
    ["no header", /section 1 is missing/, (s) => s.delete(1)],
    ["a wire that does not exist", /names a wire/, (s) => s.get(2)?.set([200], 4)],
    ["a coefficient that is not reduced", /coefficient/, (s) => s.get(2)?.fill(255, 8, 40)],
    ["more signals than wires", /more signals/, (s) => s.get(1)?.set([99], 40)],
    ["labels for other wires", /length of section 3/, (s) => s.set(3, new Uint8Array(8))],
    ["a custom gate", /custom gates/, (s) => s.set(4, Uint8Array.of(1, 0, 0, 0))],
    ["an unknown section", /unknown section 9/, (s) => s.set(9, new Uint8Array(4))],
  ])("refused: %s", (_, message, change) => {
    const damaged = rebuilt(change)
    expect(() => readR1cs(damaged)).toThrow(FileError)
    expect(() => readR1cs(damaged)).toThrow(message)
  })

  test("of endless sections nothing is read", () => {
    const ids = Array.from({ length: 2 ** 16 }, (_, id) => ({ id, bytes: 0 }))
    const { file: many } = createBinFile("r1cs", 1, ids)
    expect(() => readBinFile(many, "r1cs", 1)).toThrow(FileError)
    expect(() => readBinFile(many, "r1cs", 1)).toThrow("too many sections; expected at most 256; given 65536")
  })

  test("circom's empty custom gate sections are accepted", () => {
    const same = rebuilt((s) => s.set(4, new Uint8Array(4)).set(5, new Uint8Array(4)))
    expect(written(readR1cs(same))).toEqual(written(readR1cs(file)))
  })

  test("coefficients that are not field elements are never written", () => {
    const { system } = cubes(3n)
    expect(() => writeR1cs({ ...system, values: [r] })).toThrow(/not a field element/)
  })
})
