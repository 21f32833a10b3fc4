/** Libraries of keys (`export solidity`): whatever tensors are called, they compile, and read what was proven. */
import type { Contract } from "ethers"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import {
  keyDigest,
  type Layout,
  libraryName,
  solidityLibrary,
  toSolidityArguments,
  type VerificationKey,
} from "#src/verifier/index.js"
import { compileSolidity } from "../../contracts/compile.js"
import { type Chain, deploy, startChain } from "../../examples/chain.js"
import { edit, hash32, oracle, scalar, values } from "../support/groth16-oracle.js"
import { layoutOf, mirageOracle } from "../support/mirage-oracle.js"
import { ceremony, uncontributed } from "../support/provenances.js"

let chain: Chain
beforeAll(async () => {
  chain = await startChain()
})
afterAll(() => chain?.close())

/** Names that end comments, open strings, turn text around, mean something to Solidity, or collide. */
const hostile = [
  "logits",
  "\n*/ } contract Evil { /*",
  "// x\r\nuint256 constant KEY = 1;",
  'a"; selfdestruct(msg.sender); "',
  "@notice @author @dev",
  "a\u202eb\u2066",
  "\u2028\u2029\u0000",
  "mapping",
  "unchecked",
  "0",
  "20",
  "__proto__",
  "KEY",
  "words",
  "a_b",
  "A_B",
  "aB",
  "a b",
  "ab2",
  "ab",
  "a_b_LO",
  "xAsReal",
  "x",
  "ünïcödé 😀",
  "\\u000a",
  "x".repeat(1024),
]

const tensorOf = (name: string, i: number) => ({
  name,
  shape: i % 3 === 0 ? [] : [1 + (i % 4), 5],
  scale: [0.25, 0.1, 1, 3e-9, 12345.678, 2 ** -60][i % 6],
  lo: [-(2 ** 52), -1000, 0, 7, -1][i % 5],
  bits: [53, 11, 1, 20, 31][i % 5],
})

/** All tensors public; half of the names are both an input's and an output's. */
const layout = (): Layout => ({
  outputs: hostile.map((name, i) => ({ ...tensorOf(name, i), visibility: "public" })),
  inputs: hostile.slice(0, 12).map((name, i) => ({ ...tensorOf(name, i + 1), visibility: "public" })),
})

const drawn = (tensors: Layout["outputs"] | Layout["inputs"]) =>
  values(
    Object.fromEntries(
      tensors.map(({ name, shape, lo, bits }) => [
        name,
        Array.from(
          { length: shape.reduce((n, d) => n * d, 1) },
          (_, i) => BigInt(lo) + (scalar("library", `${name}/${i}`) % 2n ** BigInt(bits)),
        ),
      ]),
    ),
  )

/** x · scale in units of 1e-18, cut off towards zero, by the bits of the double. */
function real(x: bigint, scale: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, scale)
  const raw = view.getBigUint64(0)
  const exponent = Number(raw >> 52n) - 1075
  const product = x * ((raw & (2n ** 52n - 1n)) | (2n ** 52n)) * 10n ** 18n
  return exponent < 0 ? product / 2n ** BigInt(-exponent) : product * 2n ** BigInt(exponent)
}

/** A contract that calls every reader of a library by its number. */
function harness(library: string, type: string): string {
  const names = [...library.matchAll(/function (\w+)\(/g)].map(([, name]) => name)
  const branches = names.map((name, i) => `if (which == ${i}) return Lib.${name}(list, index);`)
  return `// SPDX-License-Identifier: MIT
    pragma solidity ^0.8.4;
    import {Lib} from "./Lib.sol";
    contract Harness {
      function one(uint256 which, ${type}[] calldata list, uint256 index) internal pure returns (int256) {
        ${branches.join("\n")}
        revert();
      }
      function read(uint256[] calldata which, ${type}[] calldata list, uint256[] calldata indices)
        external pure returns (int256[] memory read_)
      {
        read_ = new int256[](which.length);
        for (uint256 i = 0; i < which.length; i++) read_[i] = one(which[i], list, indices[i]);
      }
      ${library.includes("TRANSCRIPT") ? ceremonyFacts : ""}
      function facts() external pure returns (bytes32, bytes32, bool) { return (Lib.KEY, Lib.MODEL, Lib.DEV); }
    }`
}

const ceremonyFacts = `
      function ceremony() external pure returns (bytes memory, uint256, bytes32) {
        return (Lib.PTAU, Lib.CONTRIBUTORS, Lib.TRANSCRIPT);
      }`

/** What the compiler says of a library is an error here, warnings too. */
const harnessed = (library: string, type: string): Promise<Contract> =>
  deploy(
    compileSolidity({ "Lib.sol": library, "Harness.sol": harness(library, type) }, "Harness", {
      optimizer: { enabled: true },
    }),
    chain.signer,
  )

async function readsAll(
  key: VerificationKey,
  lists: { output: readonly bigint[]; input: readonly bigint[] },
  type: string,
): Promise<void> {
  const library = solidityLibrary(key, "Lib")
  const contract = await harnessed(library, type)
  expect([...(await contract.facts())]).toEqual([expect.any(String), key.model, false])
  let which = 0
  for (const side of ["output", "input"] as const) {
    const tensors = side === "output" ? key.layout.outputs : key.layout.inputs
    const held = drawn(tensors)
    const [readers, indices, expected]: [number[], number[], bigint[]] = [[], [], []]
    for (const { name, scale } of tensors) {
      held[name].map(BigInt).forEach((x, i) => {
        readers.push(which, which + 1)
        indices.push(i, i)
        expected.push(x, real(x, scale))
      })
      which += 2
    }
    expect([...(await contract.read(readers, lists[side], indices))]).toEqual(expected)
    for (const i of [0, readers.length - 1])
      await expect(
        contract.read([readers[i]], lists[side], [held[tensors[i && tensors.length - 1].name].length]),
      ).rejects.toMatchObject({ code: "CALL_EXCEPTION" })
  }
  expect(which).toBe([...library.matchAll(/function /g)].length)
}

describe("every tensor of any name is read, as integer and as real number", () => {
  test("mirage: out of the words of a receipt", async () => {
    const { key, receipt } = mirageOracle(layout())
    const statement = {
      model: key.model,
      context: hash32("context"),
      output: { visibility: "public", values: drawn(key.layout.outputs) },
      input: { visibility: "public", values: drawn(key.layout.inputs) },
    } as const
    const { words } = toSolidityArguments(receipt(statement), key)
    await readsAll(key, { output: words, input: words }, "uint256")
  })

  test("groth16: out of the integers of a receipt", async () => {
    const { key, receipt } = oracle({
      outputs: layout().outputs.slice(0, 9),
      inputs: layout().inputs.slice(0, 5),
    })
    const statement = {
      model: key.model,
      context: hash32("context"),
      output: { visibility: "public", values: drawn(key.layout.outputs) },
      input: { visibility: "public", values: drawn(key.layout.inputs) },
    } as const
    const { outputs, inputs } = toSolidityArguments(receipt(statement), key)
    await readsAll(key, { output: outputs, input: inputs }, "int256")
  })
})

test("commitments have their words, and nothing to read", async () => {
  const { key } = mirageOracle(layoutOf("committed", "committed"))
  const library = solidityLibrary(key, "Lib")
  expect(library).toContain("OUTPUT_COMMITMENT_WORD = 0;")
  expect(library).toContain("INPUT_COMMITMENT_WORD = 1;")
  expect(library).not.toContain("function")
  expect(() => compileSolidity({ "Lib.sol": library }, "Lib")).not.toThrow()
  const half = solidityLibrary(mirageOracle(layoutOf("committed")).key, "Lib")
  expect(half).toContain("INPUT_COMMITMENT_WORD = 2;")
  expect(half).not.toContain("OUTPUT_COMMITMENT_WORD")
})

test.each([5e-324, 1e-300, 1e300, Number.MAX_VALUE])("a scale of %s has no real numbers", (scale) => {
  const key = mirageOracle(edit(layoutOf("hidden"), ["outputs", 0, "scale"], scale)).key
  const library = solidityLibrary(key, "Lib")
  expect([...library.matchAll(/function (\w+)/g)].map(([, name]) => name)).toEqual([
    "tensor20At",
    "tensor3At",
    "tensor3AsReal",
  ])
  expect(() => compileSolidity({ "Lib.sol": library }, "Lib")).not.toThrow()
})

test("the largest scale that has real numbers does not overflow, and the next has none", async () => {
  const libraryOf = (scale: number) => {
    const widest = { ...layoutOf("hidden").outputs[0], shape: [], lo: -(2 ** 52), bits: 53, scale }
    return solidityLibrary(mirageOracle({ inputs: [], outputs: [widest] }).key, "Lib")
  }
  // 2^52 · 2^143 · 10^18 < 2^255
  expect(libraryOf(2 ** 144)).not.toContain("AsReal")
  const contract = await harnessed(libraryOf(2 ** 143), "uint256")
  const least = await contract.read([1n, 1n], [0n], [0n, 0n])
  expect(least).toEqual([real(-(2n ** 52n), 2 ** 143), real(-(2n ** 52n), 2 ** 143)])
  expect(await contract.read([1n], [2n ** 53n - 1n], [0n])).toEqual([real(2n ** 52n - 1n, 2 ** 143)])
})

test("no name gets anything but identifiers and one line of ASCII in, and no two are the same", () => {
  const line = new RegExp(
    [
      "",
      "// SPDX.*",
      "pragma solidity [^;]*;",
      'import \\{CountersignWords\\} from "countersign/contracts/CountersignWords.sol";',
      "library [A-Z][A-Za-z0-9]* \\{",
      "\\}",
      " {4}error IndexOutOfRange\\(uint256 count, uint256 index\\);",
      " {4}bytes32 internal constant (KEY|MODEL) = 0x[0-9a-f]{64};",
      " {4}bool internal constant DEV = false;",
      " {4}u?int256 internal constant [A-Z][A-Z0-9_]* = -?[0-9]+;",
      " {4}function [a-z][A-Za-z0-9]*(At|AsReal)\\(uint256\\[\\] calldata words, uint256 index\\) internal pure returns \\(int256\\) \\{",
      " {8}(return|if) [^;]*;",
      " {4}\\}",
      " *//[ -~]*",
    ]
      .map((shape) => `^${shape}$`)
      .join("|"),
  )
  const tensor = { shape: [2], scale: 0.5, lo: 0, bits: 8, visibility: "public" as const }
  const names = fc.uniqueArray(
    fc.oneof(
      fc.string({ minLength: 1, unit: "binary" }),
      fc.constantFrom(...hostile),
      fc.stringMatching(/^[aA0_]{1,5}$/),
    ),
    { minLength: 1, maxLength: 12 },
  )
  fc.assert(
    fc.property(names, names, fc.string({ unit: "binary" }), (outputs, inputs, library) => {
      const made: Layout = {
        outputs: outputs.map((name) => ({ name, ...tensor })),
        inputs: inputs.map((name) => ({ name, ...tensor })),
      }
      const text = solidityLibrary(mirageOracle(made).key, library)
      for (const row of text.split("\n")) expect(row).toMatch(line)
      const code = text.replace(/^ *\/\/.*$/gm, "")
      const identifiers = [...code.matchAll(/(?:constant|function|library|error) (\w+)/g)].map(
        ([, name]) => name,
      )
      expect(new Set(identifiers).size).toBe(identifiers.length)
      expect(identifiers.length).toBe(6 + 9 * (outputs.length + inputs.length))
      expect(libraryName(library)).toMatch(/^[A-Z][A-Za-z0-9]{0,80}$/)
    }),
    { numRuns: 25 },
  )
})

test("a ceremony's key says what to compare with the registry, and its contributors in a comment", async () => {
  const mallory = { ...ceremony, contributors: ["Bob", "@dev */ é\\u000a"] }
  const { key } = mirageOracle(layoutOf("public"), { setup: mallory })
  const library = solidityLibrary(key, "Lib")
  expect(library).toContain(
    '// made by "a ceremony of 2 contributors (Bob, @dev */ \\u00e9\\\\u000a) and a beacon',
  )
  expect(library).not.toContain("DEVELOPMENT")
  const contract = await harnessed(library, "uint256")
  expect([...(await contract.ceremony())]).toEqual([mallory.ptau, 2n, mallory.transcript])
  expect([...(await contract.facts())]).toEqual([keyDigest(key), key.model, false])
})

test("a key that nobody contributed to must be allowed, and says so", () => {
  const { key } = mirageOracle(layoutOf("hidden"), { setup: uncontributed })
  expect(() => solidityLibrary(key, "Lib")).toThrow(/nobody contributed/)
  const library = solidityLibrary(key, "Lib", { allowDev: true })
  expect(library).toContain("DEV = true")
  expect(library).toContain("NOBODY CONTRIBUTED TO THIS KEY: receipts can be forged")
})

test("a development key must be allowed, and says so", () => {
  const { key } = mirageOracle(layoutOf("hidden"), { setup: "dev" })
  expect(() => solidityLibrary(key, "Lib")).toThrow(/development key/)
  const library = solidityLibrary(key, "Lib", { allowDev: true })
  expect(library).toContain("DEV = true")
  expect(library).toContain("DEVELOPMENT KEY")
})
