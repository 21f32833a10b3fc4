/** A contract that acts on what a model said: it verifies, then reads logits out of the words. */
import type { Contract } from "ethers"
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { keyDigest, type Layout, packTensor, toSolidityArguments } from "#src/verifier/index.js"
import { compileSolidity } from "../../contracts/compile.js"
import { deploy } from "../../examples/chain.js"
import { register, startVerifier, type VerifierChain } from "../support/chain.js"
import { edit, hash32, values } from "../support/groth16-oracle.js"
import { mirageOracle } from "../support/mirage-oracle.js"

const consumer = `// SPDX-License-Identifier: MIT
  pragma solidity ^0.8.24;
  import {ICountersignVerifier} from "countersign/contracts/ICountersignVerifier.sol";
  import {CountersignWords} from "countersign/contracts/CountersignWords.sol";
  contract Oracle {
    using CountersignWords for uint256[];
    ICountersignVerifier private immutable _verifier;
    bytes32 private immutable _key;
    error NotVerified();
    constructor(ICountersignVerifier verifier, bytes32 key) { (_verifier, _key) = (verifier, key); }
    /// Index of the largest of ten logits in [-1000, 2^20 - 1000), whose words come second, after a label's.
    function largest(bytes32 context, uint256[] calldata words, uint256[10] calldata proof)
      external view returns (uint256 best)
    {
      if (!_verifier.verifyInference(_key, context, words, proof)) revert NotVerified();
      for (uint256 i = 1; i < 10; i++)
        if (words.valueAt(1, 20, -1000, i) > words.valueAt(1, 20, -1000, best)) best = i;
    }
    function valueAt(uint256[] calldata words, uint256 first, uint256 bits, int256 lo, uint256 index)
      external pure returns (int256)
    {
      return words.valueAt(first, bits, lo, index);
    }
  }`

const layout: Layout = {
  inputs: [],
  outputs: [
    { name: "label", shape: [], scale: 1, lo: 0, bits: 4, visibility: "public" },
    { name: "logits", shape: [10], scale: 1, lo: -1000, bits: 20, visibility: "public" },
  ],
}
const { key, receipt } = mirageOracle(layout)

let chain: VerifierChain
let oracle: Contract
beforeAll(async () => {
  chain = await startVerifier("mirage")
  await register(chain.contract, key)
  const compiled = compileSolidity({ "Oracle.sol": consumer }, "Oracle")
  oracle = await deploy(compiled, chain.signer, chain.contract.target, keyDigest(key))
})
afterAll(() => chain?.close())

test("the largest logit of a verified inference; nothing of one that is not", async () => {
  const logits = [-1000, 5, 999, -3, 2 ** 20 - 1001, 0, 17, 2 ** 20 - 1002, 1, 2]
  const honest = receipt({
    model: key.model,
    context: hash32("context"),
    input: { visibility: "hidden" },
    output: { visibility: "public", values: values({ label: [4], logits }) },
  })
  const { context, words, proof } = toSolidityArguments(honest, key)
  expect(await oracle.largest(context, words, proof)).toBe(4n)
  const changed = edit(honest, ["statement", "output", "values", "logits", 7], `${2 ** 20 - 1001}`)
  const forged = toSolidityArguments(changed, key)
  await expect(oracle.largest(context, forged.words, proof)).rejects.toMatchObject({
    revert: { name: "NotVerified" },
  })
})

test("values are what was packed, for any range and place", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 53 }),
      fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
      fc.array(fc.bigInt(0n, 2n ** 53n - 1n), { minLength: 1, maxLength: 40 }),
      fc.nat(5),
      async (bits, lo, raw, first) => {
        const list = raw.map((x) => (x % 2n ** BigInt(bits)) + BigInt(lo))
        const words = [...Array.from({ length: first }, () => 1n), ...packTensor(list, lo, bits)]
        const index = raw.length - 1 - (first % raw.length)
        expect(await oracle.valueAt(words, first, bits, lo, index)).toBe(list[index])
      },
    ),
    { numRuns: 40 },
  )
})
